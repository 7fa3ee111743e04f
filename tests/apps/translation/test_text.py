"""Texts to ids and back, and the vocabularies that say which ids there are."""

import collections
import random
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.translation import text, vocabulary
from common.errors import UserError

SENTENCES = [
    "The dog sees the cat, and the cat sees the dog!",
    "It's 5 o'clock: the children don't sleep.",
    "Die Straße führt übers Gebirge — 1200 m hoch.",
    "日本語の文章です。日本語は難しいですか。",
    "Это предложение по-русски, и это тоже.",
    "שלום עולם, שלום",
] * 3

same_each_time = settings(deadline=None, derandomize=True, max_examples=60)


def counted(*texts):
    """How often each piece occurs, as the app counts."""
    return collections.Counter(
        text.pieces(tf.constant(texts)).flat_values.numpy()
    )


def counted_words(*texts):
    """How often each word occurs, as --level word counts."""
    words = text.pieces(tf.constant(texts), "word")
    return collections.Counter(words.flat_values.numpy())


def spelled(tokenizer, string):
    """The tokens of one text."""
    ids = tokenizer.ragged_ids(tf.constant([string]))[0]
    return tf.gather(tokenizer.tokens, ids).numpy().tolist()


@pytest.fixture(scope="module")
def tokenizers():
    counts = counted(*SENTENCES)
    return {
        level: text.Tokenizer(vocabulary.learn(counts, level, 400), level)
        for level in text.LEVELS
    }


@pytest.fixture(scope="module")
def graphs(tokenizers):
    """The same, traced once: hypothesis calls them often."""
    signature = [tf.TensorSpec([None], tf.string)]
    return {
        level: tf.function(tokenizer.__call__, input_signature=signature)
        for level, tokenizer in tokenizers.items()
    }


@pytest.fixture(params=text.LEVELS)
def level(request):
    return request.param


@pytest.fixture(params=["subword", "char"])
def exact_level(request):
    return request.param


# Any text that UTF-8 can write, and what cuts and joins might trip over.
CHARACTERS = st.characters(exclude_categories=["Cs"])
ODD = st.sampled_from(
    [
        "\x00",
        "\r\n",
        "\t",
        "\x0b\x0c\x1c\x85",
        " ",
        "  ",
        "\u00a0",
        "\u2028\u2029",
        "\u3000",
        "\ufeff",
        "\ufffd",
        "\uffff\U0010ffff",
        "<unk>",
        "\\x41",
        "e\u0301\u0301\u0301",
        "👩‍👩‍👧‍👦",
        "🏳️‍🌈🇨🇭",
        "👍🏽",
        "שלום",
        "\u202eمرحبا\u202c بالعالم",
        "日本語の文章",
        "한국어",
        "ไทย",
        "नमस्ते",
        "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen",
        "é" * 48,
        "x" * 97,
        "9" * 49,
        "\U0001f600" * 13,
    ]
)
TEXTS = st.lists(st.text(CHARACTERS, max_size=9) | ODD, max_size=6).map("".join)


@pytest.mark.slow
@same_each_time
@given(st.lists(TEXTS, max_size=3))
@example([])
@example([""])
@example([" ", "  ", " a", "a "])
def test_texts_come_back_exactly(graphs, tokenizers, texts):
    for exact in ("subword", "char"):
        ids = graphs[exact](tf.constant(texts, tf.string))
        again = tokenizers[exact].decode(ids).numpy().tolist()
        assert [raw.decode() for raw in again] == texts


@pytest.mark.slow
@same_each_time
@given(st.lists(TEXTS, max_size=3))
@example(["a", "", "\n"])
def test_pieces_are_a_space_and_the_text(texts):
    pieces = text.pieces(tf.constant(texts, tf.string)).to_list()
    assert [b"".join(row).decode() for row in pieces] == [
        " " + string for string in texts
    ]
    for piece in sum(pieces, []):
        assert 1 <= len(piece) <= 48


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("", " "),
        ("a dog.", " a| dog|."),
        ("It's 5 o'clock!", " It|'|s| 5| o|'|clock|!"),
        ("12ab3", " 12|ab|3"),
        ("(yes) - no", " (|yes|)| -| no"),
        ("a  b", " a|  |b"),
        ("a\nb", " a|\n|b"),
        ("wie\u0301 ge\u0301ht", " wie\u0301| ge\u0301ht"),
        ("日本 語。", " 日本| 語|。"),
        ("Это №5", " Это| №|5"),
        ("...", " .|.|."),
    ],
)
def test_pieces(raw, expected):
    pieces = text.pieces(tf.constant([raw])).to_list()[0]
    assert "|".join(piece.decode() for piece in pieces) == expected


@pytest.mark.parametrize("length", [47, 48, 95, 96, 48**2, 2 * 48**3 + 50])
def test_pieces_without_end_are_cut_at_every_48th_byte(length):
    raw = "a " + "x" * length + " b"
    pieces = text.pieces(tf.constant([raw])).to_list()[0]
    assert b"".join(pieces).decode() == " " + raw
    full, rest = divmod(length + 1, 48)
    expected = [48] * full + [rest] * (rest > 0)
    assert [len(piece) for piece in pieces] == [2, *expected, 2]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"good \xff\xfe film", "good \ufffd\ufffd film"),
        (b"caf\xe9", "caf\ufffd"),
        (b"\xc3", "\ufffd"),
        (b"a\xffb", "a\ufffdb"),
    ],
)
def test_bytes_that_are_no_text_become_the_sign_for_it(
    tokenizers, exact_level, raw, expected
):
    tokenizer = tokenizers[exact_level]
    assert (
        tokenizer.decode(tokenizer(tf.constant([raw])))[0] == expected.encode()
    )


def test_ids_that_spell_no_text_become_the_sign_for_it(tokenizers, exact_level):
    tokenizer = tokenizers[exact_level]
    first = tokenizer.vocabulary.index("\\xc3") + text.NUM_SPECIAL
    letter = tokenizer.vocabulary.index("a") + text.NUM_SPECIAL
    read = tokenizer.decode(tf.constant([[first, letter, first]]))
    assert read.numpy()[0].decode() == "\ufffda\ufffd"


def longest_first(word, ids):
    """The longest token that fits, again and again, in parts of 48 bytes."""
    found = []
    for start in range(0, len(word), 48):
        rest = word[start : start + 48]
        while rest:
            lengths = range(len(rest), 0, -1)
            length = next(n for n in lengths if rest[:n] in ids)
            found.append(ids[rest[:length]])
            rest = rest[length:]
    return found


LETTERS = st.text("abé日", max_size=70)


@pytest.mark.slow
@settings(same_each_time, max_examples=40)
@given(
    st.sets(st.text(" abé日", min_size=1, max_size=8), max_size=12),
    st.lists(LETTERS, min_size=1, max_size=4),
)
@example({"ab", "aba", "baba", " ab"}, ["ababab", "abab" * 15])
def test_words_are_cut_into_the_longest_tokens_from_the_left(longer, words):
    longer = {token.encode() for token in longer} - set(vocabulary.BYTES)
    tokens = vocabulary.BYTES + sorted(longer)
    tokenizer = text.Tokenizer(map(text.escape_token, tokens), "subword")
    ids = {token: n for n, token in enumerate(tokens, text.NUM_SPECIAL)}
    found = tokenizer.ragged_ids(tf.constant(words)).to_list()
    assert found == [longest_first(b" " + w.encode(), ids) for w in words]


# Words


@pytest.mark.parametrize(
    "raw", [SENTENCES[0], "The Dog, the DOG; tHE dog!", ""]
)
def test_known_words_come_back_with_case_and_marks(raw):
    tokenizer = text.Tokenizer(
        vocabulary.learn(counted(raw, raw), "word", 99), "word"
    )
    assert tokenizer.decode(tokenizer(tf.constant([raw])))[0] == raw.encode()


def test_of_scripts_without_spaces_a_character_is_a_word():
    raw = "小狐狸 fox看见猪。ラ é हिन्दी 한국어 12〇"
    words = text.pieces(tf.constant([raw]), "word").to_list()[0]
    assert [word.decode() for word in words] == [
        *[" 小", "狐", "狸", " fox", "看", "见", "猪", "。", "ラ", " é"],
        *[" हिन्दी", " 한국어", " 12〇"],
    ]
    assert b"".join(words).decode() == " " + raw
    tokenizer = text.Tokenizer(
        vocabulary.learn(counted_words(raw, raw), "word", 99), "word"
    )
    assert tokenizer.decode(tokenizer(tf.constant([raw])))[0] == raw.encode()


def test_unknown_words_are_told_from_known_ones(tokenizers):
    tokenizer = tokenizers["word"]
    ids = tokenizer(tf.constant(["the dog sees a Dog!", "Zebras!"]))
    assert (ids[0] == text.UNKNOWN_ID).numpy().tolist() == [
        *[False] * 3,
        *[True] * 2,
        *[False] * 2,
    ]
    read = tokenizer.decode(ids).numpy().tolist()
    assert read == [b"the dog sees <unk> <unk>!", b"<unk>!"]


def test_no_known_words_at_all():
    tokenizer = text.Tokenizer([], "word")
    ids = tokenizer(tf.constant(["a dog", ""]))
    np.testing.assert_array_equal(ids, [[1, 1, 3], [1, 3, 0]])
    assert tokenizer.decode(ids)[0] == b"<unk> <unk>"


# Batches


@pytest.mark.slow
@same_each_time
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_every_row_has_one_end_and_then_padding(graphs, texts):
    for graph in graphs.values():
        ids = graph(tf.constant(texts))
        assert ids.dtype == tf.int32
        ends = (ids.numpy() == text.END_ID).argmax(axis=1)
        assert max(ends) + 1 == ids.shape[1]
        for row, end in zip(ids.numpy(), ends, strict=True):
            special = {text.PADDING_ID, text.START_ID, text.END_ID}
            assert not special & set(row[:end].tolist())
            assert row[end] == text.END_ID
            assert (row[end + 1 :] == text.PADDING_ID).all()


@pytest.mark.slow
@settings(same_each_time, max_examples=30)
@given(st.lists(TEXTS, min_size=2, max_size=4))
def test_ids_are_the_same_alone_and_in_company(graphs, texts):
    for graph in graphs.values():
        together = graph(tf.constant(texts)).numpy()
        for row, string in zip(together, texts, strict=True):
            alone = graph(tf.constant([string])).numpy()[0]
            np.testing.assert_array_equal(row[: len(alone)], alone)
            assert not row[len(alone) :].any()


def test_no_texts_still_have_one_step(tokenizers, level):
    tokenizer = tokenizers[level]
    ids = tokenizer(tf.constant([], tf.string))
    assert ids.shape == (0, 1)
    assert tokenizer.decode(ids).shape == (0,)


def test_an_empty_text_is_the_space_before_it(tokenizers, exact_level):
    tokenizer = tokenizers[exact_level]
    space = tokenizer.vocabulary.index(" ") + text.NUM_SPECIAL
    np.testing.assert_array_equal(
        tokenizer(tf.constant([""])), [[space, text.END_ID]]
    )


def test_very_long_texts(tokenizers, level):
    texts = ["the dog " * 5_000, "x" * 50_000, "😀" * 10_000]
    tokenizer = tokenizers[level]
    ids = tokenizer(tf.constant(texts))
    if level == "word":
        assert ids[0, :3].numpy().tolist() != [text.UNKNOWN_ID] * 3
    else:
        read = tokenizer.decode(ids).numpy().tolist()
        assert [raw.decode() for raw in read] == texts


def test_ids_may_have_a_beam(tokenizers):
    tokenizer = tokenizers["subword"]
    ids = tokenizer(tf.constant(["a dog", "the cat", "", "no"]))
    beams = tokenizer.decode(tf.reshape(ids, [2, 2, -1]))
    assert beams.numpy().tolist() == [[b"a dog", b"the cat"], [b"", b"no"]]


def test_special_ids_are_nothing_to_read(tokenizers, level):
    tokenizer = tokenizers[level]
    ids = tokenizer(tf.constant(["the dog"]))
    around = tf.pad(
        ids[:, :-1], [[0, 0], [1, 0]], constant_values=text.START_ID
    )
    around = tf.pad(around, [[0, 0], [0, 4]], constant_values=text.END_ID)
    assert tokenizer.decode(around)[0] == b"the dog"


# Where the app runs them


@pytest.mark.slow
def test_the_same_in_a_graph_and_a_dataset(tokenizers, graphs, level):
    expected = tokenizers[level](tf.constant(SENTENCES))
    graph = graphs[level](tf.constant(SENTENCES))
    np.testing.assert_array_equal(graph, expected)
    dataset = tf.data.Dataset.from_tensors(SENTENCES).map(tokenizers[level])
    np.testing.assert_array_equal(next(iter(dataset)), expected)
    decode = tf.function(tokenizers[level].decode)
    np.testing.assert_array_equal(
        decode(expected), tokenizers[level].decode(expected)
    )


def test_a_tokenizer_made_of_its_config_is_the_same(tokenizers, level):
    tokenizer = tokenizers[level]
    config = keras.saving.serialize_keras_object(tokenizer)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == tokenizer.get_config()
    assert again.num_ids == tokenizer.num_ids == len(tokenizer.tokens)
    texts = tf.constant(SENTENCES)
    np.testing.assert_array_equal(again(texts), tokenizer(texts))
    np.testing.assert_array_equal(again.tokens, tokenizer.tokens)


def test_a_saved_model_holds_its_tokenizer(tokenizers, level, tmp_path):
    inputs = keras.Input((), dtype="string")
    ids = tokenizers[level](inputs)
    assert (ids.shape, ids.dtype) == ((None, None), "int32")
    keras.Model(inputs, ids).save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    texts = tf.constant(SENTENCES)
    np.testing.assert_array_equal(again(texts), tokenizers[level](texts))


# Tokens as lines

BYTES = st.lists(
    st.binary(max_size=4)
    | TEXTS.map(str.encode)
    | st.sampled_from([b"\\x0a", b"\\", b"\\\\x", b"\xed\xa0\x80", b"\xff\n"])
).map(b"".join)


@settings(deadline=None, derandomize=True, max_examples=400)
@given(BYTES)
def test_any_token_is_one_line_that_reads_back(token):
    line = text.escape_token(token)
    assert text.unescape_token(line) == token
    assert not {"\n", "\r", "\0"} & set(line)
    line.encode("utf-8")


def test_what_can_be_read_stands_as_it_is():
    assert text.escape_token(" été 日本".encode()) == " été 日本"
    assert text.escape_token(b"\\") == "\\x5c"
    assert text.escape_token(b"\x7f\xe9") == "\\x7f\\xe9"


# Vocabularies


@pytest.mark.parametrize("size", [260, 261, 300, 9999])
def test_vocabularies_keep_to_their_size(level, size):
    tokens = vocabulary.learn(counted(*SENTENCES), level, size)
    assert len(set(tokens)) == len(tokens) <= size - text.NUM_SPECIAL
    if level != "word" and size <= 261:
        # There are enough of them.
        assert len(tokens) == size - text.NUM_SPECIAL
    assert text.Tokenizer(tokens, level).num_ids <= size


@pytest.mark.parametrize("counts", [{}, {b" a": 5}, {b" a": 5, b"\xc3": 9}])
def test_every_byte_is_a_token(exact_level, counts):
    tokens = vocabulary.learn(collections.Counter(counts), exact_level, 300)
    assert set(map(text.unescape_token, tokens)) >= set(vocabulary.BYTES)
    assert len(set(vocabulary.BYTES)) == 256


def test_the_order_does_not_depend_on_that_of_the_pieces(level):
    counts = counted(*SENTENCES)
    expected = vocabulary.learn(counts, level, 330)
    for seed in range(3):
        pieces = list(counts.items())
        random.Random(seed).shuffle(pieces)
        shuffled = collections.Counter(dict(pieces))
        assert vocabulary.learn(shuffled, level, 330) == expected


def test_of_words_those_that_occur_twice_are_kept_most_frequent_first():
    counts = collections.Counter(
        {b" b": 2, b" once": 1, b" a": 2, b".": 7, b" \xc3\xa9": 3}
    )
    expected = [".", " é", " a", " b"]
    assert vocabulary.learn(counts, "word", 99) == expected
    assert vocabulary.learn(counts, "word", 6) == expected[:2]
    assert vocabulary.learn(collections.Counter(), "word", 99) == []


def test_of_characters_those_of_several_bytes_are_counted_over_all_pieces():
    counts = collections.Counter(
        {" éé".encode(): 1, " ß日".encode(): 3, "日x".encode(): 2, b"\xc3": 9}
    )
    counts["ö".encode()] = 1
    tokens = vocabulary.learn(counts, "char", 999)
    assert tokens[256:] == ["日", "ß", "é"]
    assert vocabulary.learn(counts, "char", 261)[256:] == ["日"]


def test_frequent_words_become_one_token():
    counts = collections.Counter(
        {b" tomorrow": 50, " Straße".encode(): 40, b" once": 1, b" rare": 2}
    )
    tokens = vocabulary.learn(counts, "subword", 400)
    tokenizer = text.Tokenizer(tokens, "subword")
    assert spelled(tokenizer, "tomorrow") == [b" tomorrow"]
    assert spelled(tokenizer, "Straße") == [" Straße".encode()]
    assert spelled(tokenizer, "rare") == [b" rare"]
    # What occurs once teaches nothing.
    assert len(spelled(tokenizer, "once")) > 1
    assert " once" not in tokens


def test_the_most_frequent_are_joined_first():
    counts = collections.Counter({b"aa": 5, b"bb": 9, b"cc": 7})
    tokens = vocabulary.learn(counts, "subword", 262)
    assert tokens[256:] == ["bb", "cc"]


def test_subwords_do_not_reach_over_pieces():
    tokens = vocabulary.learn(counted(*["the dog"] * 9), "subword", 999)
    assert {" the", " dog"} <= set(tokens)
    assert not [token for token in tokens if " " in token[1:]]


@pytest.mark.parametrize("size", [5, 259])
def test_a_size_that_cannot_hold_the_bytes_is_told(exact_level, size):
    with pytest.raises(UserError) as caught:
        vocabulary.learn(collections.Counter(), exact_level, size)
    assert str(caught.value) == (
        f"--vocab-size must be at least 260 for --level {exact_level}, which"
        f" holds every byte, got {size}"
    )


def test_without_the_package_subwords_are_told_and_the_rest_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    counts = counted(*SENTENCES)
    with pytest.raises(UserError) as caught:
        vocabulary.learn(counts, "subword", 300)
    assert str(caught.value) == (
        "--level subword needs the package tokenizers: pip install"
        ' "rnn-topologies[translation]", or choose --level word or char'
    )
    assert vocabulary.learn(counts, "char", 300)
    assert vocabulary.learn(counts, "word", 300)
