"""The text that is shown after training."""

import shlex

from common.data.example_text import choose_text


def test_the_first_short_text_of_known_words_is_shown():
    long = "one two three four five six seven eight nine ten eleven twelve end"
    texts = [long, "No.", "it is bar foo", "it's as good as it gets", "not bad"]
    lengths = [len(text.split()) for text in texts]
    chosen = choose_text(texts, lengths, [0, 0, 1, 0, 0])
    assert shlex.split(chosen) == ["it's as good as it gets"]
    # Among such, one that is easy to quote.
    texts.append("as good as it gets")
    chosen = choose_text(texts, [*lengths, 5], [0, 0, 1, 0, 0, 0])
    assert chosen == "'as good as it gets'"


def test_without_a_short_one_the_shortest_is_shown():
    assert choose_text(["a b", "a"], [2, 1], [0, 0]) == "a"
    assert choose_text(["a b", "c"], [2, 1], [0, 1]) == "'a b'"


def test_no_text_is_taken_for_a_flag():
    texts = ["--help me with that", " -5 degrees are too cold", "a b"]
    assert choose_text(texts, [5, 6, 2], [0, 0, 9]) == "'a b'"


def test_line_ends_and_marks_of_the_shell_reach_the_model():
    text = 'He said\n"$HOME" isn\'t `here`!'
    chosen = choose_text([text], [9], [0])
    assert "\n" not in chosen
    assert shlex.split(chosen) == ['He said "$HOME" isn\'t `here`!']
