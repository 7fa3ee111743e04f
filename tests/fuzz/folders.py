"""The table of readers of whole folders, of which files are lost or renamed.

An input is a set of files: names below a folder, and contents.
"""

import csv
import gzip
import io
import itertools
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.captioning import data as captions
from apps.captioning.config import Config as CaptioningConfig
from apps.sentiment import data as texts
from apps.sentiment.config import Config as SentimentConfig
from apps.translation import data as pairs
from apps.translation.config import Config as TranslationConfig
from apps.video_tagging import data as frames
from apps.video_tagging.config import Config as VideoConfig
from common import options
from common.data import feature_arrays, name_lists
from common.data.skipped import Skipped
from common.training import Run, checkpoints, runs
from tests.fuzz import edits
from tests.fuzz.media_targets import pack_array
from tests.fuzz.targets import write, zipped
from tests.support.images import JPEG, PNG

Files = Mapping[str, bytes]


class FolderTarget(NamedTuple):
    """A reader of a folder.

    Attributes:
        name: of the reader, and of its folder in the corpus.
        seeds: makes the good sets of files.
        read: takes an empty folder and the files.
    """

    name: str
    seeds: Callable[[], tuple[Files, ...]]
    read: Callable[[Path, Files], object]


_NUMBERS = itertools.count()


def folder_target(name, seeds, read):
    """A target whose files are written to a new folder."""

    def read_files(place, files):
        folder = place / f"{name}{next(_NUMBERS)}"
        try:
            for inside, content in files.items():
                write(folder, inside, content)
            read(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    return FolderTarget(name, seeds, read_files)


def damage(files, random):
    """Returns files of which some are damaged, lost, renamed or doubled."""
    result = dict(files)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        name = random.choice(sorted(result))
        kind = random.randrange(12)
        if kind == 0 and len(result) > 1:
            del result[name]
        elif kind == 1:
            other = f"{name}{random.choice(('.gz', '.bak', '²', ' copy'))}"
            result[other] = result[name]
        elif kind == 2:
            other = random.choice(sorted(files))
            result[name], result[other] = files[other], result[name]
        else:
            changes = edits.random_edits(random)
            result[name] = edits.apply(result[name], changes)
    return result


# --- data ---------------------------------------------------------------

REVIEWS = [
    ["text", "label"],
    ["A good, long\nfilm", "positive"],
    ['Bad; "very" bad', "negative"],
    ["So so\t", "neutral"],
]


def make_table(ending):
    if ending == ".jsonl":
        rows = (dict(zip(REVIEWS[0], x, strict=True)) for x in REVIEWS[1:])
        return "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    text = io.StringIO()
    delimiter = "," if ending == ".csv" else "\t"
    csv.writer(text, delimiter=delimiter).writerows(REVIEWS)
    return text.getvalue().encode()


def review_sets():
    tables = {x: make_table(x) for x in (".csv", ".tsv", ".jsonl")}
    return (
        *({f"train{ending}": x} for ending, x in tables.items()),
        {"train.csv.gz": gzip.compress(tables[".csv"], mtime=0)},
        {"train.csv": tables[".csv"], "test.jsonl": tables[".jsonl"]},
        {"pos/1.txt": b"good film\n", "neg/1.txt": b"bad\xc3\xa9"},
    )


def read_reviews(folder):
    config = SentimentConfig(data=str(folder))
    for stream in texts.open_splits(config).values():
        list(texts.usable(stream, Skipped()))


PAIRS = b"A dog .\tEin Hund .\nA cat .\tEine Katze .\n"


def pair_sets():
    return (
        {"train.en": b"A dog .\nA cat .\n", "train.de": b"Hund\nKatze\n"},
        {"pairs.tsv": PAIRS},
        {"pairs.txt.gz": gzip.compress(PAIRS, mtime=0)},
        {"deu-eng.zip": zipped(("deu.txt", PAIRS))},
        {"train.tsv": PAIRS, "dev.tsv": PAIRS, "test.tsv": b"A dog .\n"},
    )


def read_pairs(folder):
    inside = list(folder.iterdir())
    data = inside[0] if len(inside) == 1 else folder
    config = TranslationConfig(data=str(data), source="en", target="de")
    if (
        data.suffix in (".tsv", ".gz", ".zip")
        or (folder / "train.tsv").exists()
    ):
        config = TranslationConfig(data=str(data))
    for stream in pairs.open_splits(config).values():
        list(pairs.usable(stream, Skipped()))


def scene_sets():
    coco = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"image_id": 1, "caption": "a dog"}],
    }
    return (
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
            "captions_train2017.json": json.dumps(coco).encode(),
        },
    )


def read_scenes(folder):
    captions.open_splits(CaptioningConfig(data=str(folder)), Skipped())


def tagged_sets():
    arrays = {
        f"features/{name}.npy": pack_array(np.ones([2, 3], np.float32))
        for name in "ab"
    }
    return (
        {
            **arrays,
            "groundTruth/a.txt": b"cup\ncup\npan\n",
            "groundTruth/b.txt": b"pan\npan\ncup\n",
            "mapping.txt": b"0 cup\n1 pan\n",
            "splits/train.bundle": b"a.txt\n",
            "splits/test.bundle": b"b.txt\n",
        },
        {
            **arrays,
            "annotations.csv": b"video,start_frame,end_frame,tag\na,0,2,cup\n"
            b"b,1,3,pan\n",
        },
    )


def read_tagged(folder):
    splits, _, _ = frames.open_splits(VideoConfig(data=str(folder)))
    for examples in splits.values():
        for example in examples:
            if feature_arrays.is_features(example.source):
                feature_arrays.load(example.source)


# --- our own folders ----------------------------------------------------


def run_sets():
    return (
        {
            "config.json": json.dumps(vars(SentimentConfig())).encode(),
            "versions.json": b'{"app": "apps.sentiment", "keras": "3"}',
            "data.json": b'{"example": "a film", "kept_epoch": "best"}',
            "labels.txt": b'negative\n"good\\nfilm"\n',
        },
    )


def read_run(folder):
    runs.check_app(folder, "apps.sentiment", SentimentConfig)
    runs.load_config(folder, SentimentConfig)
    names = name_lists.read_names(folder / "labels.txt")
    text = name_lists.encode_names(names)
    assert name_lists.decode_names(text) == names
    stored = options.read_config(folder / "config.json", SentimentConfig)
    stored["run_dir"] = str(folder)
    run = Run(SentimentConfig(**stored), "apps.sentiment", "val_accuracy")
    run._lock.release()


STATE = {"epoch": 0, "step": 3, "history": []}


def checkpoint_sets():
    import hashlib

    arrays = pack_array(np.ones([2, 3], np.float32))
    state = STATE | {checkpoints.VARIABLES: hashlib.sha256(arrays).hexdigest()}
    state |= {checkpoints.CHECKSUM: checkpoints._checksum_state(state)}
    place = "epoch-0000-step-00000003"
    return (
        {
            f"{place}/{checkpoints.STATE}": json.dumps(state).encode(),
            f"{place}/{checkpoints.VARIABLES}": arrays,
        },
    )


def read_checkpoint(folder):
    """Reads a checkpoint: as it was written, or not at all."""
    newest = checkpoints.newest(folder)
    assert newest is None or newest[1] == STATE


FOLDERS = {
    target.name: target
    for target in (
        folder_target("reviews", review_sets, read_reviews),
        folder_target("pair files", pair_sets, read_pairs),
        folder_target("scenes", scene_sets, read_scenes),
        folder_target("tagged", tagged_sets, read_tagged),
        folder_target("run_folder", run_sets, read_run),
        folder_target("checkpoint", checkpoint_sets, read_checkpoint),
    )
}
