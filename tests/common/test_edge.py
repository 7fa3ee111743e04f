"""Exports without TensorFlow, of a model of one layer."""

import argparse
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from common import (
    edge,
    edge_check,
    edge_convert,
    edge_runtime,
    export,
)
from common.edge_graphs import Graph, Tensor, make_step_graph
from common.errors import UserError
from common.serving import models

SCRIPT = """
import sys
from pathlib import Path

import numpy as np

from common import edge_runtime as runtime

FOLDER = Path(__file__).parent
score = runtime.open_graph(FOLDER, "score")
print(score(values=np.load(sys.argv[1]))["total"].tolist(), sys.argv[2])
"""


def target(folder, **options):
    args = {"run": "run", "to": str(folder), "format": "onnx", "quantize": ""}
    args |= {"keep": 0, "data_license": ""}
    return edge.choose_target(argparse.Namespace(**args | options))


def test_flags_of_another_format_are_refused(tmp_path):
    for options, words in (
        ({"keep": 2}, "--keep is of --format savedmodel: an export of"),
        ({"data_license": "CC0"}, "--data-license is of --format savedmodel"),
    ):
        with pytest.raises(UserError, match=words):
            target(tmp_path, **options)
    assert target(tmp_path, format="savedmodel", keep=2) is None


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A run folder without a model, and a script."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    for name in export.FILES:
        (run / name).write_text("{}")
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


def make_graph(network, function=None):
    def score(values):
        return {"total": tf.reduce_sum(network(values), axis=1)}

    inputs = {"values": Tensor(tf.float32, ("batch", "time", 2), "any")}
    cases = [{"values": np.ones([3, 4, 2], "f")}]
    return Graph("score", function or score, inputs, cases)


def write(place, network, graph=None, **options):
    example = edge.Example(
        place / "script.py",
        ["example.npy", "two words"],
        {"example.npy": np.full([1, 5, 2], 2, "f")},
    )
    return edge.write(
        place / "run",
        target("exports", **options),
        network,
        [graph or make_graph(network)],
        {"labels": ["a", 'b"\n']},
        {"extra": 7},
        example,
    )


@pytest.fixture(scope="module")
def network():
    layer = keras.layers.Dense(1, kernel_initializer="ones")
    return keras.Sequential([keras.Input([None, 2]), layer])


# The converter takes seconds.
@pytest.mark.parametrize(
    "file_format", ["onnx", pytest.param("litert", marks=pytest.mark.slow)]
)
def test_an_export_describes_itself_and_answers(
    place, network, file_format, capsys
):
    folder = write(place, network, format=file_format)
    assert folder.name == f"run-{file_format}"
    assert export.latest_version(folder) == 0
    assert export.find_saved_model(folder) is None
    assert not models.find_models(folder.parent)
    report = edge_runtime.read_description(folder)
    rows = "batch" if file_format == "onnx" else 1
    graph = report["graphs"]["score"]
    assert graph["inputs"] == [
        {
            "name": "values",
            "dtype": "float32",
            "shape": [rows, "time", 2],
            "note": "any",
        }
    ]
    assert graph["outputs"] == [
        {"name": "total", "dtype": "float32", "shape": [rows, 1]}
    ]
    assert report["extra"] == 7
    assert report["difference"]["score"]["largest"] == 0
    names = {path.name for path in folder.iterdir()}
    assert names == set(report["files"]) >= {graph["file"], "example.npy"}
    assert edge_runtime.read_names(folder / "labels.txt") == ["a", 'b"\n']
    assert edge_check.run_example(folder) == "[[20.0]] two words"
    edge.print_done(folder)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "  [[20.0]] two words"
    assert f"{folder}/example.npy 'two words'" in lines[-2]
    size = (folder / graph["file"]).stat().st_size
    assert lines[1].endswith(f": {size:,} bytes, differs by 0 at most")
    if file_format == "onnx":
        check_onnx(folder / graph["file"])


def check_onnx(path):
    import onnx

    model = onnx.load(str(path))
    (value,) = model.graph.input
    dims = value.type.tensor_type.shape.dim
    assert [x.dim_param or x.dim_value for x in dims] == ["batch", "time", 2]
    assert model.opset_import[0].version == edge_convert.OPSET


@pytest.mark.slow
def test_an_export_takes_the_place_of_an_older_one_if_it_is_right(
    place, network, monkeypatch
):
    folder = write(place, network)
    (folder / "labels.txt").unlink()
    write(place, network)
    assert (folder / "labels.txt").exists()
    monkeypatch.setattr(edge_check, "TOLERANCE", -1)
    before = (folder / "model.json").stat().st_mtime_ns
    with pytest.raises(UserError, match="score: total differs from the model"):
        write(place, network)
    assert (folder / "model.json").stat().st_mtime_ns == before
    assert [path.name for path in (place / "exports").iterdir()] == ["run-onnx"]


def test_answers_are_compared_closely():
    value = np.array([[0.5, 100.0]], "f")
    edge_check._check_close("x", [({"y": value}, {"y": value + 8e-6})])
    edge_check._check_close("x", [({"y": value}, {"y": value + [0, 9e-4]})])
    for other, message in (
        (value + 2e-5, "x: y differs from the model's by 2.*e-05, more than"),
        (value * np.nan, "x: y differs from the model's by nan, more than"),
        (value[0], r"x: y has the shape \(2,\), the model's is \(1, 2\)"),
    ):
        with pytest.raises(UserError, match=message):
            edge_check._check_close("x", [({"y": value}, {"y": other})])


@pytest.mark.slow
def test_strings_do_not_convert(place, network):
    def speak(values):
        return {"total": tf.strings.length(tf.strings.as_string(values[:, 0]))}

    for file_format, name, operation in (
        ("onnx", "ONNX", "StringLength"),
        ("litert", "LiteRT", "AsString, StringLength"),
    ):
        with pytest.raises(UserError) as error:
            graph = make_graph(network, speak)
            write(place, network, graph, format=file_format)
        (line,) = str(error.value).splitlines()
        assert line == (
            f"score: does not convert to {name} (it has no {operation}): use"
            " --format savedmodel"
        )
    assert not list((place / "exports").glob("run-*"))


def test_what_is_no_export_is_not_replaced(place):
    folder = place / "exports" / "run-onnx"
    folder.mkdir(parents=True)
    (folder / "1").mkdir()
    with pytest.raises(UserError, match="holds what no export .* wrote.*1"):
        target("exports")
    (folder / "1").rmdir()
    files = {"files": ["model.json", "score.onnx"]}
    (folder / "model.json").write_text(json.dumps(files))
    (folder / "__pycache__").mkdir()
    assert target("exports").folder.resolve() == folder
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="notes.txt"):
        target("exports")


def test_formats_and_their_options(tmp_path, monkeypatch):
    assert target(tmp_path, format="savedmodel") is None
    with pytest.raises(
        UserError, match="^--quantize dynamic is of --format litert: "
    ):
        target(tmp_path, quantize="dynamic")
    chosen = target(tmp_path, format="litert", quantize="float16")
    assert chosen.folder == tmp_path / "run-litert-float16"
    monkeypatch.setattr(
        edge_convert, "_is_installed", lambda name: name == "regex"
    )
    with pytest.raises(UserError) as error:
        target(tmp_path)
    assert str(error.value) == (
        "--format onnx needs the packages tf2onnx, onnx, onnxruntime: pip"
        " install tf2onnx onnx onnxruntime"
    )
    with pytest.raises(UserError, match="pip install ai-edge-litert$"):
        target(tmp_path, format="litert")


def test_differences_are_of_all_outputs_and_choices_of_the_first():
    expected = {"logits": np.array([[0.0, 1.0], [3.0, 1.0]])}
    answer = {"logits": np.array([[2.0, 1.0], [3.0, 1.5]])}
    state = np.zeros([2, 1]), np.array([[0.0], [-4.0]])
    pair = expected | {"state": state[0]}, answer | {"state": state[1]}
    assert edge_check._measure([pair]) == (4.0, 1, 2)
    nothing = {"logits": np.full([1, 2], np.nan)}
    largest, *_ = edge_check._measure([({"logits": np.ones([1, 2])}, nothing)])
    assert np.isnan(largest)


def test_a_step_graph_has_the_states_of_two_steps():
    def step(ids, memory, count):
        logits = tf.one_hot(ids + 1, 5)
        return {"logits": logits, "next_count": count + 1.0}

    states = [
        {"memory": tf.ones([rows, rows, 2]), "count": tf.zeros([rows, 1])}
        for rows in (1, 3)
    ]
    graph = make_step_graph(step, states, start=2)
    assert graph.inputs["ids"].axes == ("batch",)
    assert graph.inputs["memory"].axes == ("batch", "source", 2)
    assert graph.inputs["count"].axes == ("batch", 1)
    assert [x["ids"].tolist() for x in graph.cases] == [
        *[[2], [3]],
        *[[2, 2, 2], [3, 3, 3]],
    ]
    assert [float(x["count"][0, 0]) for x in graph.cases] == [0, 1, 0, 1]
