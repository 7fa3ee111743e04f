"""Times LSTM layers that only answer: `python -m benchmarks.inference --help`.

All contenders take turns in one process, so that a machine that slows down
slows all of them. Read the ratios.

The batches, times and units of `--batches`, `--times` and `--units` are all
combined. `--limits` compares the two ways of `common`'s kernel instead: from
it come the limits in `common/layers/lstm/inference.py`. `--text` times the
`serving_default` of an untrained text classifier too, at one text.
"""

import argparse
import contextlib
import importlib.util
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from apps.sentiment import export as sentiment
from apps.sentiment import pipeline
from apps.sentiment.config import Config
from common import LSTM
from common.layers import kernels
from common.layers.lstm import inference

BASE = "generic"
OURS = "inference"
Step = Callable[[], Any]


def take_turns(steps: Mapping[str, Step], rounds: int) -> dict[str, float]:
    """Times steps, one of each in every round, after one that does not count.

    Args:
        steps: what to run, by name.
        rounds: how often each counts.

    Returns:
        The median of the seconds of each.

    Example:
        >>> sorted(take_turns({"a": int, "b": float}, rounds=3))
        ['a', 'b']
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(x[1:]) for name, x in seconds.items()}


def ratios(medians: Mapping[str, float], ours: str = OURS) -> dict[str, float]:
    """Divides the time of ours by that of each other.

    Example:
        >>> ratios({"generic": 4.0, "inference": 1.0})
        {'generic': 0.25}
    """
    return {k: medians[ours] / x for k, x in medians.items() if k != ours}


def make_steps(batch: int, steps: int, units: int) -> dict[str, Step]:
    """Makes layers of equal weights, each in a graph of free batch and time."""
    x = np.random.default_rng(0).normal(size=(batch, steps, units))
    x = x.astype("float32")
    layers = {
        BASE: LSTM(units, return_sequences=True, kernel="generic"),
        OURS: LSTM(units, return_sequences=True, kernel="inference"),
        "keras": keras.layers.LSTM(units, return_sequences=True),
    }
    result = {name: _in_graph(layer, x) for name, layer in layers.items()}
    if importlib.util.find_spec("torch"):
        result["torch"] = _in_torch(x, units)
    return result


def _in_graph(layer: keras.layers.Layer, x: np.ndarray) -> Step:
    spec = tf.TensorSpec([None, None, x.shape[2]])
    run = tf.function(lambda x: layer(x), input_signature=[spec])
    tensor = tf.constant(x)
    return lambda: run(tensor).numpy()


def _in_torch(x: np.ndarray, units: int) -> Step:
    import torch

    layer = torch.nn.LSTM(x.shape[2], units, batch_first=True)
    tensor = torch.tensor(x)

    def run() -> Any:
        with torch.no_grad():
            return layer(tensor)[0]

    return run


def make_ways(batch: int, steps: int, units: int) -> dict[str, Step]:
    """Makes the loop and the operation, whatever the limits say."""
    x = np.random.default_rng(0).normal(size=(batch, steps, units))
    result = {}
    for name, rows in (("loop", 0), ("block", batch)):
        layer = LSTM(units, return_sequences=True, kernel="inference")
        step = _in_graph(layer, x.astype("float32"))
        with mock.patch.object(
            inference, "max_block_rows", lambda cell, rows=rows: rows
        ):
            step()  # Traces the graph.
        result[name] = step
    return result


@contextlib.contextmanager
def _kernel_of_exports(kernel: str) -> Any:
    """Lets exports take another kernel."""
    use = kernels.use_kernels

    def changed(model: keras.Model, **settings: Any) -> Any:
        return use(model, **settings | {"kernel": kernel})

    with mock.patch("common.export.use_kernels", changed):
        yield


def make_servers(num_words: int) -> dict[str, Step]:
    """Exports a text classifier with each kernel, to answer one text."""
    words = [f"word{number}" for number in range(num_words)]
    classifier = pipeline.build(Config(), words, ["no", "yes"])
    text = tf.constant([" ".join(words)])
    result: dict[str, Step] = {}
    for kernel in (BASE, OURS):
        with tempfile.TemporaryDirectory() as folder:
            with _kernel_of_exports(kernel):
                archive = sentiment.make_archive(classifier)
                archive.write_out(folder, verbose=False)
            started = time.perf_counter()
            loaded = tf.saved_model.load(folder)
            print(f"{kernel}: loaded in {time.perf_counter() - started:.2f} s")

        def step(loaded: Any = loaded) -> Any:
            outputs = loaded.signatures["serving_default"](text=text)
            return outputs["probabilities"].numpy()

        result[kernel] = step
    return result


def _print_row(where: str, medians: Mapping[str, float], ours: str) -> None:
    shares = ratios(medians, ours).items()
    print(
        f"{where:<28}{1e3 * medians[ours]:9.2f} ms"
        + "".join(f"{share:8.2f} of {name}" for name, share in shares),
        flush=True,
    )


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--batches", type=int, nargs="*", default=[1])
    add("--times", type=int, nargs="*", default=[20, 50, 200, 1000])
    add("--units", type=int, nargs="*", default=[32, 64, 128, 256])
    add("--rounds", type=int, default=15, help="turns that count")
    add("--limits", action="store_true", help="the operation beside the loop")
    add(
        "--text",
        type=int,
        metavar="WORDS",
        help="of the text that an exported classifier answers",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Compares, and prints a line for each combination and the summary."""
    args = arguments(argv)
    make, ours = (make_ways, "block") if args.limits else (make_steps, OURS)
    by_batch: dict[int, list[float]] = {}
    for batch, units, steps in itertools.product(
        args.batches, args.units, args.times
    ):
        medians = take_turns(make(batch, steps, units), args.rounds)
        _print_row(f"batch {batch}, {steps} steps, {units}", medians, ours)
        by_batch.setdefault(batch, []).append(
            next(iter(ratios(medians, ours).values()))
        )
    for batch, shares in by_batch.items():
        median, greatest = statistics.median(shares), max(shares)
        print(f"batch {batch}: median {median:.2f}, greatest {greatest:.2f}")
    if args.text:
        medians = take_turns(make_servers(args.text), args.rounds)
        _print_row(f"one text of {args.text} words", medians, OURS)


if __name__ == "__main__":
    main()
