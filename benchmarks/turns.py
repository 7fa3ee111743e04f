"""Contenders that take turns: each in a process of its own, step by step."""

import importlib.util
import json
import shlex
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.contenders import Shape
from benchmarks.worker import TABLES

KINDS = ("forward", "train")
NEEDS = {"keras on jax": "jax", "torch": "torch"}


def available(table: str) -> list[str]:
    """The contenders of a table whose libraries are installed."""
    return [
        name
        for name in TABLES[table]
        if name not in NEEDS or importlib.util.find_spec(NEEDS[name])
    ]


class Worker:
    """A contender's process."""

    def __init__(self, table: str, name: str, shape: Shape) -> None:
        self.command = ["-m", "benchmarks.worker", table, name]
        self.command += map(str, shape)
        self.row: dict[str, Any] = {}
        self.process = subprocess.Popen(
            [sys.executable, *self.command],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, what: str) -> Any:
        """Sends a word to the process; see `benchmarks.worker`.

        Args:
            what: "forward", "train", "memory" or "kernel".

        Returns:
            The answer.

        Raises:
            RuntimeError: if the process has stopped.
        """
        assert self.process.stdin and self.process.stdout
        line = ""
        if self.process.poll() is None:
            print(what, file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"a contender stopped: for the reason run "
                f"echo {what} | python {shlex.join(self.command)}"
            )
        return json.loads(line)

    def start(self, kind: str) -> None:
        """The first step, which traces and compiles, and one to warm up."""
        first, kernel = self.ask(kind), self.ask("kernel")
        self.ask(kind)
        self.row[kind] = {"first": first, "kernel": kernel, "seconds": []}

    def step(self, kind: str) -> None:
        """One step that counts."""
        self.row[kind]["seconds"].append(self.ask(kind))

    def sum_up(self, kind: str) -> None:
        """Adds what the steps amount to, and the peak memory so far."""
        seconds = self.row[kind]["seconds"]
        self.row[kind] |= {
            "median": statistics.median(seconds),
            "min": min(seconds),
            "max": max(seconds),
            "memory_mib": self.ask("memory"),
        }


def take_turns(
    workers: list[Worker], rounds: int, kinds: tuple[str, ...] = KINDS
) -> list[dict[str, Any]]:
    """Times all workers, a step of each in every round, and ends them.

    Args:
        workers: the processes.
        rounds: steps that count, for every worker and kind.
        kinds: "forward", "train" or both.

    Returns:
        For every worker, by kind, the first step's seconds, the kernel, all
        seconds, their median, minimum and maximum, and the peak memory.
    """
    for kind in kinds:
        for worker in workers:
            worker.start(kind)
        for _ in range(rounds):
            for worker in workers:
                worker.step(kind)
        for worker in workers:
            worker.sum_up(kind)
    for worker in workers:
        worker.process.communicate()
    return [worker.row for worker in workers]


def compare(
    table: str, shape: Shape, names: list[str], rounds: int
) -> dict[str, Any]:
    """Times contenders of one table side by side, at one shape."""
    workers = [Worker(table, name, shape) for name in names]
    rows = take_turns(workers, rounds)
    return {
        "shape": shape._asdict(),
        "results": dict(zip(names, rows, strict=True)),
    }
