"""The default command learns what counting words cannot."""

import json
from pathlib import Path

import pytest

from apps.sentiment import predictor
from apps.sentiment.config import Config

# What newcomers try, and the answer that a person gives.
SENTENCES = Path(__file__).with_name("first_sentences.tsv")


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_default_training_learns_to_read(command, tmp_path, seed):
    run = tmp_path / "run"
    command("apps.sentiment.train", "--seed", seed, "--run-dir", run)
    done = command("apps.sentiment.evaluate", run)
    scores = json.loads(done.stdout.splitlines()[-1])
    assert scores["examples"] == Config().num_examples // 10
    assert scores["accuracy"] >= 0.97
    lines = SENTENCES.read_text("utf-8").splitlines()[1:]
    labels, texts = zip(*(line.split("\t") for line in lines), strict=True)
    model = predictor.load(str(run))
    answers = dict(model.predict(["not bad at all", *texts]))
    assert answers["not bad at all"].label == "positive"
    wrong = [
        text
        for label, text in zip(labels, texts, strict=True)
        if answers[text].label != label
    ]
    print(f"seed {seed}: {len(texts) - len(wrong)} of {len(texts)} sentences")
    assert len(wrong) <= 0.1 * len(texts), wrong
