import json
import os
import re

import numpy as np
import pytest

from common.data import feature_cache
from common.data.feature_store import FeatureFolder, Times
from common.errors import UserError

SIGNATURE = {"encoder": "X"}
TIMES = Times(np.arange(0, 6, 2), np.arange(3) / 5, 7)


def part(length, value=1.0):
    return np.full([length, 2], value, np.float16)


def finished(path, name="a", stamp="1"):
    folder = FeatureFolder(path, SIGNATURE)
    folder.start(name, stamp)
    folder.add_part(name, part(3))
    folder.finish(name, stamp, TIMES)
    return folder


def test_a_video_is_there_when_it_is_finished(tmp_path):
    folder = FeatureFolder(tmp_path / "f", SIGNATURE)
    assert folder.start("a", "1") == 0
    folder.add_part("a", part(2))
    folder.add_part("a", part(1, 5.0))
    assert not folder.has("a", "1")
    # Another process, which goes on.
    again = FeatureFolder(tmp_path / "f", SIGNATURE)
    assert again.start("a", "1") == 3
    again.finish("a", "1", TIMES)
    for one in (again, FeatureFolder(tmp_path / "f", SIGNATURE)):
        assert one.has("a", "1")
        assert not one.has("a", "2")
        assert not one.has("b", "1")
        for given, stored in zip(TIMES, one.read_times("a"), strict=True):
            np.testing.assert_array_equal(stored, given)
    stored = np.load(again.array_path("a"))
    assert stored.dtype == np.float16
    assert stored.tolist() == [[1, 1, 5]] * 2
    assert [x.name for x in (tmp_path / "f" / "features").iterdir()] == [
        "a.npy"
    ]


def test_parts_of_another_file_are_not_used(tmp_path):
    folder = FeatureFolder(tmp_path, SIGNATURE)
    folder.start("a", "of another file")
    folder.add_part("a", part(2))
    assert folder.start("a", "1") == 0
    folder.add_part("a", part(1, 5.0))
    folder.finish("a", "1", TIMES)
    assert np.load(folder.array_path("a")).tolist() == [[5]] * 2


def test_a_video_that_is_started_anew_is_not_there(tmp_path):
    finished(tmp_path)
    folder = FeatureFolder(tmp_path, SIGNATURE)
    folder.start("a", "2")
    assert not folder.array_path("a").exists()
    assert not FeatureFolder(tmp_path, SIGNATURE).has("a", "1")


def test_what_a_kill_left_half_written_is_not_read(tmp_path):
    folder = FeatureFolder(tmp_path, SIGNATURE)
    folder.start("a", "1")
    folder.add_part("a", part(2))
    parts = tmp_path / "features" / ".a.parts"
    (parts / ".partial-1-000002.npy").write_bytes(b"half")
    assert folder.start("a", "1") == 2
    folder.add_part("a", part(1))
    folder.finish("a", "1", TIMES)
    assert np.load(folder.array_path("a")).shape == (2, 3)
    assert not parts.exists()


def test_features_of_another_encoder_are_refused(tmp_path):
    finished(tmp_path)
    with pytest.raises(UserError) as caught:
        FeatureFolder(tmp_path, {"encoder": "X", "rate": 5.0})
    assert str(caught.value) == (
        f"{tmp_path}/features.json: features of encoder X, not of encoder X,"
        f" rate 5.0; remove {tmp_path}, or choose another --to"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", ":1: not JSON"),
        ("[]", ": expected an object"),
        ('{"encoder": {}}', ": expected encoder, videos, it has no videos"),
        ('{"encoder": {}, "videos": []}', ": videos is [], expected dict"),
        ('{"encoder": 1, "videos": {}}', ": encoder is 1, expected dict"),
    ],
)
def test_a_damaged_index_is_named(tmp_path, content, message):
    (tmp_path / "features.json").write_text(content)
    with pytest.raises(UserError, match=re.escape(f"features.json{message}")):
        FeatureFolder(tmp_path, {})


def test_a_damaged_part_is_computed_again(tmp_path):
    folder = FeatureFolder(tmp_path, SIGNATURE)
    folder.start("a", "1")
    folder.add_part("a", part(2))
    (stored,) = (tmp_path / "features" / ".a.parts").glob("*.npy")
    stored.write_bytes(b"words")
    assert folder.start("a", "1") == 0


def test_damaged_times_are_named(tmp_path):
    folder = finished(tmp_path)
    (tmp_path / "times" / "a.npz").write_bytes(b"words")
    with pytest.raises(UserError, match="a.npz: damaged .*; remove it, and"):
        folder.read_times("a")


# Where features are kept, and what tells that they are right


def test_each_data_set_and_encoder_has_a_cache_of_its_own(tmp_path):
    paths = {
        feature_cache.cache_path(data, "ResNet50", {"seed": seed})
        for data in (str(tmp_path / "a b"), "c")
        for seed in (0, 1)
    }
    assert len(paths) == 4
    assert {path.parent.name for path in paths} == {"features"}
    assert sum(x.name.startswith("a-b-ResNet50-") for x in paths) == 2


def test_a_stamp_tells_that_a_file_or_a_folder_changed(tmp_path):
    assert feature_cache.make_stamp(tmp_path / "none") == ""
    path = tmp_path / "a.mp4"
    stamps = []
    for content, seconds in (("one", 1), ("two", 2), ("three", 2)):
        path.write_text(content)
        os.utime(path, (seconds, seconds))
        stamps += [feature_cache.make_stamp(x) for x in (path, tmp_path)]
    (tmp_path / "b.png").touch()
    os.utime(tmp_path / "b.png", (2, 2))
    stamps.append(feature_cache.make_stamp(tmp_path))
    assert len(set(stamps)) == 7
    assert feature_cache.make_stamp(tmp_path) == stamps[-1]


def test_the_index_is_json_that_people_can_read(tmp_path):
    finished(tmp_path, "größer")
    text = (tmp_path / "features.json").read_text(encoding="utf-8")
    assert "größer" in text
    assert json.loads(text) == {"encoder": SIGNATURE, "videos": {"größer": "1"}}
