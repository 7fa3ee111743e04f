import contextlib
import dataclasses
import io
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from apps.captioning import (
    batches,
    data,
    features,
    finetuning,
    pipeline,
    train,
)
from apps.captioning import encoder as encoders
from apps.captioning.config import SMOKE, Config
from apps.captioning.datasets import Example, samples
from apps.captioning.datasets.builtin import (
    __main__ as builtin_folder,
)
from common.data import feature_files
from common.errors import UserError
from common.training import checkpoints, interrupts, runs

# Small pictures and one width of batches: every other one is compiled anew.
SMALL = dataclasses.replace(
    SMOKE,
    num_examples=40,
    min_count=1,
    max_words=8,
    image_size=32,
    doubly_stochastic=1.0,
    units=8,
    embedding_dim=8,
    batch_size=16,
    num_buckets=1,
    patience=9,
)
SAMPLED = dataclasses.replace(SMALL, scheduled_sampling=0.5, sampling_epochs=2)
MOBILE = dataclasses.replace(
    SMALL,
    data="scenes",
    decoder="first_input",
    encoder="MobileNetV2",
    encoder_weights="none",
    image_size=32,
    epochs=1,
)
BROKEN = {
    "train-00000.png": "not a picture",
    "train-00001.png": "empty file",
    "train-00002.png": "truncated or damaged",
    "valid-00003.png": "truncated or damaged",
}


def run_to(folder, epochs, config=SAMPLED, **options):
    train.train(
        dataclasses.replace(
            config, run_dir=str(folder), epochs=epochs, **options
        )
    )
    path, state = checkpoints.newest(folder / "checkpoints")
    with np.load(path / checkpoints.VARIABLES) as values:
        return state, {name: values[name] for name in values.files}


def quietly(function, *args, **kwargs):
    """The result of a function, and what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        result = function(*args, **kwargs)
    return result, printed.getvalue()


def scores(state):
    return [
        (row["loss"], row["val_loss"], row["val_cider"], row["val_bleu_4"])
        for row in state["history"]
    ]


def assert_same_run(run, other):
    assert scores(run[0]) == scores(other[0])
    assert run[1].keys() == other[1].keys()
    for name, value in run[1].items():
        np.testing.assert_array_equal(value, other[1][name])


@pytest.fixture(scope="module", autouse=True)
def no_curves():
    """Leaves out the picture of the log: it takes longer than an epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_draw_curves", lambda path, history: None)
        yield


# Going on


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "whole"


@pytest.fixture(scope="module")
def four_epochs(folder):
    """A run of four epochs in one go: its state and all its variables."""
    return run_to(folder, epochs=4)


def test_another_seed_has_other_weights_and_another_order(
    tmp_path, monkeypatch
):
    class StoppedError(Exception):
        pass

    begun = []

    def train_epoch(run, whole, greedy, dataset, stop):
        (images, _), _, _ = next(
            iter(batches.batches(dataset.train, run.config, run.epoch))
        )
        weights = [value.ravel() for value in whole.get_weights()]
        begun.append((np.concatenate(weights), images.numpy()))
        raise StoppedError

    monkeypatch.setattr(train, "train_epoch", train_epoch)
    # Two seeds have the same pictures only where they do not draw them.
    builtin_folder.write(tmp_path / "scenes", 20, seed=0)
    config = dataclasses.replace(SMALL, data=str(tmp_path / "scenes"))
    for number, seed in enumerate((0, 0, 1)):
        with pytest.raises(StoppedError):
            run_to(tmp_path / f"{number}", 1, config, seed=seed)
    first, again, other = begun
    for kind in range(2):
        np.testing.assert_array_equal(first[kind], again[kind])
        assert not np.array_equal(first[kind], other[kind])
    assert np.mean(first[0] != other[0]) > 0.9  # Biases begin with zeros.


def test_two_epochs_and_two_more_are_four(tmp_path, four_epochs, capsys):
    # So the same seed gives the same losses and weights.
    two_epochs = run_to(tmp_path / "run", epochs=2)
    printed = capsys.readouterr().out
    assert "40 training images with 200 captions, 10 validation" in printed
    assert printed.count(" -> ") == 2 * samples.NUM_SHOWN
    assert "epoch 2/2: validation CIDEr 0." in printed
    assert scores(two_epochs[0]) == scores(four_epochs[0])[:2]
    assert_same_run(run_to(tmp_path / "run", epochs=4), four_epochs)


def stopped(folder, after, monkeypatch):
    """Trains four epochs until Ctrl-C comes after so many batches."""
    done = interrupts.Stop.on_train_batch_end
    num_done = 0

    def interrupted(self, batch, logs=None):
        nonlocal num_done
        num_done += 1
        if num_done == after:
            os.kill(os.getpid(), signal.SIGINT)
        done(self, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(interrupts.Stop, "on_train_batch_end", interrupted)
        with pytest.raises(SystemExit) as status:
            run_to(folder, epochs=4)
    assert status.value.code == 130
    return checkpoints.newest(folder / "checkpoints")[1]


def test_a_run_stopped_by_ctrl_c_twice_goes_on_exactly(
    tmp_path, four_epochs, monkeypatch, capsys
):
    in_epoch = 3  # 40 images, one caption of each, 16 in a batch.
    # In the middle of the second epoch, and at the very end of the third.
    state = stopped(tmp_path / "run", in_epoch + 2, monkeypatch)
    assert (state["epoch"], state["step"]) == (1, 2)
    assert "the same command goes on from here" in capsys.readouterr().out
    state = stopped(tmp_path / "run", 1 + in_epoch, monkeypatch)
    assert (state["epoch"], state["step"]) == (3, 0)
    assert "going on after epoch 1, 2 batches" in capsys.readouterr().out
    resumed = run_to(tmp_path / "run", epochs=4)
    # The loss of the epoch that was cut is the mean over its second part.
    resumed[0]["history"][1]["loss"] = four_epochs[0]["history"][1]["loss"]
    assert_same_run(resumed, four_epochs)


def test_a_finished_run_says_so_and_changes_nothing(
    folder, four_epochs, capsys
):
    before = (folder / runs.MODEL).read_bytes()
    assert_same_run(run_to(folder, epochs=4), four_epochs)
    assert "this run is finished after epoch 4" in capsys.readouterr().out
    assert (folder / runs.MODEL).read_bytes() == before


def test_other_options_on_the_same_folder_are_refused(folder, four_epochs):
    with pytest.raises(UserError, match=r"units 8 \(now 6\)"):
        run_to(folder, epochs=4, units=6)


def test_other_words_on_the_same_folder_are_refused(
    folder, four_epochs, tmp_path
):
    shutil.copytree(folder, tmp_path / "run")
    with (tmp_path / "run" / "vocabulary.txt").open("a") as words:
        words.write("more\n")
    expected = r"the data have changed .* \(vocabulary.txt differs\)"
    with pytest.raises(UserError, match=expected):
        run_to(tmp_path / "run", epochs=5)


def test_a_run_that_diverges_says_so(tmp_path):
    with pytest.raises(
        UserError, match="the loss is nan in epoch 1; try a low"
    ):
        run_to(tmp_path / "run", 1, learning_rate=1e30, clip_norm=1e30)
    assert not (tmp_path / "run" / runs.MODEL).exists()


def test_the_log_has_what_users_care_about(folder, four_epochs):
    rows = four_epochs[0]["history"]
    for epoch, row in enumerate(rows):
        rate = SMALL.learning_rate * SMALL.learning_rate_decay**epoch
        assert row["learning_rate"] == rate
        assert row["val_cider"] >= 0 and 0 <= row["val_bleu_4"] <= 100
    header = (folder / "log.csv").read_text().partition("\n")[0].split(",")
    assert header == list(rows[0])
    best = runs.read_json(folder / "metrics.json")["best"]
    assert best["val_cider"] == max(row["val_cider"] for row in rows)


def test_the_first_validation_pictures_lie_in_the_run(folder, four_epochs):
    found = sorted(path.name for path in (folder / samples.FOLDER).iterdir())
    assert found == [f"valid-0000{number}.png" for number in range(8)]
    report = runs.read_json(folder / "data.json")
    assert report["example"] == f"{folder}/samples/valid-00000.png"
    assert report["train"] == {"images": 40, "captions": 200}
    assert report["skipped"] == {}
    assert report["features_of"] is None


# What is drawn


def test_the_share_of_sampled_words_grows_to_its_end(four_epochs):
    rates = [train.sampling_rate(SAMPLED, epoch) for epoch in range(5)]
    assert rates == [0, 0.25, 0.5, 0.5, 0.5]
    assert train.sampling_rate(SMALL, 7) == 0
    scalars = [v for name, v in four_epochs[1].items() if name.endswith(" ()")]
    # Beside it: step and learning rate of the optimizer.
    assert [float(x) for x in scalars].count(0.5) == 1


def test_captions_per_image_say_how_long_an_epoch_is():
    dataset = data.load(SMALL)
    for num_each, num_batches in ((1, 3), (2, 5), (9, 13), (0, 13)):
        config = dataclasses.replace(SMALL, captions_per_image=num_each)
        drawn = batches.batches(dataset.train, config, epoch=0)
        assert len(drawn) == num_batches
        assert len(batches.batches(dataset.valid, config)) == 4  # 50 captions.


# Features in place of pictures


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with scenes, some of them broken, and files of features."""
    place = tmp_path_factory.mktemp("place")
    builtin_folder.write(place / "scenes", 12, seed=0)
    rng = np.random.default_rng(0)
    names = [
        f"{split}-{number:05}.png"
        for split in ("train", "valid", "test")
        for number in range(12)
    ]
    signature = encoders.signature(MOBILE)
    for name, regions, encoder in (
        ("grid", 4, None),
        ("vector", 1, None),
        ("mobile", 4, signature),
        ("resized", 4, signature | {"image_size": 64, "pooled": True}),
    ):
        values = rng.normal(size=[len(names), regions, 6]).astype("f")
        given = feature_files.Features(
            [*names[1:], "other.png"], values, encoder=encoder
        )
        feature_files.save(place / f"{name}.npz", given)
    images = place / "scenes" / "images"
    whole = (images / "train-00002.png").read_bytes()
    (images / "train-00000.png").write_bytes(b"these are words")
    (images / "train-00001.png").write_bytes(b"")
    (images / "train-00002.png").write_bytes(whole[:-200])
    (images / "valid-00003.png").write_bytes(whole[:300])
    return place


@pytest.fixture
def here(place, monkeypatch):
    """Makes the folder the current one."""
    monkeypatch.chdir(place)
    return place


def given(name, **options):
    config = dataclasses.replace(SMALL, data="scenes", features=f"{name}.npz")
    return dataclasses.replace(config, **options)


def test_training_on_features_of_others(here, monkeypatch, capsys):
    flags = {
        "--data": "scenes",
        "--features": "grid.npz",
        "--captions-per-image": 0,
        "--epochs": 1,
        "--units": 8,
        "--batch-size": 16,
        "--run-dir": "given",
    }
    arguments = [str(x) for pair in flags.items() for x in pair]
    monkeypatch.setattr("sys.argv", ["train", "--smoke", *arguments])
    train.main()
    printed = capsys.readouterr().out
    # Nobody opens the pictures: only one has no features.
    assert "11 training images with 55 captions, 12 validation" in printed
    assert "skipped: 1 (without features): train-00000.png" in printed
    assert "skipped: 1 (features without a caption): other.png" in printed
    assert "apps.captioning.predict given --features " in printed
    assert ".npz valid-00000.png" in printed
    model = pipeline.load(here / "given" / runs.MODEL)
    assert not model.has_encoder
    assert model.feature_shape == (4, 6)
    assert not (here / "given" / "samples").exists()
    assert runs.read_json(here / "given" / "data.json")["features_of"] is None
    with pytest.raises(UserError, match="--finetune given: a model of given f"):
        finetuning.model_before(
            dataclasses.replace(MOBILE, finetune="given", run_dir="x")
        )


def test_features_of_a_known_encoder_are_told_in_the_report(here):
    dataset = data.load(given("mobile", encoder_weights="none"))
    assert dataset.report["features_of"] == encoders.signature(MOBILE)
    assert dataset.feature_shape == (4, 6)
    # With the encoder named, the model will know pictures too.
    dataset = data.load(dataclasses.replace(MOBILE, features="mobile.npz"))
    assert dataset.feature_shape is None
    rows = dataset.valid.images.batch(np.array([1, 0], np.int32))
    stored = feature_files.load(Path("mobile.npz"))
    places = [stored.rows[f"valid-0000{number}.png"] for number in (1, 0)]
    np.testing.assert_array_equal(rows, stored.values[places])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            dataclasses.replace(MOBILE, features="grid.npz"),
            "--features grid.npz: it does not tell which encoder made it; leave"
            " out --encoder MobileNetV2",
        ),
        (
            dataclasses.replace(MOBILE, features="resized.npz"),
            r"--features resized.npz: features of another encoder: image_size"
            r" 64 \(now 32\), pooled True \(now False\)$",
        ),
        (
            dataclasses.replace(MOBILE, features="mobile.npz", seed=7),
            r"another encoder: weights none, seed 0 \(now none, seed 7\)$",
        ),
        (
            given("vector"),
            "--features vector.npz: one vector for each image, and --decoder"
            " attention needs a grid: choose --decoder first_input or",
        ),
        (given("gone"), "gone.npz: cannot read it .No such file"),
        (
            dataclasses.replace(MOBILE, data="builtin"),
            "--encoder MobileNetV2 needs files: write the builtin ones with"
            " python -m apps.captioning.datasets.builtin FOLDER, and pass"
            " --data FOLDER",
        ),
        (
            dataclasses.replace(MOBILE, encoder_weights="gone.h5"),
            "--encoder-weights gone.h5: cannot read it .No such file",
        ),
    ],
)
def test_features_and_encoders_that_do_not_fit(here, config, message):
    with pytest.raises(UserError, match=message) as caught:
        data.load(config)
    assert "\n" not in str(caught.value)


def test_one_vector_of_each_image_is_enough_for_other_decoders(here):
    for kind in ("first_input", "initial_state"):
        dataset = data.load(given("vector", decoder=kind))
        assert dataset.feature_shape == (1, 6)


def test_features_need_captions():
    with pytest.raises(UserError, match="--features needs --data too"):
        dataclasses.replace(SMALL, features="grid.npz")


# Broken pictures


def skipped_pictures(report):
    return {
        name: reason
        for reason, skipped in report["skipped"].items()
        for name in skipped["first"]
    }


def assert_told(dataset):
    assert skipped_pictures(dataset.report) == BROKEN
    assert dataset.report["train"] == {"images": 9, "captions": 45}
    assert dataset.report["valid"] == {"images": 11, "captions": 55}
    assert len(dataset.valid_examples) == 11
    lines = train.describe(dataset).splitlines()
    assert lines[0].startswith("9 training images with 45 captions, 11 valid")
    assert (
        "skipped: 2 (truncated or damaged): train-00002.png, valid-00003.png"
        in lines
    )


def test_broken_pictures_are_left_out_of_training(here):
    dataset = data.load(dataclasses.replace(SMALL, data="scenes"))
    assert_told(dataset)
    # So every batch can be made.
    assert len(list(batches.batches(dataset.train, SMALL, epoch=0))) == 1


@pytest.mark.parametrize(
    ("split", "name"), [("train", "training"), ("valid", "validation")]
)
def test_a_split_of_broken_pictures_alone(
    place, tmp_path, monkeypatch, split, name
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(place / "scenes", "scenes")
    for path in Path("scenes/images").glob(f"{split}-*"):
        path.write_bytes(b"words")
    for config in (dataclasses.replace(SMALL, data="scenes"), MOBILE):
        with pytest.raises(
            UserError, match=f"scenes: no {name} images that can be used"
        ):
            data.load(config)


# An encoder of keras.applications


def trained(config):
    """Trains; gives the network's weights before, and what was printed."""
    compiled = train.compile_model
    before = []

    def compile_model(network, config):
        before.append(network.get_weights())
        compiled(network, config)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "compile_model", compile_model)
        _, printed = quietly(train.train, config)
    return before[0], printed


@pytest.fixture(scope="module")
def frozen(place):
    """A run with a frozen encoder: its first weights, and what was printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        return trained(dataclasses.replace(MOBILE, run_dir="frozen"))


def test_broken_pictures_are_told_before_the_first_epoch(here, frozen):
    head = frozen[1].partition("loss: ")[0]
    for line in (
        "skipped: 1 (not a picture): train-00000.png",
        "skipped: 1 (empty file): train-00001.png",
        "skipped: 2 (truncated or damaged): train-00002.png, valid-00003.png",
        "9 training images with 45 captions, 11 validation images with 55",
    ):
        assert line in head
    report = runs.read_json(here / "frozen" / "data.json")
    assert skipped_pictures(report) == BROKEN
    assert report["example"] == "scenes/images/valid-00000.png"


def test_features_are_computed_once(here, frozen):
    assert "0 pictures reused, 24 to compute" in frozen[1]
    (cached,) = Path("features").iterdir()
    assert cached.name.startswith("scenes-MobileNetV2-")
    content = feature_files.load(cached)
    assert set(content.names).isdisjoint(BROKEN)
    assert len(content.names) == 20
    dataset, printed = quietly(data.load, MOBILE)
    assert f"{cached}: 20 pictures reused, 4 to compute" in printed
    assert_told(dataset)
    rows = dataset.train.images.batch(np.array([8], np.int32))
    stored = content.values[content.rows["train-00011.png"]]
    np.testing.assert_array_equal(rows[0], stored.astype("f"))


def test_a_second_run_builds_no_network(here, frozen, tmp_path, monkeypatch):
    # Here no picture is broken, so that there is nothing to try again.
    shutil.copytree("scenes", tmp_path / "scenes")
    for name in BROKEN:
        good = "train-00005.png" if name.startswith("t") else "valid-00000.png"
        images = tmp_path / "scenes" / "images"
        (images / name).write_bytes((images / good).read_bytes())
    monkeypatch.chdir(tmp_path)
    first, _ = quietly(data.load, MOBILE)
    monkeypatch.setattr(features.encoders, "build", None)
    again, printed = quietly(data.load, MOBILE)
    assert "24 pictures reused, 0 to compute" in printed
    for one, other in ((first.train, again.train), (first.valid, again.valid)):
        numbers = np.arange(12, dtype=np.int32)
        np.testing.assert_array_equal(
            one.images.batch(numbers), other.images.batch(numbers)
        )


def test_another_encoder_has_a_cache_of_its_own():
    pooled = dataclasses.replace(MOBILE, pooled=True)
    other = dataclasses.replace(MOBILE, data="elsewhere/other scenes")
    paths = [data._cache(config) for config in (MOBILE, pooled, other)]
    assert len(set(paths)) == 3
    assert paths[2].name.startswith("other-scenes-MobileNetV2-")
    assert data._cache(dataclasses.replace(MOBILE, units=9)) == paths[0]


def test_a_frozen_encoder_stays_as_it_was(here, frozen):
    network = pipeline.load(here / "frozen" / runs.MODEL).network
    of_encoder = {id(variable) for variable in network.encoder.weights}
    changed = {True: 0, False: 0}
    for variable, before in zip(network.weights, frozen[0], strict=True):
        is_same = np.array_equal(variable.numpy(), before)
        changed[id(variable) in of_encoder] += not is_same
    assert changed[True] == 0
    assert changed[False] > 5


def is_statistic(variable):
    return "moving_" in variable.path


def test_finetuning_goes_on_with_all_weights(here, frozen):
    config = dataclasses.replace(
        MOBILE, finetune="frozen", run_dir="finetuned", min_count=3
    )
    first, printed = trained(config)
    assert "pictures reused" not in printed  # It sees the pictures.
    assert "skipped: 1 (empty file): train-00001.png" in printed
    before = pipeline.load(here / "frozen" / runs.MODEL)
    for value, other in zip(first, before.network.get_weights(), strict=True):
        np.testing.assert_array_equal(value, other)
    after = pipeline.load(here / "finetuned" / runs.MODEL)
    # Words are those of the run, though some are rarer than three.
    assert after.writer.vocabulary == before.writer.vocabulary
    kernels = 0
    for new, old in zip(
        after.network.encoder.weights,
        before.network.encoder.weights,
        strict=True,
    ):
        new_value, old_value = new.numpy(), old.numpy()
        if is_statistic(old):
            np.testing.assert_array_equal(new_value, old_value)
        elif "kernel" in old.path:
            kernels += np.any(new_value != old_value)
    assert kernels > 30
    assert sum(map(is_statistic, after.network.encoder.weights)) > 80


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("units", 9, "--units 9: the run frozen to go on from has 8; repeat"),
        ("decoder", "initial_state", "--decoder initial_state: .* first_input"),
        ("image_size", 64, "--image-size 64: the run frozen .* has 32"),
        ("encoder", "cnn", "--encoder cnn: the run frozen .* MobileNetV2"),
        ("pooled", True, "--pooled True: the run frozen .* has False"),
    ],
)
def test_finetuning_another_model_is_refused(
    here, frozen, field, value, message
):
    config = dataclasses.replace(MOBILE, finetune="frozen", run_dir="new")
    with pytest.raises(UserError, match=message):
        train.train(dataclasses.replace(config, **{field: value}))
    assert not Path("new").exists()


def test_finetuning_what_is_no_run(here):
    expected = "--finetune scenes: expected a run folder with a model.keras"
    with pytest.raises(UserError, match=expected):
        finetuning.model_before(dataclasses.replace(MOBILE, finetune="scenes"))
    assert finetuning.model_before(Config()) is None


# Samples


def test_the_first_examples_are_shown_and_written(tmp_path):
    examples = [Example(f"{k} é.png", b"png", ("a",)) for k in range(10)]
    captions = [f"caption {k}" for k in range(10)]
    shown = list(samples.first(examples, captions))
    assert shown == [(f"{k} é.png", f"caption {k}") for k in range(3)]
    samples.write(tmp_path / "run", examples)
    assert len(list((tmp_path / "run" / "samples").iterdir())) == 8
    # Again, as when a run goes on.
    samples.write(tmp_path / "run", examples[:1])
    assert len(list((tmp_path / "run" / "samples").iterdir())) == 8
    path = f"{tmp_path}/run/samples/0 é.png"
    example = samples.example_input(tmp_path / "run", examples, "")
    assert example == f"'{path}'"
    example = samples.example_input(tmp_path, examples, "f.npz")
    assert example == "--features f.npz '0 é.png'"


def test_pictures_with_files_are_not_copied(tmp_path):
    examples = [Example("a.png", "there/a b.png", ("a",))]
    samples.write(tmp_path / "run", examples)
    assert not (tmp_path / "run").exists()
    assert samples.example_input(tmp_path, examples, "") == "'there/a b.png'"


# Options


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pooled": True}, "--decoder attention needs a grid to look at"),
        ({"image_size": 15}, "--image-size must be at least 16, got 15"),
        ({"num_examples": 9}, "--num-examples must be at least 10, got 9"),
        ({"captions_per_image": -1}, "--captions-per-image must be at least 0"),
        (
            {"scheduled_sampling": 1.0},
            "--scheduled-sampling must be .* below",
        ),
        ({"sampling_epochs": 0}, "--sampling-epochs must be at least 1"),
        ({"vocab_size": 4}, "--vocab-size must be at least 5, got 4"),
        ({"max_words": 0}, "--max-words must be at least 1"),
        ({"learning_rate": 0}, "--learning-rate must be greater than 0"),
        ({"beam": 0}, "--beam must be at least 1, got 0"),
    ],
)
def test_options_that_cannot_work(options, expected):
    with pytest.raises(UserError, match=expected):
        dataclasses.replace(Config(), **options)
