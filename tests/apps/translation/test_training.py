import dataclasses
import os
import shutil
import signal

import numpy as np
import pytest

from apps.translation import batches, data, pipeline, text, train
from apps.translation.config import SMOKE, Config
from common.errors import UserError
from common.training import checkpoints, interrupts

# One width of batches, for every other one is compiled anew.
SMALL = dataclasses.replace(
    SMOKE,
    level="word",
    num_examples=60,
    units=8,
    embedding_dim=8,
    bidirectional=False,
    batch_tokens=320,
    num_buckets=1,
)


def run_to(folder, epochs, **options):
    config = dataclasses.replace(
        SMALL, run_dir=str(folder), epochs=epochs, patience=9, **options
    )
    train.train(config)
    path, state = checkpoints.newest(folder / "checkpoints")
    with np.load(path / checkpoints.VARIABLES) as values:
        return state, {name: values[name] for name in values.files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "whole"


@pytest.fixture(scope="module")
def four_epochs(folder):
    """A run of four epochs in one go: its state and all its variables."""
    return run_to(folder, epochs=4)


def losses(state):
    return [
        (row["loss"], row["val_loss"], row["val_bleu"], row["val_chrf"])
        for row in state["history"]
    ]


def assert_same_run(run, other):
    assert losses(run[0]) == losses(other[0])
    assert run[1].keys() == other[1].keys()
    for name, value in run[1].items():
        np.testing.assert_array_equal(value, other[1][name])


def test_another_seed_gives_other_losses(tmp_path, four_epochs, capsys):
    state, _ = run_to(tmp_path / "other", epochs=1, seed=1)
    assert losses(state)[0] != losses(four_epochs[0])[0]
    assert capsys.readouterr().out.count(" -> ") == train.NUM_SAMPLES


def test_two_epochs_and_two_more_are_four(tmp_path, four_epochs):
    # So the same seed gives the same losses and weights.
    two_epochs = run_to(tmp_path / "run", epochs=2)
    assert losses(two_epochs[0]) == losses(four_epochs[0])[:2]
    assert_same_run(run_to(tmp_path / "run", epochs=4), four_epochs)


def num_batches():
    dataset = data.load(SMALL)
    return len(batches.batches(dataset.train, SMALL, epoch=0))


# In the middle of the second epoch, and at its very end.
@pytest.mark.parametrize("num_left", [1, 0])
def test_a_run_stopped_by_ctrl_c_goes_on_exactly(
    tmp_path, four_epochs, monkeypatch, capsys, num_left
):
    in_epoch = num_batches()
    assert in_epoch > 2
    done = interrupts.Stop.on_train_batch_end
    num_done = 0

    def interrupted(self, batch, logs=None):
        nonlocal num_done
        num_done += 1
        if num_done == 2 * in_epoch - num_left:
            os.kill(os.getpid(), signal.SIGINT)
        done(self, batch, logs)

    monkeypatch.setattr(interrupts.Stop, "on_train_batch_end", interrupted)
    with pytest.raises(SystemExit) as stopped:
        run_to(tmp_path / "run", epochs=4)
    assert stopped.value.code == 130
    assert "the same command goes on from here" in capsys.readouterr().out
    _, state = checkpoints.newest(tmp_path / "run" / "checkpoints")
    place = (1, in_epoch - num_left) if num_left else (2, 0)
    assert (state["epoch"], state["step"]) == place
    resumed = run_to(tmp_path / "run", epochs=4)
    # The loss of the epoch that was cut is the mean over its second part.
    if num_left:
        resumed[0]["history"][1]["loss"] = four_epochs[0]["history"][1]["loss"]
    assert_same_run(resumed, four_epochs)


def test_a_run_that_diverges_says_so(tmp_path):
    with pytest.raises(
        UserError, match="the loss is nan in epoch 1; try a low"
    ):
        run_to(tmp_path / "run", 1, learning_rate=1e30, clip_norm=1e30)


def test_a_finished_run_says_so_and_changes_nothing(
    folder, four_epochs, capsys
):
    model_file = folder / "model.keras"
    before = model_file.read_bytes()
    assert_same_run(run_to(folder, epochs=4), four_epochs)
    assert "this run is finished after epoch 4" in capsys.readouterr().out
    assert model_file.read_bytes() == before


def test_other_options_on_the_same_folder_are_refused(folder, four_epochs):
    with pytest.raises(UserError, match=r"units 8 \(now 6\)"):
        run_to(folder, epochs=4, units=6)


@pytest.mark.parametrize("side", ["source", "target"])
def test_other_data_on_the_same_folder_are_refused(
    folder, four_epochs, tmp_path, side
):
    shutil.copytree(folder, tmp_path / "run")
    with (tmp_path / "run" / f"{side}_vocabulary.txt").open("a") as words:
        words.write(" more\n")
    expected = rf"the data have changed .* \({side}_vocabulary.txt differs\)"
    with pytest.raises(UserError, match=expected):
        run_to(tmp_path / "run", epochs=5)


def test_the_log_has_what_users_care_about(four_epochs):
    row = four_epochs[0]["history"][0]
    assert row["target_tokens_per_second"] > 0
    assert 0 <= row["val_bleu"] <= 100
    assert 0 <= row["val_chrf"] <= 100


def test_a_missing_sacrebleu_is_told_before_the_first_epoch(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(train.sys.modules, "sacrebleu", None)
    with pytest.raises(UserError, match="BLEU and chrF need the package"):
        run_to(tmp_path / "run", epochs=1)
    assert not (tmp_path / "run").exists()


WORDS = [" cat", " dog", " the", "."]


def translator_of_words(**options):
    config = dataclasses.replace(SMALL, **options)
    return pipeline.build(config, WORDS, WORDS), config


def test_pretrained_vectors_stand_where_their_words_are(tmp_path, capsys):
    path = tmp_path / "vectors.txt"
    path.write_text(
        "3 8\ndog 1 2 3 4 5 6 7 8\nbird 0 0 0 0 0 0 0 0\n. 8 7 6 5 4 3 2 1\n"
    )
    whole, config = translator_of_words(target_vectors=str(path))
    before = whole.seq2seq.encoder.embedding.embeddings.numpy()
    train.fill_vectors(whole, config)
    assert f"{path}: vectors of 2 of 4 tokens" in capsys.readouterr().out
    filled = whole.seq2seq.decoder.embedding.embeddings.numpy()
    dog, dot = text.NUM_SPECIAL + 1, text.NUM_SPECIAL + 3
    assert filled[dog].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert filled[dot].tolist() == [8, 7, 6, 5, 4, 3, 2, 1]
    np.testing.assert_array_equal(
        whole.seq2seq.encoder.embedding.embeddings.numpy(), before
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("dog 1 2 3\n", r":1: a vector of 3 numbers, but --embedding-dim is 8"),
        ("dog 1 2 3 4 5 6 7 x\n", r":1: expected a word and numbers: .*'x'"),
    ],
)
def test_vectors_that_do_not_fit(tmp_path, content, expected):
    path = tmp_path / "vectors.txt"
    path.write_text(content)
    whole, config = translator_of_words(source_vectors=str(path))
    with pytest.raises(UserError, match=expected):
        train.fill_vectors(whole, config)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"units": 7}, "--units must be even, half for each direction, got 7"),
        ({"num_layers": 5}, "--num-layers must be at least 1 and below 5"),
        (
            {"attention": "none", "coverage_penalty": 1.0},
            "--coverage-penalty needs attention",
        ),
        ({"level": "subword", "source_vectors": "v.txt"}, "add --level word"),
    ],
)
def test_options_that_cannot_work(options, expected):
    with pytest.raises(UserError, match=expected):
        dataclasses.replace(Config(), **options)
