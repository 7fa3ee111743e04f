"""The server beside a bare call, and beside a route as its users write it.

    python -m benchmarks.serving [--seconds 5] [--rounds 5] [--minutes 0]

A sentiment model of the default size answers texts of 200 words. The server,
the bare calls and the peer take turns, so that other work on the machine meets
all of them; medians over the rounds. `--minutes N` adds N minutes of 64 clients
with a new version every minute: failed requests, memory, and the latency while
a version loads.
"""

import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from common import cli, options

WORDS = 200
CLIENTS = (1, 8, 64)
TEXT = " ".join(["a", "good", "film", "and", "bad"] * (WORDS // 5))
BODY = json.dumps({"inputs": {"text": [TEXT]}})
PATH = "/v1/models/sentiment:predict"
# As a page of a web framework shows it, and as its readers write it.
PEER = """
import sys
import fastapi, pydantic, tensorflow as tf, uvicorn
app = fastapi.FastAPI()
model = tf.saved_model.load(sys.argv[1])
class Body(pydantic.BaseModel):
    inputs: dict[str, list[str]]
@app.get("/readyz")
def ready():
    return {}
@app.post("/v1/models/sentiment:predict")
def predict(body: Body):
    answer = model.signatures["serving_default"](
        text=tf.constant(body.inputs["text"]))
    return {"label": [x.decode() for x in answer["label"].numpy()],
            "probabilities": answer["probabilities"].numpy().tolist()}
uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""
# Calls of the signature from threads, without HTTP.
BARE = """
import sys, threading, time
from pathlib import Path
import numpy as np, tensorflow as tf
folder, text = sys.argv[1:]
model = tf.saved_model.load(folder)
answer = model.signatures["serving_default"]
def ask():
    return {k: v.numpy() for k, v in answer(text=tf.constant([text])).items()}
ask()
print("ready", flush=True)
for line in sys.stdin:
    clients, seconds = line.split()
    times, stop = [], time.monotonic() + float(seconds)
    def work():
        while time.monotonic() < stop:
            start = time.monotonic()
            ask()
            times.append(time.monotonic() - start)
    threads = [threading.Thread(target=work) for _ in range(int(clients))]
    [x.start() for x in threads]
    [x.join() for x in threads]
    print(*times, flush=True)
"""


class Load(NamedTuple):
    """What clients saw in one round.

    Attributes:
        times: seconds of each request.
        seconds: of the round.
        failed: requests without an answer.
    """

    times: list[float]
    seconds: float
    failed: int = 0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.times) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds below which this share of the requests is."""
        ordered = sorted(self.times)
        return 1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def export_model(folder: Path) -> Path:
    """Trains a model of the default size for a moment, and exports it."""
    run = folder / "sentiment"
    for module, *flags in (
        (
            *("apps.sentiment.train", "--run-dir", str(run)),
            *("--epochs", "1", "--num-examples", "500"),
        ),
        ("apps.sentiment.export", str(run), "--to", str(folder / "exports")),
    ):
        subprocess.run(
            [sys.executable, "-m", module, *flags],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return folder / "exports" / "sentiment" / "1"


def ask_for(port: int, clients: int, seconds: float) -> Load:
    """Lets clients ask one after the other, each on its own connection."""
    times: list[float] = []
    failed: list[object] = []
    begin = time.monotonic()
    stop = begin + seconds

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.monotonic() < stop:
            start = time.monotonic()
            try:
                connection.request(
                    "POST",
                    PATH,
                    BODY,
                    {"Content-Type": "application/json"},
                )
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                failed.append(error)
                connection.close()
                continue
            times.append(time.monotonic() - start)
            if answer.status != 200:
                failed.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(times, time.monotonic() - begin, len(failed))


@contextmanager
def running(command: list[str], port: int) -> Iterator[subprocess.Popen]:
    """Starts a server, and waits until it is ready."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}/readyz"
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit(f"failed: {command}") from None
                time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def serve(folder: Path, port: int) -> list[str]:
    """Returns the command of our server."""
    flags = ["--port", str(port), "--poll", "0.5"]
    return [sys.executable, "-m", "common.serving", str(folder), *flags]


def megabytes(process: subprocess.Popen) -> float:
    """Returns the resident memory of a process."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def bare(folder: Path) -> Iterator[Callable[[int, float], Load]]:
    """Yields a function that lets threads call the signature."""
    process = subprocess.Popen(
        [sys.executable, "-c", BARE, str(folder), TEXT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin and process.stdout
    stdin, stdout = process.stdin, process.stdout
    stdout.readline()

    def ask(clients: int, seconds: float) -> Load:
        stdin.write(f"{clients} {seconds}\n")
        stdin.flush()
        times = [float(x) for x in stdout.readline().split()]
        return Load(times, seconds)

    try:
        yield ask
    finally:
        stdin.close()
        process.wait()


def compare(folder: Path, seconds: float, rounds: int, port: int) -> None:
    """Prints latency and throughput of the server, bare calls and the peer."""
    peer_file = folder.parents[2] / "peer.py"
    peer_file.write_text(PEER)
    loads: dict[tuple[str, int], list[Load]] = {}
    contenders: dict[str, Callable[[int, float], Load]] = {}
    start = time.monotonic()
    with running(serve(folder.parents[1], port), port), bare(folder) as ask:
        print(f"start to ready: {time.monotonic() - start:.1f} s")
        contenders["server"] = lambda n, s: ask_for(port, n, s)
        contenders["bare"] = ask
        with _peer(peer_file, folder, port + 1) as has_peer:
            if has_peer:
                contenders["fastapi"] = lambda n, s: ask_for(port + 1, n, s)
            for number in range(rounds + 1):
                for clients in CLIENTS:
                    for name, run in contenders.items():
                        load = run(clients, seconds)
                        if number:  # The first round warms up.
                            loads.setdefault((name, clients), []).append(load)
    _print_loads(loads)


@contextmanager
def _peer(peer: Path, folder: Path, port: int) -> Iterator[bool]:
    try:
        import fastapi  # noqa: F401
    except ModuleNotFoundError:
        print("fastapi is not installed: no peer")
        yield False
        return
    with running([sys.executable, str(peer), str(folder), str(port)], port):
        yield True


def _print_loads(loads: dict[tuple[str, int], list[Load]]) -> None:
    print(f"{'':10}clients   p50 ms   p99 ms  requests/s   of bare  failed")
    for (name, clients), rounds in sorted(loads.items()):
        rate = statistics.median(load.rate for load in rounds)
        others = [load.rate for load in loads["bare", clients]]
        middle, slow = (
            statistics.median(load.percentile(share) for load in rounds)
            for share in (0.5, 0.99)
        )
        failed = sum(load.failed for load in rounds)
        print(
            f"{name:10}{clients:7}{middle:9.2f}{slow:9.2f}{rate:12.1f}"
            f"{rate / statistics.median(others):10.2f}{failed:8}"
        )


def soak(folder: Path, minutes: int, port: int) -> None:
    """Prints what 64 clients see while a new version comes every minute."""
    base = folder.parent
    with running(serve(base.parent, port), port) as process:
        memory = []
        for minute in range(minutes):
            quiet = ask_for(port, CLIENTS[-1], 20)
            new = base / f".partial-{minute}"
            shutil.copytree(folder, new)
            new.rename(base / str(minute + 2))
            loading = ask_for(port, CLIENTS[-1], 20)
            rest = ask_for(port, CLIENTS[-1], 20)
            memory.append(megabytes(process))
            failed = quiet.failed + loading.failed + rest.failed
            print(
                f"minute {minute + 1}: version {minute + 2}, {failed} failed,"
                f" p99 {quiet.percentile(0.99):.0f} ms before,"
                f" {loading.percentile(0.99):.0f} ms while it loads;"
                f" {memory[-1]:.0f} MB",
                flush=True,
            )
    growth = memory[-1] / memory[min(2, len(memory) - 1)] - 1
    print(f"memory after the third version to the last: {growth:+.1%}")


def main() -> None:
    """Measures, and prints."""
    parser = cli.Parser("benchmarks.serving", __doc__ or "")
    count = options.number(int, options.at_least(0))
    positive = options.number(float, options.above(0))
    parser.add_argument("--seconds", type=positive, default=5.0, metavar="N")
    parser.add_argument("--rounds", type=count, default=5, metavar="N")
    parser.add_argument("--minutes", type=count, default=0, metavar="N")
    parser.add_argument("--port", type=count, default=8710, metavar="N")
    parser.add_argument("--export", default="", metavar="FOLDER/NAME/1")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "exports" / "sentiment" / "1"
        if args.export:
            shutil.copytree(args.export, folder)
        else:
            folder = export_model(Path(scratch))
        if args.rounds:
            compare(folder, args.seconds, args.rounds, args.port)
        if args.minutes:
            soak(folder, args.minutes, args.port + 2)


if __name__ == "__main__":
    cli.main(main)
