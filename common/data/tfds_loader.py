"""Datasets of tensorflow-datasets, prepared or refused in seconds.

tensorflow-datasets retries a missing network for minutes before it fails;
here a data set that is neither prepared nor downloadable is an error at once.
"""

import difflib
import http.client
import queue
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common.characters import printable
from common.data import json_files
from common.errors import UserError, format_names

PROBE_SECONDS = 3.0
# Other forms make tensorflow-datasets look for code on the network.
NAME = re.compile(r"\w+(/[^/:,=]+)?(:[\d.*]+)?")


def prepare_builder(name: str, tfds_dir: str = "") -> Any:
    """Finds a data set by name, and prepares it on disk if it is not.

    Args:
        name: `NAME` or `NAME/CONFIG` as in tensorflow-datasets.
        tfds_dir: the folder with prepared data; "" for the library's default
            (`~/tensorflow_datasets` or `$TFDS_DATA_DIR`).

    Returns:
        A prepared `tfds.core.DatasetBuilder`: `builder.info.splits` is known.

    Raises:
        UserError: if the name is unknown, or if the data are not prepared and
            cannot be prepared from here.
    """
    import tensorflow_datasets as tfds

    if not NAME.fullmatch(name):
        raise UserError(f"tfds:{name}: expected tfds:NAME or tfds:NAME/CONFIG")
    try:
        builder = tfds.builder(name, data_dir=tfds_dir or None)
    except (ValueError, AssertionError) as error:  # Name, config, version.
        raise UserError(
            f"tfds:{name}: {_describe_refusal(name, error)}"
        ) from error
    if not builder.info.splits:
        _prepare(builder, name)
    return builder


def _describe_refusal(name: str, error: Exception) -> str:
    """Describes the mistake in a name that tensorflow-datasets refuses."""
    import tensorflow_datasets as tfds

    base, _, config = name.partition(":")[0].partition("/")
    names = tfds.list_builders(with_community_datasets=False)  # No network.
    if base not in names:
        near = difflib.get_close_matches(base, names)
        advice = f"; near names: {format_names(near)}" if near else ""
        return f"tensorflow-datasets knows no data set {base}{advice}"
    configs = list(tfds.builder_cls(base).builder_configs)
    if config and config not in configs:
        near = difflib.get_close_matches(config, configs) or configs
        return (
            f"{base} has no configuration {config}; it has {_join_names(near)}"
        )
    return _first_line(error)


def _join_names(names: list[str]) -> str:
    return format_names(names or ["none"], most=8)


def _first_line(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0].rstrip(":")
    return line or type(error).__name__


def _prepare(builder: Any, name: str) -> None:
    import tensorflow_datasets as tfds

    root = Path(builder.data_dir_root)
    downloads = root / "downloads"
    urls = builder.url_infos or {}  # None where nothing is downloaded.
    if not (_is_cached(urls, downloads) or _is_reachable(urls)):
        raise UserError(_describe_missing(name, urls, root))
    print(printable(f"tfds:{name}: preparing it in {root} (once)"))
    config = tfds.download.DownloadConfig(
        # Google's bucket of prepared data is one more host to wait for.
        try_download_gcs=False,
        manual_dir=downloads / "manual",
    )
    try:
        builder.download_and_prepare(download_config=config)
    # Code of any data set runs here: wrong checksum, full disk, a package
    # that is missing, a server that breaks off.
    except Exception as error:
        raise UserError(
            f"tfds:{name}: cannot prepare it in {root}: {_first_line(error)}"
        ) from error


def _describe_missing(name: str, urls: dict[str, Any], root: Path) -> str:
    names = [info.filename for info in urls.values() if info.filename]
    archive = " ".join(["its archive", *names])
    if len(names) > 1:  # Which of them, only the code of the data set knows.
        archive = f"its archives (of {_join_names(names)})"
    return (
        f"tfds:{name} is not prepared in {root} and its server does not answer;"
        f" either run once with network, or copy a prepared folder from another"
        f" machine and name it with --tfds-dir, or put {archive}"
        f" into {root / 'downloads' / 'manual'}"
    )


def _is_cached(urls: dict[str, Any], downloads: Path) -> bool:
    """Returns True if an archive was downloaded before, or by hand."""
    names = [info.filename for info in urls.values()]
    if any((downloads / "manual" / name).exists() for name in names if name):
        return True
    for note in downloads.rglob("*.INFO"):
        try:
            known = json_files.read(note, urls=list).get("urls", [])
        except UserError:
            continue  # Damaged: as if it were not there.
        if any(url in urls for url in known if isinstance(url, str)):
            return True
    return False


def _is_reachable(urls: Iterable[str]) -> bool:
    """Returns True if a server (or the proxy before it) answers."""
    hosts = {urllib.parse.urlsplit(url).netloc: url for url in urls}
    if not hosts:
        return True  # Nothing to download: generated, or on disk already.
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
    for url in hosts.values():
        # A look-up of a host name has no timeout of its own: a daemon thread
        # can be left behind.
        threading.Thread(
            target=lambda url: answers.put(_probe(url)),
            args=[url],
            daemon=True,
        ).start()
    end = time.monotonic() + PROBE_SECONDS
    try:
        return any(
            answers.get(timeout=max(end - time.monotonic(), 0)) for _ in hosts
        )
    except queue.Empty:
        return False


def _probe(url: str) -> bool:
    request = urllib.request.Request(url, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        return True  # Somebody answered.
    except (OSError, http.client.HTTPException):
        return False
    return True
