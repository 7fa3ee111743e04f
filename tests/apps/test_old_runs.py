"""Run folders and exports of 0.1.0: read, or refused in one line.

`tests/data/made_by_0.1.0.tar.xz` was written by the commands of that version:
tiny models of `--smoke`; of captioning and video tagging without the model.
"""

import re
import shutil
import tarfile

import pytest

from tests.support import commands

ARCHIVE = commands.ROOT / "tests" / "data" / "made_by_0.1.0.tar.xz"
REVIEW = "not bad at all"
MADE_BY = {
    "sentiment": ["--units", 4, "--embedding-dim", 4, "--num-examples", 200],
    "translation": ["--units", 8, "--embedding-dim", 8, "--num-examples", 200],
    "captioning": ["--units", 8, "--embedding-dim", 8, "--num-examples", 60],
    "video_tagging": ["--units", 8, "--num-examples", 24],
}
EARLIER = "an earlier version of|another version of this app"
# Or no finished epoch: their models are left out.
OTHERS = f"{EARLIER}|no epoch is finished yet"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(ARCHIVE) as archive:
        # Python 3.11.4 and later can be told to trust nothing.
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, **safe)
    return folder


@pytest.fixture(autouse=True)
def unchanged(place, tmp_path):
    """What a command cannot use, it leaves as it was."""
    before = list_files(place)
    yield
    shutil.rmtree(place / "new", ignore_errors=True)
    assert list_files(place) == before


def list_files(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "new" not in path.parts
    }


@pytest.mark.parametrize("app", MADE_BY)
def test_a_run_is_not_continued_with_other_defaults(place, app):
    error = commands.error_line(
        f"apps.{app}.train", "--smoke", *MADE_BY[app], folder=place
    )
    assert re.search(
        r"a run with other options: .*repeat them to continue it|" + EARLIER,
        error,
    )


@pytest.mark.parametrize("verb", ["evaluate", "predict", "export"])
@pytest.mark.parametrize("app", ["sentiment", "captioning", "video_tagging"])
def test_a_model_of_another_layout_is_refused(place, app, verb):
    inputs = [REVIEW] if verb == "predict" else []
    error = commands.error_line(
        f"apps.{app}.{verb}", f"runs/{app}", *inputs, folder=place
    )
    assert re.search(EARLIER if app == "sentiment" else OTHERS, error), error


def test_a_model_of_the_same_layout_answers(place):
    done = commands.run_command(
        *["apps.translation.predict", "runs/translation", "The cats sleep."],
        folder=place,
    )
    assert len(done.stdout.splitlines()) == 1


def test_an_export_answers(place):
    done = commands.run_command(
        *["apps.sentiment.predict", "exports/sentiment", REVIEW], folder=place
    )
    label, score, text = done.stdout.rstrip("\n").split("\t")
    assert label in ("negative", "positive")
    assert 0.5 <= float(score) <= 1
    assert text == REVIEW
