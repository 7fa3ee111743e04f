"""What the apps reach on real data: `pytest --real-data FOLDER -m real_data`.

The folder holds `imdb/train.csv.gz`, the labelled training half of the Large
Movie Review data with columns `text` and `label`, and `jsb_chorales/`, the JSB
Chorales in the layout of ms-tcn, each frame with the notes of the next one.
"""

import json

import pytest


@pytest.mark.real_data
def test_sentiment_learns_film_reviews(real_data, command):
    run = command.folder / "run"
    command(
        "apps.sentiment.train",
        *["--data", real_data.resolve() / "imdb" / "train.csv.gz"],
        *["--run-dir", run],
        timeout=3600,
    )
    done = command("apps.sentiment.evaluate", run, "--split", "valid")
    scores = json.loads(done.stdout.splitlines()[-1])
    assert scores["accuracy"] >= 0.885


@pytest.mark.real_data
def test_video_tagging_learns_chorales(real_data, command):
    run = command.folder / "run"
    command(
        "apps.video_tagging.train",
        *["--data", real_data.resolve() / "jsb_chorales", "--multi-label"],
        *["--causal", "--scale", "none", "--num-buckets", 2, "--units", 300],
        *["--dropout", 0.5, "--feature-dropout", 0.1, "--batch-size", 4],
        *["--learning-rate", 4e-3, "--learning-rate-decay", 0.95],
        *["--epochs", 80, "--patience", 8, "--run-dir", run],
        timeout=3600,
    )
    done = command("apps.video_tagging.evaluate", run)
    scores = json.loads(done.stdout.splitlines()[-1])
    assert scores["nll"] <= 8.45
