"""The contract of every app on disk: files, commands, runs and exports.

In this process, but for one chain of commands as a user types them.
"""

import base64
import dataclasses
import importlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from common import cli, edge_check, edge_runtime, export_usage, options
from common.training import checkpoints, interrupts
from tests.support import commands

FILES = [
    *["README.md", "__init__.py", "config.py", "data.py", "batches.py"],
    *["model.py", "pipeline.py", "predictor.py"],
    *["train.py", "evaluate.py", "predict.py", "export.py"],
]
VERBS = ["train", "evaluate", "predict", "export"]


# A minute each: `pytest` alone runs the contract on sentiment, and on copies.
HEAVY = ["apps.captioning", "apps.translation", "apps.video_tagging"]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(x, marks=[pytest.mark.slow] if x in HEAVY else [])
        for x in commands.PACKAGES
    ],
)
def app(request, trained_app):
    """Each app in turn, trained for a few seconds and exported."""
    return trained_app(request.param)


def app_module(app, name):
    return importlib.import_module(f"{app.package}.{name}")


def last_line(done):
    return json.loads(done.stdout.splitlines()[-1])


def assert_same_scores(done, expected):
    """Compares numbers closely, and how they were counted exactly."""
    scores, others = last_line(done), last_line(expected)
    signatures = scores.pop("signatures", None)
    assert signatures == others.pop("signatures", None)
    assert scores == pytest.approx(others, abs=1e-6)


def variables(run):
    """The history and all variables of a run's newest checkpoint."""
    path, state = checkpoints.newest(run / "checkpoints")
    with np.load(path / checkpoints.VARIABLES) as values:
        return state, {name: values[name] for name in values.files}


class TestFiles:
    def test_each_app_has_the_same_files_and_few_others(self, app):
        folder = commands.ROOT / app.package.replace(".", "/")
        names = {path.name for path in folder.iterdir() if path.is_file()}
        assert set(FILES) <= names
        others = sorted(name for name in names - set(FILES))
        assert all(name.endswith(".py") for name in others)
        assert len(others) <= 4
        assert (folder / "datasets" / "__init__.py").is_file()

    def test_help_needs_no_tensorflow_and_shows_real_names(self, app, tmp_path):
        # Whoever imports these would fail.
        for name in ("keras", "tensorflow"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit('loaded')")
        for verb in VERBS:
            module = f"{app.package}.{verb}"
            done = commands.run_process(module, "--help", folder=tmp_path)
            assert f"usage: python -m {module}" in done.stdout
            assert "None" not in done.stdout
        done = commands.run_process(app.package, folder=tmp_path)
        for verb in VERBS:
            assert f"python -m {app.package}.{verb}" in done.stdout

    def test_every_field_of_the_config_is_a_flag_with_a_help(self, app):
        config = app_module(app, "config")
        parser = config.train_parser()
        actions = {action.dest: action for action in parser._actions}
        for field in dataclasses.fields(config.Config):
            assert actions[field.name].help, field.name

    def test_a_foreign_package_common_is_one_line(self, app, tmp_path):
        if not (commands.ROOT / "common").is_dir():
            pytest.skip("this project has common inside its own package")
        (tmp_path / "common").mkdir()
        (tmp_path / "common" / "__init__.py").write_text("")
        done = commands.run_process(
            f"{app.package}.train", folder=tmp_path, status=2
        )
        assert done.stderr.startswith("error: the package common that Python")
        assert done.stderr.count("\n") == 1


class TestTraining:
    def test_it_ends_with_the_next_three_commands(self, app):
        name = app.package.rpartition(".")[2]
        for verb in ("evaluate", "predict", "export"):
            assert f"python -m {app.package}.{verb} runs/{name}" in app.printed

    def test_the_run_folder_is_complete(self, app):
        names = {path.name for path in app.run.iterdir()}
        assert names >= {
            *["config.json", "versions.json", "data.json", "metrics.json"],
            *["log.csv", "curves.png", "checkpoints", "model.keras"],
            "tensorboard",
        }
        assert not [name for name in names if "partial" in name]

    def test_a_finished_run_says_so_and_changes_nothing(self, app):
        before = (app.run / "model.keras").read_bytes()
        done = app.command("train", "--smoke")
        assert "this run is finished" in done.stdout
        assert (app.run / "model.keras").read_bytes() == before

    def test_its_options_come_back_from_the_run(self, app):
        config = app_module(app, "config")
        path = app.run / "config.json"
        assert options.read_config(path, config.Config) == vars(config.SMOKE)

    def test_other_options_on_the_same_folder_are_refused(self, app):
        error = app.error("train", "--smoke", "--seed", "7")
        assert "a run with other options: seed 0 (now 7)" in error

    @pytest.mark.slow  # On a tiny model: tests/common/training/test_epochs.py.
    def test_a_run_stopped_by_ctrl_c_ends_as_if_it_had_not(
        self, app, tmp_path, monkeypatch, signals
    ):
        stop_in_epoch_2(monkeypatch)
        done = train(app, tmp_path, status=cli.INTERRUPTED_STATUS)
        assert "the same command goes on from here" in done.stdout
        stopped, _ = variables(run_in(app, tmp_path))
        assert stopped["epoch"] == 1
        assert stopped["step"] > 0
        monkeypatch.undo()
        done = train(app, tmp_path)
        assert "going on after epoch 1" in done.stdout
        state, values = variables(run_in(app, tmp_path))
        reference, expected = variables(app.run)
        assert validation(state) == validation(reference)
        assert values.keys() == expected.keys()
        for name, value in values.items():
            np.testing.assert_array_equal(value, expected[name])


PROCESSORS = """
import os, sys
os.cpu_count = lambda: {number}
os.sched_setaffinity(0, range({affinity}))
import tensorflow as tf
if {affinity} > 1:
    tf.config.threading.set_inter_op_parallelism_threads({number})
from {package} import train
from common import cli
sys.argv = ["train", "--smoke", "--epochs", "1", "--deterministic"]
cli.main(train.main)
"""


@pytest.mark.nightly
@pytest.mark.parametrize("package", commands.PACKAGES)
def test_deterministic_training_is_equal_on_any_processors(package, tmp_path):
    results = []
    for number, affinity in ((1, 1), (8, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        code = PROCESSORS.format(
            number=number, affinity=affinity, package=package
        )
        (folder / "here.py").write_text(code)
        commands.run_process("here", folder=folder)
        (run,) = (folder / "runs").iterdir()
        results.append(variables(run)[1])
    assert results[0].keys() == results[1].keys()
    for name, value in results[0].items():
        np.testing.assert_array_equal(value, results[1][name])


def stop_in_epoch_2(monkeypatch):
    """Sends Ctrl-C in the middle of the second epoch."""
    original = interrupts.Stop.on_train_batch_end
    num_batches = 0

    def counted(self, batch, logs=None):
        nonlocal num_batches
        num_batches += 1
        if num_batches == 3 * self.params["steps"] // 2:
            os.kill(os.getpid(), signal.SIGINT)
        original(self, batch, logs)

    monkeypatch.setattr(interrupts.Stop, "on_train_batch_end", counted)


def train(app, folder, **kwargs):
    return commands.run_command(
        f"{app.package}.train", "--smoke", folder=folder, **kwargs
    )


def run_in(app, folder):
    return folder / "runs" / app.package.rpartition(".")[2]


def validation(state):
    """The validation scores of a history.

    The training loss of an epoch that was cut is a mean over its second part.
    """
    return [
        {name: row[name] for name in row if name.startswith("val_")}
        for row in state["history"]
    ]


class TestEvaluate:
    def test_run_and_export_score_the_same(self, app):
        run = app.command("evaluate", app.run)
        exported = app.command("evaluate", app.export.parent)
        assert last_line(run)["examples"] > 0
        assert_same_scores(exported, run)

    def test_limit_and_split(self, app):
        done = app.command(
            "evaluate", app.run, "--split", "valid", "--limit", "7"
        )
        assert last_line(done)["examples"] == 7
        assert done.stdout.startswith(
            "valid: 7 examples of builtin, by which training chose its best"
            " epoch\n"
        )

    def test_a_wrong_split_and_a_wrong_limit(self, app):
        error = app.error("evaluate", app.run, "--split", "dev")
        assert "--split dev: expected all or one of" in error
        error = app.error("evaluate", app.run, "--limit", "-1")
        assert "--limit must be at least 0, got -1" in error


class TestPredict:
    def test_run_and_export_answer_the_same(self, app):
        run = app.command("predict", app.run, *app.inputs)
        exported = app.command("predict", app.export, *app.inputs)
        assert run.stdout.strip()
        assert exported.stdout == run.stdout
        assert (run.stderr, exported.stderr) == ("", "")

    def test_piped_inputs_are_answered_as_json(self, app):
        stdin = "\n".join(app.inputs).encode()
        done = app.command("predict", app.run, "--json", stdin=stdin)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert [next(iter(row.values())) for row in rows] == app.inputs

    def test_no_inputs_are_an_error(self, app):
        assert "or --file FILE" in app.error("predict", app.run)

    def test_a_file_that_is_not_there(self, app):
        error = app.error("predict", app.run, "--file", "gone.txt")
        assert "gone.txt: No such file" in error


class TestExport:
    def test_every_tensor_has_a_batch_axis_and_batches_of_none_work(self, app):
        loaded = tf.saved_model.load(str(app.export))
        signature = loaded.signatures["serving_default"]
        inputs = signature.structured_input_signature[1]
        for spec in [*inputs.values(), *signature.structured_outputs.values()]:
            assert spec.shape[0] is None

    def test_a_request_of_too_many_rows_is_refused(self, app):
        loaded = tf.saved_model.load(str(app.export))
        signature = loaded.signatures["serving_default"]
        _, specs = signature.structured_input_signature
        inputs = {
            name: tf.zeros(
                [1025, *(n or 1 for n in spec.shape[1:])], spec.dtype
            )
            for name, spec in specs.items()
        }
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="rows in one request: split"
        ):
            signature(**inputs)

    def test_the_graph_holds_no_kernel_of_one_machine(self, app):
        content = (app.export / "saved_model.pb").read_bytes()
        for word in (b"Cudnn", b"PyFunc"):
            assert word not in content

    def test_the_warm_up_requests_play(self, app):
        from tensorflow_serving.apis import prediction_log_pb2

        loaded = tf.saved_model.load(str(app.export))
        signature = loaded.signatures["serving_default"]
        path = app.export / "assets.extra" / "tf_serving_warmup_requests"
        records = list(tf.data.TFRecordDataset(str(path)))
        assert records
        for record in records:
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            request = log.predict_log.request
            assert request.model_spec.signature_name == "serving_default"
            inputs = {
                name: tf.constant(tf.make_ndarray(value))
                for name, value in request.inputs.items()
            }
            assert signature(**inputs)

    def test_options_and_a_card_lie_beside_the_model(self, app):
        names = {path.name for path in app.export.iterdir()}
        assert {"config.json", "data.json", "MODEL_CARD.md"} <= names
        card = (app.export / "MODEL_CARD.md").read_text()
        assert "validation" in card
        assert "Made with python" in card

    def test_the_card_has_a_request_to_each_signature(self, app, monkeypatch):
        card = (app.export / "MODEL_CARD.md").read_text()
        loaded = tf.saved_model.load(str(app.export))
        names = re.findall(r"(?m)^### `(\w+)`$", card)
        assert sorted(names) == sorted(loaded.signatures)
        bodies = re.findall(r"(?m)^    curl -d (.+) http", card)
        monkeypatch.chdir(app.export)
        for name, body in zip(names, bodies, strict=True):
            (body,) = shlex.split(body)
            if body.startswith("@"):
                body = pathlib.Path(body[1:]).read_text()
            request = json.loads(body)
            assert request.get("signature_name", "serving_default") == name
            signature = loaded.signatures[name]
            specs = signature.structured_input_signature[1]
            inputs = {
                key: tf.constant(decode_rows(rows), specs[key].dtype)
                for key, rows in request["inputs"].items()
            }
            for value in signature(**inputs).values():
                assert value.shape[0] == 1
        assert "- Licence, as whoever exported the model states it: not" in card

    def test_it_is_listed_for_tensorflow_serving(self, app):
        folder = app.export.parent.parent
        text = (folder / "models.config").read_text()
        assert f'base_path: "/models/{app.export.parent.name}"' in text
        assert (folder / "batching_parameters.txt").is_file()

    def test_the_request_beside_it_is_answered(self, app):
        text = (app.export / "request.json").read_text()
        loaded = tf.saved_model.load(str(app.export))
        signature = loaded.signatures["serving_default"]
        specs = signature.structured_input_signature[1]
        inputs = {
            name: tf.constant(decode_rows(rows), specs[name].dtype)
            for name, rows in json.loads(text)["inputs"].items()
        }
        assert inputs.keys() == specs.keys()
        for value in signature(**inputs).values():
            assert value.shape[0] == 1

    def test_it_says_how_to_load_and_to_serve_it(self, app):
        lines = export_usage.format_usage(app.export).splitlines()
        folder, name = app.export.parent, app.export.parent.name
        assert "  import tensorflow as tf" in lines
        code = "\n".join(lines[2:5])
        scope = {}
        before = os.getcwd()
        os.chdir(app.folder)
        try:
            exec(textwrap.dedent(code), scope)
        finally:
            os.chdir(before)
        (docker,) = [line for line in lines if "docker run" in line]
        assert f"-v {folder.resolve()}:/models/{name} " in docker
        (curl,) = [shlex.split(x) for x in lines if x.startswith("  curl")]
        assert curl[-1].endswith(f":8501/v1/models/{name}:predict")
        body = curl[2]
        if body.startswith("@"):
            body = pathlib.Path(body[1:]).read_text()
        assert body.strip() == (app.export / "request.json").read_text().strip()

    def test_it_says_which_app_made_it(self, app):
        versions = json.loads((app.export / "versions.json").read_text())
        assert versions["app"] == app.package

    def test_an_export_is_not_exported_again(self, app):
        error = app.error("export", app.export)
        assert "already exported; give the run folder" in error


@pytest.mark.slow  # The converters take seconds for each graph.
class TestEdge:
    @pytest.mark.parametrize("file_format", ["onnx", "litert"])
    def test_its_example_answers_as_predict_does(self, app, file_format):
        pytest.importorskip("tf2onnx")
        pytest.importorskip("ai_edge_litert")
        done = app.command("export", app.run, "--format", file_format)
        assert done.stderr == ""
        folder = app.folder / "exports" / f"{app.run.name}-{file_format}"
        answer = edge_check.run_example(folder)
        lines = [f"  {x.expandtabs(2)}" for x in answer.splitlines()]
        assert done.stdout.splitlines()[-len(lines) :] == lines
        if app.package == "apps.video_tagging":  # Of it a few frames.
            labels = edge_runtime.read_names(folder / "labels.txt")
            assert set(answer.split(", ")) <= set(labels)
            return
        greedy = [] if app.package == "apps.sentiment" else ["--beam", "1"]
        done = app.command("predict", app.run, *app.inputs, *greedy)
        assert answer == done.stdout.strip()

    def test_shapes_are_as_described(self, app):
        pytest.importorskip("tf2onnx")
        app.command("export", app.run, "--format", "onnx", "--to", "edge")
        folder = app.folder / "edge" / f"{app.run.name}-onnx"
        report = edge_runtime.read_description(folder)
        for name, graph in report["graphs"].items():
            sizes = {"batch": 2, "time": 3, "source": 3}
            inputs = {
                spec["name"]: np.ones(
                    [sizes.get(x, x) for x in spec["shape"]], spec["dtype"]
                )
                for spec in graph["inputs"]
            }
            outputs = edge_runtime.open_graph(folder, name)(**inputs)
            for spec in graph["outputs"]:
                value = outputs[spec["name"]]
                shape = [sizes.get(x, x) for x in spec["shape"]]
                assert list(value.shape) == shape, spec
                assert value.dtype == spec["dtype"]

    def test_it_is_no_run_and_no_saved_model(self, app, tmp_path):
        folder = shutil.copytree(app.run, tmp_path / "run-onnx")
        (folder / edge_runtime.DESCRIPTION).write_text("{}")
        for verb in ("evaluate", "export"):
            error = app.error(verb, folder)
            assert "which its own example.py asks; give the run" in error


def decode_rows(rows):
    """Rows of a request, with bytes in place of base64."""
    if rows and isinstance(rows[0], dict):
        return [base64.b64decode(row["b64"]) for row in rows]
    return rows


def damage(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BAD_RUNS = {
    "not there": (shutil.rmtree, "expected a run folder"),
    "an empty folder": (
        lambda run: [shutil.rmtree(run), run.mkdir()],
        "it is neither",
    ),
    "a file": (
        lambda run: [shutil.rmtree(run), run.write_text("x")],
        "it is neither",
    ),
    "no epoch yet": (
        lambda run: (run / "model.keras").unlink(),
        "no epoch is finished yet",
    ),
    "a model cut short": (
        lambda run: damage(run / "model.keras"),
        "model.keras: cannot load it (",
    ),
}


class TestRefusals:
    @pytest.mark.parametrize("name", BAD_RUNS)
    def test_a_run_that_cannot_be_used_is_named(self, app, tmp_path, name):
        spoil, message = BAD_RUNS[name]
        shutil.copytree(app.run, tmp_path / "run")
        spoil(tmp_path / "run")
        for verb in ("evaluate", "predict", "export"):
            inputs = app.inputs if verb == "predict" else []
            error = commands.error_line(
                f"{app.package}.{verb}", "run", *inputs, folder=tmp_path
            )
            assert message in error
            assert not (tmp_path / "exports").exists()

    def test_a_run_or_an_export_of_another_app_names_both(self, app, tmp_path):
        for source, name in ((app.run, "run"), (app.export, "export")):
            folder = tmp_path / name
            folder.mkdir()
            for file in source.iterdir():
                if file.is_file():
                    shutil.copy(file, folder / file.name)
            (folder / "versions.json").write_text('{"app": "apps.some"}')
            for verb in ("evaluate", "predict", "export"):
                if (name, verb) == ("export", "export"):
                    continue
                inputs = app.inputs if verb == "predict" else []
                error = commands.error_line(
                    f"{app.package}.{verb}", name, *inputs, folder=tmp_path
                )
                assert f"{name}: made by apps.some, not by {app.package};" in (
                    error
                )
        # An export of before 0.3.0.
        (tmp_path / "export" / "versions.json").unlink()
        (tmp_path / "export" / "config.json").write_text('{"gone": 1}')
        error = commands.error_line(
            f"{app.package}.evaluate", "export", folder=tmp_path
        )
        assert f"made by another app than {app.package}" in error

    def test_a_run_of_another_version_says_what_to_do(self, app, tmp_path):
        shutil.copytree(app.run, tmp_path / "run")
        path = tmp_path / "run" / "config.json"
        config = json.loads(path.read_text()) | {"gone": 1}
        path.write_text(json.dumps(config))
        error = commands.error_line(
            f"{app.package}.train",
            *["--smoke", "--run-dir", "run"],
            folder=tmp_path,
        )
        assert "written by another version" in error
        assert "gone" in error

    def test_an_unknown_flag(self, app):
        error = app.error("train", "--epoch", "3")
        assert "unknown argument --epoch; did you mean --epochs?" in error

    def test_data_that_are_not_there(self, app, tmp_path):
        error = commands.error_line(
            f"{app.package}.train", "--data", "gone.csv", folder=tmp_path
        )
        assert "--data gone.csv: no such file or folder" in error
        assert list(tmp_path.iterdir()) == []


@pytest.mark.nightly  # .ci/run does this for every app.
def test_the_commands_of_a_user_each_in_a_process(tmp_path):
    """One app stands for all: what differs is in this process above."""
    package = commands.PACKAGES[-1]
    name = package.rpartition(".")[2]
    run = pathlib.Path("runs") / name

    def command(verb, *args):
        done = commands.run_process(f"{package}.{verb}", *args, folder=tmp_path)
        # No line of a library either, but of `fit` when it warns.
        assert done.stderr == ""
        return done

    command("train", "--smoke", "--epochs", "1")
    scored = command("evaluate", run)
    inputs = commands.example_inputs(tmp_path / run)
    answer = command("predict", run, *inputs)
    command("export", run)
    exported = f"exports/{name}"
    assert_same_scores(command("evaluate", exported), scored)
    assert command("predict", exported, *inputs).stdout == answer.stdout
