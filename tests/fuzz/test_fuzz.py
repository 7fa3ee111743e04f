"""Each reader answers each input, or refuses it in one line."""

import gzip
import io
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from common.errors import UserError
from tests.fuzz import edits, folders, oracle
from tests.fuzz.folders import FOLDERS
from tests.fuzz.media_targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder for each target: making one for each input takes longer."""
    folders = {}

    def place(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("fuzz")
        return folders[name]

    return place


NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] * target.is_slow)
    for name, target in TARGETS.items()
]


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_in_a_file(name, place, request):
    target = TARGETS[name]
    number = request.config.getoption("--fuzz")

    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        derandomize=number <= 50,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 99), st.lists(edits.edits(), max_size=6))
    @example(0, [])
    def check(seed, changes):
        seeds = target.seeds()
        content = seeds[seed % len(seeds)]
        content = edits.apply(content, changes, target.words)
        oracle.judge(target, content, place(name))

    check()


@pytest.mark.parametrize("name", NAMES)
def test_seeds_are_answered(name, place):
    """What is damaged must have been sound, or nothing of a reader is run."""
    target = TARGETS[name]
    verdicts = []
    for seed in target.seeds():
        verdicts.append(oracle.judge(target, seed, place(name)))
    assert oracle.ANSWERED in verdicts


@pytest.mark.parametrize("name", FOLDERS)
def test_good_folders_are_answered(name, tmp_path):
    for seed in FOLDERS[name].seeds():
        verdict = oracle.judge(FOLDERS[name], seed, tmp_path)
        assert verdict == oracle.ANSWERED, seed


@pytest.mark.parametrize("name", FOLDERS)
def test_whatever_is_in_a_folder(name, tmp_path, request):
    target = FOLDERS[name]
    for number in range(request.config.getoption("--fuzz")):
        draw = random.Random(f"{name} {number}")
        files = folders.damage(draw.choice(target.seeds()), draw)
        try:
            oracle.judge(target, files, tmp_path)
        except Exception as error:
            raise AssertionError(f"{name} {number}: {files}") from error


@pytest.mark.parametrize(
    "path",
    sorted(path for name in FOLDERS for path in CORPUS.glob(f"{name}/*")),
    ids=lambda path: f"{path.parent.name}-{path.name}",
)
def test_folders_that_were_wrong_once(path, tmp_path):
    files = {
        str(inside.relative_to(path)): inside.read_bytes()
        for inside in path.rglob("*")
        if inside.is_file()
    }
    oracle.judge(FOLDERS[path.parent.name], files, tmp_path)


REGRESSIONS = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path,
            id=f"{path.parent.name}-{path.name}",
            marks=[pytest.mark.slow] * TARGETS[path.parent.name].is_slow,
        )
        for path in REGRESSIONS
    ],
)
def test_what_was_wrong_once(path, place):
    content = path.read_bytes()
    if path.suffix == ".gz":  # What would be large.
        content = gzip.decompress(content)
    name = path.parent.name
    oracle.judge(TARGETS[name], content, place(name))


def test_the_corpus_is_small():
    assert sum(path.stat().st_size for path in REGRESSIONS) < 100_000


# The judge itself


def judged(read, tmp_path):
    target = TARGETS["csv"]._replace(read=read)
    return oracle.judge(target, b"", tmp_path)


def test_the_judge(tmp_path, monkeypatch):
    def refuse(folder, content):
        raise UserError(f"{folder}/a: no\nreally {'x' * 900}")

    assert judged(refuse, tmp_path) == oracle.REFUSED
    assert judged(lambda folder, content: None, tmp_path) == oracle.ANSWERED

    def blame(folder, content):
        raise UserError("something is wrong")

    with pytest.raises(AssertionError, match="names no file"):
        judged(blame, tmp_path)

    def warn(folder, content):
        import warnings

        warnings.warn("look", UserWarning, stacklevel=1)

    with pytest.raises(AssertionError, match="a warning for the user: look"):
        judged(warn, tmp_path)
    with pytest.raises(ZeroDivisionError):
        judged(lambda folder, content: 1 / 0, tmp_path)


def test_the_judge_notices_a_hang(tmp_path, monkeypatch):
    monkeypatch.setattr(oracle, "SECONDS", 0.05)

    def wait(folder, content):
        while True:
            pass

    with pytest.raises(oracle.Hang, match="no answer in"):
        judged(wait, tmp_path)


def test_random_damage_changes_files():
    draw = random.Random(0)
    seed = b'{"a": [1, 2], "b": {"c": "d"}}'
    changed = {edits.apply(seed, edits.random_edits(draw)) for _ in range(200)}
    assert len(changed) > 150


@pytest.mark.slow
def test_guided_fuzzing(tmp_path):
    """By coverage, a reader is asked a few hundred times (needs atheris)."""
    pytest.importorskip(
        "atheris", reason='needs atheris: pip install -e ".[fuzz]"'
    )
    from tests.support.commands import run_process

    done = run_process(
        *["tests.fuzz", "--guided", "jsonl", "--inputs", "300"],
        *["--failures", "failures"],
        folder=tmp_path,
    )
    assert "| jsonl | 300 |" in done.stdout
    assert not (tmp_path / "failures").exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_damaged_directory_of_a_zip(method, place):
    """Every byte of it, one after the other."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("a.txt", "a dog\tein Hund\n" * 12)
    content = packed.getvalue()
    start = content.index(b"PK\x01\x02")
    for number in range(start, len(content)):
        damaged = bytearray(content)
        damaged[number] ^= 0x81
        oracle.judge(TARGETS["zip"], bytes(damaged), place("zip"))
