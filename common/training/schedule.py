"""Sizes of a training that follow from the amount of data unless given."""

import dataclasses
import math
from typing import Any

# Fewer steps between two validations, and two learning rates, teach little.
MIN_STEPS = 100
# Fewer batches in a pass are too large for the data: their noise is missed.
MIN_BATCHES = 12
# By fewer validation examples the best epoch is chosen by chance.
MIN_VALID = 10
BEST, LAST = "best", "last"


def complete(
    config: Any,
    amount: int,
    most: int,
    least: int,
    name: str = "batch_size",
    min_steps: int = MIN_STEPS,
) -> Any:
    """Chooses the sizes that a config leaves open.

    A batch is a power of two of which a pass has at least 12, and an epoch so
    many passes that it has at least 100 steps.

    Args:
        config: with the field `name` and `passes`; 0 leaves them open.
        amount: what a pass holds, in the unit of the batch.
        most: the size of a batch where there are enough data.
        least: the smallest size of a batch.
        name: the field with the size of a batch. Default "batch_size".
        min_steps: of an epoch; fewer where a step teaches much. Default 100.

    Returns:
        The config without zeros.

    Example:
        >>> @dataclasses.dataclass
        ... class Config:
        ...     batch_size: int = 0
        ...     passes: int = 0
        >>> complete(Config(), 240, most=64, least=4)
        Config(batch_size=16, passes=7)
        >>> complete(Config(), 9_000, most=64, least=4)
        Config(batch_size=64, passes=1)
    """
    size = getattr(config, name) or batch_size(amount, most, least)
    steps = math.ceil(amount / size)
    passes = config.passes or math.ceil(min_steps / steps)
    return dataclasses.replace(config, **{name: size}, passes=passes)


def batch_size(amount: int, most: int, least: int) -> int:
    """Returns the greatest power of two that makes enough batches.

    Args:
        amount: what a pass holds.
        most: an upper limit, which is returned as it is.
        least: a lower limit, likewise.
    """
    wanted = amount / MIN_BATCHES
    if wanted >= most:
        return most
    return max(least, 2 ** int(math.log2(max(wanted, 1))))


def choose_kept(num_valid: int) -> str:
    """Returns which epoch's model a run keeps: the "best" or the "last".

    Of four pictures, say, any measure goes up and down as they please. Videos
    have many frames, each of which counts: there, the best is always kept.

    Args:
        num_valid: the validation examples.

    Example:
        >>> choose_kept(4), choose_kept(100)
        ('last', 'best')
    """
    return BEST if num_valid >= MIN_VALID else LAST


def describe_kept(report: dict) -> list[str]:
    """Returns a line about a run that keeps the last epoch; else none.

    Args:
        report: of the data, with what `choose_kept` returned.
    """
    if report["kept_epoch"] == BEST:
        return []
    return [
        f"fewer than {MIN_VALID} validation examples cannot tell the best"
        " epoch: the last one is kept"
    ]


def fill_from(config: Any, before: dict[str, Any]) -> Any:
    """Returns the config with what it leaves open as a run chose it.

    Args:
        config: of the command line; its class names in `BY_DATA` the fields
            that follow from the data where they have their default.
        before: the config of the run, as a dictionary.
    """
    chosen = {
        name: before[name]
        for name in config.BY_DATA
        if getattr(config, name) == getattr(type(config), name)
    }
    return dataclasses.replace(config, **chosen)


def describe(config: Any, num_steps: int) -> str:
    """Returns the length of a training in words.

    Args:
        config: complete.
        num_steps: of an epoch.
    """
    passes = f" ({config.passes} --passes)" if config.passes > 1 else ""
    sizes = [
        f"{getattr(config, name)} {unit} a step"
        for name, unit in (
            ("batch_size", "examples"),
            ("batch_tokens", "tokens"),
        )
        if hasattr(config, name)
    ]
    return (
        f"{sizes[0]}, {num_steps} steps an epoch{passes}, at most"
        f" {config.epochs} epochs"
    )
