"""Labelled texts: one `--data SPEC`, every split as a stream.

A stream is read anew from its source at each pass and never held in memory.
To read a source of your own, return its splits from `open_splits`.

files: tables, folders of files by class.
tfds: data sets of tensorflow-datasets.
builtin: the generated reviews.
"""

import operator
from collections.abc import Iterator
from functools import partial

from common.data import splits
from common.data.splits import SPLITS, Stream

from . import builtin, files, tfds
from .example import Example

__all__ = ["Example", "open_splits"]

# Equal texts never fall on both sides of a split.
_key = operator.attrgetter("text")


def open_splits(
    spec: str,
    *,
    text_column: str = "text",
    label_column: str = "label",
    delimiter: str = "",
    encoding: str = "utf-8",
    tfds_dir: str = "",
    num_examples: int = 14_000,
    seed: int = 0,
) -> dict[str, Stream[Example]]:
    """Finds the splits of a data set; nothing is read yet.

    Args:
        spec: `builtin`, `tfds:NAME[/CONFIG]`, or a file or folder.
        text_column: of tables and of tensorflow-datasets.
        label_column: likewise.
        delimiter: between the columns of a table; "" recognises it.
        encoding: of files.
        tfds_dir: prepared tensorflow-datasets; "" for its default.
        num_examples: training examples of the builtin data.
        seed: of the builtin data.

    Returns:
        Streams by split name. A source without splits is cut in "train",
        "valid" and "test" by a hash of the text; one with a training split
        but none for validation gives "valid" a tenth of it.

    Raises:
        UserError: if there is no such data, or none that fits a known layout.
    """
    columns = (text_column, label_column)
    if spec == "builtin":
        return splits.complete(_builtin_readers(num_examples, seed), _key)
    if spec.startswith("tfds:"):
        return splits.complete(tfds.readers(spec, tfds_dir, columns), _key)
    path = splits.existing(
        spec, "builtin, tfds:NAME, or the path of a file or folder"
    )
    form = files.Form(columns, encoding, delimiter)
    if path.is_file():
        return splits.cut(partial(files.read_table, path, form), _key)
    if readers := files.readers(path, form):
        return splits.complete(readers, _key)
    return splits.cut(partial(files.read_classes, path, encoding), _key)


def _builtin_readers(
    num_examples: int, seed: int
) -> dict[str, splits.Reader[Example]]:
    sizes = dict.fromkeys(SPLITS, max(num_examples // 10, 10))
    sizes["train"] = num_examples
    return {
        name: partial(_read_builtin, name, size, seed)
        for name, size in sizes.items()
    }


def _read_builtin(split: str, size: int, seed: int) -> Iterator[Example]:
    for text, label in builtin.generate(split, size, seed):
        yield Example(text, label, f"builtin {split}")
