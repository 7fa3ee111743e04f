"""What evaluation measures, by hand-worked cases."""

import pytest

from apps.captioning import evaluate
from apps.captioning.datasets import Example
from apps.captioning.evaluate import Answer
from common.errors import UserError
from common.metrics import captions


def answer(number, caption, *references):
    return Answer(Example(f"{number}.png", "", references), caption)


ANSWERS = [
    answer(0, "a dog runs in snow", "a dog runs in snow", "a dog runs"),
    answer(1, "two men sit in a boat", "two men sit in a boat"),
    answer(2, "a red kite flies above", "a red kite flies above"),
]


def test_scores_are_those_of_the_shared_metrics():
    expected = captions.score(
        [x.caption for x in ANSWERS], [x.example.captions for x in ANSWERS]
    )
    scores = evaluate.score_answers(ANSWERS)
    assert scores == expected._asdict() | {"examples": 3}
    assert scores["bleu_4"] == pytest.approx(100, abs=1e-3)


def test_the_control_gives_each_image_the_caption_of_another():
    control = evaluate.shuffled(ANSWERS)
    given = {x.example.name: x.caption for x in ANSWERS}
    assert sorted(x.caption for x in control) == sorted(given.values())
    assert {x.example.name for x in control} == set(given)
    for x in control:
        assert x.caption != given[x.example.name]
    scores = evaluate.metrics(ANSWERS, [], is_builtin=False)
    assert scores["shuffled_bleu_4"] < 1 < 99 < scores["bleu_4"]
    assert scores["shuffled_cider"] < 0.1 * scores["cider"]


def test_a_constant_caption_scores_the_same_when_shuffled():
    answers = [
        answer(
            k, "a dog runs in the snow", "a dog runs in the snow", f"dog {k}"
        )
        for k in range(5)
    ]
    scores = evaluate.metrics(answers, [], is_builtin=False)
    assert scores["shuffled_bleu_4"] == pytest.approx(scores["bleu_4"])
    assert scores["distinct"] == pytest.approx(1 / 5)


def test_variety_by_hand():
    answers = [
        answer(0, "A dog.", "x"),
        answer(1, "a dog", "x"),
        answer(2, "the dog's cat runs", "x"),
        answer(3, "", "x"),
    ]
    known = evaluate.known_captions([Example("t", "", ("A dog!", "nothing"))])
    assert evaluate.variety(answers, known) == {
        "mean_words": (2 + 2 + 5 + 0) / 4,
        "distinct": 3 / 4,
        "unseen": 2 / 4,
    }


def test_the_report_shows_the_worst_captions_first():
    answers = [*ANSWERS, answer(3, "a dog", "seven green bottles")]
    scores = evaluate.metrics(answers, [], is_builtin=False)
    report = evaluate.report(
        scores, answers, {"truncated": {"count": 1, "first": ["b.jpg"]}}
    )
    assert "skipped: 1 (truncated): b.jpg" in report
    worst = report.partition("worst captions")[2].splitlines()
    assert worst[1] == "0.00 3.png"
    assert worst[2].endswith("seven green bottles")


def test_a_split_that_is_not_there():
    with pytest.raises(UserError, match="--split dev: expected all or one of"):
        evaluate.select({"train": [], "valid": []}, "dev")


def test_all_splits_together():
    splits = {"train": [ANSWERS[0].example], "valid": [ANSWERS[1].example]}
    assert evaluate.select(splits, "all") == [x.example for x in ANSWERS[:2]]


def test_no_images():
    with pytest.raises(UserError, match="no images to evaluate"):
        evaluate.collect(None, [], None)
