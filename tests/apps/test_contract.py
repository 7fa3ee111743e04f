"""The commands of each app, as a user types them, on a run of seconds."""

import json
import os
import signal
import subprocess
import sys

import pytest
import tensorflow as tf

# What each app predicts from; {run} is the run folder.
INPUTS = {
    "captioning": [f"{{run}}/samples/valid-0000{k}.png" for k in range(2)],
    "sentiment": ["not bad at all", ""],
    "translation": ["The small black cats sleep.", ""],
    "video_tagging": [f"{{run}}/samples/valid-0000{k}" for k in range(2)],
}


def inputs_of(app, run):
    return [given.format(run=run) for given in INPUTS[app]]


FILES = [
    *["README.md", "__init__.py", "config.py", "data.py", "model.py"],
    *["train.py", "evaluate.py", "predict.py", "export.py"],
]


@pytest.fixture(scope="session")
def smoke_runs(tmp_path_factory, make_command):
    """Trains each app once; gives (command, training's output) by app."""
    trained = {}

    def smoke_run(app):
        if app not in trained:
            command = make_command(tmp_path_factory.mktemp(app))
            done = command(f"apps.{app}.train", "--smoke")
            command(f"apps.{app}.export", f"runs/{app}")
            trained[app] = command, done.stdout
        return trained[app]

    return smoke_run


@pytest.fixture
def trained(app, smoke_runs):
    return smoke_runs(app)


def last_line(done):
    return json.loads(done.stdout.splitlines()[-1])


def test_each_app_has_the_same_files(app, root):
    names = {path.name for path in (root / "apps" / app).iterdir()}
    assert set(FILES) <= names


def test_training_ends_with_the_next_three_commands(app, trained):
    _, printed = trained
    for verb in ("evaluate", "predict", "export"):
        assert f"python -m apps.{app}.{verb} runs/{app}" in printed


def test_the_run_folder_is_complete(app, trained):
    command, _ = trained
    folder = command.folder / "runs" / app
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        *["config.json", "versions.json", "data.json", "metrics.json"],
        *["log.csv", "curves.png", "checkpoints", "model.keras"],
        "tensorboard",
    }
    assert not [name for name in names if "partial" in name]


def test_the_same_command_again_says_that_it_is_finished(app, trained):
    command, _ = trained
    done = command(f"apps.{app}.train", "--smoke")
    assert "this run is finished" in done.stdout


def test_run_and_export_score_the_same(app, trained):
    command, _ = trained
    run = command(f"apps.{app}.evaluate", f"runs/{app}")
    exported = command(f"apps.{app}.evaluate", f"exports/{app}")
    assert last_line(run)["examples"] > 0
    assert last_line(exported) == pytest.approx(last_line(run), abs=1e-6)


def test_run_and_export_answer_the_same(app, trained):
    command, _ = trained
    given = inputs_of(app, f"runs/{app}")
    run = command(f"apps.{app}.predict", f"runs/{app}", *given)
    exported = command(f"apps.{app}.predict", f"exports/{app}/1", *given)
    assert len(run.stdout.splitlines()) >= len(given)  # A video has segments.
    assert exported.stdout == run.stdout
    assert run.stderr == ""  # Nothing of TensorFlow either.


def test_limit_and_split(app, trained):
    command, _ = trained
    done = command(
        f"apps.{app}.evaluate",
        *[f"runs/{app}", "--split", "valid", "--limit", "7"],
    )
    assert last_line(done)["examples"] == 7


def test_a_wrong_split_and_a_wrong_limit(app, trained, refusal):
    evaluate, run = f"apps.{app}.evaluate", f"runs/{app}"
    folder = trained[0].folder
    error = refusal(evaluate, run, "--split", "dev", folder=folder)
    assert "--split dev: expected all or one of" in error
    error = refusal(evaluate, run, "--limit", "-1", folder=folder)
    assert "--limit must be 0 or more, got -1" in error


def test_a_second_export_is_the_next_version(app, trained):
    command, _ = trained
    done = command(f"apps.{app}.export", f"runs/{app}")
    assert f"exports/{app}/2: exported" in done.stdout
    versions = command.folder / "exports" / app
    assert sorted(path.name for path in versions.iterdir()) == ["1", "2"]


def test_every_tensor_of_the_signature_has_a_batch_axis(app, trained):
    command, _ = trained
    loaded = tf.saved_model.load(str(command.folder / "exports" / app / "1"))
    signature = loaded.signatures["serving_default"]
    inputs = signature.structured_input_signature[1]
    for spec in [*inputs.values(), *signature.structured_outputs.values()]:
        assert spec.shape[0] is None


def test_the_graph_holds_no_kernel_of_one_machine(app, trained):
    command, _ = trained
    path = command.folder / "exports" / app / "1" / "saved_model.pb"
    content = path.read_bytes()
    for word in (b"Cudnn", b"PyFunc"):
        assert word not in content


def test_the_warm_up_requests_play(app, trained):
    from tensorflow_serving.apis import prediction_log_pb2

    command, _ = trained
    folder = command.folder / "exports" / app / "1"
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures["serving_default"]
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
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


@pytest.mark.parametrize("verb", ["evaluate", "predict", "export"])
def test_a_run_that_is_not_there(app, refusal, tmp_path, verb):
    inputs = INPUTS[app] if verb == "predict" else []
    error = refusal(f"apps.{app}.{verb}", "nowhere", *inputs)
    assert "nowhere: expected a run folder" in error
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_flag(app, refusal):
    error = refusal(f"apps.{app}.train", "--epoch", "3")
    assert "unknown argument --epoch; did you mean --epochs?" in error


def test_data_that_are_not_there(app, command):
    # In a process of its own: no line of a library may come before it.
    error = command.error(f"apps.{app}.train", "--data", "nowhere.csv")
    assert "--data nowhere.csv: no such file or folder" in error
    assert list(command.folder.iterdir()) == []


@pytest.mark.slow  # The training tests of each app do it in one process.
def test_ctrl_c_saves_and_the_same_command_goes_on(app, command, root):
    arguments = ["--smoke", "--epochs", "50", "--patience", "50"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", f"apps.{app}.train", *arguments],
        cwd=command.folder,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("epoch 1/50"):
            process.send_signal(signal.SIGINT)
            break
    rest = process.stdout.read()
    assert process.wait() == 130, rest
    process.stdout.close()
    assert "the same command goes on from here" in rest
    done = command(
        f"apps.{app}.train", "--smoke", "--epochs", "2", "--patience", "50"
    )
    assert "going on after epoch" in done.stdout
