"""Times LSTM layers side by side: `python -m benchmarks.lstm --help`.

Every contender lives in a process of its own and they take turns, step by
step, so that a machine that slows down slows all of them. Read the ratios.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import common  # noqa: F401  Quiets TensorFlow.
from benchmarks import growth
from benchmarks.contenders import Shape
from benchmarks.report import summary, table
from benchmarks.turns import available, compare

SHAPES = [
    Shape(64, 200, 128, 128),
    Shape(32, 100, 512, 512),
    Shape(128, 50, 256, 256),
    Shape(16, 500, 64, 64),
    Shape(1, 200, 128, 128),
    Shape(8, 2000, 64, 64),
]
LIBRARIES = ["tensorflow", "keras", "numpy", "jax", "jaxlib", "torch"]


def matmul_peak() -> float:
    """Measures FLOP a second of a large float32 product, best of many."""
    import tensorflow as tf

    size = 2048
    a = tf.constant(np.ones((size, size), np.float32))
    best = float("inf")
    for _ in range(12):
        started = time.perf_counter()
        tf.matmul(a, a).numpy()
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best


def machine() -> dict[str, Any]:
    """Returns what the numbers depend on: versions, number of processors."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"versions": versions, "num_processors": os.cpu_count()}


def shape(text: str) -> Shape:
    """Reads `B,T,D,H`.

    Raises:
        argparse.ArgumentTypeError: if these are not four counts.

    Example:
        >>> shape("2,3,4,5")
        Shape(batch=2, time=3, features=4, units=5)
    """
    sizes = [int(x) for x in text.split(",") if x.isdecimal()]
    if len(sizes) != 4 or text.count(",") != 3 or 0 in sizes:
        raise argparse.ArgumentTypeError(
            f"expected four counts B,T,D,H, got {text!r}: write 64,200,128,128"
        )
    return Shape(*sizes)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=10, help="steps that count")
    add("--json", default="lstm_benchmark.json", help="where all numbers go")
    add(
        "--shapes",
        nargs="*",
        type=shape,
        metavar="B,T,D,H",
        help="of the layers, none too; by default six, and --bidirectional",
    )
    add(
        "--contenders",
        nargs="*",
        default=available("layer"),
        choices=available("layer"),
        help="besides common",
    )
    for name, about in (
        ("bidirectional", "a bidirectional model in fit"),
        ("precision", "float32 beside mixed_bfloat16"),
    ):
        add(
            f"--{name}",
            nargs="?",
            type=shape,
            const=SHAPES[0],
            metavar="B,T,D,H",
            help=f"{about}, at {','.join(map(str, SHAPES[0]))} by default",
        )
    add("--growth", action="store_true", help="with time and with batch")
    args = parser.parse_args(argv)
    if args.shapes is None:
        args.shapes = SHAPES
        args.bidirectional = args.bidirectional or SHAPES[0]
    return args


def run(args: argparse.Namespace, peak: float) -> dict[str, Any]:
    """Runs the comparisons of the command line, and prints each one."""
    names = list(dict.fromkeys(["common", *args.contenders]))
    in_fit = [name for name in available("bidirectional") if name in names]

    def measure(kind: str, at: Shape, names: list[str]) -> dict[str, Any]:
        comparison = compare(kind, at, names, args.rounds)
        # Of two directions, and of a head, the peak is not the measure.
        share = None if kind == "bidirectional" else peak
        print(table(kind, comparison, share), flush=True)
        return comparison

    results: dict[str, Any] = {
        "shapes": [measure("layer", x, names) for x in args.shapes]
    }
    if at := args.bidirectional:
        results["bidirectional"] = measure("bidirectional", at, in_fit)
    if at := args.precision:
        results["precision"] = measure("precision", at, available("precision"))
    if args.growth:
        results["growth"] = growth.measure(growth.PLAN, args.rounds)
        print(growth.format_growth(results["growth"]), flush=True)
    return results


def main(argv: Sequence[str] | None = None) -> None:
    """Compares, prints tables and a summary, writes JSON."""
    args = arguments(argv)
    # A busy machine shows its peak at one time or the other.
    start = matmul_peak()
    print(f"matrix products: {start / 1e9:.0f} GFLOP/s at the start")
    results = run(args, start)
    end = matmul_peak()
    peak = max(start, end)
    findings = summary(results["shapes"], results.get("bidirectional"), peak)
    print(f"\nmatrix products: {peak / 1e9:.0f} GFLOP/s at best")
    print(*findings, sep="\n")
    record = {
        **machine(),
        "rounds": args.rounds,
        "peak_flops": {"start": start, "end": end, "best": peak},
        **results,
        "summary": [finding._asdict() for finding in findings],
    }
    Path(args.json).write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
