"""The half of a model card that all apps share, and a model that answers."""

import json
import shlex

import numpy as np
import pytest
import tensorflow as tf

from common import export_card, export_usage

REQUEST = {"text": np.array(["it's \u00e9".encode(), b"more"], object)}


class Model(tf.Module):
    """Signatures of texts, pictures, numbers, and many numbers."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def serve(self, text):
        return {"label": text, "scores": tf.zeros([tf.shape(text)[0], 3])}

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")]
    )
    def see(self, image_bytes):
        pixels = tf.map_fn(
            lambda x: tf.cast(tf.io.decode_image(x)[0, 0, 0], tf.float32),
            image_bytes,
            fn_output_signature=tf.float32,
        )
        return {"grey": pixels}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32, "ids"),
            tf.TensorSpec([None, None, 200], tf.float32, "values"),
            tf.TensorSpec([None, None], tf.bool, "mask"),
            tf.TensorSpec([None, 2, 2, 3], tf.uint8, "frame"),
        ]
    )
    def step(self, ids, values, mask, frame):
        return {"ids": ids}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "1"
    model = Model()
    signatures = {
        "serving_default": model.serve,
        "explain": model.serve,
        "see": model.see,
        "step": model.step,
    }
    tf.saved_model.save(model, str(folder), signatures)
    export_usage.write_request(folder, REQUEST)
    report = {
        "data": "reviews.csv",
        "train": {"examples": 14000, "labels": {"yes": 1}},
        "valid": {"examples": 9},
        "skipped": {},
    }
    (folder / "data.json").write_text(json.dumps(report))
    best = {"epoch": 6, "val_accuracy": 0.99291, "val_loss": 1, "loss": 2.0}
    (folder / "metrics.json").write_text(json.dumps({"best": best}))
    return folder


def make_card(folder, data_license=""):
    return export_card.format_details(
        folder, "my model", folder, REQUEST, data_license
    )


@pytest.fixture(scope="module")
def card(folder):
    return make_card(folder)


def test_data_and_metrics_are_those_of_the_run(card, folder):
    assert "- `reviews.csv`.\n- train: 14,000 examples.\n- valid: 9 ex" in card
    assert "- Licence, as whoever exported the model states it: not st" in card
    assert "states it: CC BY 4.0, of us." in make_card(
        folder, "CC BY 4.0,\nof us"
    )
    assert (
        "| metric | validation, epoch 6 |\n|---|---|\n"
        "| accuracy | 0.9929 |\n| loss | 1.0000 |\n" in card
    )


def test_tensors_of_each_signature(card):
    headings = [x for x in card.splitlines() if x.startswith("### ")]
    names = ["serving_default", "explain", "see", "step"]
    assert headings == [f"### `{name}`" for name in names]
    assert (
        "- Inputs: `text` string[batch].\n"
        "- Outputs: `label` string[batch], `scores` float32[batch, 3].\n"
        in card
    )
    assert "`frame` uint8[batch, 2, 2, 3], `ids` int32[batch, ?]" in card


def test_requests_of_curl_are_those_of_tensorflow_serving(card, folder):
    bodies = []
    for line in card.splitlines():
        if line.startswith("    curl"):
            curl, flag, body, url = shlex.split(line)
            assert url == "http://localhost:8501/v1/models/my%20model:predict"
            if body.startswith("@"):
                body = (folder / body[1:]).read_text()
            bodies.append(json.loads(body))
    text = {"inputs": {"text": ["it's \u00e9"]}}
    assert bodies[:2] == [text, {"signature_name": "explain"} | text]
    assert bodies[2]["inputs"]["image_bytes"][0].keys() == {"b64"}
    assert bodies[3]["signature_name"] == "step"
    assert bodies[3]["inputs"]["ids"] == [[1]]
    assert bodies[3]["inputs"]["mask"] == [[True]]
    assert bodies[3]["inputs"]["values"] == [[[0.0] * 200]]
    assert (folder / "request-step.json").exists()
    assert not (folder / "request-explain.json").exists()


def test_the_lines_of_python_run(card, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "picture.png").write_bytes(export_card.PICTURE)
    lines = [
        line.strip()
        for line in card.splitlines()
        if line.startswith("    ") and "curl" not in line
    ]
    assert lines[:2] == [
        "import tensorflow as tf",
        'model = tf.saved_model.load(".")',
    ]
    scope = {}
    exec("\n".join(lines[:2]), scope)
    answers = [eval(line, scope) for line in lines[2:]]
    assert [len(next(iter(x.values()))) for x in answers] == [1] * 4
    assert answers[0]["label"].numpy() == ["it's \u00e9".encode()]
    assert answers[2]["grey"].numpy() == [128]
    (folder / "picture.png").unlink()


def test_a_signature_of_the_names_of_the_default_has_its_values():
    request = {"lengths": np.array([3, 2]), "frames": np.zeros([2, 3, 4])}
    inputs = export_card.make_inputs({"lengths": None, "frames": None}, request)
    assert inputs["lengths"].tolist() == [3]
    assert inputs["frames"].shape == (1, 3, 4)
