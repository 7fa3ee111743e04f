"""From videos and labels to numbers, and what cannot be used."""

import dataclasses
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from apps.video_tagging import data, loader
from apps.video_tagging.batches import Encoded
from apps.video_tagging.config import Config
from apps.video_tagging.datasets import Example
from apps.video_tagging.datasets.example import Annotation, Segment
from common.errors import UserError
from common.layers.crf import UNLABELLED
from common.media import videos
from common.media.videos import Clip
from tests.support.video_tagging import DIM, make_features, write_folder
from tests.support.video_tagging import LABELS as TAGS
from tests.support.videos import MeanColours

SPLITS = {
    "train": {"v1": "aab", "v2": "bbcc", "v3": "c?a"},
    "valid": {"w1": "abc"},
    "test": {"x1": "cba"},
}


def make_clip(length, total=None, numbers=None):
    numbers = np.arange(length) if numbers is None else np.array(numbers)
    values = np.zeros([length, DIM], np.float32)
    return Clip(values, numbers, numbers / 10, total or length)


def example(*lines, name="v"):
    return Example(name, None, Annotation(f"{name}.txt", tuple(lines)))


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "data", SPLITS)


def load(folder, **options):
    return data.load(Config(data=str(folder), **options))


def refused(folder, message, **options):
    """Loads the data, expecting one line that begins so."""
    with pytest.raises(UserError, match=f"^{re.escape(message)}") as caught:
        load(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Numbers of tags


def test_tags_are_numbers_and_unlabelled_frames_are_known():
    found, is_labelled = data.encode_labels(
        example("b", "?", "a", ""), make_clip(4), TAGS, Config()
    )
    assert found.dtype == np.int32
    assert found.tolist() == [1, UNLABELLED, 0, UNLABELLED]
    assert is_labelled.tolist() == [True, False, True, False]


def test_sets_are_rows_of_zeros_and_ones():
    found, is_labelled = data.encode_labels(
        example("c a", "?", ""), make_clip(3), TAGS, Config(multi_label=True)
    )
    assert found.dtype == np.float32
    assert found.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert is_labelled.tolist() == [True, False, True]


def test_labels_of_the_frames_that_were_kept():
    found, _ = data.encode_labels(
        example(*"abcab"), make_clip(2, total=5, numbers=[1, 4]), TAGS, Config()
    )
    assert found.tolist() == [1, 1]


def test_segments_and_background():
    segments = (Segment(0.1, 0.3, "b"),)
    given = Example("v", None, Annotation("a.csv", None, segments, "seconds"))
    tags = ["none", "b"]
    config = Config(background="none")
    found, is_labelled = data.encode_labels(given, make_clip(4), tags, config)
    assert found.tolist() == [0, 1, 1, 0]
    assert is_labelled.all()


def test_labels_that_do_not_fit_name_both_lengths():
    for lines in ("ab", "abca"):
        with pytest.raises(
            UserError, match=f"v.txt: {len(lines)} lines.* 3 frames.*--align"
        ):
            data.encode_labels(example(*lines), make_clip(3), TAGS, Config())
    config = Config(align="crop")
    found, is_labelled = data.encode_labels(
        example("a", "b"), make_clip(3), TAGS, config
    )
    assert found.tolist() == [0, 1, UNLABELLED]
    assert is_labelled.tolist() == [True, True, False]
    found, is_labelled = data.encode_labels(
        example(*"abca"), make_clip(3), TAGS, config
    )
    assert found.tolist() == [0, 1, 2]
    assert is_labelled.all()


def test_a_tag_that_the_model_does_not_know():
    with pytest.raises(UserError, match="v.txt, kept frame 2: tag 'd' is none"):
        data.encode_labels(example("a", "d"), make_clip(2), TAGS, Config())


def test_collected_tags_are_those_that_occur():
    examples = [example("b", "?"), example("zebra", "b")]
    clips = [make_clip(2), make_clip(2)]
    assert data.collect_tags(examples, clips, Config()) == ["b", "zebra"]
    config = Config(multi_label=True)
    examples = [example("b a", ""), example("?", "c")]
    assert data.collect_tags(examples, clips, config) == ["a", "b", "c"]


# Weights of tags and statistics


def encoded(labels, weights=None):
    labels = [np.array(x) for x in labels]
    given = [np.ones(len(x), np.float32) for x in labels]
    if weights is not None:
        given = [np.array(x, np.float32) for x in weights]
    values = [make_features("v", len(x)).T for x in labels]
    return Encoded(["v"] * len(labels), values, labels, given)


def test_balanced_weights_by_hand():
    # Of eight labelled frames, tag 0 has six, tag 1 two, tag 2 none.
    train = encoded(
        [[0, 0, 0, -1, 1], [1, 0, 0, 0, -1]],
        [[1, 1, 1, 0, 1], [1, 1, 1, 1, 0]],
    )
    found = data.balance_tags(train, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [8 / (3 * 6), 8 / (3 * 2), 1], rtol=1e-6)


def test_balanced_weights_of_sets_by_hand():
    rows = [[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0], [1, 1, 0]]
    train = encoded([np.array(rows, "f")], [[1, 1, 1, 1, 0]])
    # Tag 0 is in one of four frames, tag 1 in none, tag 2 in three.
    np.testing.assert_allclose(data.balance_tags(train, 3), [3, 1, 1 / 3])


def test_statistics_are_those_of_all_training_frames():
    train = encoded([np.zeros(5, int), np.zeros(900, int)])
    found = data.compute_statistics(train, 3, Config())
    every = np.concatenate(train.frames)
    np.testing.assert_allclose(found.mean, every.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.deviation, every.std(0), rtol=1e-4)
    assert found.tag_weights.tolist() == [1, 1, 1]
    found = data.compute_statistics(train, 3, Config(scale="none"))
    assert (found.mean, found.deviation) == (None, None)


# Folders


def test_a_folder_of_features(folder):
    found = load(folder, class_weights="balanced")
    assert (found.labels, found.dim) == (TAGS, DIM)
    assert found.train.names == ["v1", "v2", "v3"]
    np.testing.assert_array_equal(
        found.train.frames[1], make_features("v2", 4).T
    )
    labels = [x.tolist() for x in found.train.labels]
    assert labels == [[0, 0, 1], [1, 1, 2, 2], [2, UNLABELLED, 0]]
    assert found.train.weights[2].tolist() == [1, 0, 1]
    assert found.valid.names == ["w1"]
    assert [x.name for x in found.examples] == ["w1"]
    assert found.report["train"] == {"videos": 3, "frames": 10}
    assert found.report["valid"] == {"videos": 1, "frames": 3}
    np.testing.assert_allclose(found.statistics.tag_weights, [1, 1, 1])


def test_tags_are_collected_from_training_without_a_mapping(folder):
    (folder / "mapping.txt").unlink()
    assert load(folder).labels == TAGS
    (folder / "groundTruth" / "w1.txt").write_text("a\nb\nd\n")
    message = refused(
        folder, f"{folder}/groundTruth/w1.txt, kept frame 3: tag 'd'"
    )
    assert message.endswith("mend it, or use a label of the training data")


def test_a_mapping_without_the_tag_of_the_background(folder):
    shutil.rmtree(folder / "groundTruth")
    (folder / "annotations.csv").write_text(
        "video,start_frame,end_frame,tag\nv1,0,2,a\nv2,0,2,b\nv3,0,2,c\n"
        "w1,0,3,a\n"
    )
    message = refused(
        folder, f"{folder}/annotations.csv, kept frame 3: tag 'background'"
    )
    assert message.endswith("mend it, or add it to mapping.txt")


def test_each_video_is_scaled_by_itself(folder):
    found = load(folder, scale="video")
    for values in found.train.frames:
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-5)
    # In validation the model does that itself.
    np.testing.assert_array_equal(
        found.valid.frames[0], make_features("w1", 3).T
    )
    message = "--scale video is of features"
    refused("builtin", message, scale="video", num_examples=10)


def test_one_tag_alone(folder):
    for path in (folder / "groundTruth").glob("v*.txt"):
        lines = path.read_text().splitlines()
        path.write_text("\n".join("b" if x else "" for x in lines) + "\n")
    refused(
        folder,
        f"--data {folder}: all labelled frames of the training videos have one"
        " tag, 'b': expected two or more; label other frames, too",
    )
    assert load(folder, multi_label=True).labels == TAGS


def test_times_in_another_unit(folder):
    shutil.rmtree(folder / "groundTruth")
    rows = "".join(f"{x},0,2000,a\n{x},2000,3000,b\n" for x in ("v1", "v2"))
    (folder / "annotations.csv").write_text("video,start,end,tag\n" + rows)
    message = refused(
        folder,
        f"{folder}/annotations.csv: the segments of v1 end at 3000 seconds, its"
        " frames at 3, and so in 2 of 2 videos:",
        frame_rate=1.0,
    )
    assert "milliseconds" in message


def test_seconds_need_frames_with_times(folder):
    """Else a clip of 90 frames would have its tags in the first nine."""
    shutil.rmtree(folder / "groundTruth")
    rows = "".join(f"{x},0,1,a\n{x},1,3,b\n" for x in ("v1", "v2"))
    (folder / "annotations.csv").write_text("video,start,end,tag\n" + rows)
    refused(
        folder,
        f"{folder}/annotations.csv: seconds, but {folder}/features/v1.npy does"
        " not tell when its frames are shown: pass --frame-rate, the number of"
        " its frames a second, or name the columns start_frame,end_frame",
    )
    shutil.rmtree(folder / "features")
    for name in ("v1", "v2"):
        (folder / "videos" / name).mkdir(parents=True)
        for number in range(3):
            (folder / "videos" / name / f"{number}.png").write_bytes(b"x")
    refused(
        folder,
        f"{folder}/annotations.csv: seconds, but {folder}/videos/v1 does not",
    )


def test_no_validation(folder):
    (folder / "splits" / "valid.bundle").unlink()
    found = load(folder, valid_videos="none")
    assert found.valid is None
    assert "valid" not in found.report
    assert [x.name for x in found.examples] == ["v1", "v2", "v3"]
    found = load(folder, valid_videos="*2")
    assert (found.train.names, found.valid.names) == (["v1", "v3"], ["v2"])


def test_videos_without_labels_are_counted(folder):
    (folder / "groundTruth" / "v2.txt").unlink()
    found = load(folder)
    assert found.train.names == ["v1", "v3"]
    report = found.report["skipped"]
    assert report == {"without labels": {"count": 1, "first": ["v2"]}}


def test_nothing_with_labels(folder):
    for name in ("v1", "v2", "v3"):
        (folder / "groundTruth" / f"{name}.txt").unlink()
    refused(folder, f"--data {folder}: no training videos with labels")


# What cannot be used


def test_no_frame_with_a_tag(tmp_path):
    for number, (train, valid, mapping, name) in enumerate(
        [
            ("???", "abc", None, "training"),
            ("???", "abc", TAGS, "training"),
            ("abc", "???", TAGS, "validation"),
        ]
    ):
        splits = {"train": {"v": train}, "valid": {"w": valid}}
        folder = write_folder(tmp_path / f"{number}", splits, mapping)
        refused(
            folder,
            f"--data {folder}: no frame of the {name} videos has a tag",
        )
    splits = {"train": {"v": ["", ""]}, "valid": {"w": ["", ""]}}
    folder = write_folder(tmp_path / "sets", splits, None)
    message = f"--data {folder}: no frame of the training videos has a tag"
    refused(folder, message, multi_label=True)


def test_no_training_video_that_can_be_read(of_videos, tmp_path, monkeypatch):
    options = {"encoder": "MobileNetV2", "encoder_weights": "none"}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loader, "build_encoder", lambda config: MeanColours())
    (of_videos / "splits").mkdir()
    for split, name in (("train", "v0"), ("valid", "v1")):
        (of_videos / "splits" / f"{split}.bundle").write_text(name)
    (of_videos / "videos" / "v0.mp4").write_bytes(b"words")
    message = f"--data {of_videos}: no frame of the training videos has a tag"
    refused(of_videos, message, **options)


@pytest.mark.parametrize("tags", ["aabb", "a"])
def test_another_number_of_lines_than_frames(folder, tags):
    path = folder / "groundTruth" / "v1.txt"
    path.write_text("".join(f"{tag}\n" for tag in tags))
    message = refused(
        folder, f"{path}: {len(tags)} lines, but the video has 3 frames"
    )
    assert "--align crop" in message
    found = load(folder, align="crop")
    expected = [0, 0, 1] if len(tags) == 4 else [0, UNLABELLED, UNLABELLED]
    assert found.train.labels[0].tolist() == expected


def test_a_tag_that_is_not_in_the_mapping(folder):
    path = folder / "groundTruth" / "w1.txt"
    path.write_text("a\nb\nstir\n")
    message = refused(folder, f"{path}:3: tag 'stir' is none of the 3 labels")
    assert message.endswith("mend it, or add it to mapping.txt")


def test_features_of_several_sizes(folder):
    path = folder / "features" / "w1.npy"
    np.save(path, np.zeros([DIM + 1, 3]))
    message = refused(folder, f"{path}: 4 features a frame, but ")
    assert f"{folder}/features/v1.npy has 3" in message


def test_features_that_are_not_numbers(folder):
    path = folder / "features" / "v2.npy"
    values = make_features("v2", 4)
    values[1, 2] = np.nan
    np.save(path, values)
    refused(folder, f"{path}: frame 2 (of 4, from 0) has NaN or")


def test_an_empty_split_file(folder):
    path = folder / "splits" / "valid.bundle"
    path.write_text("\n")
    refused(folder, f"{path}: empty, expected lines of NAME or NAME.txt")


# Videos


def pixels(length, seed=0):
    frames = np.full([length, 24, 32, 3], 60 * (seed + 1), np.uint8)
    for number, frame in enumerate(frames):
        frame[8:16, number % 24 : number % 24 + 6] = 250
    return frames


@pytest.fixture
def of_videos(tmp_path):
    """A folder of four videos of ten frames, five a second."""
    folder = tmp_path / "own"
    (folder / "videos").mkdir(parents=True)
    rows = ["video,start,end,tag"]
    for number in range(4):
        path = folder / "videos" / f"v{number}.mp4"
        videos.write_video(path, pixels(10, number), 5.0)
        rows.append(f"v{number},0.4,1.2,wave")
    (folder / "annotations.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_videos_are_read_at_a_rate(of_videos):
    found = load(of_videos, image_size=16, frame_rate=2.5)
    assert found.labels == ["background", "wave"]
    assert found.dim is None
    assert found.statistics.mean is None
    for values, labels in zip(
        found.train.frames, found.train.labels, strict=True
    ):
        assert (values.dtype, values.shape) == (np.uint8, (5, 16, 16, 3))
        # At 0, 0.4, 0.8, 1.2 and 1.6 seconds.
        assert labels.tolist() == [0, 1, 1, 0, 0]


def test_more_frames_than_memory(of_videos, monkeypatch):
    monkeypatch.setattr(videos, "duration", lambda path, rate: 7200.0)
    message = refused(of_videos, f"{of_videos}/videos/v", max_gigabytes=1)
    assert re.search(
        r"v\d.mp4: with this video of 2.0 hours the frames take 1.3 GB,"
        r" and --max-gigabytes is 1: choose a lower --frame-rate or"
        r" --image-size, or compute features first, with python -m"
        r" apps.video_tagging.features$",
        message,
    )
    # 7200 s * 3 videos * 2 frames * 3 * 32 * 32 bytes.
    assert load(of_videos, frame_rate=2, max_gigabytes=0.14).train
    refused(of_videos, str(of_videos), frame_rate=2, max_gigabytes=0.13)


@pytest.mark.slow
def test_pictures_without_a_rate_are_counted_one_by_one(of_videos):
    for number in range(4):
        path = of_videos / "videos" / f"v{number}.mp4"
        path.unlink()
        path.with_suffix("").mkdir()
        for index, frame in enumerate(pixels(10, number)):
            picture = tf.io.encode_png(frame).numpy()
            (path.with_suffix("") / f"{index}.png").write_bytes(picture)
    table = of_videos / "annotations.csv"  # Pictures have no times.
    rows = [f"v{number},2,6,wave\n" for number in range(4)]
    table.write_text("video,start_frame,end_frame,tag\n" + "".join(rows))
    # At most 40 frames * 3 * 32 * 32 bytes.
    assert load(of_videos, max_gigabytes=0.000_123).train
    refused(of_videos, str(of_videos), max_gigabytes=0.000_06)


def test_a_video_that_breaks_off(of_videos):
    name = load(of_videos).train.names[0]
    path = of_videos / "videos" / f"{name}.mp4"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(of_videos, f"{path}: cut off")


def test_a_video_without_frames(of_videos):
    name = load(of_videos).train.names[0]
    path = of_videos / "videos" / f"{name}.mp4"
    path.write_bytes(b"")
    refused(of_videos, f"{path}: empty file")


def test_a_frozen_encoder_sees_each_frame_once(
    of_videos, tmp_path, monkeypatch
):
    config = Config(
        data=str(of_videos), encoder="MobileNetV2", encoder_weights="none"
    )
    monkeypatch.chdir(tmp_path)
    encoder = MeanColours()
    monkeypatch.setattr(loader, "build_encoder", lambda config: encoder)
    found = data.load(config)
    assert found.dim is None  # The model has the encoder.
    num_videos = len(found.train.names) + len(found.valid.names)
    assert encoder.seen == 10 * num_videos
    assert found.train.labels[0].tolist() == [0, 0] + [1] * 4 + [0] * 4
    name = found.train.names[0]
    clip = videos.read_clip(of_videos / "videos" / f"{name}.mp4", 32, 0.0)
    expected = clip.values.mean((1, 2))
    np.testing.assert_allclose(found.train.frames[0], expected, rtol=1e-3)
    # One that cannot be seen any more is left out.
    (of_videos / "videos" / f"{name}.mp4").write_bytes(b"words")
    again = data.load(config)
    assert encoder.seen == 10 * num_videos
    assert name not in again.train.names
    (left_out,) = again.report["skipped"].values()
    assert left_out["first"] == [name]


def test_a_frozen_encoder_needs_files():
    options = {"encoder": "MobileNetV2", "num_examples": 10}
    message = refused("builtin", "--encoder MobileNetV2 needs files", **options)
    assert "python -m apps.video_tagging.datasets.builtin FOLDER" in message


# Options


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"crf": True, "causal": True}, "--crf decodes whole videos, and --ca"),
        ({"scale": "video", "causal": True}, "--scale video looks at the who"),
        ({"stride": 2, "causal": True}, "--stride waits for frames that foll"),
        ({"crf": True, "class_weights": "balanced"}, "--crf rates whole vid"),
        ({"crf": True, "multi_label": True}, "--crf finds one tag for each f"),
        ({"num_examples": 9}, "--num-examples must be at least 10, got 9"),
        ({"image_size": 15}, "--image-size must be at least 16, got 15"),
        ({"stride": 0}, "--stride must be at least 1, got 0"),
        ({"num_layers": -1}, "--num-layers must be at least 0, got -1"),
        ({"dropout": 1.0}, "--dropout must be at least 0 and below 1, got 1.0"),
        ({"window": -1}, "--window must be at least 0, got -1"),
        ({"max_gigabytes": 0}, "--max-gigabytes must be greater than 0, got 0"),
    ],
)
def test_options_that_cannot_work(options, expected):
    with pytest.raises(UserError, match=f"^{expected}"):
        dataclasses.replace(Config(), **options)
