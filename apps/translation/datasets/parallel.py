"""Parallel files: `train.XX` and `train.YY`, line by line translations."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from common.data import tables, text_files, zipped
from common.data.splits import ALIASES, SPLITS, UNDERSTOOD, check_names
from common.errors import UserError

from . import directions
from .directions import Direction
from .example import Pair

# Endings of `train.` that are no language.
OTHER_ENDINGS = {
    ending.removeprefix(".") for ending in (*tables.SUFFIXES, *zipped.SUFFIXES)
}


def find_languages(folder: Path) -> list[str]:
    """Returns the languages of a folder: the endings of `train.XX` and so on.

    Args:
        folder: any folder.
    """
    languages = set()
    for path in folder.iterdir():
        stem, _, ending = path.name.removesuffix(".gz").partition(".")
        if stem in (*SPLITS, *ALIASES) and path.is_file():
            languages.add(ending)
    return sorted(languages - OTHER_ENDINGS - {""})


def choose(folder: Path, direction: Direction) -> tuple[str, str]:
    """Chooses the source and the target of the languages of a folder.

    Raises:
        UserError: if they are not there, not two, or not named.
    """
    available = find_languages(folder)
    names = {direction.source, direction.target} - {""}
    if not names.isdisjoint(available):
        # Where one of two is there, `readers` names the missing file.
        available = sorted(names.union(available))
    return directions.choose(direction, str(folder), available)


def readers(
    folder: Path, direction: Direction, encoding: str
) -> dict[str, Callable[[], Iterator[Pair]]]:
    """Finds the two files of each split.

    Args:
        folder: has the layout above.
        direction: which languages to read.
        encoding: of the files.

    Returns:
        Functions that read a split, by its name.

    Raises:
        UserError: if one of two files is missing, or both are one file; or
            there are files of splits under other names.
    """
    languages = choose(folder, direction)
    result: dict[str, Callable[[], Iterator[Pair]]] = {}
    used: list[Path] = []
    for name in (*SPLITS, *ALIASES):
        split = ALIASES.get(name, name)
        if split not in result and (paths := _find(folder, name, languages)):
            used += paths
            result[split] = partial(read, paths[0], paths[1], encoding)
    # Beside them may be other languages, and other files of that name.
    stems = {path.name.partition(".")[0] for path in used}
    used += [x for x in folder.iterdir() if x.name.partition(".")[0] in stems]
    check_names(folder, used, UNDERSTOOD, [f".{x}" for x in languages])
    return result


def _find(folder: Path, stem: str, languages: tuple[str, str]) -> list[Path]:
    """Finds the two files of a split; [] where the folder has none of them."""
    sides = {
        language: path
        for language in languages
        if (path := text_files.find(folder, stem, (f".{language}",)))
    }
    paths = list(sides.values())
    if len(paths) == 1:
        (missing,) = set(languages) - set(sides)
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


def read(source: Path, target: Path, encoding: str) -> Iterator[Pair]:
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
        yield Pair(lines[0], lines[1], f"{source}:{number}")
    if not number:
        raise UserError(f"{source}: empty, expected a sentence in each line")
