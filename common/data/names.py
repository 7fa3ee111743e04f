"""Names of the same thing in two places: a table, and files on a disk."""

from collections.abc import Callable, Iterable


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
