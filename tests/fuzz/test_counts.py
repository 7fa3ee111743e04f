"""No silent losses: what is read and what is skipped are all that there is.

The files are sound, and what must come of them is counted beside them.
"""

import collections
import csv
import gzip
import io
import json

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from apps.captioning import datasets as captioning
from apps.sentiment import data as sentiment
from apps.sentiment.config import Config as SentimentConfig
from apps.translation import data as translation
from apps.translation.config import Config as TranslationConfig
from apps.video_tagging import datasets as video_tagging
from common.data.skipped import Skipped

LINE = st.text(
    st.one_of(
        st.sampled_from("ab \u00e9\u65e5\u0301;,|'#.\u2028\x85\x1f"),
        st.characters(exclude_categories=["Cs"], exclude_characters='\r\n\t"'),
    ),
    max_size=12,
)
CELL = st.one_of(LINE, st.text(st.sampled_from('a"\n\r\t, é'), max_size=8))
LABEL = st.sampled_from(["pos", "neg", "a b", "1", "é"])
NAMES = [f"{number}x" for number in range(6)]
NAME = st.sampled_from(NAMES)


def quick(request):
    return settings(
        max_examples=max(request.config.getoption("--fuzz") // 2, 1),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def folders(tmp_path):
    """Makes an empty folder for each input."""
    numbers = iter(range(10**9))

    def make():
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return folder

    return make


def count_usable(splits, usable):
    """(texts read, number skipped) of all splits."""
    skipped = Skipped()
    examples = [x for split in splits.values() for x in usable(split, skipped)]
    return examples, skipped.counts


def as_table(rows, suffix):
    if suffix == ".jsonl":
        names = ("text", "label")
        lines = (json.dumps(dict(zip(names, x, strict=True))) for x in rows)
        return "".join(f"{line}\n" for line in lines)
    text = io.StringIO(newline="")
    delimiter = "," if suffix == ".csv" else "\t"
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "label"), *rows])
    return text.getvalue()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_rows_of_tables(suffix, folders, request):
    @quick(request)
    @given(st.lists(st.tuples(CELL, LABEL), min_size=1), st.booleans())
    def check(rows, is_packed):
        content = as_table(rows, suffix).encode()
        path = folders() / f"a{suffix}"
        if is_packed:
            path, content = (
                path.with_name(path.name + ".gz"),
                gzip.compress(content),
            )
        path.write_bytes(content)
        splits = sentiment.open_splits(SentimentConfig(data=str(path)))
        examples, skipped = count_usable(splits, sentiment.usable)
        wanted = [row for row in rows if row[0].strip()]
        # Line ends inside of cells are kept by all three.
        assert sorted(x[:2] for x in examples) == sorted(wanted)
        assert skipped.total() == len(rows) - len(wanted)

    check()


@pytest.mark.parametrize("layout", ["tsv", "txt", "parallel"])
def test_pairs_of_sentences(layout, folders, request):
    @quick(request)
    @given(st.lists(st.tuples(LINE, LINE), min_size=1))
    def check(rows):
        folder = folders()
        path, config = folder, {"source": "de", "target": "en"}
        if layout == "parallel":
            for column, language in enumerate(("de", "en")):
                lines = "".join(f"{row[column]}\n" for row in rows)
                (folder / f"train.{language}").write_bytes(lines.encode())
        else:
            # A line of nothing is no pair.
            rows = [row for row in rows if "".join(row).strip()]
            assume(rows)
            path, config = folder / f"a.{layout}", {}
            lines = "".join(f"{a}\t{b}\n" for a, b in rows)
            path.write_bytes(lines.encode())
        splits = translation.open_splits(
            TranslationConfig(data=str(path), **config)
        )
        pairs, skipped = count_usable(splits, translation.usable)
        wanted = [row for row in rows if row[0].strip() and row[1].strip()]
        assert sorted(x[:2] for x in pairs) == sorted(wanted)
        assert skipped.total() == len(rows) - len(wanted)

    check()


def expected_images(captions, lists, images):
    """(names of examples, reasons) of a folder of captioned images."""
    reasons = collections.Counter()
    usable = {name for name, text in captions if text.strip()}
    reasons["empty caption"] += sum(not text.strip() for _, text in captions)
    listed = list(dict.fromkeys(lists)) if lists else sorted(usable)
    reasons["twice in a list"] += len(lists) - len(set(lists))
    examples = set()
    for name in listed:
        if name not in usable:
            reasons["in a list, without a caption"] += 1
        elif name not in images:
            reasons["caption without an image"] += 1
        else:
            examples.add(name)
    reasons["in no list"] += len(usable - set(listed))
    unused = images - set(listed) - usable
    reasons["image without a caption"] += len(unused)
    return examples, +reasons


@pytest.mark.parametrize("layout", ["flickr8k", "coco"])
def test_captions_and_images(layout, folders, request):
    @quick(request)
    @given(
        st.lists(st.tuples(NAME, st.sampled_from(["a dog", "cats", " "]))),
        st.lists(NAME) if layout == "flickr8k" else st.just([]),
        st.sets(NAME, min_size=1),
    )
    def check(captions, lists, images):
        folder = folders()
        (folder / "images").mkdir()
        for name in images:
            (folder / "images" / f"{name}.jpg").write_bytes(name.encode())
        if layout == "flickr8k":
            lines = (f"{name}.jpg#0\t{text}\n" for name, text in captions)
            (folder / "Flickr8k.token.txt").write_text("".join(lines))
            if lists:
                lines = "".join(f"{name}.jpg\n" for name in lists)
                (folder / "a.trainImages.txt").write_text(lines)
        else:
            content = {
                "images": [{"id": x, "file_name": f"{x}.jpg"} for x in NAMES],
                "annotations": [
                    {"image_id": name, "caption": text}
                    for name, text in captions
                ],
            }
            (folder / "captions.json").write_text(json.dumps(content))
        examples, reasons = expected_images(captions, lists, images)
        assume(examples)
        skipped = Skipped()
        splits = captioning.open_splits(str(folder), skipped)
        read = [x for split in splits.values() for x in split]
        assert sorted(x.name for x in read) == sorted(
            f"{name}.jpg" for name in examples
        )
        texts = [text for x in read for text in x.captions]
        kept = [t for name, t in captions if name in examples and t.strip()]
        assert sorted(texts) == sorted(kept)
        assert skipped.counts == reasons

    check()


def test_videos_and_labels(folders, request):
    @quick(request)
    @given(st.sets(NAME), st.sets(NAME), st.lists(NAME))
    def check(videos, labelled, bundle):
        present = set(bundle or labelled) & videos
        assume(present and videos & labelled)
        folder = folders()
        for place in ("videos", "groundTruth", "splits"):
            (folder / place).mkdir()
        for name in videos:
            (folder / "videos" / f"{name}.mp4").write_bytes(name.encode())
        for name in labelled:
            (folder / "groundTruth" / f"{name}.txt").write_text("take\n")
        if bundle:
            lines = "".join(f"{name}.txt\n" for name in bundle)
            (folder / "splits" / "train.bundle").write_text(lines)
        splits = video_tagging.open_splits(str(folder))
        read = [x.name for split in splits.examples.values() for x in split]
        reasons = collections.Counter()
        listed = set(bundle)
        for name in labelled | videos | listed:
            if name not in videos:
                is_labelled = name in labelled
                kind = "labels" if is_labelled else "in a split, but"
                reasons[f"{kind} without a video"] += 1
            elif bundle and name not in listed:
                reasons["in no split"] += 1
        reasons["twice in a bundle"] += len(bundle) - len(listed)
        assert splits.skipped.counts == +reasons
        # Those without labels are told later, one by one.
        assert sorted(read) == sorted(videos & listed if bundle else videos)

    check()
