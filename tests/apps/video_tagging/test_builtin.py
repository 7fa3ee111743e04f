import collections
import functools
import itertools
import sys

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from apps.video_tagging.datasets import builtin
from apps.video_tagging.datasets.builtin import (
    TAGS,
    __main__,
    generate,
    motion,
)
from common import cli
from common.errors import UserError
from common.media import videos

CHANGES = {
    "still": (),
    "left": ("x-",),
    "right": ("x+",),
    "up": ("y-",),
    "down": ("y+",),
    "growing": ("area+",),
    "shrinking": ("area-",),
    "appearing": ("contrast+",),
    "vanishing": ("contrast-",),
    "bouncing": ("jumps",),
}


@functools.cache
def scenes(split, num=100, multi_label=False):
    return list(generate(split, num, 0, multi_label))


@functools.cache
def looks_of(split, num=100, multi_label=False):
    clips = scenes(split, num, multi_label)
    return [measured(scene.frames.astype(float)) for scene in clips]


# Reading a clip, without the code that drew it.


def strength(frames):
    """How much of the shape's colour each pixel has <float>[time, 32, 32]."""
    edge = np.concatenate([frames[:, 0], frames[:, -1]], axis=1)
    away = frames - np.median(edge, axis=(0, 1))
    far = np.linalg.norm(away, axis=-1)
    colour = away[far > np.quantile(far, 0.99)].mean(0)
    return away @ (colour / np.linalg.norm(colour))


def measured(frames):
    """Place, logarithm of the area, and contrast of the shape, by frame."""
    found = strength(frames)
    brightest = np.sort(found.reshape(len(found), -1), axis=1)[:, -5:]
    full = brightest.mean(1)
    cover = np.clip(found / full[:, None, None], 0, 1)
    cover = np.where(cover > 0.4, cover, 0)
    area = cover.sum((1, 2))
    steps = np.arange(32)
    return {
        "x": (cover.sum(1) * steps).sum(1) / area,
        "y": (cover.sum(2) * steps).sum(1) / area,
        "area": np.log(area),
        "contrast": np.log(full),
    }


def runs(lines):
    """(tag, start, end) of what lasts."""
    for tag, group in itertools.groupby(range(len(lines)), lines.__getitem__):
        frames = list(group)
        yield tag, frames[0], frames[-1] + 1


def seen(looks, start, end):
    """What changes between frames, from their looks alone."""
    # The tag of a frame is what led to it from the one before.
    part = {k: v[max(start - 1, 0) : end] for k, v in looks.items()}
    slopes = {
        k: np.polyfit(np.arange(len(v)), v, 1)[0] for k, v in part.items()
    }
    least = {"x": 0.6, "y": 0.6, "area": 0.06, "contrast": 0.025}
    changes = {
        k + ("+" if slopes[k] > 0 else "-")
        for k in least
        if abs(slopes[k]) > least[k]
    }
    if np.ptp(part["y"]) > 1.5 and not {"y-", "y+"} & changes:
        changes.add("jumps")
    return changes


@pytest.mark.slow
def test_tags_tell_what_the_frames_show():
    right, total = collections.Counter(), collections.Counter()
    for scene, looks in zip(scenes("train"), looks_of("train"), strict=True):
        for tag, start, end in runs(scene.lines):
            if end - start >= 6:
                total[tag] += 1
                right[tag] += seen(looks, start, end) == {*CHANGES[tag]}
    assert set(total) == set(TAGS)
    for tag, count in total.items():
        assert right[tag] / count > 0.97, (tag, right[tag], count)


def test_a_tag_begins_with_the_frame_that_has_moved():
    first, before = [], []
    for scene, looks in zip(scenes("train"), looks_of("train"), strict=True):
        x = looks["x"]
        for tag, start, _ in runs(scene.lines):
            if tag in ("left", "right") and start > 1:
                sign = -1 if tag == "left" else 1
                first.append(sign * (x[start] - x[start - 1]))
                before.append(sign * (x[start - 1] - x[start - 2]))
    assert np.quantile(first, 0.05) > 0.5
    assert np.quantile(before, 0.95) < 0.5


def test_the_first_frame_has_the_tag_of_the_second():
    for scene in scenes("train") + scenes("train", 100, True):
        assert scene.lines[0] == scene.lines[1]


@pytest.mark.parametrize("split", builtin.SPLITS)
def test_several_things_happen_at_one_time(split):
    order = {tag: index for index, tag in enumerate(TAGS)}
    looks_by_tag = collections.defaultdict(list)
    for scene in scenes(split, 60, True):
        looks = measured(scene.frames.astype(float))
        steps = {k: np.diff(v, prepend=v[0]) for k, v in looks.items()}
        for frame, line in enumerate(scene.lines):
            tags = line.split()
            assert tags == sorted(tags, key=order.__getitem__)
            assert 1 <= len(tags) <= 3
            assert tags == ["still"] or "still" not in tags
            for name in ("growing", "shrinking", "appearing", "vanishing"):
                assert tags.count(name) <= 1
            for tag in tags:
                looks_by_tag[tag].append(
                    {k: v[frame] for k, v in steps.items()}
                )
    assert set(looks_by_tag) == set(TAGS)
    for tag, (change, *_) in list(CHANGES.items())[1:-1]:
        name, sign = change[:-1], 1 if change[-1] == "+" else -1
        values = [sign * x[name] for x in looks_by_tag[tag]]
        assert np.median(values) > {"x": 1, "y": 1}.get(name, 0.03), tag


@pytest.mark.slow
def test_shapes_stay_inside():
    for scene in scenes("valid"):
        found = strength(scene.frames.astype(float))
        found[:, 1:-1, 1:-1] = 0
        assert found.max() < 65


# What cannot be guessed.


def shares(multi_label):
    tracks = builtin.TRACKS if multi_label else builtin.SINGLE
    lines = []
    for seed in range(300):
        lines += builtin._act(np.random.default_rng(seed), tracks)[1]
    counts = collections.Counter(tag for line in lines for tag in line.split())
    return {tag: counts[tag] / len(lines) for tag in TAGS}


def test_tags_are_about_equally_frequent():
    for tag, share in shares(False).items():
        assert 0.07 < share < 0.13, (tag, share)


@pytest.mark.slow
def test_sets_of_tags_are_about_equally_frequent_in_each_track():
    found = shares(True)
    for tag in ("growing", "shrinking", "appearing", "vanishing"):
        assert 0.2 < found[tag] < 0.36, tag
    for tag in ("left", "right", "up", "down", "bouncing"):
        assert 0.1 < found[tag] < 0.2, tag
    assert 0.02 < found["still"] < 0.1


def test_no_tag_lasts_long_or_is_over_at_once():
    lengths = [
        end - start
        for scene in scenes("train")
        for _, start, end in list(runs(scene.lines))[1:-1]
    ]
    assert (min(lengths), max(lengths)) == (6, 14)


def tags_of(split):
    return np.array([line for s in scenes(split) for line in s.lines])


def paths(num):
    """What truly is where, which no model of pixels knows as well."""
    moves = [
        motion.move(np.random.default_rng(seed), TAGS, 48)
        for seed in range(num)
    ]
    path = np.concatenate([x.path[1:] for x in moves])
    return path, np.array([tag for x in moves for tag in x.tags[1:]])


@pytest.mark.slow
def test_places_sizes_and_opacities_are_alike_under_every_tag():
    path, tags = paths(1000)
    for tag in TAGS:
        # The end of a step to the right is further right, by half a step.
        assert np.abs(path[tags == tag].mean(0) - 0.5).max() < 0.07, tag
        assert np.abs(path[tags == tag].std(0) - 0.22).max() < 0.04, tag


@pytest.mark.slow
def test_no_forest_guesses_the_tag_from_what_truly_is_where():
    path, tags = paths(800)
    forest = RandomForestClassifier(20, min_samples_leaf=50, random_state=0)
    forest.fit(path[:-8000:2], tags[:-8000:2])
    assert forest.score(path[-8000:], tags[-8000:]) < 0.16  # By chance: 0.1.


def small(frames):
    """Frames as 8 x 8 pixels, without the ground's colour."""
    values = frames.reshape(-1, 8, 4, 8, 4, 3).mean((2, 4, 5))
    return values - np.median(values, axis=(1, 2), keepdims=True)


def pixels_of(split):
    return np.concatenate(
        [small(s.frames).reshape(48, 64) for s in scenes(split)]
    )


def test_no_model_of_single_frames_guesses_the_tag():
    inputs = pixels_of("train") / 100
    for model in (
        LogisticRegression(max_iter=20, tol=0.1),
        RandomForestClassifier(20, min_samples_leaf=5, random_state=0),
    ):
        model.fit(inputs[::2], tags_of("train")[::2])
        accuracy = model.score(pixels_of("valid") / 100, tags_of("valid"))
        assert accuracy < 0.2, (model, accuracy)


def differences(split):
    """Changes over three steps, of each of four measures."""
    rows = []
    for looks in looks_of(split):
        values = np.stack(list(looks.values()))
        padded = np.pad(values, [(0, 0), (3, 2)], "edge")
        rows.append([np.diff(padded[:, k : k + 6]).ravel() for k in range(48)])
    return np.concatenate(rows)


@pytest.mark.slow
def test_what_changes_between_frames_tells_the_tag():
    forest = RandomForestClassifier(30, min_samples_leaf=3, random_state=0)
    forest.fit(differences("train"), tags_of("train"))
    accuracy = forest.score(differences("valid"), tags_of("valid"))
    assert accuracy > 0.8


# The same for the same arguments.


def test_clips_are_small_videos():
    for scene in scenes("test")[:5]:
        assert scene.frames.shape == (48, 32, 32, 3)
        assert scene.frames.dtype == np.uint8
        assert len(scene.lines) == 48
    assert scenes("test")[12].name == "test-00012"


@pytest.mark.parametrize("multi_label", [False, True])
def test_fewer_clips_are_the_first_of_more(multi_label):
    for one, other in zip(
        generate("train", 5, 0, multi_label),
        scenes("train", 100, multi_label),
        strict=False,
    ):
        assert (one.name, one.lines) == (other.name, other.lines)
        np.testing.assert_array_equal(one.frames, other.frames)


def test_no_two_clips_are_equal():
    clips = [
        scene.frames.tobytes()
        for seed in (0, 1)
        for split in builtin.SPLITS
        for scene in generate(split, 10, seed)
    ]
    assert len(set(clips)) == 60


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split must be one of .*'dev'"):
        next(generate("dev", 1, 0))


# The command.


def rows_of(folder):
    header, *lines = (folder / "annotations.csv").read_text().splitlines()
    assert header == "video,start,end,tag"
    for line in lines:
        video, start, end, tag = line.split(",")
        yield video, float(start), float(end), tag


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_folder_says_what_the_clips_say(tmp_path, multi_label):
    pytest.importorskip("av")
    folder = tmp_path / "clips"
    __main__.write(folder, 2, 5, multi_label)
    expected = {s: list(generate(s, 2, 5, multi_label)) for s in builtin.SPLITS}
    for split, clips in expected.items():
        names = (folder / "splits" / f"{split}.bundle").read_text().split()
        assert names == [scene.name for scene in clips]
    rows = list(rows_of(folder))
    for scene in itertools.chain(*expected.values()):
        clip = videos.read_clip(folder / "videos" / f"{scene.name}.mp4", 32, 0)
        assert len(clip.times) == 48
        for time, line in zip(clip.times, scene.lines, strict=True):
            tags = {
                tag
                for video, start, end, tag in rows
                if video == scene.name and start <= time < end
            }
            assert tags == set(line.split())
        error = clip.values.astype(float) - scene.frames
        assert np.sqrt(np.square(error).mean()) < 8
    mapping = (folder / "mapping.txt").read_text().splitlines()
    assert mapping == [f"{index} {tag}" for index, tag in enumerate(TAGS)]
    assert len(list((folder / "videos").iterdir())) == 6


@pytest.fixture
def written(monkeypatch, capsys):
    """What the command prints, or the one line of its error."""

    def run(*args, status=0):
        monkeypatch.setattr(sys, "argv", ["clips", *map(str, args)])
        if not status:
            cli.main(__main__.main)
            return capsys.readouterr().out
        with pytest.raises(SystemExit) as stopped:
            cli.main(__main__.main)
        assert stopped.value.code == status
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return run


def test_the_command_writes_a_folder(written, tmp_path):
    pytest.importorskip("av")
    said = written(tmp_path / "new", "--num", 1, "--multi-label")
    assert said.startswith(f"{tmp_path / 'new'}: 1 videos each")
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"videos", "splits", "annotations.csv", "mapping.txt"}


def test_a_folder_that_exists_is_kept(written, tmp_path):
    assert written(tmp_path, status=2) == (
        f"error: {tmp_path}: exists already; expected the name of a new"
        " folder: choose another, or remove it"
    )
    assert list(tmp_path.iterdir()) == []


def test_wrong_numbers_are_refused(written, tmp_path):
    folder = tmp_path / "new"
    line = written(folder, "--num", 0, status=2)
    assert line == "error: --num must be at least 1, got 0 (see --help)"
    line = written(folder, "--seed", -1, status=2)
    assert line == "error: --seed must be at least 0, got -1 (see --help)"
    assert not folder.exists()


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(videos, "write_video", full)
    with pytest.raises(UserError, match="No space left on device"):
        __main__.write(tmp_path / "new", 1, 0, False)
    assert list(tmp_path.iterdir()) == []
