import re

import numpy as np
import pytest

from common.data import feature_arrays
from common.errors import UserError


def refuses(message):
    """Expects one line, this one."""
    return pytest.raises(UserError, match=f"^{re.escape(message)}$")


def save(path, values):
    with path.open("wb") as file:
        np.save(file, values, allow_pickle=True)
    return path


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "u1", "i8", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_features_of_any_type(tmp_path, dtype, order):
    values = np.asarray([[0, 1, 1], [1, 0, 0]], dtype, order=order)
    path = save(tmp_path / "a.npy", values)
    loaded = feature_arrays.load(path)
    assert loaded.dtype == np.float32
    assert loaded.tolist() == [[0, 1], [1, 0], [1, 0]]
    assert feature_arrays.read_shape(path) == (3, 2)


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e200])
def test_features_that_are_not_finite(tmp_path, value):
    values = np.zeros((4, 9))
    values[2, 5] = values[1, 7] = value
    path = save(tmp_path / "a.npy", values)
    with refuses(
        f"{path}: frame 5 (of 9, from 0) has NaN or infinite values: expected"
        " finite ones; compute these features again"
    ):
        feature_arrays.load(path)


@pytest.mark.parametrize(
    ("values", "came"),
    [
        (np.zeros((2, 3, 4), "f4"), "float32 of shape [2, 3, 4]"),
        (np.zeros(3), "float64 of shape [3]"),
        (np.zeros((2, 3), complex), "complex128 of shape [2, 3]"),
        (np.array([["a"]]), "<U1 of shape [1, 1]"),
        (np.array([[{}]]), "object of shape [1, 1]"),
    ],
)
def test_features_of_another_form(tmp_path, values, came):
    path = save(tmp_path / "a.npy", values)
    for read in (feature_arrays.load, feature_arrays.read_shape):
        with refuses(
            f"{path}: expected numbers [dim, time], got {came}: one array with"
            " a column for each frame"
        ):
            read(path)


@pytest.mark.parametrize("size", [(4, 0), (0, 4)])
def test_features_of_nothing(tmp_path, size):
    path = save(tmp_path / "a.npy", np.zeros(size))
    with refuses(
        f"{path}: [dim, time] is {list(size)}: expected one frame and one"
        " feature at least; remove the file, or compute it again"
    ):
        feature_arrays.load(path)


def test_features_in_a_broken_file(tmp_path):
    path = save(tmp_path / "a.npy", np.zeros((4, 99)))
    whole = path.read_bytes()
    for content in (b"", b"S1_Tea", whole[:50], whole[:-8], b"PK\3\4" + whole):
        path.write_bytes(content)
        with refuses(
            f"{path}: expected an array that numpy.save wrote, whole; save it"
            " again, or remove the file"
        ):
            feature_arrays.load(path)
    with refuses(f"{tmp_path / 'b.npy'}: No such file or directory"):
        feature_arrays.read_shape(tmp_path / "b.npy")


def test_features_of_several_sizes(tmp_path):
    first = save(tmp_path / "a.npy", np.zeros((4, 9)))
    same = save(tmp_path / "b.npy", np.full((4, 2), np.nan))  # Not looked at.
    other = save(tmp_path / "c.npy", np.zeros((9, 4)))
    feature_arrays.check_same_dim([])
    feature_arrays.check_same_dim([first, same])
    with refuses(
        f"{other}: 9 features a frame, but {first} has 4: expected [dim, time]"
        " with one dim in all files"
    ):
        feature_arrays.check_same_dim([first, same, other])


def test_features_are_known_by_their_ending(tmp_path):
    assert feature_arrays.is_features(tmp_path / "a.npy")
    for source in (tmp_path / "a.mp4", tmp_path, np.zeros([1, 8, 8, 3])):
        assert not feature_arrays.is_features(source)
