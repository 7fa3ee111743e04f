"""Data sets of tensorflow-datasets, prepared or refused in seconds."""

import io
import tarfile
import threading
import types
import urllib.error

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.download import resource

from apps.sentiment import data
from apps.sentiment.config import Config
from common.data import tfds_loader
from common.errors import UserError

NUM_FILES = 30


def write_archive(path):
    """A small archive in the layout of the Large Movie Review data."""
    folders = ["train/neg", "train/pos", "train/unsup", "test/neg", "test/pos"]
    with tarfile.open(path, "w:gz") as archive:
        for folder in folders:
            for number in range(NUM_FILES):
                content = f"{folder} film {number}".encode()
                member = tarfile.TarInfo(f"aclImdb/{folder}/{number}_7.txt")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def pretend_downloaded(root):
    """Leaves the archive and the note that tfds leaves after a download."""
    ((url, info),) = tfds.builder_cls("imdb_reviews").url_infos.items()
    path = root / "downloads" / resource.get_dl_fname(url, info.checksum)
    path.parent.mkdir(parents=True)
    write_archive(path)
    resource.write_info_file(
        url, epath.Path(path), "imdb_reviews", info.filename, info
    )


@pytest.fixture(scope="module")
def tfds_dir(tmp_path_factory):
    """The real imdb_reviews, prepared from a small archive."""
    root = tmp_path_factory.mktemp("tfds")
    pretend_downloaded(root)
    tfds_loader.prepare_builder("imdb_reviews", str(root))
    return root


@pytest.fixture
def offline(monkeypatch):
    def refuse(request, timeout):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


def config(tfds_dir, name="imdb_reviews", **options):
    return Config(data=f"tfds:{name}", tfds_dir=str(tfds_dir), **options)


def store(folder, features, rows, split="train"):
    """Prepares a data set of rows, as its owner would, without its code."""
    columns = {name: [row[name] for row in rows] for name in features}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="stars",
        version="1.0.0",
        data_dir=folder,
        features=tfds.features.FeaturesDict(features),
        split_datasets={split: tf.data.Dataset.from_tensor_slices(columns)},
    )


# The real imdb_reviews


def test_the_real_builder_reads_the_archive(tfds_dir):
    splits = data.open_splits(config(tfds_dir))
    examples = {name: list(stream) for name, stream in splits.items()}
    assert {"train", "valid", "test"} == set(examples)  # None is unsupervised.
    assert len(examples["train"]) + len(examples["valid"]) == 2 * NUM_FILES
    assert {(e.text, e.label) for e in examples["test"]} == {
        (f"test/{label} film {number}", label)
        for label in ("neg", "pos")
        for number in range(NUM_FILES)
    }
    assert examples["test"][3].where == "tfds:imdb_reviews test example 3"


def test_the_real_builders_examples_become_numbers(tfds_dir):
    dataset = data.load(config(tfds_dir, name="imdb_reviews/plain_text"))
    assert dataset.labels == ["neg", "pos"]
    assert {"film", "neg", "train"} <= set(dataset.vocabulary)
    num_valid = dataset.report["valid"]["examples"]
    assert dataset.report["train"]["examples"] == 2 * NUM_FILES - num_valid
    assert dataset.report["test"] == {"examples": 2 * NUM_FILES}
    assert dataset.report["skipped"] == {}
    assert set(dataset.train.lengths) == {5}


def test_each_pass_reads_the_same_examples(tfds_dir):
    stream = data.open_splits(config(tfds_dir))["train"]
    assert list(stream) == list(stream)


def test_prepared_data_need_no_network(tfds_dir, offline):
    assert tfds_loader.prepare_builder(
        "imdb_reviews", str(tfds_dir)
    ).info.splits


# Through the library's own mock


def test_mocked_examples_go_through_the_same_code(tfds_dir):
    with tfds.testing.mock_data(
        num_examples=40,
        data_dir=str(tfds_dir),
        policy=tfds.testing.MockPolicy.USE_FILES,
    ):
        splits = data.open_splits(config(tfds_dir))
        examples = list(splits["train"]) + list(splits["valid"])
    assert len(examples) == 40
    assert {example.label for example in examples} == {"neg", "pos"}


def test_secret_labels_are_skipped_and_counted(tfds_dir):
    def as_dataset(builder, *args, **kwargs):
        labels = [-1, 0, 1] * 20
        films = [f"film {number}" for number in range(60)]
        rows = {"text": films, "label": labels}
        return tf.data.Dataset.from_tensor_slices(rows)

    with tfds.testing.mock_data(
        as_dataset_fn=as_dataset,
        data_dir=str(tfds_dir),
        policy=tfds.testing.MockPolicy.USE_FILES,
    ):
        report = data.load(config(tfds_dir)).report
    assert report["test"] == {"examples": 40}
    # 20 of train and valid together, and 20 of test.
    assert report["skipped"]["no label"]["count"] == 40


# Data sets that somebody else prepared


def test_a_prepared_folder_needs_no_code(tmp_path):
    features = {"review": tfds.features.Text(), "stars": tf.int64}
    rows = [{"review": f"film {n}", "stars": n % 5} for n in range(50)]
    store(tmp_path, features, rows)
    with pytest.raises(UserError, match="no feature 'label'; .*review, stars"):
        data.open_splits(config(tmp_path, "stars"))
    dataset = data.load(config(tmp_path, "stars", label_column="stars"))
    assert dataset.labels == ["0", "1", "2", "3", "4"]


def test_a_data_set_without_text_lists_what_it_has(tmp_path):
    features = {
        "height": tf.float32,
        "label": tfds.features.ClassLabel(num_classes=2),
    }
    store(tmp_path, features, [{"height": 1.8, "label": 0}])
    message = "no feature 'text'; .* has height, label: .* --text-column"
    with pytest.raises(UserError, match=message):
        data.open_splits(config(tmp_path, "stars"))


def test_a_data_set_without_a_train_split(tmp_path):
    features = {
        "text": tfds.features.Text(),
        "label": tfds.features.ClassLabel(num_classes=2),
    }
    store(tmp_path, features, [{"text": "x", "label": 0}], split="extra")
    message = "tfds:stars: no train split; it has extra"
    with pytest.raises(UserError, match=message):
        data.open_splits(config(tmp_path, "stars"))


# Names and networks that fail


def test_unknown_names_are_one_line(tmp_path):
    for name, message in (
        ("imdb_revews", "no data set imdb_revews; near .*imdb_reviews"),
        ("qqqqq", "knows no data set qqqqq$"),
        ("imdb_reviews/tiny", "no configuration tiny; it has plain_text"),
        ("mnist/tiny", "mnist has no configuration tiny; it has none"),
        ("imdb_reviews:9.9.9", "cannot be loaded at version 9.9.9"),
        ("", "expected tfds:NAME or tfds:NAME/CONFIG"),
        ("a/b/1.0.0", "tfds:a/b/1.0.0: expected tfds:NAME"),
        ("kaggle:a", "tfds:kaggle:a: expected tfds:NAME"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            tfds_loader.prepare_builder(name, str(tmp_path))
        assert "\n" not in str(caught.value)


def test_without_network_the_error_names_three_ways_out(tmp_path, offline):
    with pytest.raises(UserError) as caught:
        tfds_loader.prepare_builder("imdb_reviews", str(tmp_path))
    message = str(caught.value)
    assert f"tfds:imdb_reviews is not prepared in {tmp_path}" in message
    assert "run once with network" in message
    assert "--tfds-dir" in message
    manual = tmp_path / "downloads" / "manual"
    assert f"put its archive aclImdb_v1.tar.gz into {manual}" in message


def test_of_many_archives_the_error_lists_some(tmp_path, offline):
    with pytest.raises(UserError, match=r"its archives \(of .*, \.\.\.\) into"):
        tfds_loader.prepare_builder("glue/sst2", str(tmp_path))


def test_a_network_that_never_answers_does_not_hang(tmp_path, monkeypatch):
    over = threading.Event()

    def wait(request, timeout):
        over.wait()
        raise urllib.error.URLError("too late")

    monkeypatch.setattr("urllib.request.urlopen", wait)
    monkeypatch.setattr(tfds_loader, "PROBE_SECONDS", 0.05)
    with pytest.raises(UserError, match="its server does not answer"):
        tfds_loader.prepare_builder("imdb_reviews", str(tmp_path))
    assert not over.is_set()
    over.set()


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_server_that_refuses_the_probe_is_tried(
    tmp_path, monkeypatch, status
):
    def refuse(request, timeout):
        raise urllib.error.HTTPError(request.full_url, status, "no", {}, None)

    def download_and_prepare(builder, **kwargs):
        raise tfds.download.DownloadError("HTTP code: 403.\nTry later.")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr(
        tfds.core.DatasetBuilder, "download_and_prepare", download_and_prepare
    )
    with pytest.raises(UserError, match=r"cannot prepare it in .*code: 403\.$"):
        tfds_loader.prepare_builder("imdb_reviews", str(tmp_path))


def test_a_wrong_archive_put_there_by_hand_is_refused(tmp_path, offline):
    manual = tmp_path / "downloads" / "manual"
    manual.mkdir(parents=True)
    write_archive(manual / "aclImdb_v1.tar.gz")
    with pytest.raises(UserError, match="cannot prepare it .*wrong checksum$"):
        tfds_loader.prepare_builder("imdb_reviews", str(tmp_path))


def test_the_command_ends_with_one_line(refusal, tmp_path):
    error = refusal(
        "apps.sentiment.train",
        *("--data", "tfds:imdb_revews", "--tfds-dir", tmp_path / "tfds"),
    )
    assert "near names: imdb_reviews" in error
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("note", "is_cached"),
    [
        ('{"urls": ["http://a/b.zip"]}', True),
        ('{"urls": ["http://a/c.zip"]}', False),
        *[(x, False) for x in ("", "[]", "{", '{"urls": 1}', "[" * 100_000)],
        ('{"urls": [["http://a/b.zip"]]}', False),
    ],
)
def test_damaged_notes_of_downloads_count_as_none(tmp_path, note, is_cached):
    (tmp_path / "b.zip.INFO").write_text(note)
    urls = {"http://a/b.zip": types.SimpleNamespace(filename="")}
    assert tfds_loader._is_cached(urls, tmp_path) == is_cached
