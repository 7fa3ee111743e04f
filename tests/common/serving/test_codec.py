"""JSON to arrays and back, beside the examples of TensorFlow Serving."""

import json
import math

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.serving import answers, codec
from common.serving.failures import RequestError
from common.serving.signatures import PREDICT, Signature, Tensor


def tensor(dtype="float32", *shape):
    numpy_dtype = np.dtype(object if dtype == "string" else dtype)
    return Tensor("x:0", numpy_dtype, dtype, shape)


def signature(**inputs):
    return Signature("serving_default", PREDICT, inputs, {})


TEXT = signature(text=tensor("string", None))
# The page "RESTful API" of TensorFlow Serving.
THREE = signature(
    sensor=tensor("float32", None, 2, 2),
    signal=tensor("int32", None, 5),
    tag=tensor("string", None),
)


def decode(value, signature):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return codec.decode(body, lambda name: signature).inputs


def refusal(value, signature=TEXT):
    with pytest.raises(RequestError) as caught:
        decode(value, signature)
    assert len(str(caught.value)) <= 500
    return str(caught.value)


def test_rows_and_columns_of_the_documentation():
    rows = [
        {
            "tag": "foo",
            "signal": [1, 2, 3, 4, 5],
            "sensor": [[1, 2], [3, 4]],
        },
        {
            "tag": "bar",
            "signal": [3, 4, 1, 2, 5],
            "sensor": [[4, 5], [6, 8]],
        },
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for body in ({"instances": rows}, {"inputs": columns}):
        inputs = decode(body, THREE)
        assert inputs["tag"].tolist() == [b"foo", b"bar"]
        assert inputs["signal"].dtype == np.int32
        assert inputs["signal"].tolist() == columns["signal"]
        assert inputs["sensor"].dtype == np.float32
        assert inputs["sensor"].tolist() == columns["sensor"]


def test_one_input_needs_no_name():
    for body in (
        {"instances": ["a", {"b64": "Yg=="}]},
        {"inputs": ["a", {"b64": "Yg"}]},
        {"inputs": {"text": ["a", "b"]}, "other": 1},
        {"instances": [{"text": "a"}, {"text": "b"}]},
    ):
        assert decode(body, TEXT)["text"].tolist() == [b"a", b"b"]


def test_shapes_are_kept():
    x = signature(x=tensor("float32", None, 1, 2))
    assert decode({"instances": [[[1, 2]], [[3, 4]]]}, x)["x"].shape == (
        2,
        1,
        2,
    )
    scalar = signature(x=tensor("float32"))
    assert decode({"inputs": 2}, scalar)["x"].shape == ()
    frames = signature(x=tensor("uint8", None, None, 4, 4, 3))
    assert decode({"inputs": []}, frames)["x"].shape == (0, 0, 4, 4, 3)
    assert decode({"inputs": [[]]}, frames)["x"].shape == (1, 0, 4, 4, 3)


def test_numbers_that_json_has_not():
    x = signature(x=tensor("float32", None))
    values = decode(b'{"inputs": [NaN, Infinity, -Infinity, 1e400]}', x)["x"]
    assert math.isnan(values[0])
    assert values[1:].tolist() == [math.inf, -math.inf, math.inf]


def test_what_is_refused_says_why():
    x = signature(x=tensor("float32", None, 2))
    small = signature(x=tensor("uint8", None))
    for body, inputs, words in (
        (b"", TEXT, "The document is empty"),
        (b"{", TEXT, "JSON Parse error: "),
        (b'{"instances": [NaN', TEXT, "JSON Parse error: "),
        (b"[" * 100_000, TEXT, "JSON Parse error: "),
        (b"\xff\xfe{", TEXT, "JSON Parse error: "),
        (b"[1]", TEXT, 'expected {"instances": [...]} or'),
        ({}, TEXT, "Missing 'inputs' or 'instances' key"),
        ({"inputs": [], "instances": []}, TEXT, "only one of 'inputs' or"),
        ({"instances": 1}, TEXT, "Expecting 'instances' to be an list/array"),
        ({"instances": []}, TEXT, "No values in 'instances' array"),
        ({"instances": [1]}, TEXT, "JSON Value: 1 Type: Number is not of"),
        ({"instances": [None]}, TEXT, "Type: Null is not of"),
        ({"instances": [{"b64": "%"}]}, TEXT, "Unable to base64 decode"),
        ({"instances": [["a"]]}, TEXT, "expected shape [?], got [1, 1]"),
        ({"inputs": "a"}, TEXT, "did you forget the list around one row?"),
        ({"inputs": {"x": ["a"]}}, TEXT, "Missing named input: text"),
        ({"inputs": [1]}, THREE, "inputs is a plain value/list"),
        ({"instances": [1]}, THREE, "instances is a plain list"),
        ({"instances": [{"tag": "a"}]}, THREE, "keys sensor, signal, tag"),
        ({"instances": [{"text": "a"}, 3]}, TEXT, "element: 1 of 'instances'"),
        ({"inputs": [[1, 2], [3]]}, x, "expected lists of equal length"),
        ({"inputs": [[1, 2], 3]}, x, "expected lists of equal length"),
        ({"inputs": [[1, [2]]]}, x, "expected lists of equal length"),
        ({"inputs": [[1, 2, 3]]}, x, "expected shape [?, 2], got [1, 3]"),
        ({"inputs": [[1, True]]}, x, "JSON Value: true Type: True is not of"),
        ({"inputs": [[1, "2"]]}, x, 'JSON Value: "2" Type: String is not of'),
        ({"inputs": [1.5]}, small, "JSON Value: 1.5 Type: Number is not of"),
        ({"inputs": [256]}, small, "out of the range of uint8"),
        ({"inputs": [-1]}, small, "out of the range of uint8"),
        ({"signature_name": 1}, TEXT, "'signature_name' key must be a string"),
    ):
        assert words in refusal(body, inputs), (body, words)


def test_a_long_value_is_not_repeated():
    assert len(refusal({"instances": [{"text": "a", "b": "c" * 10**6}]})) < 300
    assert len(refusal({"instances": [list(range(10**5))]})) < 300


def test_answers_of_the_documentation():
    y = np.array([3.5, 4, 5.5], "f")
    assert json.loads(answers.encode({"y": y}, "instances")) == {
        "predictions": [3.5, 4.0, 5.5]
    }
    assert json.loads(answers.encode({"y": y}, "inputs")) == {
        "outputs": [3.5, 4.0, 5.5]
    }
    two = {"y": y, "raw_bytes": np.array([b"\xff", b"b", b""], object)}
    assert json.loads(answers.encode(two, "instances")) == {
        "predictions": [
            {"y": 3.5, "raw_bytes": {"b64": "/w=="}},
            {"y": 4.0, "raw_bytes": {"b64": "Yg=="}},
            {"y": 5.5, "raw_bytes": {"b64": ""}},
        ]
    }
    assert answers.encode({"y": y[:0]}, "inputs") == b'{"outputs":[]}'


def test_floats_are_as_short_as_their_type_allows():
    values = np.array([0.1, 9e6, 3e-5, 1], "f")
    assert answers.encode({"y": values}, "inputs") in (
        b'{"outputs":[0.1,9000000.0,3e-5,1.0]}',
        b'{"outputs":[0.1,9000000.0,0.00003,1.0]}',
    )
    special = answers.encode(
        {"y": np.array([0.1, np.nan, -np.inf], "f")}, "inputs"
    )
    assert special == b'{"outputs": [0.1, NaN, -Infinity]}'
    rows = {"a": np.array([[np.nan]], "f"), "b": np.array([[1.5, 2]], "f")}
    body = answers.encode(rows, "instances")
    assert body == b'{"predictions": [{"a": [NaN], "b": [1.5, 2.0]}]}'


def test_rows_need_a_batch_in_common():
    outputs = {"a": np.zeros(2), "b": np.zeros(3)}
    with pytest.raises(RequestError, match="no batch size in common"):
        answers.encode(outputs, "instances")
    with pytest.raises(RequestError, match="no batch size in common"):
        answers.encode({"a": np.float32(1)}, "instances")


DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool")


@given(st.data(), st.sampled_from(DTYPES))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_numbers_come_back(data, dtype):
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=4, max_side=4))
    value = data.draw(arrays.arrays(dtype, shape))
    body = answers.encode({"x": value}, "inputs").replace(
        b'"outputs"', b'"inputs"'
    )
    spec = tensor(dtype, *[None] * value.ndim)
    back = decode(body, signature(x=spec))["x"]
    assert back.dtype == value.dtype
    np.testing.assert_array_equal(back, value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["b64", "text", "tag", "signal", "sensor"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={"inputs": JSON, "instances": JSON, "signature_name": JSON},
    ),
    st.sampled_from([TEXT, THREE, signature(x=tensor("uint8", None, 2))]),
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_whatever_is_asked_is_read_or_refused(value, asked):
    try:
        inputs = decode(json.dumps(value).encode("utf-8"), asked)
    except RequestError as error:
        assert 0 < len(str(error)) <= 500
        orjson.dumps(str(error).encode("utf-8", "replace").decode())
        return
    for name, array in inputs.items():
        assert array.dtype == asked.inputs[name].dtype
        assert array.ndim == len(asked.inputs[name].shape)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_whatever_bytes_come_are_read_or_refused(body):
    try:
        codec.decode(body, lambda name: TEXT)
    except RequestError as error:
        assert 0 < len(str(error)) <= 500
