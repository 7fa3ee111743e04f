"""Growth of a training step of `common.LSTM` with time and with batch.

A size n costs about n to the power of the exponent, fitted by least squares
on logarithms. Most of a process's memory is what it loads and compiles, the
same at every size. So sizes double, three of them at least, and the exponent
of the memory is that of its growth from one to the next, where this cancels.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np

from benchmarks.contenders import Shape
from benchmarks.turns import Worker, take_turns

DOUBLINGS = [1, 2, 4, 8, 16]


class Plan(NamedTuple):
    """The sizes to measure along the two axes, and one long sequence."""

    time: list[Shape]
    batch: list[Shape]
    longest: Shape


PLAN = Plan(
    time=[Shape(8, 250 * n, 64, 64) for n in DOUBLINGS],
    batch=[Shape(8 * n, 200, 64, 64) for n in DOUBLINGS],
    longest=Shape(4, 20_000, 64, 64),
)


def exponent(sizes: list[int], values: list[float]) -> float | None:
    """The slope of log(values) over log(sizes), None if a value is not above 0.

    Example:
        >>> round(exponent([1, 2, 4], [3.0, 12.0, 48.0]), 6)
        2.0
    """
    if min(values) <= 0:
        return None
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def measure(plan: Plan, rounds: int) -> dict[str, Any]:
    """Times the plan; the sizes of an axis take turns.

    Args:
        plan: what to measure.
        rounds: steps that count, for each size.

    Returns:
        By axis, the rows of all sizes and the two exponents; and the row of
        the longest sequence.
    """
    return {
        "time": _along("time", plan.time, rounds),
        "batch": _along("batch", plan.batch, rounds),
        "longest": _rows([plan.longest], rounds)[0],
    }


def _along(axis: str, shapes: list[Shape], rounds: int) -> dict[str, Any]:
    rows = _rows(shapes, rounds)
    sizes = [row["shape"][axis] for row in rows]
    seconds = [row["train"]["median"] for row in rows]
    memory = [row["train"]["memory_mib"] for row in rows]
    growth = [after - before for before, after in itertools.pairwise(memory)]
    return {
        "rows": rows,
        "time_exponent": exponent(sizes, seconds),
        "memory_exponent": exponent(sizes[:-1], growth),
    }


def _rows(shapes: list[Shape], rounds: int) -> list[dict[str, Any]]:
    workers = [Worker("layer", "common", shape) for shape in shapes]
    rows = take_turns(workers, rounds, kinds=("train",))
    return [
        {"shape": shape._asdict(), **row}
        for shape, row in zip(shapes, rows, strict=True)
    ]


def format_growth(growth: dict[str, Any]) -> str:
    """Formats the result of `measure` as lines."""
    lines = ["\ntraining step of common"]
    for axis in ("time", "batch"):
        along = growth[axis]
        lines += [
            *map(_line, along["rows"]),
            f"  exponent against {axis}: of seconds"
            f" {_format_exponent(along['time_exponent'])}, of memory"
            f" {_format_exponent(along['memory_exponent'])}",
        ]
    return "\n".join([*lines, _line(growth["longest"])])


def _line(row: dict[str, Any]) -> str:
    shape = ", ".join(f"{axis} {n}" for axis, n in row["shape"].items())
    train = row["train"]
    return (
        f"  {shape}: {1e3 * train['median']:.1f} ms"
        f" ({1e3 * train['min']:.1f} to {1e3 * train['max']:.1f}),"
        f" first {train['first']:.1f} s, peak {train['memory_mib']:.0f} MiB"
    )


def _format_exponent(value: float | None) -> str:
    return "too small to measure" if value is None else f"{value:.2f}"
