"""The table of readers: text, JSON and the folders of the four apps.

Each target is a reader of one file; what it needs beside it is the same for
all inputs. `media_targets` has pictures, videos and arrays.
"""

import contextlib
import functools
import gzip
import hashlib
import importlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from apps.captioning import datasets as captioning
from apps.captioning import predictor as captioning_predictor
from apps.sentiment import datasets as sentiment
from apps.sentiment.datasets import files as sentiment_files
from apps.translation import datasets as translation
from apps.translation import text as translation_text
from apps.translation import vocabulary
from apps.video_tagging import datasets as video_tagging
from apps.video_tagging import predictor as video_predictor
from common import cli, export_usage, export_versions
from common.data import feature_store, tables, text_files
from common.data.skipped import Skipped
from common.errors import UserError
from common.training import Run, checkpoints, runs
from tests.fuzz import oracle

# Most inputs are of the usual one.
ENCODINGS = (
    *["utf-8"] * 75,
    *["utf-16", "utf-16-le", "utf-32", "utf-7", "cp1252", "latin-1", "cp037"],
    *["shift_jis", "gb18030", "iso2022_jp", "hz", "idna", "punycode", "hex"],
    *["rot13", "undefined", "unicode_escape", "raw_unicode_escape", "utf-9"],
    *["mbcs", "base64", "utf_8", "UTF8", "utf-8-sig", "ascii", "", "a b"],
)


class Target(NamedTuple):
    """A reader of one file.

    Attributes:
        name: of the reader, and of its folder in the corpus.
        seeds: makes the files that are damaged.
        read: takes a folder and the content of its file.
        words: that mean something to this reader.
        is_slow: it takes seconds to begin.
    """

    name: str
    seeds: Callable[[], tuple[bytes, ...]]
    read: Callable[[Path, bytes], object]
    words: tuple[bytes, ...] = ()
    is_slow: bool = False


def write(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def file_target(name, file, seeds, read, words=()):
    """A target whose reader takes the path of its file, and an encoding."""

    def read_file(folder, content):
        encoding = ENCODINGS[zlib.crc32(content) % len(ENCODINGS)]
        read(write(folder, file, content), encoding)

    return Target(name, lambda: seeds, read_file, words)


def folder_target(name, file, seeds, others, read, words=()):
    """A target whose reader takes the folder with its file and others."""

    def read_folder(folder, content):
        for other, text in others.items():
            if not (folder / other).exists():
                write(folder, other, text)
        write(folder, file, content)
        return read(folder)

    return Target(name, lambda: seeds, read_folder, words)


# --- tables and lines ---------------------------------------------------

CSV = (
    b'text,label\ngood film,pos\n"bad, long",neg\n"two\nlines",pos\n',
    b'\xef\xbb\xbfid;text;label\r\n1;good;pos\r\n2;"a ""b""";neg\r\n',
    "text,label\ncafé,x\n,\n日本,y\n".encode("utf-16"),
)
TSV = (
    b'text\tlabel\n"Go!" is ""\t1\n"two\nx"\t2\na "b\t3\n',
    b'"text"\t"label"\n"a ""b"""\t"x"\n"c"\t"y"\n',
    b"sep=|\ntext|label\na|b\n",
)
JSONL = (
    b'{"text": "good", "label": "pos"}\n{"text": "bad", "label": 1}\n',
    b'\n{"label": null, "text": "a", "more": [1, {"b": 2.5}]}\n',
)
COLUMNS = {"--text-column": "text", "--label-column": "label"}


def read_rows(path, encoding):
    read_each(
        path.parent,
        [
            lambda: list(tables.read_rows(path, COLUMNS, encoding)),
            lambda: list(tables.read_rows(path, COLUMNS, encoding, ";")),
        ],
    )


def read_sentiment(path, encoding):
    """Reads a table, all of whose rows must be in one of the splits."""
    form = sentiment_files.Form(("text", "label"), encoding)
    rows = list(sentiment_files.read_table(path, form))
    splits = sentiment.open_splits(str(path), encoding=encoding)
    assert sum(len(list(split)) for split in splits.values()) == len(rows)


def read_classes(folder):
    splits = sentiment.open_splits(str(folder))
    examples = [example for split in splits.values() for example in split]
    assert {example.label for example in examples} <= {"neg", "pos"}
    assert len(examples) == 3


def read_inputs(path, encoding):
    """Reads lines as `predict` does: each has an answer, or None."""
    lines = list(text_files.read_lines_leniently(path, encoding))
    column = functools.partial(
        tables.read_column, flag="--text-column", name="text"
    )
    assert list(cli.read_inputs([], str(path), encoding, column)) == lines
    if encoding == "utf-8" and not path.read_bytes().startswith(
        text_files.UTF16_MARKS
    ):
        content = path.read_bytes()
        ends = content.count(b"\n") + (content[-1:] not in (b"\n", b""))
        assert len(lines) == ends
    for line in lines:
        if line is not None:
            line.encode("utf-8", "replace")


def read_stdin(path, encoding):
    from unittest import mock

    from tests.support.commands import as_stdin

    content = path.read_bytes()
    with mock.patch("sys.stdin", as_stdin(content)):
        list(text_files.read_lines_leniently(None, encoding))
    with mock.patch("sys.stdin", as_stdin(content)):
        list(text_files.read_stdin(encoding))


def read_text(path, encoding):
    text = text_files.read_text(path, encoding)
    lines = "".join(text_files.read_lines(path, encoding))
    assert lines == text


# --- translation --------------------------------------------------------

PAIRS = (
    b"a dog\tein Hund\nthe cat\tdie Katze\n" * 3,
    b"1\ta dog\t7\tein Hund\n2\tcats\t8\tKatzen\n" * 6,
    b'"a ""dog"""\t"ein Hund"\na "b\tc\n',
)


def read_parallel(folder):
    splits = translation.open_splits(str(folder), source="de", target="en")
    return [list(split) for split in splits.values()]


def read_pairs(path, encoding):
    splits = translation.open_splits(str(path), encoding=encoding)
    return [list(split) for split in splits.values()]


@functools.cache
def _embedding():
    import keras

    tokenizer = translation_text.Tokenizer([" a", " dog", "."], "word")
    layer = keras.layers.Embedding(tokenizer.num_ids, 3)
    layer.build(())
    return tokenizer, layer


def read_vectors(path, encoding):
    vocabulary.load_vectors(str(path), encoding, *_embedding())


def zipped(*members, **options):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def zip_seeds():
    text = b"a dog\tein Hund\nthe cat\tdie Katze\n" * 9
    methods = (
        *[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED],
        *[zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    )
    return tuple(
        zipped(
            ("_about.txt", b"notes"),
            (name, text),
            ("__MACOSX/deu.txt", b""),
            compression=method,
        )
        for method in methods
        for name in ("deu.txt", "dé/deu.tsv")
    )


def read_zip(folder, content):
    path = write(folder, "deu-eng.zip", content)
    splits = translation.open_splits(str(path))
    return [list(split) for split in splits.values()]


def read_gzip(folder, content):
    path = write(folder, "a.csv.gz", content)
    read_rows(path, "utf-8")


def read_packed_lines(folder, content):
    read_inputs_of = write(folder, "a.txt.gz", gzip.compress(content))
    list(text_files.read_lines_leniently(read_inputs_of, "utf-8"))


# --- captioning ---------------------------------------------------------

CAPTIONS = (
    b"a.jpg#0\tA dog runs .\na.jpg#1\tdogs\nb.jpg#0\ta cat\nc.jpg\t x\n",
    b'image,caption\na.jpg,a dog\nb.jpg,"a cat, black"\nc.jpg,\n',
    b"image,caption\ra.jpg,a dog\rb.jpg,cats\r",
)
LIST = (b"a.jpg\nb.jpg\n\na.jpg\n", b"a.jpg\r\nd.jpg\r\n")
COCO = (
    json.dumps(
        {
            "images": [
                {"id": 1, "file_name": "a.jpg"},
                {"id": "2", "file_name": "x/b.jpg"},
                {"id": 3.0, "file_name": "c.jpg"},
            ],
            "annotations": [
                {"image_id": 1, "caption": "a dog"},
                {"image_id": 2, "caption": "a cat"},
                {"image_id": 9, "caption": "lost"},
                {"image_id": 3, "caption": " "},
            ],
        }
    ).encode(),
)


def read_captions(folder):
    """Reads captions; each image is an example, or is skipped."""
    skipped = Skipped()
    splits = captioning.open_splits(str(folder), skipped)
    names = [x.name for split in splits.values() for x in split]
    assert len(names) == len(set(names))
    assert all(x.captions for split in splits.values() for x in split)
    images = {x.name for x in (folder / "images").iterdir()}
    reasons = skipped.counts
    unused = reasons["image without a caption"] + reasons["in no list"]
    assert len(images) <= len(names) + unused


PICTURES = {f"images/{name}.jpg": name.encode() for name in "abc"}
TOKENS = {"Flickr8k.token.txt": CAPTIONS[0], **PICTURES}


# --- video tagging ------------------------------------------------------

VIDEOS = {f"videos/{name}.mp4": name.encode() * 9 for name in ("v1", "v2")}
ANNOTATIONS = (
    b"video,start,end,tag\nv1,0,1.5,take\nv1,0:02,1:02.5,put\nv2,0,3,take\n",
    b"video,start_frame,end_frame,tag\nv1.mp4,0,15,take cup\nv2,3,30,put\n",
)
MAPPING = (
    b"0 background\n1 take\n2 put it\n3 put\n4 it\n\n",
    b"10 take\r\n2 put it\r\n 1 put\r\n0 it\r\n",
)
BUNDLE = (b"v1.txt\n", b"v1\r\nv1\r\n\r\nvideos/v2.mp4\n")
LINES = (b"take\ntake\n?\nput it\n", b"\r\ntake put\r\n")


def read_videos(folder):
    """Reads annotations; each video is an example, or is skipped."""

    def read(multi_label):
        options = video_tagging.LabelOptions(multi_label=multi_label)
        splits = video_tagging.open_splits(str(folder), options=options)
        names = [x.name for x in sum(splits.examples.values(), [])]
        assert len(names) == len(set(names))
        num_unlisted = splits.skipped.counts["in no split"]
        assert len(VIDEOS) <= len(names) + num_unlisted

    read_each(folder, [lambda: read(False), lambda: read(True)])


def video_folder_target(name, file, seeds, words=()):
    others = {"groundTruth/v1.txt": LINES[0], "groundTruth/v2.txt": LINES[0]}
    others |= VIDEOS
    if file == "annotations.csv":
        others = VIDEOS
    return folder_target(name, file, seeds, others, read_videos, words)


# --- our own JSON files -------------------------------------------------

APPS = ("captioning", "sentiment", "translation", "video_tagging")


@functools.cache
def config_class(app):
    return importlib.import_module(f"apps.{app}.config").Config


def config_seeds():
    import dataclasses

    return tuple(
        json.dumps(dataclasses.asdict(config_class(app)())).encode()
        for app in APPS
    )


def read_each(folder, readers):
    """Calls all; the last refusal is raised if none answers."""
    refusals = []
    for reader in readers:
        try:
            reader()
        except UserError as error:
            oracle.check_line(error, folder)
            refusals.append(error)
    if len(refusals) == len(readers):
        raise refusals[-1]


def read_config(folder, content):
    write(folder, "config.json", content)
    read_each(
        folder,
        [
            functools.partial(runs.load_config, folder, config_class(app))
            for app in APPS
        ],
    )


DATA = (
    json.dumps(
        {
            "data": "builtin",
            "train": {"examples": 3},
            "kept_epoch": "best",
            "skipped": {},
            "languages": ["de", "en"],
            "features_of": {"encoder": "x"},
            "frame_rate": 2.5,
            "example": "'a text' b.png",
        }
    ).encode(),
)


def read_run(name):
    """Reads one of the files of a run, as all commands read it."""
    rest = {
        "config.json": b"{}",
        "versions.json": b'{"app": "apps.sentiment"}',
        "data.json": DATA[0],
    }

    def read(folder, content):
        for other, text in rest.items():
            write(folder, other, text)
        write(folder, name, content)
        read_each(
            folder,
            [
                lambda: runs.check_app(folder, "apps.sentiment"),
                lambda: export_usage.example_inputs(folder),
                lambda: captioning_predictor._read_encoder(folder),
                lambda: video_predictor._read_frame_rate(folder),
                lambda: contract(folder),
                lambda: start_run(folder),
            ],
        )

    return read


def contract(folder):
    """Reads what the next version of an export is compared with."""
    from unittest import mock

    with mock.patch.object(export_versions, "read_signatures", return_value={}):
        new = export_versions.Contract.from_export(folder)
        export_versions.check_same_contract(folder, folder, folder)
    return new


def start_run(folder):
    run = Run(
        config_class("sentiment")(run_dir=str(folder)),
        "apps.sentiment",
        "val_accuracy",
    )
    try:
        run.history = [{"epoch": 1, "val_accuracy": 0.5, "seconds": 1.0}]
        run.epoch = 1
        run.summary(str)
    finally:
        run._lock.release()


STATE = (
    json.dumps(
        {
            "epoch": 1,
            "step": 0,
            "history": [{"epoch": 1, "val_accuracy": 0.5, "seconds": 1.5}],
            "progress": {},
        }
    ).encode(),
)


def read_state(folder, content):
    """Reads a checkpoint whose checksums are right, whatever it holds."""
    place = "checkpoints/epoch-0001-step-00000000"
    write(folder, f"{place}/variables.npz", b"arrays")
    with contextlib.suppress(ValueError, RecursionError):
        state = json.loads(content)
        if isinstance(state, dict):
            arrays = hashlib.sha256(b"arrays").hexdigest()
            state[checkpoints.VARIABLES] = arrays
            state[checkpoints.CHECKSUM] = checkpoints._checksum_state(state)
            content = json.dumps(state).encode()
    write(folder, f"{place}/state.json", content)
    checkpoints.newest(folder / "checkpoints")


INDEX = (b'{"encoder": {"a": 1}, "videos": {"v": "3 4"}}',)


def read_index(folder, content):
    write(folder, "features.json", content)
    store = feature_store.FeatureFolder(folder, {"a": 1})
    store._lock.release()
    store.has("v", "3 4")


TABLES = (
    file_target("csv", "a.csv", CSV, read_rows),
    file_target("tsv", "a.tsv", TSV, read_rows),
    file_target("jsonl", "a.jsonl", JSONL, read_rows),
    file_target("sentiment table", "a.csv", CSV, read_sentiment),
    file_target("sentiment tsv", "a.tsv", TSV, read_sentiment),
    folder_target(
        "sentiment folders",
        "pos/1.txt",
        (b"a good film\r\n", b"\xff\xfea\x00"),
        {"pos/2.txt": b"fine", "neg/1.txt": b"bad"},
        read_classes,
    ),
    file_target("predict lines", "a.txt", (*PAIRS, *LINES), read_inputs),
    file_target("predict stdin", "a.txt", (*PAIRS, *LINES), read_stdin),
    file_target("text", "a.txt", (*CSV, *LINES), read_text),
    Target("gzip", lambda: tuple(map(gzip.compress, CSV)), read_gzip),
    Target("gzip lines", lambda: (*PAIRS, *LINES), read_packed_lines),
    folder_target(
        "parallel",
        "train.de",
        (b"ein Hund\ndie Katze\n", b"a\r\n\r\n"),
        {"train.en": b"a dog\nthe cat\n"},
        read_parallel,
    ),
    file_target("pairs", "a.tsv", PAIRS, read_pairs),
    file_target("pairs txt", "a.txt", PAIRS, read_pairs),
    Target("zip", zip_seeds, read_zip, (b"PK\x01\x02", b"PK\x05\x06", b".")),
    file_target(
        "vectors",
        "a.vec",
        (b"2 3\na 1 2 3\ndog 0.5 -1 1e-3\n", b"a 1 2 3\n. . . 4 5 6\n"),
        read_vectors,
    ),
    folder_target(
        "flickr8k", "captions.txt", CAPTIONS, PICTURES, read_captions
    ),
    folder_target(
        "flickr8k list",
        "Flickr_8k.trainImages.txt",
        LIST,
        TOKENS,
        read_captions,
    ),
    folder_target(
        "coco", "captions_train2017.json", COCO, PICTURES, read_captions
    ),
    video_folder_target("annotations", "annotations.csv", ANNOTATIONS),
    video_folder_target("mapping", "mapping.txt", MAPPING),
    video_folder_target("bundle", "splits/train.bundle", BUNDLE),
    video_folder_target("ms-tcn lines", "groundTruth/v1.txt", LINES),
    Target("config.json", config_seeds, read_config),
    Target(
        "versions.json",
        lambda: (b'{"app": "apps.sentiment", "python": "3.11"}',),
        read_run("versions.json"),
    ),
    Target("data.json", lambda: DATA, read_run("data.json")),
    Target("state.json", lambda: STATE, read_state),
    Target("features.json", lambda: INDEX, read_index),
)
