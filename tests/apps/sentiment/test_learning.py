"""The default command learns what counting words cannot."""

import json

import pytest


@pytest.mark.nightly
def test_the_default_training_learns_to_read(command):
    command("apps.sentiment.train", timeout=600)
    done = command("apps.sentiment.evaluate", "runs/sentiment")
    scores = json.loads(done.stdout.splitlines()[-1])
    assert scores["examples"] == 1000
    assert scores["accuracy"] >= 0.97
