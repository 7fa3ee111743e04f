"""Which language is translated into which: --source, --target, --reverse."""

from collections.abc import Sequence
from pathlib import Path

from common.data import zipped
from common.errors import UserError

from ..config import Config


def choose(
    known: Sequence[str], usual: Sequence[str], config: Config
) -> tuple[str, str]:
    """The source and the target language, of those that the data have.

    Args:
        known: the languages of the data.
        usual: source and target where the user says nothing; () for neither.
        config: may name both, one or none of them, and turn them round.

    Raises:
        UserError: if they are not known, not two, or not said.
    """
    told = {"--source": config.source, "--target": config.target}
    has = f"--data {config.data} has {', '.join(known)}"
    for flag, name in told.items():
        if name and name not in known:
            raise UserError(f"{flag} {name}: {has}: pass one of these")
    source, target = told.values()
    others = [name for name in known if name not in told.values()]
    if not source and not target and usual:
        source, target = usual
    elif (source or target) and len(others) == 1:
        source, target = source or others[0], target or others[0]
    if not source or not target:
        raise UserError(f"{has}: pass two of these as --source and --target")
    return _turned(source, target, config)


def named(config: Config) -> tuple[str, str]:
    """The names that the user gives to the languages of nameless columns.

    Returns:
        `("source", "target")` where there are none.

    Raises:
        UserError: if both are the same.
    """
    source, target = _turned(config.source, config.target, config)
    return source or "source", target or "target"


def _turned(source: str, target: str, config: Config) -> tuple[str, str]:
    if source and source == target:
        raise UserError(
            f"--source {source} --target {target}: expected two different"
            " languages"
        )
    return (target, source) if config.reverse else (source, target)


def zip_columns(path: Path) -> tuple[str, ...]:
    """The languages of the columns of `spa-eng.zip` with `spa.txt` in it.

    By the convention of manythings.org/anki the second language, English,
    comes first in the lines; the pair is meant from the first one all the same.

    Returns:
        Such as `("eng", "spa")`; () for files with other names.

    Raises:
        UserError: if the zip does not hold one text file.
    """
    names = path.stem.split("-")
    inside = Path(zipped.find_text(path)).name
    if len(names) == 2 and inside == f"{names[0]}.txt":
        return names[1], names[0]
    return ()
