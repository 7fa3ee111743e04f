"""The accuracy of exports without TensorFlow, beside that of their run.

    python -m benchmarks.edge APP RUN EXPORT... [--limit N]

All answer the same test examples, those of the run greedily too. It prints the
bytes of each export's files and the score of `evaluate`.
"""

import argparse
import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from common import edge_runtime
from common.data.skipped import Skipped

# Of each app the score that the README shows.
SCORES = {
    "sentiment": "accuracy",
    "captioning": "cider",
    "translation": "bleu",
    "video_tagging": "accuracy",
}


def use_sentiment(predictor: Any, model: Any, folder: Path) -> Any:
    """Returns a predictor that asks an export; so do all that follow."""
    classify = edge_runtime.open_graph(folder, "classify")

    def predict_fn(texts: tf.Tensor) -> tf.Tensor:
        rows = [model.vectorizer(text[None]).numpy() for text in texts]
        answers = [classify(ids=row)["probabilities"] for row in rows]
        return tf.constant(np.concatenate(answers))

    return dataclasses.replace(predictor, predict_fn=predict_fn)


def use_translation(predictor: Any, model: Any, folder: Path) -> Any:
    """Asks the script beside the export."""
    example: Any = importlib.import_module("apps.translation.edge.example")
    example.FOLDER = folder
    graphs = example.open_graphs()
    description = edge_runtime.read_description(folder)

    def predict_fn(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        answers = [
            example.translate(text.decode(), description, graphs)
            for text in texts.numpy()
        ]
        return tf.constant(answers)[:, None], tf.zeros([len(answers), 1])

    return dataclasses.replace(predictor, predict_fn=predict_fn)


def use_captioning(predictor: Any, model: Any, folder: Path) -> Any:
    """Asks the graphs, one picture after the other."""
    encode = edge_runtime.open_graph(folder, "encode")
    step = edge_runtime.open_graph(folder, "decode_step")
    description = edge_runtime.read_description(folder)
    (spec,) = description["graphs"]["encode"]["inputs"]

    def caption(image: np.ndarray) -> str:
        state = encode(**{spec["name"]: image[None]})
        decoded = edge_runtime.decode_greedily(
            step, state, **description["decoding"]
        )
        ids = [token for token, _ in decoded]
        return model.writer(tf.constant(ids, tf.int32)).numpy()

    def predict_fn(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if images.dtype == tf.string:
            images = model.decode_pictures(images)[0]
        answers = [caption(image) for image in images.numpy()]
        return tf.constant(answers)[:, None], tf.zeros([len(answers), 1])

    names = predictor.predict_fns
    return dataclasses.replace(
        predictor, predict_fns=dict.fromkeys(names, predict_fn)
    )


def use_video_tagging(predictor: Any, model: Any, folder: Path) -> Any:
    """Asks the graphs of whole videos."""
    tag = edge_runtime.open_graph(folder, "tag")
    encode = None
    if model.has_encoder:
        encode = edge_runtime.open_graph(folder, "encode")

    def encode_fn(values: np.ndarray) -> np.ndarray:
        if encode is None or values.ndim == 2:
            return values
        rows = [encode(frame=value[None])["features"] for value in values]
        return np.concatenate(rows)

    def predict_fn(values: tf.Tensor, lengths: tf.Tensor) -> Any:
        outputs = tag(features=values.numpy(), lengths=lengths.numpy())
        pipeline = importlib.import_module("apps.video_tagging.pipeline")
        rows = outputs["probabilities"]
        tags = rows.argmax(-1).astype(np.int32)
        if model.config.multi_label:
            tags = rows >= pipeline.THRESHOLD
        return pipeline.Prediction(tags, rows)

    return dataclasses.replace(
        predictor,
        # Whole videos, of a causal model too.
        config=dataclasses.replace(predictor.config, causal=False),
        predict_fn=predict_fn,
        encode_fn=encode_fn,
    )


USE: dict[str, Callable[[Any, Any, Path], Any]] = {
    "sentiment": use_sentiment,
    "captioning": use_captioning,
    "translation": use_translation,
    "video_tagging": use_video_tagging,
}


def open_predictor(app: str, run: str) -> tuple[Any, Any]:
    """Opens a run: its predictor, which decodes greedily, and its model."""
    predictor = importlib.import_module(f"apps.{app}.predictor")
    runs = importlib.import_module("common.training.runs")
    beam = (1,) if app in ("captioning", "translation") else ()
    return predictor.Predictor.from_run(run, *beam), runs.load_model(run)


def evaluate(app: str, predictor: Any, limit: int) -> float:
    """Scores a predictor on the test split of its run's data."""
    module = importlib.import_module(f"apps.{app}.evaluate")
    data = importlib.import_module(f"apps.{app}.data")
    config = predictor.config
    more = (Skipped(),) if app == "captioning" else ()
    splits = data.open_splits(config, *more)
    if app == "sentiment":
        made = module.predict_split(predictor, splits["test"], limit)
        scores = module.score(made.labels, made.probabilities)
    elif app == "translation":
        made = module.predict_split(predictor, splits["test"], limit)
        scores = module.score(made)
    elif app == "captioning":
        examples = list(splits["test"])[: limit or None]
        scores = module.score_captions(
            module.predict_split(predictor, examples)
        )
    else:
        examples = splits.examples["test"]
        made = module.predict_split(predictor, examples, config, limit)
        scores = module.score(made, predictor.labels, config)
    return scores[SCORES[app]]


def count_bytes(folder: Path) -> int:
    """Counts the bytes of the files of an export's graphs."""
    graphs = edge_runtime.read_description(folder)["graphs"].values()
    return sum((folder / graph["file"]).stat().st_size for graph in graphs)


def main() -> None:
    """Prints a line for the run and one for each export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("app", choices=SCORES)
    parser.add_argument("run")
    parser.add_argument("exports", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=0)
    args = parser.parse_args()
    predictor, model = open_predictor(args.app, args.run)
    name = SCORES[args.app]
    value = evaluate(args.app, predictor, args.limit)
    print(f"{args.run}: {name} {value:.4f}", flush=True)
    for folder in args.exports:
        asked = USE[args.app](predictor, model, folder)
        value = evaluate(args.app, asked, args.limit)
        size = count_bytes(folder)
        print(f"{folder}: {size:,} bytes, {name} {value:.4f}", flush=True)


if __name__ == "__main__":
    main()
