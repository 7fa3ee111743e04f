"""Old versions, and the files of TensorFlow Serving beside all models."""

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from common import export_folder
from common.errors import UserError

FILES = ("saved_model.pb", "MODEL_CARD.md", "config.json")


def make_version(folder, files=FILES):
    (folder / "variables").mkdir(parents=True)
    for name in files:
        (folder / name).write_text("")
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (0, {"1", "2", "9", "10", "11"}),
        (1, {"11"}),
        (2, {"10", "11"}),
        (9, {"1", "2", "9", "10", "11"}),
    ],
)
def test_the_newest_versions_stay(tmp_path, keep, left):
    for number in (1, 2, 9, 10, 11):
        make_version(tmp_path / str(number))
    removed = export_folder.remove_old_versions(tmp_path, keep)
    assert set(names(tmp_path)) == left
    assert {path.name for path in removed} == {"1", "2", "9", "10", "11"} - left


def test_what_is_not_ours_stays_and_does_not_count(tmp_path):
    for number in (1, 5, 7):
        make_version(tmp_path / str(number))
    others = {
        "2": FILES[:2],
        "3": FILES[1:],
        "4": (),
        "06": FILES,
        "latest": FILES,
        "\N{ARABIC-INDIC DIGIT TWO}": FILES,
        ".partial-0123456789ab-8": FILES,
    }
    for name, files in others.items():
        make_version(tmp_path / name, files)
    make_version(tmp_path.parent / "elsewhere")
    (tmp_path / "0").symlink_to(tmp_path.parent / "elsewhere")
    (tmp_path / "8").write_text("a file")
    export_folder.remove_old_versions(tmp_path, 1)
    assert set(names(tmp_path)) == {"7", "0", "8", *others}
    assert names(tmp_path.parent / "elsewhere") == sorted([*FILES, "variables"])


def test_a_version_that_cannot_be_removed_is_one_line(tmp_path, monkeypatch):
    for number in (1, 2):
        make_version(tmp_path / str(number))

    def refuse(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(export_folder.atomic, "remove_folder", refuse)
    with pytest.raises(UserError, match="1: cannot remove it .Permission den"):
        export_folder.remove_old_versions(tmp_path, 1)


def parse(folder):
    text = (folder / "models.config").read_text(encoding="utf-8")
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse(text, config)
    return list(config.model_config_list.config)


def test_all_models_are_listed_as_tensorflow_serving_reads_it(tmp_path):
    models = ["b", "a", 'two "words" \\ more', "caf\u00e9", "new\nline", "it's"]
    for name in models:
        make_version(tmp_path / name / "1")
    for name in ("empty", "notes", ".hidden"):
        (tmp_path / name).mkdir()
    make_version(tmp_path / ".hidden" / "1")
    make_version(tmp_path / "notes" / "drafts")
    export_folder.write_server_files(tmp_path)
    configs = parse(tmp_path)
    assert [x.name for x in configs] == sorted(models)
    for config in configs:
        assert config.base_path == f"/models/{config.name}"
        assert config.model_platform == "tensorflow"
    make_version(tmp_path / "c" / "1")
    export_folder.write_server_files(tmp_path)
    assert [x.name for x in parse(tmp_path)] == sorted([*models, "c"])
    assert not [x for x in names(tmp_path) if "partial" in x]


def test_a_list_of_the_users_own_stays(tmp_path):
    make_version(tmp_path / "a" / "1")
    (tmp_path / "models.config").write_text("model_config_list {}\n")
    (tmp_path / "batching_parameters.txt").write_text("mine")
    export_folder.write_server_files(tmp_path)
    assert parse(tmp_path) == []
    assert (tmp_path / "batching_parameters.txt").read_text() == "mine"


def test_an_export_that_lists_its_model_is_waited_for(tmp_path, monkeypatch):
    make_version(tmp_path / "a" / "1")
    lock, waits = export_folder.locks.Lock, []

    def be_late(path):
        if len(waits) < 2:
            raise UserError("in use")
        return lock(path)

    monkeypatch.setattr(export_folder.locks, "Lock", be_late)
    monkeypatch.setattr(export_folder.time, "sleep", waits.append)
    (tmp_path / ".partial-0123456789ab-models.config").write_text("killed")
    export_folder.write_server_files(tmp_path)
    assert [x.name for x in parse(tmp_path)] == ["a"]
    assert len(waits) == 2
    expected = ["a", "batching_parameters.txt", "models.config"]
    assert names(tmp_path) == expected


def test_the_parameters_of_batching(tmp_path):
    # Their message is in no package.
    export_folder.write_server_files(tmp_path)
    text = (tmp_path / "batching_parameters.txt").read_text()
    lines = [x for x in text.splitlines() if not x.startswith("#")]
    values = {}
    for line in lines:
        name, brace, key, value, end = line.split()
        assert (brace, key, end) == ("{", "value:", "}")
        values[name] = int(value)
    assert values == {
        "max_batch_size": 32,
        "batch_timeout_micros": 2000,
        "max_enqueued_batches": 100,
        "num_batch_threads": 4,
    }
