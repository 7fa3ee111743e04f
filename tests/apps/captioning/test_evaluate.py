"""What evaluation measures, by hand-worked cases."""

import pytest

from apps.captioning import evaluate
from apps.captioning.datasets import Example
from apps.captioning.evaluate import Prediction
from common.data.skipped import Skipped
from common.errors import UserError
from common.metrics import captions


def predict(number, caption, *references):
    return Prediction(Example(f"{number}.png", "", references), caption)


PREDICTIONS = [
    predict(0, "a dog runs in snow", "a dog runs in snow", "a dog runs"),
    predict(1, "two men sit in a boat", "two men sit in a boat"),
    predict(2, "a red kite flies above", "a red kite flies above"),
]


def test_scores_are_those_of_the_shared_metrics():
    expected = captions.score(
        [x.caption for x in PREDICTIONS],
        [x.example.captions for x in PREDICTIONS],
    )
    scores = evaluate.score_captions(PREDICTIONS)
    assert scores == expected._asdict()
    assert scores["bleu_4"] == pytest.approx(100, abs=1e-3)


def test_the_control_gives_each_image_the_caption_of_another():
    control = evaluate.shuffle_captions(PREDICTIONS)
    captions = {x.example.name: x.caption for x in PREDICTIONS}
    assert sorted(x.caption for x in control) == sorted(captions.values())
    assert {x.example.name for x in control} == set(captions)
    for x in control:
        assert x.caption != captions[x.example.name]
    scores = evaluate.score(PREDICTIONS, [], is_builtin=False)
    assert scores["shuffled_bleu_4"] < 1 < 99 < scores["bleu_4"]
    assert scores["shuffled_cider"] < 0.1 * scores["cider"]


def test_a_constant_caption_scores_the_same_when_shuffled():
    predictions = [
        predict(
            k, "a dog runs in the snow", "a dog runs in the snow", f"dog {k}"
        )
        for k in range(5)
    ]
    scores = evaluate.score(predictions, [], is_builtin=False)
    assert scores["shuffled_bleu_4"] == pytest.approx(scores["bleu_4"])
    assert scores["distinct"] == pytest.approx(1 / 5)


def test_diversity_by_hand():
    predictions = [
        predict(0, "A dog.", "x"),
        predict(1, "a dog", "x"),
        predict(2, "the dog's cat runs", "x"),
        predict(3, "", "x"),
    ]
    captions = evaluate.normalize_captions(
        [Example("t", "", ("A dog!", "nothing"))]
    )
    assert evaluate.diversity(predictions, captions) == {
        "mean_words": (2 + 2 + 5 + 0) / 4,
        "distinct": 3 / 4,
        "unseen": 2 / 4,
    }


def test_the_report_shows_the_worst_captions_first():
    predictions = [*PREDICTIONS, predict(3, "a dog", "seven green bottles")]
    scores = evaluate.score(predictions, [], is_builtin=False)
    assert scores["examples"] == 4
    left_out = Skipped()
    left_out.add("truncated", "b.jpg")
    report = evaluate.make_report(predictions, scores, left_out)
    assert "skipped: 1 (truncated): b.jpg" in report
    worst = report.partition("worst captions")[2].splitlines()
    assert worst[1] == "0.00 3.png"
    assert worst[2].endswith("seven green bottles")


def test_no_images():
    with pytest.raises(UserError, match="no images to evaluate"):
        evaluate.predict_split(None, [])


def test_a_caption_is_right_if_all_facts_are():
    reference = "there is a small red ring to the left of a large blue cross"
    captions = [
        "a large blue cross with a small red ring to its left",
        "there is a small red ring to the right of a large blue cross",
        "a small red ring",
        reference,
    ]
    predictions = [predict(k, x, reference) for k, x in enumerate(captions)]
    assert evaluate.fact_accuracy(predictions) == 2 / 4
    scores = evaluate.score(predictions, [], is_builtin=True)
    assert scores["right"] == 2 / 4


def test_the_first_captions_are_shown():
    lines = evaluate.format_samples([*PREDICTIONS, *PREDICTIONS]).split("\n")
    assert len(lines) == evaluate.NUM_SAMPLES
    assert lines[1] == "  1.png -> two men sit in a boat"


def test_samples_cannot_steer_a_terminal():
    prediction = predict(0, "a \x1b[2J cat\n", "a cat")
    lines = evaluate.format_samples([prediction]).split("\n")
    assert lines == [r"  0.png -> a \x1b[2J cat\n"]
