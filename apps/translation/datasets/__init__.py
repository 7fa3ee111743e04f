"""Sentence pairs: one `--data SPEC`, every split as a stream.

A stream is read anew from its source at each pass and never held in memory.
To read a source of your own, return its splits from `open_splits` and the
names of its languages from `languages`.

parallel: folders with a file for each language.
tab_separated: both languages in one file.
tfds: data sets of tensorflow-datasets.
directions: which language is translated into which.
builtin: the generated sentences.
"""

import operator
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from common.data import splits
from common.data.splits import SPLITS, Stream

from . import builtin, directions, parallel, tab_separated, tfds
from .directions import Direction
from .example import Pair

__all__ = ["Pair", "languages", "open_splits"]

# The languages of the builtin data; the first comes first in each pair.
BUILTIN = ("en", "fr")

# Equal sources never fall on both sides of a split.
_key = operator.attrgetter("source")


def open_splits(
    spec: str,
    *,
    source: str = "",
    target: str = "",
    reverse: bool = False,
    delimiter: str = "",
    encoding: str = "utf-8",
    tfds_dir: str = "",
    num_examples: int = 10_000,
    seed: int = 0,
) -> dict[str, Stream[Pair]]:
    """Finds the splits of a data set; nothing is read yet.

    Args:
        spec: `builtin`, `tfds:NAME[/CONFIG]`, or a file or folder.
        source: language to translate from; "" where the data say it.
        target: language to translate to; likewise.
        reverse: translate from the second language to the first.
        delimiter: between the languages in one file; "" is a tab.
        encoding: of files.
        tfds_dir: prepared tensorflow-datasets; "" for its default.
        num_examples: training pairs of the builtin data.
        seed: of the builtin data.

    Returns:
        Streams by split name. A source without splits is cut in "train",
        "valid" and "test" by a hash of the source sentence; one with a
        training split but none for validation gives "valid" a tenth of it.

    Raises:
        UserError: if there is no such data, none that fits a known layout, or
            not these languages.
    """
    direction = Direction(source, target, reverse)
    if spec == "builtin":
        swap = directions.choose(direction, spec, BUILTIN, BUILTIN) != BUILTIN
        readers = _builtin_readers(num_examples, seed, swap)
        return splits.complete(readers, _key)
    if spec.startswith("tfds:"):
        return splits.complete(tfds.readers(spec, tfds_dir, direction), _key)
    path = _existing(spec)
    form = tab_separated.Form(encoding, delimiter)
    if path.is_file():
        return splits.cut(tab_separated.reader(path, direction, form), _key)
    if _is_parallel(path, direction):
        readers = parallel.readers(path, direction, encoding)
    else:
        readers = tab_separated.readers(path, direction, form)
    return splits.complete(readers, _key)


def languages(
    spec: str,
    *,
    source: str = "",
    target: str = "",
    reverse: bool = False,
    tfds_dir: str = "",
) -> tuple[str, str]:
    """Returns the names of the source and the target language of a data set.

    Args:
        spec: as of `open_splits`; so are the others.
        source: language to translate from.
        target: language to translate to.
        reverse: translate from the second language to the first.
        tfds_dir: prepared tensorflow-datasets.

    Returns:
        Such as `("de", "en")`; `("source", "target")` where none are named.

    Raises:
        UserError: as `open_splits`.
    """
    direction = Direction(source, target, reverse)
    if spec == "builtin":
        return directions.choose(direction, spec, BUILTIN, BUILTIN)
    if spec.startswith("tfds:"):
        return tfds.choose(spec, tfds_dir, direction)
    path = _existing(spec)
    layout = parallel if _is_parallel(path, direction) else tab_separated
    return layout.choose(path, direction)


def _existing(spec: str) -> Path:
    return splits.existing(
        spec, "builtin, tfds:NAME, or the path of a file or folder"
    )


def _is_parallel(path: Path, direction: Direction) -> bool:
    """Checks that a path is a folder with a file for each language."""
    if path.is_file():
        return False
    available = parallel.find_languages(path)
    is_named = not {direction.source, direction.target}.isdisjoint(available)
    has_table = "train" in tab_separated.find_tables(path)
    return is_named or (len(available) > 1 and not has_table)


def _builtin_readers(
    num_examples: int, seed: int, swap: bool
) -> dict[str, splits.Reader[Pair]]:
    sizes = dict.fromkeys(SPLITS, max(num_examples // 10, 10))
    sizes["train"] = num_examples
    return {
        name: partial(_read_builtin, name, size, seed, swap)
        for name, size in sizes.items()
    }


def _read_builtin(
    split: str, size: int, seed: int, swap: bool
) -> Iterator[Pair]:
    for english, french in builtin.generate(split, size, seed):
        source, target = (french, english) if swap else (english, french)
        yield Pair(source, target, f"builtin {split}")
