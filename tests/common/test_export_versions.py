"""A new version must serve the clients of the one before."""

import json

import pytest
import tensorflow as tf

from common import export_versions
from common.errors import UserError


def save(
    folder,
    app="apps.a",
    labels=("no", "yes"),
    size=None,
    dtype="float32",
    more=(),
):
    """Writes a version with the files that a run has."""

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, size], name="x")])
        def serve(self, x):
            return {"y": tf.cast(x, dtype)}

    model = Model()
    signatures = dict.fromkeys(["serving_default", *more], model.serve)
    tf.saved_model.save(model, str(folder), signatures)
    (folder / "labels.txt").write_text("".join(f"{x}\n" for x in labels))
    data = {"languages": ["de", "en"]}
    (folder / "data.json").write_text(json.dumps(data))
    (folder / "versions.json").write_text(json.dumps({"app": app}))
    return folder


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return save(tmp_path_factory.mktemp("base") / "1")


def test_signatures_are_read_without_loading(first):
    assert export_versions.read_signatures(first) == {
        "serving_default": ["in x: float32(None, None)", "out y: float32"]
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"app": "apps.b"}, "app apps.a (now apps.b)"),
        ({"labels": ["a", "b"]}, "labels no, yes (now a, b)"),
        (
            {"labels": [f"label {k}" for k in range(50)]},
            "label 10, label 11, ...)",
        ),
        (
            {"size": 3},
            "signatures serving_default in x: float32(None, None) (now"
            " serving_default in x: float32(None, 3))",
        ),
        (
            {"dtype": "int32"},
            "signatures serving_default out y: float32 (now serving_default out"
            " y: int32)",
        ),
    ],
)
def test_another_model_is_refused(first, tmp_path, options, message):
    new = save(tmp_path / "2", **options)
    with pytest.raises(UserError) as caught:
        export_versions.check_same_contract(tmp_path, first, new)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path}: version 1 is another model: ")
    assert message in text
    assert "export to another folder with --to, or rename the run" in text
    assert len(text) - len(str(tmp_path)) <= 470


def test_the_same_model_trained_again_passes(first, tmp_path):
    again = save(tmp_path / "2")
    export_versions.check_same_contract(tmp_path, first, again)
    (again / "versions.json").unlink()  # As exports of before 0.3.0.
    export_versions.check_same_contract(tmp_path, again, first)


def test_a_signature_may_come_and_not_go(first, tmp_path):
    more = save(tmp_path / "2", more=["explain"])
    export_versions.check_same_contract(tmp_path, first, more)
    with pytest.raises(UserError) as caught:
        export_versions.check_same_contract(tmp_path, more, first)
    assert (
        "signatures explain in x: float32, explain out y: float32 (now none)"
        in str(caught.value)
    )
    with pytest.raises(UserError, match=r"out y: float32 \(now .*int32\)"):
        other = save(tmp_path / "3", more=["explain"], dtype="int32")
        export_versions.check_same_contract(tmp_path, first, other)


@pytest.mark.parametrize("content", [b"text", b"\n\xff", None])
def test_a_damaged_version_is_one_line(first, tmp_path, content):
    damaged = tmp_path / "1"
    damaged.mkdir()
    if content:
        (damaged / "saved_model.pb").write_bytes(content)
    with pytest.raises(UserError) as caught:
        export_versions.check_same_contract(tmp_path, damaged, first)
    text = str(caught.value)
    assert text.startswith(f"{damaged}/saved_model.pb: no model that can be")
    assert text.endswith("or export to another folder with --to")
    assert "\n" not in text
