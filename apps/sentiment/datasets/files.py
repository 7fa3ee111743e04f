"""Tables with a row for each text, and folders with a file for each text.

train.csv, valid.tsv, test.jsonl ...    columns `text` and `label`
train/LABEL/*.txt, test/LABEL/*.txt     as in the Large Movie Review data
LABEL/*.txt                             without splits
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from common.data import tables, text_files
from common.data.splits import ALIASES, SPLITS, UNDERSTOOD, check_names
from common.errors import UserError, format_names

from .example import Example

# A folder of the Large Movie Review data that is not a class.
UNLABELLED_FOLDER = "unsup"

Reader = Callable[[], Iterator[Example]]


class Form(NamedTuple):
    """The form of tables.

    Attributes:
        columns: the names of the columns with text and label.
        encoding: of all text files.
        delimiter: between columns; "" recognises it.
    """

    columns: tuple[str, str]
    encoding: str = "utf-8"
    delimiter: str = ""


def readers(folder: Path, form: Form) -> dict[str, Reader]:
    """Finds the tables, or the folders of classes, of each split.

    Args:
        folder: has one of the layouts above.
        form: of its files.

    Returns:
        Functions that read a split, by its name; none if the folder has
        classes but no splits. Tables to test on may be without labels.

    Raises:
        UserError: if the folder has no such layout, or tables and folders
            whose names speak of a split, but are not understood.
    """
    result: dict[str, Reader] = {}
    used: list[Path] = []
    for name in (*SPLITS, *ALIASES):
        split = ALIASES.get(name, name)
        if split in result:
            continue  # Another name of it is an error below.
        if table := tables.find(folder, name):
            used.append(table)
            result[split] = partial(read_table, table, form, split != "test")
        elif _class_folders(folder / name):
            used.append(folder / name)
            result[split] = partial(read_classes, folder / name, form.encoding)
    # A class may well be called train, or test.
    classes = [folder / name for name in (*SPLITS, *ALIASES)]
    check_names(folder, used or classes, UNDERSTOOD)
    if not result and not _class_folders(folder):
        inside = format_names(sorted(p.name for p in folder.iterdir()))
        raise UserError(
            f"--data {folder}: expected train.csv, .tsv or .jsonl, or a folder"
            f" of .txt files for each class (train/LABEL/*.txt or"
            f" LABEL/*.txt); it holds {inside}"
        )
    return result


def read_table(
    path: Path, form: Form, is_labelled: bool = True
) -> Iterator[Example]:
    """Yields the rows of a table.

    Args:
        path: the table.
        form: of it.
        is_labelled: whether each row must have a label.

    Raises:
        UserError: for a broken row, or one without a label that must have it.
    """
    _, label_column = form.columns
    flags = dict(
        zip(("--text-column", "--label-column"), form.columns, strict=True)
    )
    optional = () if is_labelled else (label_column,)
    for line, (text, label) in tables.read_rows(
        path, flags, form.encoding, form.delimiter, optional
    ):
        where = f"{path}:{line}"
        if is_labelled and not label.strip():
            raise UserError(
                f"{where}: no {label_column}; give the row a label or remove it"
            )
        yield Example(text, label.strip(), where)


def read_classes(folder: Path, encoding: str) -> Iterator[Example]:
    """Yields the files of a folder that has a folder for each class.

    Raises:
        UserError: for a file that cannot be read.
    """
    for class_folder in _class_folders(folder):
        for path in sorted(_text_files(class_folder)):
            text = text_files.read_text(path, encoding)
            yield Example(text, class_folder.name, str(path))


def _class_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_dir()
        and path.name != UNLABELLED_FOLDER
        and next(_text_files(path), None)
    )


def _text_files(folder: Path) -> Iterator[Path]:
    """Yields the `.txt` and `.txt.gz` files; some systems add hidden ones."""
    for path in folder.iterdir():
        if text_files.suffix(path) == ".txt" and not path.name.startswith("."):
            yield path
