"""An exported model answers any request, or says what is wrong with it."""

import random

import numpy as np
import pytest
import tensorflow as tf

from tests.fuzz import mutations
from tests.support import commands
from tests.support.images import ANIMATED_GIF, JPEG, PNG

TEXTS = [b"", b" ", b"a good film", b"\xff" * 9, b"a" * 30_000, b"a b " * 3_000]
PICTURES = [JPEG, PNG, ANIMATED_GIF, b"", b"text"]
NUMBERS = [0, 1, -1, 2, 3, 7, 2**31 - 1, -(2**31)]
FLOATS = [0.0, 1.0, -1e30, np.nan, np.inf, 0.5]


def make_input(spec, sizes, rng):
    """Makes values of a signature's input, good ones or not."""
    shape = [
        size if size is not None else sizes[min(axis, 1)]
        for axis, size in enumerate(spec.shape)
    ]
    if spec.dtype == tf.string:
        kind = PICTURES if spec.name.startswith("image") else TEXTS
        rows = [
            mutations.damage(rng.choice(kind), rng) for _ in range(shape[0])
        ]
        return tf.constant(rows, tf.string, shape)
    if len(shape) == 1:
        rows = [rng.choice([*NUMBERS, sizes[1]]) for _ in range(shape[0])]
        return tf.constant(rows, spec.dtype, shape)
    values = np.random.default_rng(rng.randrange(99)).integers(0, 255, shape)
    values = values.astype(spec.dtype.as_numpy_dtype)
    if spec.dtype.is_floating and values.size:
        values.flat[rng.randrange(values.size)] = rng.choice(FLOATS)
    return tf.constant(values)


@pytest.mark.slow
@pytest.mark.parametrize("package", commands.PACKAGES)
def test_any_request_has_an_answer(package, trained_app, request):
    loaded = tf.saved_model.load(str(trained_app(package).export))
    signature = loaded.signatures["serving_default"]
    specs = signature.structured_input_signature[1]
    num_answers = 0
    for number in range(request.config.getoption("--fuzz")):
        rng = random.Random(number)
        sizes = rng.randrange(4), rng.randrange(6)
        inputs = {x: make_input(specs[x], sizes, rng) for x in sorted(specs)}
        try:
            outputs = signature(**inputs)
        except tf.errors.InvalidArgumentError as error:
            assert "expect" in str(error), str(error)[:300]
            continue
        num_answers += 1
        for name, value in outputs.items():
            assert len(value) == sizes[0], name
            if value.dtype.is_floating:
                assert not np.isnan(value).any(), name
    assert num_answers
