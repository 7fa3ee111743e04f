"""Training for long, with kills in between: memory, open files and disk.

    python -m benchmarks.soak [--minutes 10] [--kill-every 60] [--app sentiment]

A small model and many epochs: minutes have as many epochs, checkpoints and
logs as hours of a large one. A line for each life of the process says how much
it grew between its first and its last third; all should be flat.
"""

import dataclasses
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from common import cli, options

# Seconds between two samples.
INTERVAL = 0.5
# Of a life that is too young: what it imports is still growing.
WARM_UP = 20.0
# Everything is small, and no epoch is better for long.
ENDLESS = ("--smoke", "--epochs", "100000", "--patience", "100000")
SMALL = ("--num-examples", "64")


@dataclasses.dataclass(frozen=True)
class Sample:
    """The state of a process, and of the folder that it writes.

    Attributes:
        memory: resident, in MB.
        files: open ones.
        disk: of the run folder, in MB.
        epochs: rows of its log.
    """

    memory: float
    files: int
    disk: float
    epochs: int


def take_sample(pid: int, folder: Path) -> Sample:
    """Reads the state of a process from /proc."""
    status = Path(f"/proc/{pid}/statm").read_text().split()
    pages = int(status[1]) * os.sysconf("SC_PAGE_SIZE")
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return Sample(
        memory=pages / 1e6,
        files=len(os.listdir(f"/proc/{pid}/fd")),
        disk=sum(map(_size, paths)) / 1e6,
        epochs=_count_epochs(folder),
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _count_epochs(folder: Path) -> int:
    log = folder / "log.csv"
    return len(log.read_text().splitlines()) - 1 if log.exists() else 0


def live(app: str, folder: Path, seconds: float) -> list[Sample]:
    """Trains for some seconds, then kills; returns what was seen."""
    command = [sys.executable, "-m", f"apps.{app}.train", *ENDLESS, *SMALL]
    process = subprocess.Popen(
        [*command, "--run-dir", str(folder)], stdout=subprocess.DEVNULL
    )
    samples = []
    end = time.monotonic() + seconds
    warm = time.monotonic() + WARM_UP
    while time.monotonic() < end and process.poll() is None:
        time.sleep(INTERVAL)
        if time.monotonic() > warm:
            samples.append(take_sample(process.pid, folder))
    process.send_signal(random.choice((signal.SIGKILL, signal.SIGTERM)))
    process.wait()
    return samples


def describe(samples: list[Sample]) -> str:
    """Returns the medians of the first and of the last third, as a line.

    Example:
        >>> describe([Sample(100, 9, 1.0, n) for n in range(9)])
        'epochs 0 to 8; memory 100 to 100 MB; open files 9 to 9; disk 1.0 to 1.0 MB'
    """  # noqa: E501
    third = max(1, len(samples) // 3)
    first, last = samples[:third], samples[-third:]

    def both(name: str, digits: int) -> str:
        low, high = (
            statistics.median(getattr(sample, name) for sample in part)
            for part in (first, last)
        )
        return f"{low:.{digits}f} to {high:.{digits}f}"

    return (
        f"epochs {samples[0].epochs} to {samples[-1].epochs};"
        f" memory {both('memory', 0)} MB; open files {both('files', 0)};"
        f" disk {both('disk', 1)} MB"
    )


def soak(app: str, seconds: float, kill_every: float) -> Iterator[str]:
    """Yields a line for each life of the process."""
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        while (left := end - time.monotonic()) > 0:
            age = random.uniform(0.5, 1.5) * kill_every
            if samples := live(app, folder, min(age, left)):
                yield describe(samples)
        hidden = [path.name for path in Path(scratch).rglob(".*")]
        yield f"hidden files after the last kill: {len(hidden)}"


def main() -> None:
    """Prints a line for each life."""
    parser = cli.Parser("benchmarks.soak", __doc__ or "")
    positive = options.number(float, options.above(0))
    parser.add_argument("--minutes", type=positive, default=10.0)
    parser.add_argument("--kill-every", type=positive, default=60.0)
    parser.add_argument("--app", default="sentiment")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    random.seed(args.seed)
    for line in soak(args.app, 60 * args.minutes, args.kill_every):
        print(line, flush=True)


if __name__ == "__main__":
    cli.main(main)
