"""Names in data: of the same thing in two places, and those nobody can keep."""

from collections.abc import Callable, Iterable
from pathlib import Path

from common.characters import has_halves
from common.errors import UserError


def check_label(label: str, where: str) -> None:
    """Checks that the name of a label or a tag can be kept as it is.

    Texts get a question mark for half a character; labels that differ only
    there would fall together.

    Args:
        label: the name.
        where: its place in the data.

    Raises:
        UserError: naming the place.
    """
    if has_halves(label):
        raise UserError(
            f"{where}: the label {label!r} has half a character, or bytes that"
            " are not UTF-8, and cannot be kept: rename it"
        )


def check_path(path: Path, flag: str) -> None:
    """Checks that TensorFlow can write and read files at a path.

    Args:
        path: of a folder.
        flag: that names it.

    Raises:
        UserError: if it is not UTF-8.
    """
    if has_halves(str(path)):
        raise UserError(
            f"{flag} {path}: this name is not UTF-8, which TensorFlow needs:"
            " choose another one, or rename the folder"
        )


def match_names(
    wanted: Iterable[str],
    available: Iterable[str],
    fold: Callable[[str], str] = str.casefold,
) -> dict[str, str]:
    """Finds the available name of each that is wanted.

    Names are texts: 7 is not 0007. One that is not there may differ as `fold`
    says, where that leaves no doubt.

    Args:
        wanted: names of a table.
        available: names of files.
        fold: makes equal what may differ.

    Returns:
        Wanted to available name, without those that are not there.

    Example:
        >>> match_names(["a", "B", "c"], ["a", "A", "b"])
        {'a': 'a', 'B': 'b'}
    """
    wanted, names = dict.fromkeys(wanted), set(available)
    spare: dict[str, list[str]] = {}
    for name in names - wanted.keys():
        spare.setdefault(fold(name), []).append(name)
    claims: dict[str, int] = {}
    for name in wanted.keys() - names:
        claims[fold(name)] = claims.get(fold(name), 0) + 1
    matches: dict[str, str] = {}
    for name in wanted:
        if name in names:
            matches[name] = name
        elif claims[fold(name)] == 1 and len(spare.get(fold(name), [])) == 1:
            matches[name] = spare[fold(name)][0]
    return matches
