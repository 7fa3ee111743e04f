import numpy as np
import pytest

from common.data import feature_files
from common.data.feature_files import FeatureFile
from common.errors import UserError


def arrays(n=3, dim=4, **changes):
    rng = np.random.default_rng(0)
    made = {
        "names": np.array([f"{number}.jpg" for number in range(n)]),
        "features": rng.normal(size=[n, 5, dim]).astype("f"),
    }
    return {k: v for k, v in (made | changes).items() if v is not None}


def written(folder, **changes):
    np.savez(folder / "given.npz", **arrays(**changes))
    return folder / "given.npz"


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("rank", [2, 3])
def test_load_reads_grids_and_vectors(tmp_path, dtype, rank):
    values = arrays()["features"].astype(dtype)
    values = values[:, 0] if rank == 2 else values
    found = feature_files.load(written(tmp_path, features=values))
    assert (found.regions, found.dim) == ((1 if rank == 2 else 5), 4)
    assert found.rows == {"0.jpg": 0, "1.jpg": 1, "2.jpg": 2}
    assert found.encoder is None
    taken = found.take(np.array([2, 0]))
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(
        taken, values[[2, 0]].reshape(2, -1, 4).astype("f")
    )


def test_load_reads_bytes_with_their_scale(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
    low = np.array([-1, 0, 1, 2], "f")
    step = np.array([0.5, 1, 2, 0], "f")
    path = written(tmp_path, features=values, low=low, step=step)
    found = feature_files.load(path).take(np.arange(3))
    np.testing.assert_allclose(found, low + step * values)


@pytest.mark.parametrize("regions", [1, 3])
def test_what_is_saved_is_loaded(tmp_path, regions):
    values = np.ones([2, regions, 4], np.uint8)
    low, step = np.zeros(4, "f"), np.ones(4, "f")
    given = feature_files.Features(
        ["a", "é"], values, low, step, {"encoder": "X"}, ["1 2", "3 4"]
    )
    feature_files.save(tmp_path / "f.npz", given)
    found = feature_files.load(tmp_path / "f.npz")
    assert (found.names, found.encoder) == (given.names, given.encoder)
    assert found.stamps == given.stamps
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.step, step)
    assert [path.name for path in tmp_path.iterdir()] == ["f.npz"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": None}, "no array names; .* it has features"),
        ({"features": None}, "no array features; .* it has names"),
        ({"names": np.array(["a", "b", "a"])}, "the name a occurs twice"),
        ({"names": np.arange(3)}, r"names must be strings \[n\], got int64"),
        ({"names": np.array(["a"])}, "1 names but 3 rows"),
        (
            {"features": np.zeros([3], "f")},
            r"or \[n, regions, dim\], got \[3\]",
        ),
        ({"features": np.zeros([3, 0], "f")}, r"got \[3, 0\]"),
        ({"features": np.zeros([3, 4], int)}, "must be float16, .* got int64"),
        (
            {"features": np.array([[1], [np.nan], [np.inf]], "f")},
            "features of 1.jpg are not all finite",
        ),
        ({"features": np.zeros([3, 4], np.uint8)}, "need low and step"),
        (
            {
                "features": np.zeros([3, 4], np.uint8),
                "low": np.zeros(4, "f"),
                "step": np.zeros(3, "f"),
            },
            r"step \[4\] .* got step float32 \[3\]",
        ),
        (
            {
                "features": np.zeros([3, 4], np.uint8),
                "low": np.zeros(4, "f"),
                "step": np.full(4, 2e36, "f"),
            },
            "low and step make features that are not finite",
        ),
        ({"encoder": np.array("MobileNetV2")}, "encoder must be a JSON object"),
        ({"stamps": np.array(["a"])}, "3 names but stamps"),
        ({"names": np.array([{}] * 3, object)}, "expected a file of features"),
    ],
)
def test_files_that_are_refused(tmp_path, changes, message):
    path = written(tmp_path, **changes)
    with pytest.raises(UserError, match=message) as error:
        feature_files.load(path)
    assert str(path) in str(error.value)


def test_files_that_are_no_archives(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(UserError, match="a.npz: cannot read it .No such file"):
        feature_files.load(path)
    whole = written(tmp_path).read_bytes()
    for content in (b"", b"text", whole[:50], whole[:-30]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="a.npz: expected a file of feat"):
            feature_files.load(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(UserError, match="a.npz: .*not a zip file"):
        feature_files.load(path)


# Files that are computed in parts

SIGNATURE = {"encoder": "X"}


def rows(*names, value=1.0):
    stored = np.full([2, 3], value, np.float16)
    return {name: (f"stamp of {name}", stored) for name in names}


def test_a_file_grows_by_parts_until_it_is_finished(tmp_path):
    path = tmp_path / "new" / "f.npz"
    file = FeatureFile(path, SIGNATURE)
    file.add_part(rows("c", "a"))
    file.add_part(rows("b", value=2.0))
    assert not path.exists()
    # Another process, which goes on.
    again = FeatureFile(path, SIGNATURE)
    assert again.has("a", "stamp of a")
    assert not again.has("a", "another stamp")
    assert not again.has("d", "")
    again.add_part(rows("d"))
    finished = again.finish(["a", "b", "missing", "d"])
    assert finished.names == ["a", "b", "d", "c"]  # Others come last.
    assert finished.values[1].tolist() == [[2.0] * 3] * 2
    assert [x.name for x in path.parent.iterdir()] == ["f.npz"]
    stored = feature_files.load(path)
    assert (stored.names, stored.stamps) == (finished.names, finished.stamps)
    assert stored.encoder == SIGNATURE
    np.testing.assert_array_equal(stored.values, finished.values)


def test_later_parts_count_and_dropped_rows_do_not(tmp_path):
    path = tmp_path / "f.npz"
    file = FeatureFile(path, SIGNATURE)
    file.add_part(rows("a", "b"))
    file.finish("ab")
    file = FeatureFile(path, SIGNATURE)
    file.drop(["a", "unknown"])
    assert not file.has("a", "stamp of a")
    file.add_part(rows("b", value=5.0))
    assert file.finish("ab").names == ["b"]
    assert feature_files.load(path).values.max() == 5


def test_what_a_kill_left_half_written_is_not_read(tmp_path):
    path = tmp_path / "f.npz"
    file = FeatureFile(path, SIGNATURE)
    file.add_part(rows("a"))
    parts = tmp_path / "f.npz.parts"
    (parts / ".partial-1-000001.npz").write_bytes(b"PK\3\4 half")
    (tmp_path / ".partial-1-f.npz").write_bytes(b"PK\3\4 half")
    again = FeatureFile(path, SIGNATURE)
    again.add_part(rows("b"))
    assert again.finish("ab").names == ["a", "b"]
    assert not parts.exists()


def test_features_of_another_encoder_are_refused(tmp_path):
    path = tmp_path / "f.npz"
    FeatureFile(path, SIGNATURE).add_part(rows("a"))
    message = (
        "000000.npz: features of encoder X, not of encoder Y; remove it, or"
        " choose another --to"
    )
    with pytest.raises(UserError, match=message):
        FeatureFile(path, {"encoder": "Y"})
    np.savez(path, **arrays())
    with pytest.raises(UserError, match="f.npz: features of an unknown enc"):
        FeatureFile(path, SIGNATURE)


def test_files_of_others_without_stamps_are_not_reused(tmp_path):
    path = tmp_path / "f.npz"
    np.savez(path, **arrays(encoder=np.array('{"encoder": "X"}')))
    assert not FeatureFile(path, SIGNATURE).has("0.jpg", "1 2")


def test_names_of_characters_that_are_none(tmp_path):
    names = np.array(["0", "1", "2"])
    names.view(np.uint32)[1] = 0x110000
    for order in "<>":
        swapped = names.astype(f"{order}U1")
        with pytest.raises(UserError, match="characters that do not exist"):
            feature_files.load(written(tmp_path, names=swapped))
