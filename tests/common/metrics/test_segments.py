"""Scores of segments against oracles in another style, and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.metrics import segments as metrics
from common.metrics.segments import (
    Counts,
    edit_score,
    f1_counts,
    score,
)

relaxed = settings(deadline=None, derandomize=True)
# Enough for what does not depend on numbers; the oracles get more.
brief = settings(relaxed, max_examples=30)

SILENCE = "_"  # The background of these tests.

frames = st.tuples(st.sampled_from("abc_"), st.sampled_from("abc_"))
# Each video: pairs of a true and a predicted tag.
videos = st.lists(st.lists(frames, min_size=1, max_size=30), min_size=1)
backgrounds = st.sampled_from([(), (SILENCE,), ("a", SILENCE)])
overlaps = st.sampled_from([0.1, 0.25, 0.5, 0.75, 1.0])


def split(pairs):
    """Truths and predictions of videos of pairs."""
    return tuple(
        [[pair[side] for pair in video] for video in pairs] for side in (0, 1)
    )


# By the description of ms-tcn's evaluation: matrices in place of our loops,
# a recursion in place of our table.


def oracle_runs(tags, background):
    tags = np.asarray(tags)
    changes = np.flatnonzero(tags[1:] != tags[:-1]) + 1
    starts, ends = np.r_[0, changes], np.r_[changes, len(tags)]
    kept = ~np.isin(tags[starts], list(background))
    return tags[starts][kept], starts[kept], ends[kept]


def oracle_distance(first, second):
    distances = {}

    def distance(i, j):
        if not i or not j:
            return i + j
        if (i, j) not in distances:
            distances[i, j] = min(
                distance(i - 1, j) + 1,
                distance(i, j - 1) + 1,
                distance(i - 1, j - 1) + (first[i - 1] != second[j - 1]),
            )
        return distances[i, j]

    return distance(len(first), len(second))


def oracle_edit(truth, predicted, background):
    first, second = (
        oracle_runs(tags, background)[0] for tags in (truth, predicted)
    )
    longest = max(len(first), len(second))
    return 100 - 100 * oracle_distance(first, second) / longest


def oracle_counts(truth, predicted, overlap, background):
    true_tags, starts, ends = oracle_runs(truth, background)
    free = np.ones(len(true_tags), bool)
    right = wrong = 0
    for tag, start, end in zip(
        *oracle_runs(predicted, background), strict=True
    ):
        if not len(true_tags):
            wrong += 1
            continue
        ratios = [
            len({*range(start, end)} & {*range(*other)})
            / len({*range(start, end)} | {*range(*other)})
            for other in zip(starts, ends, strict=True)
        ]
        best = np.argmax(np.where(true_tags == tag, ratios, 0))
        is_hit = true_tags[best] == tag and ratios[best] >= overlap
        right += is_hit and free[best]
        wrong += not (is_hit and free[best])
        free[best] &= not is_hit
    return right, wrong, free.sum()


def oracle_f1(pairs, overlap, background):
    sums = np.sum(
        [
            oracle_counts(*video, overlap, background)
            for video in zip(*split(pairs), strict=True)
        ],
        axis=0,
    )
    right, wrong, missed = sums
    if not right:
        return 0.0 if wrong + missed else 100.0
    precision, recall = right / (right + wrong), right / (right + missed)
    return 100 * 2 * precision * recall / (precision + recall)


def test_segments_are_runs_of_equal_tags():
    assert metrics.find_segments([3, 3, 1, 3]) == [
        (3, 0, 2),
        (1, 2, 3),
        (3, 3, 4),
    ]
    assert metrics.find_segments(np.array([7])) == [(7, 0, 1)]
    assert metrics.find_segments([]) == []


@brief
@given(st.lists(st.sampled_from("ab_")))
def test_segments_hold_every_frame_once(tags):
    segments = metrics.find_segments(tags)
    rebuilt = [s.tag for s in segments for _ in range(s.start, s.end)]
    assert rebuilt == tags
    assert all(
        a.tag != b.tag for a, b in zip(segments, segments[1:], strict=False)
    )


def test_edit_score_by_hand():
    for truth, predicted, background, expected in (
        ("abc", "abc", "", 100),
        ("aabbcc", "abbbbc", "", 100),  # Lengths of segments do not count.
        ("aaaa", "abab", "", 25),  # Three of four are inserted.
        ("aabb", "bbaa", "", 0),
        ("aab_", "aabb", "", 200 / 3),
        ("aab_", "aabb", "_", 100),
        ("a_a", "aaa", "_", 50),  # Background divides: a, a against a.
        ("__", "__", "_", 100),  # No segments on either side.
        ("__", "_a", "_", 0),
        ("a", "a", "", 100),
        ("a", "b", "", 0),
        ("", "", "", 100),
    ):
        result = edit_score(truth, predicted, [*background])
        assert result == pytest.approx(expected)


def test_f1_counts_by_hand():
    for truth, predicted, overlap, expected in (
        ("aabb", "aabb", 1.0, (2, 0, 0)),
        ("aabb", "abbb", 0.5, (2, 0, 0)),  # 1 / 2 and 2 / 3.
        ("aabb", "abbb", 0.51, (1, 1, 1)),
        ("aabb", "bbaa", 0.1, (0, 2, 2)),  # Right tags that never meet.
        ("aaaaa", "aabaa", 0.25, (1, 2, 0)),  # One is hit once only.
        # The true segment of the highest overlap is taken; no second choice.
        ("aaba", "aaaa", 0.25, (1, 0, 2)),
        # Of two as good the first is taken, by both predictions.
        ("a_a", "aaa", 1 / 3, (1, 0, 1)),
        ("__", "aa", 0.1, (0, 1, 0)),
        ("aa", "__", 0.1, (0, 0, 1)),
        ("_", "_", 0.1, (0, 0, 0)),
        ("a", "a", 1.0, (1, 0, 0)),
        ("", "", 0.5, (0, 0, 0)),
    ):
        assert f1_counts(truth, predicted, overlap, [SILENCE]) == Counts(
            *expected
        )


def test_scores_by_hand():
    truths = ["aaaabb__", "cc"]
    predictions = ["aabbbb_a", "c_"]
    # Video 1: a 2 / 4, b 2 / 4, a wrong; edit 1 of 3. Video 2: c 1 / 2.
    accuracy, edit, *f1 = score(truths, predictions, [SILENCE])
    assert accuracy == pytest.approx(100 * 6 / 10)
    assert edit == pytest.approx((100 * 2 / 3 + 100) / 2)
    assert f1 == pytest.approx([100 * 6 / 7] * 3)  # 3 found, 1 wrong.


def test_videos_weigh_alike_in_the_edit_score_and_frames_in_the_accuracy():
    result = score(["a" * 9, "b"], ["a" * 9, "c"])
    assert result == pytest.approx((90, 50, 50, 50, 50))


@relaxed
@given(videos, backgrounds)
def test_scores_equal_the_oracles(pairs, background):
    result = score(*split(pairs), background)
    agree = [true == other for video in pairs for true, other in video]
    edits = [
        oracle_edit(*video, background)
        if any(len(oracle_runs(tags, background)[0]) for tags in video)
        else 100
        for video in zip(*split(pairs), strict=True)
    ]
    assert result.accuracy == pytest.approx(100 * np.mean(agree))
    assert result.edit == pytest.approx(np.mean(edits))
    for value, overlap in zip(result[2:], [0.1, 0.25, 0.5], strict=True):
        assert value == pytest.approx(oracle_f1(pairs, overlap, background))


@relaxed
@given(st.lists(frames, min_size=1), overlaps, backgrounds)
def test_counts_equal_the_oracle(pairs, overlap, background):
    truth, predicted = zip(*pairs, strict=True)
    result = f1_counts(truth, predicted, overlap, background)
    assert result == oracle_counts(truth, predicted, overlap, background)


@brief
@given(videos, backgrounds)
def test_a_perfect_prediction_scores_100(pairs, background):
    truths, _ = split(pairs)
    assert score(truths, truths, background) == (100,) * 5


@brief
@given(videos, backgrounds, st.randoms())
def test_the_order_of_videos_does_not_count(pairs, background, random):
    before = score(*split(pairs), background)
    random.shuffle(pairs)
    assert score(*split(pairs), background) == pytest.approx(before)


@brief
@given(videos, backgrounds, st.permutations(range(4)))
def test_the_names_of_tags_do_not_count(pairs, background, numbers):
    names = dict(zip("abc_", numbers, strict=True))
    renamed = [
        [np.array([names[tag] for tag in tags]) for tags in side]
        for side in split(pairs)
    ]
    other = score(*renamed, [names[tag] for tag in background])
    assert other == score(*split(pairs), background)


@relaxed
@given(st.lists(frames), backgrounds)
def test_fewer_are_found_at_a_higher_overlap(pairs, background):
    truth, predicted = split([pairs])
    counts = [
        f1_counts(*truth, *predicted, overlap, background)
        for overlap in (0.1, 0.25, 0.5, 0.75, 1.0)
    ]
    right, wrong, missed = np.transpose(counts)
    assert (np.diff(right) <= 0).all()
    assert len({*(right + wrong)}) == len({*(right + missed)}) == 1


@brief
@given(st.lists(frames), backgrounds)
def test_the_edit_score_is_symmetric(pairs, background):
    (truth,), (predicted,) = split([pairs])
    assert edit_score(truth, predicted, background) == edit_score(
        predicted, truth, background
    )


@pytest.mark.parametrize("ignore", [None, -1])
def test_frames_without_a_label_change_nothing(ignore):
    truths, predictions = [[0, 0, 1], [2]], [[0, 1, 1], [2]]
    expected = score(truths, predictions)
    # Inside of a segment, at the ends, and a video of only such frames.
    truths = [[ignore, 0, ignore, 0, 1], [2, ignore], [ignore], []]
    predictions = [[7, 0, 1, 1, 1], [2, 3], [1], []]
    assert score(truths, predictions, ignore=ignore) == expected
    if ignore is None:
        assert score(truths, predictions, ignore=-1) == expected
        assert edit_score([0, None, 0], [0, 1, 0]) == 100
        assert f1_counts([0, None, 0], [0, 1, 0], 1.0) == (1, 0, 0)


def test_wrong_lengths_are_named():
    for function in (edit_score, lambda *tags: f1_counts(*tags, 0.5)):
        with pytest.raises(ValueError, match="expected 3 frames, got 4"):
            function("abc", "abcd")
    with pytest.raises(ValueError, match="expected 3 frames, got 4"):
        score(["a", "abc"], ["a", "abcd"])
    with pytest.raises(ValueError, match="expected 2 videos, got 1"):
        score(["a", "b"], ["a"])


def test_a_data_set_without_labels_is_refused():
    for labels in ([], [[]], [[None, None], [None]]):
        with pytest.raises(ValueError, match=f"of {len(labels)} videos"):
            score(labels, labels)


def test_an_overlap_out_of_range_is_refused():
    for overlap in (0, -0.5, 1.5, math.nan):
        with pytest.raises(ValueError, match="0 < overlap <= 1"):
            f1_counts("ab", "ab", overlap)


def test_a_background_that_is_one_word_is_refused():
    with pytest.raises(ValueError, match="list of tags, got 'background'"):
        edit_score(["a", "b"], ["a", "b"], "background")
