"""One contender in a process of its own, timed step by step on request.

Reads a word a line from standard input and answers each with a line of JSON:
`forward` and `train` with the seconds of that step, `memory` with the peak in
MiB, `kernel` with what the layer has logged since the last time it was asked.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.bidirectional import BIDIRECTIONAL
from benchmarks.contenders import (
    LAYERS,
    PRECISIONS,
    Contender,
    Shape,
)

TABLES: dict[str, dict[str, Contender]] = {
    "layer": LAYERS,
    "precision": PRECISIONS,
    "bidirectional": BIDIRECTIONAL,
}


class Log(logging.Handler):
    """Keeps the messages of `common.layers.lstm` about its kernels."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        logger = logging.getLogger("common.layers.lstm")
        logger.setLevel(logging.INFO)
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a message, without the name of the layer before it."""
        self.lines.append(record.getMessage().partition(": ")[2])

    def pop(self) -> str:
        """The different messages since the last time."""
        lines, self.lines = self.lines, []
        return "; ".join(dict.fromkeys(lines))


def peak_memory() -> float:
    """The process's greatest resident size so far, in MiB (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def timed(step: Callable[[], Any]) -> float:
    """The seconds that a step takes."""
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def main() -> None:
    """Builds the contender, then answers until the input ends."""
    table, name, *sizes = sys.argv[1:]
    answers = sys.stdout
    sys.stdout = sys.stderr  # What libraries print is no answer.
    log = Log()
    steps = TABLES[table][name](Shape(*map(int, sizes)))
    log.pop()  # Building a model runs its layers, which says nothing yet.
    respond: dict[str, Callable[[], Any]] = {
        "forward": lambda: timed(steps.forward),
        "train": lambda: timed(steps.train),
        "memory": peak_memory,
        "kernel": lambda: log.pop() or steps.kernel,
    }
    for line in sys.stdin:
        print(json.dumps(respond[line.strip()]()), file=answers, flush=True)


if __name__ == "__main__":
    main()
