"""Datasets of tensorflow-datasets, prepared or refused in seconds.

tensorflow-datasets retries a missing network for minutes before it fails;
here a data set that is neither prepared nor downloadable is an error at once.
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common.errors import UserError

PROBE_SECONDS = 5.0


def builder(name: str, tfds_dir: str = "") -> Any:
    """Finds a data set by name and makes sure that it is prepared on disk.

    Args:
        name: `NAME` or `NAME/CONFIG` as in tensorflow-datasets.
        tfds_dir: the folder with prepared data; "" for the library's default
            (`~/tensorflow_datasets` or `$TFDS_DATA_DIR`).

    Returns:
        A prepared `tfds.core.DatasetBuilder`: `builder.info.splits` is known.

    Raises:
        UserError: if the name is unknown, or if the data are not prepared and
            cannot be downloaded from here.
    """
    import tensorflow_datasets as tfds

    try:
        found = tfds.builder(name, data_dir=tfds_dir or None)
    except ValueError as error:  # Unknown names and unknown configs alike.
        raise UserError(_unknown(name, tfds.list_builders(), error)) from error
    if not found.info.splits:
        _prepare(found, name)
    return found


def _unknown(name: str, known: Iterable[str], error: ValueError) -> str:
    import difflib

    base = name.partition("/")[0]
    known = set(known)
    if base in known:
        reason = str(error).partition(". ")[0]
        return f"tfds:{name}: not a configuration of {base}: {reason}"
    near = difflib.get_close_matches(base, sorted(known), n=3)
    advice = f"; near names: {', '.join(near)}" if near else ""
    return f"tfds:{name}: tensorflow-datasets knows no data set {base}{advice}"


def _prepare(found: Any, name: str) -> None:
    import tensorflow_datasets as tfds

    root = Path(found.data_dir_root)
    downloads = root / "downloads"
    if not (_is_cached(found, downloads) or _is_reachable(found.url_infos)):
        raise UserError(_not_prepared(name, found, root))
    print(f"tfds:{name}: preparing it in {root} (once)")
    found.download_and_prepare(
        # Google's bucket of prepared data is one more host to wait for.
        download_config=tfds.download.DownloadConfig(
            try_download_gcs=False, manual_dir=downloads / "manual"
        )
    )


def _not_prepared(name: str, found: Any, root: Path) -> str:
    archives = [info.filename for info in found.url_infos.values()]
    archive = archives[0] if archives else "the archive"
    return (
        f"tfds:{name} is not prepared in {root} and its server does not answer;"
        f" either run once with network, or copy a prepared folder from another"
        f" machine and name it with --tfds-dir, or put {archive} into"
        f" {root / 'downloads' / 'manual'}"
    )


def _is_cached(found: Any, downloads: Path) -> bool:
    """Whether an archive of the data set was downloaded before, or by hand."""
    names = [info.filename for info in found.url_infos.values()]
    if any((downloads / "manual" / name).exists() for name in names if name):
        return True
    urls = set(found.url_infos)
    for note in downloads.rglob("*.INFO"):
        if urls & set(json.loads(note.read_text()).get("urls", [])):
            return True
    return False


def _is_reachable(urls: Iterable[str]) -> bool:
    """Whether the data set's server (or the proxy before it) answers."""
    url = next(iter(urls), None)
    if url is None:
        return True  # Nothing to download: generated, or on disk already.
    answers = []

    def probe() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=PROBE_SECONDS).close()
        except urllib.error.HTTPError:
            pass  # Somebody answered.
        except OSError:
            return
        answers.append(True)

    # A look-up of a host name has no timeout of its own: a daemon thread has.
    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return bool(answers)
