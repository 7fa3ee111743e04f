"""Small SavedModels, and a server around them."""

import shutil

import numpy as np
import tensorflow as tf

from common.serving import models, routes, runner, telemetry
from common.serving.config import Config

UNITS = 2


class Half(tf.Module):
    """x / 2 + 3, as the example of TensorFlow Serving's documentation."""

    def __init__(self, offset=3.0):
        super().__init__()
        self.offset = tf.Variable(offset)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def __call__(self, x):
        return {"y": x / 2 + self.offset}


class Batches(tf.Module):
    """Twice x, and how many rows the graph saw."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def __call__(self, x):
        return {"y": 2 * x, "size": tf.fill(tf.shape(x), tf.size(x))}


class Texts(tf.Module):
    """Lengths of texts; refuses more than four rows, as our models do."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def __call__(self, text):
        tf.debugging.assert_less_equal(tf.size(text), 4, "at most 4 rows")
        length = tf.cast(tf.strings.length(text), tf.float32)
        return {
            "label": tf.strings.join(["<", text, ">"]),
            "score": 1 / length,
            "probabilities": tf.stack([length, -length], 1),
            "raw_bytes": text,
        }


class Sums(tf.Module):
    """Running sums of frames: `step` has a state; the default one has not."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 4, 4, 3], tf.uint8, "frame"),
            tf.TensorSpec([None, UNITS], tf.float32, "state"),
        ]
    )
    def step(self, frame, state):
        total = tf.reduce_sum(tf.cast(frame, tf.float32), [1, 2, 3])
        state = state + total[:, None]
        tags = tf.strings.as_string(tf.cast(state[:, 0], tf.int32))
        return {"tags": tags, "state": state}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, 3], tf.float32, "features"),
            tf.TensorSpec([None], tf.int32, "lengths"),
        ]
    )
    def __call__(self, features, lengths):
        mask = tf.sequence_mask(lengths, tf.shape(features)[1], tf.float32)
        return {"sums": tf.reduce_sum(features, 2) * mask}


class Slow(tf.Module):
    """Goes round and round: as many times as is asked."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "turns")])
    def __call__(self, turns):
        most = tf.reduce_max(tf.concat([turns, [0]], 0))
        value = tf.while_loop(
            lambda k, x: k < most, lambda k, x: (k + 1, tf.sin(x)), (0, 1.0)
        )[1]
        return {"value": tf.fill(tf.shape(turns), value)}


def save(module, folder, **signatures):
    """Writes a SavedModel; its function is the default signature."""
    signatures = {"serving_default": module.__call__, **signatures}
    tf.saved_model.save(module, str(folder), signatures)
    return folder


def save_examples(folder):
    """Writes a model of `classify` and `regress`, on serialized Examples."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], "inputs")
        parsed = v1.io.parse_example(
            serialized, {"x": tf.io.FixedLenFeature([], tf.float32)}
        )
        values = parsed["x"] / 2 + 3
        scores = tf.stack([values, -values], 1)
        classes = tf.strings.as_string(scores, precision=1)
        utils = v1.saved_model.signature_def_utils
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": utils.regression_signature_def(
                    serialized, values
                ),
                "classify": utils.classification_signature_def(
                    serialized, classes, scores
                ),
            },
        )
        builder.save()
    return folder


def copy_version(folder, number):
    """Copies a version to another number, as an export writes it: at once."""
    hidden = folder.parent / f".partial-{number}"
    shutil.copytree(folder, hidden)
    hidden.rename(folder.parent / str(number))
    return folder.parent / str(number)


class Events(list):
    """A log that a test can read."""

    def __call__(self, event, level="info", **facts):
        self.append({"event": event, "level": level} | facts)

    def names(self):
        return [event["event"] for event in self]


def make_routes(folder, config=None, threads=2, queue=8, seconds=60, **kwargs):
    """The handlers of a server whose models are loaded."""
    log = Events()
    served = models.Models(folder, seconds=seconds, tell=log, **kwargs)
    served.refresh()
    return routes.Routes(
        served,
        runner.Runner(threads, queue, seconds),
        telemetry.Metrics(),
        log,
        config or Config(),
    )


def ones(*shape):
    return np.ones(shape, np.float32).tolist()
