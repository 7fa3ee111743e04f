"""The default command learns to say what is in pictures of new pairs."""

import json

import pytest


@pytest.mark.nightly
def test_the_default_training_learns_to_caption(command):
    command("apps.captioning.train", timeout=3_600)
    done = command("apps.captioning.evaluate", "runs/captioning")
    scores = json.loads(done.stdout.splitlines()[-1])
    assert scores["examples"] == 600
    assert scores["right"] >= 0.9
    assert scores["shuffled_cider"] < scores["cider"] / 3
