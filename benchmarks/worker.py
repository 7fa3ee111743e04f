"""One contender in a process of its own, timed step by step on request.

Reads `forward` or `train` from standard input, a line each, and answers the
seconds of that step; `memory` is answered by the peak in MiB.
"""

import json
import sys
import time
from pathlib import Path

from benchmarks.contenders import CONTENDERS, Shape


def peak_memory() -> float:
    """The process's greatest resident size so far, in MiB (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Builds the contender, then answers until the input ends."""
    name, *sizes = sys.argv[1:]
    answers = sys.stdout
    sys.stdout = sys.stderr  # What libraries print is no answer.
    steps = CONTENDERS[name](Shape(*map(int, sizes)))
    print(json.dumps(steps.kernel), file=answers, flush=True)
    for line in sys.stdin:
        if line.strip() == "memory":
            print(peak_memory(), file=answers, flush=True)
            continue
        step = steps.forward if line.strip() == "forward" else steps.train
        started = time.perf_counter()
        step()
        print(time.perf_counter() - started, file=answers, flush=True)


if __name__ == "__main__":
    main()
