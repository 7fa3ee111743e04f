"""Parallel files: `train.XX` and `train.YY`, line by line translations."""

import itertools
from collections.abc import Collection, Iterator
from pathlib import Path

from common.data import tables, text_files, zipped
from common.errors import UserError

# What follows `train.` and is no language.
OTHER_ENDINGS = {
    ending.removeprefix(".") for ending in (*tables.SUFFIXES, *zipped.SUFFIXES)
}


def languages(folder: Path, stems: Collection[str]) -> list[str]:
    """The languages of a folder: what follows the stem in the files' names.

    Args:
        folder: the folder.
        stems: the names of splits, such as "train".
    """
    found = set()
    for path in folder.iterdir():
        stem, _, ending = path.name.removesuffix(".gz").partition(".")
        if stem in stems and path.is_file():
            found.add(ending)
    return sorted(found - OTHER_ENDINGS - {""})


def find(folder: Path, stem: str, pair: tuple[str, str]) -> list[Path]:
    """The two files of a split, or [] where the folder has none of them.

    Raises:
        UserError: if one is missing, or both are one file.
    """
    sides = {
        language: path
        for language in pair
        if (path := text_files.find(folder, stem, (f".{language}",)))
    }
    paths = list(sides.values())
    if len(paths) == 1:
        (missing,) = set(pair) - set(sides)
        raise UserError(
            f"{paths[0]}: no {stem}.{missing} or {stem}.{missing}.gz beside it:"
            " add it, or pass another --source or --target"
        )
    if paths and paths[0].samefile(paths[1]):
        raise UserError(
            f"{paths[0]} and {paths[1].name} are the same file: expected the"
            " sentences of one language in each"
        )
    return paths


def read(
    source: Path, target: Path, encoding: str
) -> Iterator[tuple[str, str]]:
    """Yields the lines of two files side by side.

    Raises:
        UserError: if one file has more lines, or there are none.
    """
    sides = [
        text_files.read_bare_lines(path, encoding) for path in (source, target)
    ]
    number = 0
    for number, lines in enumerate(itertools.zip_longest(*sides), 1):
        if None in lines:
            longer = number + sum(1 for side in sides for _ in side)
            first, second = (
                number - 1 if line is None else longer for line in lines
            )
            raise UserError(
                f"{source} has {first:,} lines, {target.name} {second:,}:"
                " expected as many, each line the translation of the same line"
                " of the other file"
            )
        yield lines[0], lines[1]
    if not number:
        raise UserError(f"{source}: empty, expected a sentence in each line")
