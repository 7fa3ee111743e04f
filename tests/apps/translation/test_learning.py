"""The default command learns to translate pairs that it has never seen."""

import json

import pytest


@pytest.mark.nightly
def test_the_default_training_learns_to_translate(command):
    command("apps.translation.train", timeout=3_600)
    done = command("apps.translation.evaluate", "runs/translation")
    scores = json.loads(done.stdout.splitlines()[-1])
    assert scores["examples"] == 1000
    assert scores["bleu"] >= 95
