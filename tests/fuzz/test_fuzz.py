"""Damaged files of all kinds: each is read, or refused in one line.

`--fuzz N` tries N of each target. What once ended in a traceback lies in
`corpus/`: a folder of files for each, named by its target.
"""

import collections
import csv
import faulthandler
import json
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.sentiment import data as texts
from apps.sentiment.config import Config
from common.data.skipped import Skipped
from tests.fuzz import mutations
from tests.fuzz.targets import TARGETS, run

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*/*"))
PATIENCE = 120  # Seconds: what is a hang for one small file.


def read_folder(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(autouse=True)
def no_hang():
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.mark.parametrize("name", TARGETS)
def test_good_files_are_read(name):
    for seed in TARGETS[name].seeds:
        assert run(TARGETS[name], seed) == "read", seed


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_are_read_or_refused_in_one_line(name, request):
    target = TARGETS[name]
    counts = collections.Counter()
    for number in range(request.config.getoption("--fuzz")):
        rng = random.Random(f"{name} {number}")
        files = mutations.damage_files(dict(rng.choice(target.seeds)), rng)
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        try:
            counts[run(target, files)] += 1
        except Exception as error:
            keep = Path(request.config.rootpath, "fuzz-failure", name)
            for inside, content in files.items():
                (keep / inside).parent.mkdir(parents=True, exist_ok=True)
                (keep / inside).write_bytes(content)
            raise AssertionError(f"{name} {number}: see {keep}") from error
    print(name, dict(counts), file=sys.stderr)
    assert counts.total() == request.config.getoption("--fuzz")


@pytest.mark.parametrize(
    "folder", CORPUS, ids=lambda x: f"{x.parent.name}-{x.name}"
)
def test_what_fell_before_does_not_fall(folder):
    assert run(TARGETS[folder.parent.name], read_folder(folder)) in (
        "read",
        "refused",
    )


ANY = st.text(st.characters(codec="utf-8"), max_size=20)
# A row without a label is an error of its own.
LABEL = ANY.filter(str.strip)


@settings(deadline=None, max_examples=25)
@given(
    rows=st.lists(st.tuples(ANY, LABEL), min_size=1), ending=st.integers(0, 2)
)
def test_no_row_of_a_table_is_lost_without_a_word(
    rows, ending, tmp_path_factory
):
    """What is read and what is skipped are all rows."""
    folder = tmp_path_factory.mktemp("rows")
    path = folder / f"train{('.csv', '.tsv', '.jsonl')[ending]}"
    write_rows(path, rows)
    skipped = Skipped()
    usable = [
        (example.text, example.label)
        for stream in texts.open_splits(Config(data=str(path))).values()
        for example in texts.usable(stream, skipped)
    ]
    assert len(usable) + skipped.counts.total() == len(rows)
    expected = [(x, y.strip()) for x, y in rows if x.strip()]
    assert sorted(usable) == sorted(expected)


def write_rows(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        if path.suffix == ".jsonl":
            for text, label in rows:
                file.write(json.dumps({"text": text, "label": label}) + "\n")
            return
        separator = "," if path.suffix == ".csv" else "\t"
        writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL)
        writer.writerows([("text", "label"), *rows])
