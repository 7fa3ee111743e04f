"""Training: the log, the samples on the screen, and what it refuses."""

import dataclasses
import json
import shutil
import sys

import pytest

from apps.translation import evaluate, train
from apps.translation.config import SMOKE, Config
from common.errors import UserError
from common.training import runs

# Models are traced for each signature, and run: half a minute.
pytestmark = pytest.mark.slow


def test_an_epoch_shows_samples_and_logs_what_users_care_about(
    tmp_path, capsys
):
    config = dataclasses.replace(
        SMOKE,
        run_dir=str(tmp_path / "run"),
        level="word",
        num_examples=60,
        epochs=1,
        units=4,
        embedding_dim=4,
        bidirectional=False,
        batch_tokens=320,
    )
    train.train(config)
    printed = capsys.readouterr().out
    assert printed.startswith("en to fr: ")
    assert printed.count(" -> ") == 1 + evaluate.NUM_SAMPLES
    row = json.loads((tmp_path / "run" / "metrics.json").read_text())["best"]
    assert row["target_tokens_per_second"] > 0
    assert 0 <= row["val_bleu"] <= 100
    assert 0 <= row["val_chrf"] <= 100
    assert row["val_loss"] > 0
    header = (tmp_path / "run" / "log.csv").read_text().splitlines()[0]
    assert header == (
        "epoch,loss,target_tokens_per_second,val_bleu,val_chrf,val_score,val_loss,"
        "learning_rate,seconds"
    )


@pytest.mark.parametrize("side", ["source", "target"])
def test_other_data_on_the_same_folder_are_refused(run, tmp_path, side):
    shutil.copytree(run, tmp_path / "run")
    with (tmp_path / "run" / f"{side}_vocabulary.txt").open("a") as words:
        words.write(" more\n")
    config = runs.load_config(run, Config)
    config = dataclasses.replace(
        config, run_dir=str(tmp_path / "run"), epochs=config.epochs + 1
    )
    expected = rf"the data have changed .* \({side}_vocabulary.txt differs\)"
    with pytest.raises(UserError, match=expected):
        train.train(config)


def test_a_missing_sacrebleu_is_told_before_the_first_epoch(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(UserError, match="BLEU and chrF need the package"):
        train.train(dataclasses.replace(SMOKE, run_dir=str(tmp_path / "run")))
    assert not (tmp_path / "run").exists()
