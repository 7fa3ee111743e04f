"""Times LSTM layers side by side: `python -m benchmarks.lstm --help`.

Every contender lives in a process of its own and they take turns, step by
step, so that a machine that slows down slows all of them. Read the ratios.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import common  # noqa: F401  Quiets TensorFlow.
from benchmarks.contenders import Shape, available

SHAPES = [
    Shape(64, 200, 128, 128),
    Shape(32, 100, 512, 512),
    Shape(128, 50, 256, 256),
    Shape(16, 500, 64, 64),
    Shape(1, 200, 128, 128),
    Shape(8, 2000, 64, 64),
]


class Worker:
    """A contender's process."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self.times: dict[str, list[float]] = {"forward": [], "train": []}
        self.command = ["-m", "benchmarks.worker", name, *map(str, shape)]
        self.process = subprocess.Popen(
            [sys.executable, *self.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.kernel = self._answer()
        # The first step of each kind traces and compiles.
        self.first = {kind: self.ask(kind) for kind in self.times}

    def _answer(self) -> float:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"stopped; see python {' '.join(self.command)}")
        return json.loads(line)

    def ask(self, what: str) -> float:
        """The seconds of one step, or the peak memory in MiB."""
        assert self.process.stdin
        print(what, file=self.process.stdin, flush=True)
        return self._answer()

    def close(self) -> dict:
        """Ends the process and sums up what it measured."""
        row: dict = {"kernel": self.kernel, "memory_mib": self.ask("memory")}
        for kind, times in self.times.items():
            row[kind] = {
                "median": statistics.median(times),
                "min": min(times),
                "max": max(times),
                "first": self.first[kind],
            }
        self.process.communicate()
        return row


def compare(shape: Shape, names: list[str], rounds: int) -> dict[str, dict]:
    """Times all contenders at one shape, in turns."""
    workers = [Worker(name, shape) for name in names]
    for kind in ("forward", "train"):
        for worker in workers:
            worker.ask(kind)  # Warm-up.
        for _ in range(rounds):
            for worker in workers:
                worker.times[kind].append(worker.ask(kind))
    return {worker.name: worker.close() for worker in workers}


def matmul_peak() -> float:
    """FLOP a second of a large float32 product in TensorFlow, best of many."""
    import tensorflow as tf

    size = 2048
    a = tf.constant(np.ones((size, size), np.float32))
    best = float("inf")
    for _ in range(12):
        started = time.perf_counter()
        tf.matmul(a, a).numpy()
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best


def table(shape: Shape, rows: dict[str, dict], peak: float) -> str:
    """The rows of one shape: milliseconds, ratio to `common`, share of peak."""
    lines = [f"\nbatch, time, features, units = {', '.join(map(str, shape))}"]
    for kind, products in (("forward", 1), ("train", 3)):
        own = rows["common"][kind]["median"]
        for name, row in rows.items():
            seconds = row[kind]
            share = products * shape.forward_flops / seconds["median"] / peak
            lines.append(
                f"  {kind:<8}{name:<15}{1e3 * seconds['median']:9.1f} ms"
                f" ({1e3 * seconds['min']:.1f} to {1e3 * seconds['max']:.1f})"
                f"  common/this {own / seconds['median']:5.2f}"
                f"  of peak {share:4.0%}  {row['kernel']},"
                f" first {seconds['first']:.1f} s"
            )
    memory = ", ".join(f"{k} {v['memory_mib']:.0f}" for k, v in rows.items())
    return "\n".join([*lines, f"  peak memory, MiB: {memory}"])


def main() -> None:
    """Compares at every shape, prints tables, writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", default="lstm_benchmark.json")
    parser.add_argument("--shapes", nargs="*", help="B,T,D,H; all by default")
    parser.add_argument("--contenders", nargs="*", default=available())
    args = parser.parse_args()
    chosen = [Shape(*map(int, text.split(","))) for text in args.shapes or []]
    peak = matmul_peak()
    print(f"matrix products: {peak / 1e9:.0f} GFLOP/s at best")
    results = []
    for shape in chosen or SHAPES:
        rows = compare(shape, args.contenders, args.rounds)
        print(table(shape, rows, peak), flush=True)
        results.append({"shape": shape._asdict(), "results": rows})
    Path(args.json).write_text(
        json.dumps({"peak_flops": peak, "shapes": results}, indent=1)
    )


if __name__ == "__main__":
    main()
