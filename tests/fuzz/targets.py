"""Readers, and good files for each, which fuzzing damages.

A target writes nothing and answers everything: with data, or with a
`UserError` of one line.
"""

import csv
import gzip
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.captioning import data as captions
from apps.captioning.config import Config as CaptioningConfig
from apps.sentiment import data as texts
from apps.sentiment.config import Config as SentimentConfig
from apps.translation import data as pairs
from apps.translation import vocabulary
from apps.translation.config import Config as TranslationConfig
from apps.video_tagging import data as frames
from apps.video_tagging.config import Config as VideoConfig
from common import options
from common.characters import printable
from common.data import feature_arrays, feature_files, name_lists, text_files
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import images, videos
from common.training import checkpoints, runs
from tests.support.images import ANIMATED_GIF, JPEG, NOISE, PNG, bmp

# Names below a folder to contents.
Files = Mapping[str, bytes]


class Target(NamedTuple):
    """One reader.

    Attributes:
        seeds: good sets of files.
        read: reads a folder with the files, to its end.
    """

    seeds: list[Files]
    read: Callable[[Path], object]


def _table(ending: str, rows: list[list[str]]) -> bytes:
    if ending == ".jsonl":
        lines = (
            json.dumps(dict(zip(rows[0], x, strict=True))) for x in rows[1:]
        )
        return "".join(f"{line}\n" for line in lines).encode()
    text = io.StringIO()
    csv.writer(text, delimiter="," if ending == ".csv" else "\t").writerows(
        rows
    )
    return text.getvalue().encode()


_REVIEWS = [
    ["text", "label"],
    ["A good, long\nfilm", "positive"],
    ['Bad; "very" bad', "negative"],
    ["So so\t", "neutral"],
]
_REVIEW_FILES = [
    {f"train{ending}": _table(ending, _REVIEWS)}
    for ending in (".csv", ".tsv", ".jsonl")
]
_REVIEW_FILES.append(
    {"train.csv.gz": gzip.compress(_table(".csv", _REVIEWS), mtime=0)}
)
_REVIEW_FILES.append({"pos/1.txt": b"good film\n", "neg/1.txt": b"bad\xc3\xa9"})


def _read_reviews(folder: Path) -> None:
    config = SentimentConfig(data=str(folder))
    for stream in texts.open_splits(config).values():
        list(texts.usable(stream, Skipped()))


_PAIRS = b"A dog .\tEin Hund .\nA cat .\tEine Katze .\n"


def _zip(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.txt", data)
    return content.getvalue()


_PAIR_FILES = [
    {"train.en": b"A dog .\nA cat .\n", "train.de": b"Hund\nKatze\n"},
    {"pairs.tsv": _PAIRS},
    {"pairs.txt.gz": gzip.compress(_PAIRS, mtime=0)},
    {"deu-eng.zip": _zip(deu=_PAIRS)},
]


def _read_pairs(folder: Path) -> None:
    inside = list(folder.iterdir())
    data = inside[0] if len(inside) == 1 else folder
    config = TranslationConfig(data=str(data), source="en", target="de")
    if data.suffix in (".tsv", ".gz", ".zip"):
        config = TranslationConfig(data=str(data))
    for stream in pairs.open_splits(config).values():
        list(pairs.usable(stream, Skipped()))


_SCENES = [
    {
        "images/a.png": PNG,
        "images/b.jpg": JPEG,
        "captions.txt": b"image,caption\na.png,a dog\nb.jpg,a cat\n",
    },
    {
        "images/a.png": PNG,
        "Flickr8k.token.txt": b"a.png#0\ta dog\na.png#1\tone dog\n",
        "Flickr_8k.trainImages.txt": b"a.png\n",
    },
    {
        "images/a.png": PNG,
        "captions_train2017.json": json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.png"}],
                "annotations": [{"image_id": 1, "caption": "a dog"}],
            }
        ).encode(),
    },
]


def _read_scenes(folder: Path) -> None:
    captions.open_splits(CaptioningConfig(data=str(folder)), Skipped())


def _array(values: object) -> bytes:
    content = io.BytesIO()
    np.save(content, np.asarray(values))
    return content.getvalue()


_TIME = np.ones([2, 3], np.float32)
_TAGGED = [
    {
        "features/a.npy": _array(_TIME),
        "features/b.npy": _array(_TIME),
        "groundTruth/a.txt": b"cup\ncup\npan\n",
        "groundTruth/b.txt": b"pan\npan\ncup\n",
        "mapping.txt": b"0 cup\n1 pan\n",
        "splits/train.bundle": b"a.txt\n",
        "splits/test.bundle": b"b.txt\n",
    },
    {
        "features/a.npy": _array(_TIME),
        "features/b.npy": _array(_TIME),
        "annotations.csv": b"video,start_frame,end_frame,tag\na,0,2,cup\n"
        b"b,1,3,pan\n",
    },
]


def _read_tagged(folder: Path) -> None:
    splits, _, _ = frames.open_splits(VideoConfig(data=str(folder)))
    for examples in splits.values():
        for example in examples:
            if feature_arrays.is_features(example.source):
                feature_arrays.load(example.source)


def _pictures() -> bytes:
    content = io.BytesIO()
    np.savez(
        content,
        names=np.array(["a.png", "b.png"]),
        features=np.ones([2, 3], np.float32),
        encoder=np.array('{"network": "cnn"}'),
        stamps=np.array(["1 2", "3 4"]),
    )
    return content.getvalue()


_CONFIG = vars(SentimentConfig())
_RUN = {
    "config.json": json.dumps(_CONFIG).encode(),
    "versions.json": b'{"app": "apps.sentiment", "keras": "3"}',
    "data.json": b'{"example": "a film", "kept_epoch": "best"}',
    "labels.txt": b'negative\n"good\\nfilm"\n',
}


def _read_run(folder: Path) -> None:
    runs.check_app(folder, "apps.sentiment", SentimentConfig)
    runs.load_config(folder, SentimentConfig)
    name_lists.read_names(folder / "labels.txt")
    stored = options.read_config(folder / "config.json", SentimentConfig)
    stored["run_dir"] = str(folder)
    runs.Run(SentimentConfig(**stored), "apps.sentiment", "val_accuracy")


def _checkpoint() -> Files:
    state = {"epoch": 0, "step": 3, "history": []}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "epoch-0000-step-00000003"
        place.mkdir()
        (place / checkpoints.VARIABLES).write_bytes(_array(_TIME))
        checksum = checkpoints._checksum(place / checkpoints.VARIABLES)
    state |= {checkpoints.VARIABLES: checksum}
    state |= {checkpoints.CHECKSUM: checkpoints._checksum_state(state)}
    return {
        f"{place.name}/{checkpoints.STATE}": json.dumps(state).encode(),
        f"{place.name}/{checkpoints.VARIABLES}": _array(_TIME),
    }


def _read_checkpoint(folder: Path) -> None:
    if found := checkpoints.newest(folder):
        assert found[1] == {"epoch": 0, "step": 3, "history": []}


def _read_vectors(folder: Path) -> None:
    vocabulary.load_vectors(
        folder / "vectors.txt",
        np.zeros([6, 2], np.float32),
        ["dog", "cat"],
        "--source-vectors",
    )


def _read_only(folder: Path, read: Callable[[Path], object]) -> None:
    for path in sorted(folder.iterdir()):
        read(path)


def _video() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mp4"
        values = np.random.default_rng(0).integers(0, 256, [4, 32, 32, 3])
        videos.write_video(path, values.astype(np.uint8), 5.0)
        return path.read_bytes()


def _alone(
    contents: list[bytes], name: str, read: Callable[[Path], object]
) -> Target:
    seeds: list[Files] = [{name: content} for content in contents]
    return Target(seeds, lambda folder: _read_only(folder, read))


TARGETS: dict[str, Target] = {
    "reviews": Target(_REVIEW_FILES, _read_reviews),
    "pairs": Target(_PAIR_FILES, _read_pairs),
    "scenes": Target(_SCENES, _read_scenes),
    "tagged": Target(_TAGGED, _read_tagged),
    "run": Target([_RUN], _read_run),
    "checkpoint": Target([_checkpoint()], _read_checkpoint),
    "lines": _alone(
        ["a dog\r\nein Hündchen\n".encode(), "a\n".encode("utf-16")],
        "lines.txt",
        lambda path: list(text_files.read_lines_leniently(path)),
    ),
    "npz": _alone([_pictures()], "a.npz", feature_files.load),
    "npy": _alone([_array(_TIME)], "a.npy", feature_arrays.load),
    "pictures": _alone(
        [JPEG, PNG, ANIMATED_GIF, bmp(NOISE)],
        "a.png",
        images.decode_error,
    ),
    "videos": _alone(
        [_video()], "a.mp4", lambda path: list(videos.stream_clips(path, 8, 0))
    ),
}


def run(target: Target, files: Files) -> str:
    """Writes files, and reads them.

    Returns:
        "read" or "refused".

    Raises:
        AssertionError: if an error is not one line.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            target.read(folder)
        except UserError as error:
            assert "\n" not in printable(str(error))
            return "refused"
        return "read"
