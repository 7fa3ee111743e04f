"""Source and target language: --source, --target, --reverse."""

from collections.abc import Sequence
from typing import NamedTuple

from common.errors import UserError, format_names


class Direction(NamedTuple):
    """The direction of translation, as far as the user gives it.

    Attributes:
        source: language to translate from; "" for none.
        target: language to translate to; "" for none.
        reverse: from the second language to the first.
    """

    source: str = ""
    target: str = ""
    reverse: bool = False


def choose(
    direction: Direction,
    data: str,
    available: Sequence[str],
    default: Sequence[str] = (),
) -> tuple[str, str]:
    """Chooses the source and the target of the languages that the data have.

    Args:
        direction: may name both, one or none of them, and turn them round.
        data: the `--data SPEC`, for error messages.
        available: the languages of the data.
        default: source and target where the user names none; () for neither.

    Raises:
        UserError: if they are not available, not two, or not named.
    """
    flags = {"--source": direction.source, "--target": direction.target}
    has = f"--data {data} has {format_names(available)}"
    for flag, name in flags.items():
        if name and name not in available:
            raise UserError(f"{flag} {name}: {has}: pass one of these")
    source, target = flags.values()
    others = [name for name in available if name not in flags.values()]
    if not source and not target and default:
        source, target = default
    elif (source or target) and len(others) == 1:
        source, target = source or others[0], target or others[0]
    if not source or not target:
        raise UserError(f"{has}: pass two of these as --source and --target")
    return _order(source, target, direction.reverse)


def name_columns(direction: Direction) -> tuple[str, str]:
    """Returns the user's names for the languages of nameless columns.

    Returns:
        `("source", "target")` where there are none.

    Raises:
        UserError: if both are the same.
    """
    source, target = _order(*direction)
    return source or "source", target or "target"


def _order(source: str, target: str, reverse: bool) -> tuple[str, str]:
    if source and source == target:
        raise UserError(
            f"--source {source} --target {target}: expected two different"
            " languages"
        )
    return (target, source) if reverse else (source, target)
