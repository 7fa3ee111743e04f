"""The places of computed features, and signs that they are still right.

A stamp tells a file from what it was before; a signature, a JSON object, tells
the features of one encoder from those of another.
"""

import hashlib
import json
import re
from pathlib import Path

from common.errors import UserError


def cache_path(data: str, encoder: str, signature: dict) -> Path:
    """Returns the place of the features of a data set, whatever run needs them.

    Args:
        data: the folder of the data set.
        encoder: its name, for people.
        signature: of the encoder.

    Example:
        >>> str(cache_path("my data", "ResNet50", {"size": 32}))
        'features/my-data-ResNet50-e2eeda1b'
    """
    name = re.sub(r"\W+", "-", Path(data).resolve().name)
    digest = hashlib.blake2b(json.dumps(signature).encode(), digest_size=4)
    return Path("features") / f"{name}-{encoder}-{digest.hexdigest()}"


def make_stamp(source: Path) -> str:
    """Makes a text that changes whenever a file does.

    Args:
        source: a file, or a folder of frame pictures.

    Returns:
        Size and time of the file, or number of files, their size and the
        newest time; "" if there is nothing.
    """
    try:
        files = sorted(source.iterdir()) if source.is_dir() else [source]
        states = [path.stat() for path in files]
    except OSError:
        return ""
    size = sum(state.st_size for state in states)
    newest = max((state.st_mtime_ns for state in states), default=0)
    count = f"{len(states)} " if source.is_dir() else ""
    return f"{count}{size} {newest}"


def check_signature(
    path: Path, stored: dict | None, signature: dict, outdated: Path | str
) -> None:
    """Checks that stored features are of one encoder.

    Args:
        path: the file that names their encoder.
        stored: the signature there; None if unknown.
        signature: of the encoder to use.
        outdated: what to remove if they differ.

    Raises:
        UserError: if they are of another one.
    """
    if stored != signature:
        raise UserError(
            f"{path}: features of {_describe(stored)}, not of"
            f" {_describe(signature)}; remove {outdated}, or choose another"
            " --to"
        )


def _describe(signature: dict | None) -> str:
    if signature is None:
        return "an unknown encoder"
    return ", ".join(f"{name} {value}" for name, value in signature.items())
