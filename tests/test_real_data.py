"""What the apps reach on real data: `pytest --real-data FOLDER -m real_data`.

The folder holds `imdb/train.csv.gz`, the labelled training half of the Large
Movie Review data with columns `text` and `label`.
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
