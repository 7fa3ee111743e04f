"""Fuzzes the readers, for as long as one likes: see `tests.fuzz`."""

import argparse
import collections
import faulthandler
import hashlib
import os
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""


def main():
    parser = argparse.ArgumentParser(
        "python -m tests.fuzz", description=__doc__.splitlines()[0]
    )
    parser.add_argument("targets", nargs="*", help="names of targets [all]")
    parser.add_argument(
        "--inputs", type=int, default=500, help="a target [500]"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guided", action="store_true", help="needs atheris")
    parser.add_argument(
        "--failures", type=Path, default=Path("fuzz-failure"), metavar="FOLDER"
    )
    args = parser.parse_args()
    faulthandler.enable()
    if args.guided:
        run_guided(args)
    else:
        run_random(args)


class Count:
    """Counts verdicts of a target, and keeps what is wrong."""

    def __init__(self, target, failures):
        self.target = target
        self.failures = failures
        self.counts = collections.Counter()
        self.faults = set()
        self.start = time.monotonic()
        self.folder = tempfile.TemporaryDirectory()

    def try_input(self, content):
        from tests.fuzz import oracle

        try:
            verdict = oracle.judge(self.target, content, Path(self.folder.name))
        except oracle.Hang as error:
            verdict = "hangs"
            self._keep(content, error)
        except AssertionError as error:
            verdict = "wrong"
            self._keep(content, error)
        except Exception as error:
            verdict = "tracebacks"
            self._keep(content, error)
        self.counts[verdict] += 1

    def _keep(self, content, error):
        """Writes each fault once: one place of the code is one fault."""
        frames = traceback.extract_tb(error.__traceback__)
        where = [f"{Path(x.filename).name}:{x.lineno}" for x in frames[-3:]]
        fault = (type(error).__name__, *where)
        if fault in self.faults:
            return
        self.faults.add(fault)
        name = hashlib.sha256(repr(content).encode()).hexdigest()[:12]
        folder = self.failures / self.target.name
        # Of a folder, all its files.
        files = content if isinstance(content, dict) else {"": content}
        for inside, data in files.items():
            path = folder / name / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        text = str(error).replace("\n", " ")[:200]
        print(f"{self.target.name}: {folder / name}: {fault}: {text}")
        sys.stdout.flush()

    def print_row(self):
        kinds = ("answered", "refused", "wrong", "tracebacks", "hangs")
        cells = [str(self.counts[kind]) for kind in kinds]
        seconds = time.monotonic() - self.start
        row = [self.target.name, str(self.counts.total()), *cells]
        print("|", " | ".join(row), f"| {seconds:.0f} s |", flush=True)


HEADER = (
    "| target | inputs | answered | refused | wrong | tracebacks | hangs | |\n"
    "|---|---|---|---|---|---|---|---|"
)


def run_random(args):
    """Damages the seeds of each target, and prints a table."""
    from tests.fuzz import edits, folders
    from tests.fuzz.media_targets import TARGETS

    targets = {**TARGETS, **folders.FOLDERS}
    print(HEADER, flush=True)
    for name in args.targets or targets:
        target, draw = targets[name], random.Random(f"{args.seed} {name}")
        count, seeds = Count(target, args.failures), target.seeds()
        for number in range(args.inputs):
            content = seeds[number % len(seeds)]
            if number >= len(seeds) and name in folders.FOLDERS:
                content = folders.damage(content, draw)
            elif number >= len(seeds):
                changes = edits.random_edits(draw)
                content = edits.apply(content, changes, target.words)
            count.try_input(content)
        count.print_row()


def run_guided(args):
    """Lets libFuzzer choose inputs by the lines that they reach."""
    import atheris

    with atheris.instrument_imports(include=["common.data", "common.media"]):
        from tests.fuzz.media_targets import TARGETS
    (name,) = args.targets or ["csv"]
    target = TARGETS[name]
    count = Count(target, args.failures)
    corpus = Path(count.folder.name) / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds()):
        (corpus / str(number)).write_bytes(seed)

    def try_input(content):
        count.try_input(content)
        if count.counts.total() == args.inputs:
            count.print_row()
            count.folder.cleanup()
            os._exit(0)  # libFuzzer ends no other way without a report.

    flags = [f"-seed={args.seed + 1}", "-max_len=4096", "-timeout=300"]
    print(HEADER, flush=True)
    atheris.Setup([sys.argv[0], *flags, str(corpus)], try_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
