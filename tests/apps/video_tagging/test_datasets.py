import collections
import gzip
import os
import re
import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from apps.video_tagging import datasets
from apps.video_tagging.datasets import LabelOptions, builtin, splitting
from apps.video_tagging.datasets import tfds as tfds_clips
from apps.video_tagging.datasets.example import Annotation, Segment, VideoSet
from common.data import skipped
from common.errors import UserError

# Enough for a hash to put several into every tenth.
NAMES = [f"S{n % 4}_{n}" for n in range(99)]
CSV = "video,start,end,tag"


def write(path, *lines):
    """Writes a text file, packed if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(
        gzip.compress(content) if path.suffix == ".gz" else content
    )
    return path


def save_features(folder, names):
    """Writes features that only their content tells apart."""
    (folder / "features").mkdir(parents=True, exist_ok=True)
    for name in names:
        values = np.full((2, 3), abs(hash_of(name)), np.float32)
        np.save(folder / "features" / f"{name}.npy", values)


def hash_of(name):
    return int.from_bytes(name.encode()) % 1_000_003


def mstcn(folder, names=("a", "b", "c"), labelled=None, **bundles):
    """A whole folder; bundles by their names without ending."""
    save_features(folder, names)
    for name in names if labelled is None else labelled:
        write(folder / "groundTruth" / f"{name}.txt", "take", name, "pour cup")
    for split, listed in bundles.items():
        path = folder / "splits" / f"{split.replace('_', '.')}.bundle"
        write(path, *(f"{name}.txt" for name in listed))
    return folder


def own(folder, *rows, names=("a.mp4", "b.mp4", "c.mp4"), header=CSV):
    """A folder of somebody's own videos, which nobody could play."""
    for name in names:
        write(folder / "videos" / name, name)
    write(folder / "annotations.csv", header, *rows)
    return folder


def read(data, multi_label=False, frame_rate=0.0, **options):
    labels = LabelOptions(multi_label=multi_label, frame_rate=frame_rate)
    return datasets.open_splits(str(data), options=labels, **options)


def names_of(data, **options):
    """The names of the videos, by split."""
    splits = read(data, **options).examples
    return {split: [x.name for x in found] for split, found in splits.items()}


def annotation_of(data, name="a", **options):
    splits = read(data, **options).examples.values()
    (found,) = [x for split in splits for x in split if x.name == name]
    return found.annotation


def left_out(data, **options):
    """The lines about what was left out."""
    return skipped.format_report(read(data, **options).skipped.report())


def refused(data, message, **options):
    """Reads everything, expecting one line, this one."""
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        read(data, **options)


# The builtin data


def test_builtin_has_three_splits():
    found = read("builtin", num_examples=48, seed=3)
    sizes = {split: len(rows) for split, rows in found.examples.items()}
    assert sizes == {"train": 48, "valid": 6, "test": 6}
    assert found.labels == list(builtin.TAGS)
    assert found.skipped.report() == {}
    for split in sizes:
        scenes = builtin.generate(split, 2, seed=3)
        for example, scene in zip(found.examples[split], scenes, strict=False):
            assert example.name == scene.name
            np.testing.assert_array_equal(example.source, scene.frames)
            assert example.annotation.lines == scene.lines


def test_builtin_frames_of_another_size_and_sets():
    found = read("builtin", num_examples=10, image_size=64, multi_label=True)
    assert [len(rows) for rows in found.examples.values()] == [10, 5, 5]
    (scene,) = builtin.generate("train", 1, seed=0, multi_label=True)
    first = found.examples["train"][0]
    assert first.annotation.lines == scene.lines
    assert first.source.shape == (len(scene.frames), 64, 64, 3)
    assert first.source.dtype == np.uint8
    # Bilinear: each pixel is the nearest one, and a bit of its neighbours.
    wide = scene.frames.astype(int).repeat(2, axis=1).repeat(2, axis=2)
    assert np.abs(first.source - wide).mean() < 8
    middle = scene.frames[:, 15:17, 15:17].astype(float)
    expected = np.einsum(
        "hH,wW,thwc->tHWc", [[0.75, 0.25], [0.25, 0.75]], np.eye(2), middle
    )
    mix = np.einsum("wW,tHwc->tHWc", [[0.75, 0.25], [0.25, 0.75]], expected)
    # Pixels 31 and 32 of 64 lie between pixels 15 and 16 of 32.
    np.testing.assert_allclose(
        first.source[:, 31:33, 31:33], mix, atol=0.5 + 1e-6
    )


# The layout of MS-TCN


def test_mstcn_features(tmp_path):
    bundles = {"train": "ab", "valid": "c", "test": "d"}
    mstcn(tmp_path, "abcd", **bundles)
    write(tmp_path / "mapping.txt", "1 pour cup", "0 take", *range_of("abcd"))
    found = read(tmp_path)
    assert found.skipped.report() == {}
    assert found.labels == ["take", "pour cup", "a", "b", "c", "d"]
    assert names_of(tmp_path) == {
        "train": ["a", "b"],
        "valid": ["c"],
        "test": ["d"],
    }
    truth = str(tmp_path / "groundTruth" / "a.txt")
    assert found.examples["train"][0] == (
        "a",
        tmp_path / "features" / "a.npy",
        Annotation(truth, ("take", "a", "pour cup")),
    )


def range_of(names):
    return [f"{number} {name}" for number, name in enumerate(names, 2)]


def test_mstcn_without_a_list_of_labels(tmp_path):
    assert read(mstcn(tmp_path)).labels is None


def test_mstcn_packed_files(tmp_path):
    save_features(tmp_path, "abc")
    for name in "abc":
        write(tmp_path / "groundTruth" / f"{name}.txt.gz", "take")
    write(tmp_path / "groundTruth" / "._a.txt", "\0")  # Of another system.
    write(tmp_path / "mapping.txt.gz", "0 take")
    write(tmp_path / "splits" / "train.bundle.gz", "a.txt", "", "b", "c.npy ")
    found = read(tmp_path, valid_videos="none")
    assert [x.annotation.lines for x in found.examples["train"]] == [
        ("take",)
    ] * 3
    assert found.labels == ["take"]


@pytest.mark.parametrize("word", ["valid", "validation", "val", "dev"])
def test_names_of_the_validation_split(tmp_path, word):
    mstcn(tmp_path, train="a", **{word: "b"}, test="c")
    assert names_of(tmp_path)["valid"] == ["b"]


def test_bundles_with_the_number_of_a_split(tmp_path):
    mstcn(tmp_path, train_split3="ab", test_split3="c")
    assert names_of(tmp_path, valid_videos="b") == {
        "train": ["a"],
        "valid": ["b"],
        "test": ["c"],
    }
    mstcn(tmp_path, test_split1="c", train_split1="ab")
    refused(
        tmp_path,
        f"{tmp_path / 'splits'}: bundles of the splits 1, 3: expected one; copy"
        " those you want to train.bundle and test.bundle",
    )
    mstcn(tmp_path, train="c", test="a")
    assert names_of(tmp_path) == {"train": ["c"], "test": ["a"]}


@pytest.mark.parametrize("place", ["videos", "frames"])
def test_mstcn_videos_or_frames_in_place_of_features(tmp_path, place):
    for name in "abc":
        write(tmp_path / "groundTruth" / f"{name}.txt", "take")
    video = write(tmp_path / place / "a.mp4", "a")
    pictures = write(tmp_path / place / "b" / "1.jpg", "b").parent
    write(tmp_path / place / "notes.md", "")
    (tmp_path / "features").mkdir()
    found = read(tmp_path)
    assert [x.source for x in found.examples["train"]] == [video, pictures]
    assert left_out(tmp_path) == ["skipped: 1 (labels without a video): c"]
    save_features(tmp_path, "abc")
    (first, *_) = read(tmp_path, valid_videos="none").examples["train"]
    assert first.source.name.endswith(".npy")


def test_what_is_left_out_of_bundles(tmp_path):
    mstcn(
        tmp_path, "abcxy", "abdx", train="abae", valid="c", test="xd", other="a"
    )
    found = read(tmp_path)
    assert names_of(tmp_path) == {
        "train": ["a", "b"],
        "valid": ["c"],
        "test": ["x"],
    }
    assert left_out(tmp_path) == [
        "skipped: 1 (in splits/, no list of a split): other.bundle",
        "skipped: 1 (twice in a bundle): train.bundle:3",
        "skipped: 1 (labels without a video): d",
        "skipped: 1 (in a split, but without a video): e",
        "skipped: 1 (in no split): y",
    ]
    # Who trains notes these.
    assert found.examples["valid"][0].annotation is None


def test_bundles_that_cannot_be_used(tmp_path):
    mstcn(tmp_path, train="ab", test="ca")
    bundle = tmp_path / "splits" / "test.bundle"
    refused(
        tmp_path,
        f"{bundle}:2: a is in train.bundle too: expected each video in one"
        " split; remove it from one of them",
    )
    write(bundle, "", " ")
    refused(
        tmp_path,
        f"{bundle}: empty, expected lines of NAME or NAME.txt; fill it, or"
        " remove it",
    )
    write(bundle, "S1_Tea.txt")
    refused(
        tmp_path,
        f"--data {tmp_path}: no video of the split test is there;"
        " skipped: 1 (in a split, but without a video): S1_Tea; skipped: 1 (in"
        " no split): c",
    )
    bundle.write_bytes(b"c.txt\nK\xfcche.txt\n")
    refused(
        tmp_path,
        f"{bundle}:2: byte 0xfc is not utf-8; pass the file's --encoding, for"
        " example cp1252",
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0 a", "b"], ':2: expected "id name", such as "0 background", got'),
        (["0 a", "one b"], ':2: expected "id name", such as "0 background",'),
        (["0 a", "-1 b"], ':2: expected "id name", such as "0 background",'),
        (
            ["0 a", "", "1 b c", "0 d"],
            ":4: 0 is in line 1 too: expected another id and name in each line",
        ),
        (
            ["0 b c", "1 b", "2  b c "],
            ":3: b c is in line 1 too: expected another id and name in each",
        ),
        (["", " "], ': empty, expected lines of "id name"'),
    ],
)
def test_a_broken_list_of_labels(tmp_path, lines, message):
    path = write(mstcn(tmp_path) / "mapping.txt", *lines)
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_tag_that_the_list_of_labels_does_not_have(tmp_path):
    mstcn(tmp_path, train="abc")
    write(tmp_path / "mapping.txt", "0 take", "1 a", "2 b", "3 pour cup")
    refused(
        tmp_path,
        f"{tmp_path / 'groundTruth' / 'c.txt'}:2: tag 'c' is none of the 4"
        " labels (take, a, b, pour cup): mend it, or add it to mapping.txt",
    )
    write(tmp_path / "mapping.txt", "0 take", *range_of("abc"))
    rest = " is none of the 4 labels (take, a, b, c): mend it, or add it to"
    for options, tag in (({}, "pour cup"), ({"multi_label": True}, "pour")):
        with pytest.raises(UserError) as caught:
            read(tmp_path, **options)
        assert f"a.txt:3: tag {tag!r}{rest}" in str(caught.value)


def test_folders_that_fit_no_layout(tmp_path):
    refused(
        "gone",
        "--data gone: no such file or folder; expected builtin, tfds:mnist,"
        " tfds:ucf101, or the path of a folder",
    )
    file = write(tmp_path / "a.mp4", "")
    refused(
        file,
        f"--data {file}: expected a folder with videos and labels, got a file;"
        " pass the folder that it is in",
    )
    save_features(tmp_path, "a")
    expected = (
        f"--data {tmp_path}: expected groundTruth or annotations.csv"
        " beside features/NAME.npy, videos/NAME.mp4 or frames/NAME/; it holds"
    )
    rest = ": rename these, or pass the folder that holds the labels"
    refused(tmp_path, f"{expected} a.mp4, features{rest}")
    (tmp_path / "groundTruth").mkdir()
    refused(
        tmp_path,
        f"{tmp_path / 'groundTruth'}: expected NAME.txt for each video, with a"
        " line for each frame; it has none",
    )
    own(tmp_path)
    refused(
        tmp_path,
        f"--data {tmp_path}: both groundTruth and annotations.csv: expected one"
        " of them; move the other away",
    )


def test_a_layout_of_ones_own_is_one_module(tmp_path, monkeypatch):
    video = write(tmp_path / "clip" / "frames.avi", "x").resolve()
    write(tmp_path / "clip" / "events.txt", "3 5 take")
    written = {"clip": Annotation("events", None, (Segment(3, 5, "take"),))}
    layout = types.SimpleNamespace(
        LABELS="NAME/events.txt",
        matches=lambda folder: any(folder.glob("*/events.txt")),
        read=lambda folder, options, skipped: VideoSet(
            {"clip": video}, written, {"train": ["clip"]}, None
        ),
        read_annotations=lambda folder, options: written,
    )
    assert not datasets.has_labels(tmp_path)
    monkeypatch.setattr(datasets, "LAYOUTS", (*datasets.LAYOUTS, layout))
    assert datasets.has_labels(tmp_path)
    assert read(tmp_path).examples == {
        "train": [("clip", video, written["clip"])]
    }
    assert datasets.read_annotations(tmp_path, LabelOptions()) == written
    with pytest.raises(UserError, match="csv or NAME/events.txt beside"):
        read(write(tmp_path / "other" / "a.txt", "").parent)


def test_annotations_of_a_folder_or_alone(tmp_path):
    def names(path):
        return list(datasets.read_annotations(path, LabelOptions()))

    lines = mstcn(tmp_path / "mstcn")
    table = own(tmp_path / "own", "x,0,1,take")
    assert names(lines) == names(lines / "groundTruth") == ["a", "b", "c"]
    assert names(table) == names(table / "annotations.csv") == ["x"]
    for path, reason in (
        (tmp_path, "no layout matches it"),
        (tmp_path / "gone", "there is nothing"),
    ):
        message = (
            f"--labels {path}: expected annotations.csv, a folder of NAME.txt"
            " with a line for each frame, or a folder with groundTruth or"
            f" annotations.csv; {reason}"
        )
        with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
            names(path)


def test_labels_without_any_video(tmp_path):
    write(tmp_path / "groundTruth" / "a.txt", "take")
    refused(
        tmp_path,
        f"--data {tmp_path}: no videos: expected features/NAME.npy,"
        " videos/NAME.mp4, or pictures in videos/NAME/ or frames/NAME/",
    )
    save_features(tmp_path, "b")
    refused(
        tmp_path,
        f"--data {tmp_path}: no labels are of a video that is there: the labels"
        " are of a, the videos are b: give both the same names, as text (7 is"
        " not 0007)",
    )


def test_names_of_labels_and_videos_meet(tmp_path):
    names = ("a.mp4", "b", "7.npy", "Upper")
    (tmp_path / "features").mkdir()
    for number, name in enumerate(names):
        values = np.full((2, 3), number, np.float32)
        np.save(tmp_path / "features" / f"{name}.npy", values)
    rows = ["a.mp4,0,1,x", "clips\\b.avi,0,1,x", "7,0,1,x", "upper.MP4,0,1,x"]
    write(tmp_path / "annotations.csv", CSV, *rows)
    train = read(tmp_path, frame_rate=1.0, valid_videos="none").examples
    read_names = [x.name for split in train.values() for x in split]
    assert sorted(read_names) == ["7", "Upper", "a", "b"]
    assert left_out(tmp_path, frame_rate=1.0) == []


def test_a_folder_of_videos_is_listed(tmp_path):
    for name in ("b.mp4", "a.MKV", "notes.txt", "frames/1.png", ".c.mp4"):
        write(tmp_path / name, "x")
    inside = [path.name for path in datasets.list_videos(tmp_path)]
    assert inside == ["a.MKV", "b.mp4", "frames"]
    assert datasets.list_videos(tmp_path / "frames") == []
    save_features(tmp_path / "data", "ab")
    inside = datasets.list_videos(tmp_path / "data" / "features")
    assert [path.name for path in inside] == ["a.npy", "b.npy"]


def test_numbers_as_names_are_texts(tmp_path):
    own(tmp_path, "7,0,1,x", names=["0007.mp4", "8.mp4"])
    refused(
        tmp_path,
        f"--data {tmp_path}: no labels are of a video that is there: the labels"
        " are of 7, the videos are 0007, 8: give both the same names, as text"
        " (7 is not 0007)",
    )


def test_two_features_of_one_video(tmp_path):
    mstcn(tmp_path, ["a", "a.mp4"])
    refused(
        tmp_path,
        f"{tmp_path / 'features'}: a.mp4.npy and a.npy have one name, a: rename"
        " one, or move it away",
    )


@pytest.mark.parametrize(
    "name",
    [
        *["splits/split1.train.bundle", "splits/train.txt", "splits/all.txt"],
        *["test.bundle", "testlist01.txt", "dev2.csv", "annotations_test.csv"],
        *["Splits/train.bundle", "testing/a.txt", "split1/train.bundle"],
    ],
)
def test_lists_whose_names_are_not_understood(tmp_path, name):
    path = write(mstcn(tmp_path) / name, "a")
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    top = name.partition("/")[0]
    assert (path.name if top == "splits" else top) in str(caught.value)
    assert "train.bundle, valid.bundle and test.bundle" in str(caught.value)


def test_lists_of_other_splits_beside_those_that_are_read(tmp_path):
    write(mstcn(tmp_path, train="ab") / "splits" / "dev2.bundle", "c.txt")
    refused(
        tmp_path,
        f"{tmp_path / 'splits'}: dev2.bundle would not be read: expected"
        " train.bundle, valid.bundle and test.bundle (or dev, val), or"
        " train.split1.bundle and so on; rename them, or move them away",
    )


# Somebody's own videos


def test_own_videos_with_seconds(tmp_path):
    own(
        tmp_path,
        "a.mp4,0.5,62.25,take cup",
        'videos/b.mp4, 1:02.5 ,1:00:03,"pour, slowly"',
        "c,3,4,?",
        "a,00:01:02.5,63,take cup",
    )
    where = str(tmp_path / "annotations.csv")
    found = read(tmp_path)
    assert found.labels is None
    assert annotation_of(tmp_path) == Annotation(
        where,
        None,
        (Segment(0.5, 62.25, "take cup", 2), Segment(62.5, 63, "take cup", 5)),
        "seconds",
    )
    b = annotation_of(tmp_path, "b")
    assert b.segments == (Segment(62.5, 3603, "pour, slowly", 3),)


def test_own_videos_with_frames(tmp_path):
    header = "tag,note,end_frame,start_frame,video"
    own(tmp_path, "take,,9,0,a", "pour,x,12,9,a", header=header)
    annotation = annotation_of(tmp_path)
    assert annotation.unit == "frames"
    assert annotation.segments == ((0, 9, "take", 2), (9, 12, "pour", 3))


def test_own_videos_packed_table_splits_and_labels(tmp_path):
    own(tmp_path)
    (tmp_path / "annotations.csv").unlink()
    rows = [f"{name},0,1,take" for name in "abcd"]
    write(tmp_path / "annotations.csv.gz", CSV, *rows)
    write(tmp_path / "splits" / "train.bundle", "a.mp4", "b")
    write(tmp_path / "splits" / "test.bundle", "c")
    write(tmp_path / "mapping.txt", "0 background", "1 take")
    assert names_of(tmp_path) == {"train": ["a", "b"], "test": ["c"]}
    assert read(tmp_path).labels == ["background", "take"]
    assert left_out(tmp_path) == ["skipped: 1 (labels without a video): d"]


def test_own_videos_without_labels(tmp_path):
    own(tmp_path, "a,0,1,take")
    found = read(tmp_path)
    assert [
        (x.name, x.annotation is None) for x in found.examples["train"]
    ] == [
        ("a", False),
        ("b", True),
        ("c", True),
    ]
    assert found.skipped.report() == {}  # Who trains notes these.


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,1", "expected 4 fields (video, start, end, tag), got 2"),
        (",1,2,x", "no video: fill it in, or drop the row"),
        ("a,1,2, ", "no tag: fill it in, or drop the row"),
        ("a,2,2.0,x", "from 2 to 2.0: expected an end after the start"),
        *(
            (
                f"a,{text},9,x",
                "expected a time of 0 or more seconds, such as 62.5 or 1:02.5,"
                f" got {text!r}",
            )
            for text in ("-1", "", "1s", "nan", "inf", "1:-2", "1:0:0:0", ":1")
        ),
    ],
)
def test_a_broken_row_of_seconds(tmp_path, row, message):
    own(tmp_path, "a,0,1,take", row)
    refused(tmp_path, f"{tmp_path / 'annotations.csv'}:3: {message}")


@pytest.mark.parametrize("text", ["1.5", "-1", "0:01", ""])
def test_a_broken_row_of_frames(tmp_path, text):
    header = "video,start_frame,end_frame,tag"
    own(tmp_path, f"a,0,{text},take", header=header)
    refused(
        tmp_path,
        f"{tmp_path / 'annotations.csv'}:2: expected the number of a frame, 0"
        f" or more, got {text!r}"
        + (": name the columns start,end for seconds" * ("." in text)),
    )


@pytest.mark.parametrize("header", ["video,start,end", "", "a,b,c,d"])
def test_a_table_without_its_columns(tmp_path, header):
    own(tmp_path, "a,0,1,take", header=header)
    refused(
        tmp_path,
        f"{tmp_path / 'annotations.csv'}:1: expected the columns"
        " video,start,end,tag (seconds) or video,start_frame,end_frame,tag, got"
        f" {header or 'nothing'}: name them so in the first line",
    )


def test_a_table_without_rows(tmp_path):
    own(tmp_path)
    refused(
        tmp_path,
        f"{tmp_path / 'annotations.csv'}: empty, expected rows with video and"
        " start and end and tag",
    )


def test_a_tag_of_a_segment_that_is_not_listed(tmp_path):
    own(tmp_path, "a,0,1,take", "b,0,1,Take")
    write(tmp_path / "mapping.txt", "0 take")
    refused(
        tmp_path,
        f"{tmp_path / 'annotations.csv'}:3: tag 'Take' is none of the 1 labels"
        " (take): mend it, or add it to mapping.txt",
    )


def test_overlapping_segments_are_found_at_once(tmp_path):
    own(tmp_path, "a,0,2,take", "b,0,9,x", "a,1,3,pour", "c,0,1,x")
    refused(
        tmp_path,
        f"{tmp_path / 'annotations.csv'}:4: 'pour' (1 to 3) overlaps 'take' (0"
        " to 2): expected one tag at any time; mend it, or pass --multi-label",
    )
    assert len(annotation_of(tmp_path, multi_label=True).segments) == 2


def test_two_videos_of_one_name(tmp_path):
    own(tmp_path, "a,0,1,take", names=("a.mp4", "a.avi"))
    with pytest.raises(UserError, match=r"a\.avi and a\.mp4 have one name, a:"):
        read(tmp_path)


def test_features_and_seconds_need_a_rate(tmp_path):
    own(tmp_path, "a,0,1,take", "b,0,1,take", "c,0,1,take")
    save_features(tmp_path, "abc")
    refused(
        tmp_path,
        f"{tmp_path / 'annotations.csv'}: seconds, but"
        f" {tmp_path / 'features' / 'a.npy'} does not tell when its frames are"
        " shown: pass --frame-rate, the number of its frames a second, or name"
        " the columns start_frame,end_frame",
    )
    assert len(read(tmp_path, frame_rate=15).examples) == 3


# Splits that nobody gave


def test_a_folder_without_splits_is_cut_by_content(tmp_path):
    found = names_of(mstcn(tmp_path / "one", NAMES))
    sizes = {split: len(names) for split, names in found.items()}
    assert sum(sizes.values()) == 99
    assert sizes["train"] > 65 and min(sizes["valid"], sizes["test"]) > 3
    # Neither the order nor the names of files matter.
    other = mstcn(tmp_path / "other", [])
    for name in NAMES:
        write(other / "groundTruth" / f"x{name}.txt", "take")
        values = tmp_path / "one" / "features" / f"{name}.npy"
        copy = other / "features" / f"x{name}.npy"
        copy.write_bytes(values.read_bytes())
    assert {
        split: sorted(name[1:] for name in names)
        for split, names in names_of(other).items()
    } == {split: sorted(names) for split, names in found.items()}


def test_equal_videos_are_on_one_side(tmp_path):
    names = [f"{n}{twin}" for n in range(40) for twin in "xy"]
    own(tmp_path, *(f"{name},0,1,take" for name in names), names=())
    for name in names:
        write(tmp_path / "videos" / f"{name}.mp4", name[:-1])
    for split in names_of(tmp_path).values():
        assert {f"{name[:-1]}x" for name in split} <= set(split)


@pytest.mark.parametrize("size", range(1, 12))
def test_few_videos_are_in_every_split(size):
    for first in range(9):  # Other hashes.
        lists = {"": [str(first + n) for n in range(size)]}
        found = splitting.fill_missing_splits(lists, lambda name: name * 3)
        splits = ["train", "valid", "test"] if size >= 3 else ["train"]
        assert list(found) == splits
        assert sorted(sum(found.values(), [])) == sorted(lists[""])
        again = splitting.fill_missing_splits(
            {"": lists[""][::-1]}, lambda name: name * 3
        )
        assert all(set(found[split]) == set(again[split]) for split in splits)


def test_a_training_split_gives_a_tenth_to_validation(tmp_path):
    mstcn(tmp_path, NAMES, train=NAMES[:80], test=NAMES[80:])
    found = names_of(tmp_path)
    assert list(found) == ["train", "valid", "test"]
    assert found["test"] == NAMES[80:]
    assert 3 < len(found["valid"]) < 16
    assert sorted(found["train"] + found["valid"]) == sorted(NAMES[:80])
    few = mstcn(tmp_path / "few", "abc", train="abc")
    assert [len(names) for names in names_of(few).values()] == [2, 1]
    two = mstcn(tmp_path / "two", "ab", train="ab")
    assert names_of(two) == {"train": ["a", "b"]}


def test_validation_videos_by_pattern(tmp_path):
    mstcn(tmp_path, NAMES, train=NAMES[:80], test=NAMES[80:])
    found = names_of(tmp_path, valid_videos="S2_*, S1_1")
    picked = [n for n in NAMES[:80] if n.startswith("S2_") or n == "S1_1"]
    assert found["valid"] == picked
    assert found["train"] == [n for n in NAMES[:80] if n not in picked]
    assert found["test"] == NAMES[80:]
    assert names_of(tmp_path, valid_videos="none") == {
        "train": NAMES[:80],
        "test": NAMES[80:],
    }


def test_validation_videos_where_nothing_is_split(tmp_path):
    mstcn(tmp_path, NAMES)
    found = names_of(tmp_path, valid_videos="none")
    assert list(found) == ["train", "test"]
    assert 3 < len(found["test"]) < 20
    picked = names_of(tmp_path, valid_videos="S1_*")
    assert picked["test"] == found["test"]
    assert {name[:2] for name in picked["valid"]} == {"S1"}


def test_validation_videos_that_cannot_be(tmp_path):
    mstcn(tmp_path, NAMES, train=NAMES[:9], test=NAMES[9:])
    listed = "S0_0, S1_1, S2_2, S3_3, S0_4, S1_5, S2_6, S3_7, S0_8"
    refused(
        tmp_path,
        "--valid-videos S0_0,s2*: 's2*' is no training video; expected such as"
        f" {listed}",
        valid_videos="S0_0,s2*",
    )
    refused(
        tmp_path,
        f"--valid-videos S*: that is every training video ({listed}): leave"
        " some to learn from",
        valid_videos="S*",
    )
    write(tmp_path / "splits" / "test.bundle", "S0_12")
    write(tmp_path / "splits" / "valid.bundle", "S1_13")
    refused(
        tmp_path,
        "--valid-videos S0_0: the data have videos to validate on already:"
        " drop the flag, or the split valid",
        valid_videos="S0_0",
    )
    assert "valid" not in names_of(tmp_path, valid_videos="none")


def test_the_hash_is_of_the_content(tmp_path):
    large = bytes(range(256)) * 12_000
    paths = [tmp_path / name for name in "abcdef"]
    contents = (large, large, large[:-1] + b"x", b"x" + large[1:], large[1:])
    for path, content in zip(paths, contents, strict=False):
        path.write_bytes(content)
    first, *rest = map(splitting.content_hash, paths[:5])
    assert rest[0] == first and len({first, *rest}) == 4
    frames = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    assert splitting.content_hash(frames) == splitting.content_hash(
        frames.copy()
    )
    assert splitting.content_hash(frames) != splitting.content_hash(
        frames[::-1]
    )
    with pytest.raises(UserError, match="f: No such file or directory"):
        splitting.content_hash(paths[5])


def test_the_hash_of_pictures_is_of_their_sizes_and_ends(tmp_path):
    def of(name, *contents):
        for number, content in enumerate(contents):
            write(tmp_path / name / f"{number}.jpg", content)
        return splitting.content_hash(tmp_path / name)

    first = of("a", "one", "two", "three")
    assert of("b", "one", "two", "three") == first
    others = ["one", "two", "thre"], ["one", "too long", "three"]
    others = (*others, ["two", "two", "three"], ["one", "two"])
    assert first not in [of(f"c{n}", *x) for n, x in enumerate(others)]


# Data sets of tensorflow-datasets


KINDS = tfds.features
PICTURES = {
    "image": KINDS.Image(shape=(28, 28, 1)),
    "label": KINDS.ClassLabel(num_classes=10),
}
VIDEOS = {
    "video": KINDS.Video(shape=(None, 48, 64, 3)),
    "label": KINDS.ClassLabel(names=["Archery", "Bowling", "Diving"]),
}


def prepare(folder, features, **rows):
    """Prepares a data set, as its owner would, without its code."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name="made",
        version="1.0.0",
        data_dir=folder,
        features=KINDS.FeaturesDict(features),
        split_datasets=rows,
        disable_shuffling=True,
    )


def pictures(*values):
    """Full of ink of one value each, so that a box tells where they are."""
    ink = np.array(values, np.uint8)[:, None, None, None]
    rows = {
        "image": np.broadcast_to(ink, (len(values), 28, 28, 1)),
        "label": np.zeros(len(values), int),
    }
    return tf.data.Dataset.from_tensor_slices(rows)


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("moving"))
    train = pictures(*[100] * 30, *[200] * 5)
    prepare(folder, PICTURES, train=train, test=pictures(255, 255, 255))
    return folder


def read_moving(folder, **options):
    options = {"num_examples": 20, "image_size": 64} | options
    return read("tfds:made", tfds_dir=folder, **options)


def corner(frame):
    rows, columns = frame[..., 0].any(axis=1), frame[..., 0].any(axis=0)
    return np.array([rows.argmax(), columns.argmax()])


@pytest.mark.slow
def test_pictures_move_as_their_tags_say(moving):
    found = read_moving(moving)
    assert found.labels == ["up_left", "up_right", "down_left", "down_right"]
    sizes = {split: len(rows) for split, rows in found.examples.items()}
    assert sizes == {"train": 20, "valid": 5, "test": 5}
    used = collections.Counter()
    num_moves = 0
    for _, frames, annotation in sum(found.examples.values(), []):
        lines = annotation.lines
        assert frames.shape == (len(lines), 64, 64, 3)
        corners = np.array([corner(frame) for frame in frames])
        for (down, right), line in zip(
            np.diff(corners, axis=0), lines[1:], strict=True
        ):
            vertical, horizontal = line.split("_")
            # A picture that turns around may seem to rest.
            assert down * (-1 if vertical == "up" else 1) >= 0
            assert right * (-1 if horizontal == "left" else 1) >= 0
            num_moves += bool(down) + bool(right)
        assert lines[0] == lines[1]
        assert (np.abs(np.diff(corners, axis=0)) <= 4).all()
        used.update(lines)
    assert num_moves > 0.9 * 2 * sum(used.values())
    assert min(used.values()) > 0.1 * sum(used.values())


def test_no_picture_is_in_two_splits(moving):
    splits = read_moving(moving).examples
    ink = {
        split: {int(example.source.max()) for example in examples}
        for split, examples in splits.items()
    }
    assert ink == {"train": {100}, "valid": {200}, "test": {255}}


@pytest.mark.slow
def test_clips_of_pictures_follow_from_the_seed(moving):
    first, again, other = (
        read_moving(moving, num_examples=10, image_size=32, seed=seed).examples
        for seed in (1, 1, 2)
    )
    for split, examples in first.items():
        assert examples[0].source.shape[1:] == (32, 32, 3)
        for one, same, changed in zip(
            examples, again[split], other[split], strict=True
        ):
            assert (one.source == same.source).all()
            assert one.annotation == same.annotation
            assert (one.source != changed.source).any()
    ways = [x.annotation.lines for split in first.values() for x in split]
    assert len(set(ways)) == len(ways)


def labelled_videos(labels, lengths, brighter=0):
    def rows():
        for label, length in zip(labels, lengths, strict=True):
            frames = np.zeros((length, 48, 64, 3), np.uint8)
            frames[..., 0] = 50 * label + brighter
            frames[..., 1] = np.arange(length)[:, None, None]
            yield {"video": frames, "label": label}

    signature = {
        "video": tf.TensorSpec((None, 48, 64, 3), tf.uint8),
        "label": tf.TensorSpec((), tf.int64),
    }
    return tf.data.Dataset.from_generator(rows, output_signature=signature)


def test_short_videos_follow_each_other(tmp_path):
    prepare(
        str(tmp_path),
        VIDEOS,
        train=labelled_videos([0, 2, 1, 1, 2] * 2, [40, 8, 33] + [3] * 7),
        test=labelled_videos([2, 0], [5, 4], brighter=7),
    )
    found = read("tfds:made", tfds_dir=str(tmp_path), image_size=16)
    assert found.labels == ["Archery", "Bowling", "Diving"]
    assert {split: len(x) for split, x in found.examples.items()} == {
        "train": 3,
        "valid": 1,
        "test": 1,
    }
    examples = {x.name: x for split in found.examples.values() for x in split}
    first = examples["train-00000"]
    # The middle 32 frames of 40, all of 8, 32 of 33.
    starts = [range(4, 36), range(8), range(32)]
    assert first.source.shape == (72, 16, 16, 3)
    assert first.source[:, 3, 3, 1].tolist() == [n for x in starts for n in x]
    tags = ("Archery",) * 32 + ("Diving",) * 8 + ("Bowling",) * 32
    assert first.annotation == Annotation("tfds:made train-00000", tags)
    for example in examples.values():
        shown = [
            found.labels.index(line) * 50 + 7 * example.name.startswith("test")
            for line in example.annotation.lines
        ]
        assert example.source[:, 0, 0, 0].tolist() == shown
    assert len(examples["train-00003"].source) == 3
    assert len(examples["test-00000"].source) == 9


def test_data_sets_that_do_not_fit(tmp_path, moving):
    refused(
        "tfds:made",
        "--data tfds:made: 1200 frames of --image-size 512 are 0.9 GB: expected"
        " at most --max-gigabytes 0.5; make either fit",
        tfds_dir=moving,
        num_examples=20,
        image_size=512,
        max_gigabytes=0.5,
    )
    prepare(str(tmp_path / "train"), PICTURES, train=pictures(1))
    refused(
        "tfds:made",
        "--data tfds:made: expected the splits train and test; it has train",
        tfds_dir=str(tmp_path / "train"),
    )
    wide = {"image": KINDS.Image(shape=(None, 8, 1)), "note": np.int64}
    image = np.zeros((2, 8, 8, 1), np.uint8)
    rows = {"image": image, "note": np.zeros(2, np.int64)}
    split = tf.data.Dataset.from_tensor_slices(rows)
    prepare(str(tmp_path / "wide"), wide, train=split, test=split)
    refused(
        "tfds:made",
        "--data tfds:made: expected pictures of less than 64 pixels (image), as"
        " mnist has, or labelled videos (video, label), as ucf101; it has"
        " image, note",
        tfds_dir=str(tmp_path / "wide"),
    )


def test_resizing_leaves_no_holes():
    lines = np.zeros((1, 64, 64, 1), np.uint8)
    lines[:, ::4] = 200
    small = tfds_clips.resize(lines, 16).numpy()
    assert small.dtype == np.uint8
    np.testing.assert_allclose(small[:, 2:-2], 50, atol=15)


def test_what_lies_beside_the_frames_of_a_video_is_not_read(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"a picture")
    os.mkfifo(tmp_path / "b" / "0.pipe")
    (tmp_path / "b" / "@thumbs").mkdir()
    one, other = (splitting.content_hash(tmp_path / name) for name in "ab")
    assert one == other
    os.mkfifo(tmp_path / "b" / "0.png")
    with pytest.raises(UserError, match=f"^{tmp_path / 'b'}: a pipe or a dev"):
        splitting.content_hash(tmp_path / "b")
