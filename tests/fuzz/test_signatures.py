"""An exported model answers any request, or says what is wrong with it."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import edits
from tests.fuzz.media_targets import frame_seeds
from tests.support import commands

TEXT = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=30).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from([b"", b" ", b"\xff" * 9, b"a" * 3000, b"a b " * 300]),
)
NUMBER = st.sampled_from([0, 1, -1, 2, 3, 7, 2**31 - 1, -(2**31)])
VALUE = st.sampled_from([0.0, 1.0, -1e30, np.nan, np.inf, 0.5])


@st.composite
def picture(draw):
    seed = draw(st.sampled_from(frame_seeds()))
    return edits.apply(seed, draw(st.lists(edits.edits(), max_size=3)))


def strategies(specs):
    """Draws values by name for the inputs of a signature."""

    def draw_column(spec, data, sizes):
        shape = [
            size if size is not None else sizes[min(axis, 1)]
            for axis, size in enumerate(spec.shape)
        ]
        if spec.dtype == tf.string:
            kind = picture() if spec.name.startswith("image") else TEXT
            return np.array(
                data.draw(st.lists(kind, min_size=shape[0], max_size=shape[0])),
                object,
            )
        if spec.dtype.is_integer and len(shape) == 1:
            rows = st.lists(NUMBER, min_size=shape[0], max_size=shape[0])
            return np.array(data.draw(rows), spec.dtype.as_numpy_dtype)
        rng = np.random.default_rng(data.draw(st.integers(0, 99)))
        values = rng.integers(0, 255, shape).astype(spec.dtype.as_numpy_dtype)
        if spec.dtype.is_floating and values.size:
            values.flat[rng.integers(values.size)] = data.draw(VALUE)
        return values

    return lambda data, sizes: {
        name: draw_column(spec, data, sizes) for name, spec in specs.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("package", commands.PACKAGES)
def test_requests(package, trained_app, request):
    loaded = tf.saved_model.load(str(trained_app(package).export))
    signature = loaded.signatures["serving_default"]
    draw = strategies(signature.structured_input_signature[1])
    number = request.config.getoption("--fuzz")

    @settings(
        max_examples=number // 2,
        deadline=None,
        database=None,
        derandomize=number <= 50,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data(), st.tuples(st.integers(0, 3), st.integers(0, 5)))
    def check(data, sizes):
        inputs = draw(data, sizes)
        try:
            outputs = signature(
                **{name: tf.constant(x) for name, x in inputs.items()}
            )
        except tf.errors.InvalidArgumentError as error:
            assert "expect" in str(error), str(error)[:300]
            return
        for name, value in outputs.items():
            assert len(value) == sizes[0], name
            if value.dtype.is_floating:
                assert not np.isnan(value).any(), name

    check()
