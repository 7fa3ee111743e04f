import numpy as np
import pytest
import tensorflow as tf

from apps.sentiment import text


def words(*texts):
    return [
        [word.decode() for word in row.numpy()]
        for row in text.tokenize(tf.constant(texts))
    ]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Good film.", "good film ."),
        ("It wasn't bad", "it was n't bad"),
        ("it was n't bad", "it was n't bad"),  # Tokenised before.
        ("I'd say it’s 'fine'", "i 'd say it 's ' fine '"),
        ("rock'n'roll", "rock ' n ' roll"),
        ("one<br /><br />two <i>x</i>", "one two x"),
        ("a < b and c > d", "a < b and c > d"),
        ("10/10!!", "10 / 10 ! !"),
        ("NAÏVE CAFÉ", "naïve café"),
        ("a\u00a0b\u2028c\td", "a b c d"),
        ("👍👍", "👍 👍"),
        ("日本語 ok", "日 本 語 ok"),
        ("snake_case", "snake _ case"),
        ("мир", "мир"),
        ("a\x01b", "a b"),
    ],
)
def test_tokens(raw, expected):
    assert words(raw) == [expected.split()]


@pytest.mark.parametrize("raw", ["", "  \n ", "<br/>", "\u2003"])
def test_a_text_without_words_still_has_one_step(raw):
    assert words(raw) == [[text.EMPTY_TEXT]]


def test_no_text_can_contain_the_word_for_no_text():
    assert text.EMPTY_TEXT not in words(f"a {text.EMPTY_TEXT} b < empty >")[0]


def test_invalid_bytes_do_not_stop_it():
    tokens = text.tokenize(tf.constant([b"good \xff\xfe film"]))
    assert tokens.to_list() == [
        [b"good", "\ufffd".encode(), "\ufffd".encode(), b"film"]
    ]


@pytest.mark.parametrize("function", [tf.function, lambda f: f])
def test_the_same_inside_a_graph_and_a_dataset(function):
    raw = ["It wasn't bad!", "fine"]
    expected = text.tokenize(tf.constant(raw)).to_list()
    assert function(text.tokenize)(tf.constant(raw)).to_list() == expected
    dataset = tf.data.Dataset.from_tensors(raw).map(text.tokenize)
    assert next(iter(dataset)).to_list() == expected


@pytest.mark.parametrize("max_tokens", [2, 3, 4, 7])
def test_long_texts_keep_both_ends(max_tokens):
    rows = [list(range(length)) for length in (1, 2, 3, 5, 7, 8, 30)]
    kept = text.keep_ends(tf.ragged.constant(rows), max_tokens).to_list()
    first = max_tokens // 2
    for row, short in zip(rows, kept, strict=True):
        if len(row) <= max_tokens:
            assert short == row
        else:
            assert short == row[:first] + row[first - max_tokens :]


@pytest.fixture(scope="module")
def vectorizer():
    return text.Vectorizer(["good", "bad", "film"], max_tokens=6)


def test_ids(vectorizer):
    ids = vectorizer(tf.constant(["good FILM, bad", "", "film"]))
    np.testing.assert_array_equal(
        ids, [[2, 4, 1, 3], [1, 0, 0, 0], [4, 0, 0, 0]]
    )


def test_ids_of_no_texts_still_have_one_step(vectorizer):
    assert vectorizer(tf.constant([], tf.string)).shape == (0, 1)


def test_very_long_texts_and_many_emoji(vectorizer):
    ids = vectorizer(tf.constant(["good " * 100_000, "😀" * 10_000]))
    np.testing.assert_array_equal(ids, [[2] * 6, [1] * 6])


def test_ids_do_not_depend_on_the_other_texts(vectorizer):
    alone = vectorizer(tf.constant(["good film"])).numpy()
    together = vectorizer(tf.constant(["good film", "bad " * 5])).numpy()
    np.testing.assert_array_equal(together[:1, :2], alone)
    assert not together[0, 2:].any()
