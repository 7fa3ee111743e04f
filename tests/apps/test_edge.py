"""Each app without TensorFlow: its graphs, and the example beside them.

The scripts encode texts as TensorFlow does: they are compared on texts that
are hard to cut, without a conversion.
"""

import types

import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import text as caption_text
from apps.captioning.edge import example as captioning
from apps.sentiment import export as sentiment_export
from apps.sentiment import pipeline as sentiment_pipeline
from apps.sentiment.config import Config as SentimentConfig
from apps.sentiment.edge import example as sentiment
from apps.translation import export as translation_export
from apps.translation import text as translation_text
from apps.translation.config import Config as TranslationConfig
from apps.translation.edge import example as translation
from apps.video_tagging import export as video_export
from apps.video_tagging import pipeline as video_pipeline
from apps.video_tagging.edge import example as video_tagging
from common import edge_runtime, edge_text
from common.errors import UserError
from tests.support.video_tagging import make_tagger

TEXTS = [
    "",
    " ",
    "A film, isn't it? <br />It's n't",
    "İSTANBUL’s CAFÉ é ÉÉ",
    "映画は7点、カナ ひらがな한국어",
    "a\tb\r\nc\vd\x85e\u00a0f\u3000g",
    "\x02\x1c\x7f \N{GRINNING FACE}\N{ZERO WIDTH JOINER}",
    "x" * 200 + " " + "é" * 60,
    "5 000,50 ² ٣",
    " ".join("abcdefghijklmnop"),
]
WORDS = ["a", "film", "is", "n't", "'s", "café", "映", "<empty>", "7", "."]
BYTES = [translation_text.escape_token(bytes([k])) for k in range(256)]


def test_sentiment_encodes_texts_as_tensorflow_does():
    config = SentimentConfig(units=2, embedding_dim=2, max_tokens=7)
    words = [word for word in WORDS if word != "<empty>"]
    model = sentiment_pipeline.build(config, words, ["no", "yes"])
    rules = sentiment_export.describe_text(model)
    ids = {word: n for n, word in enumerate(words, rules["first_id"])}
    for text in TEXTS:
        expected = model.vectorizer(tf.constant([text])).numpy()
        encoded = sentiment.encode_text(text, ids, rules)
        np.testing.assert_array_equal(encoded, expected, err_msg=repr(text))


@pytest.mark.parametrize("level", ["word", "subword", "char"])
def test_translation_encodes_texts_as_tensorflow_does(level):
    vocabulary = [" a", " film", "é", ".", " 映", "b"]
    if level != "word":
        vocabulary = [*(x for x in BYTES if x not in vocabulary), *vocabulary]
    tokenizer = translation_text.Tokenizer(vocabulary, level)
    model = types.SimpleNamespace(config=TranslationConfig(level=level))
    rules = translation_export.describe_text(model)
    tokens = [translation.unescape(line) for line in vocabulary]
    ids = {token: n for n, token in enumerate(tokens, rules["first_id"])}
    for text in TEXTS:
        expected = tokenizer(tf.constant([text])).numpy()[0]
        words = translation.cut_words(text, rules)
        encoded = translation.encode_words(words, ids, rules)
        assert encoded == expected.tolist(), repr(text)


def test_captioning_writes_words_as_tensorflow_does():
    words = ["the", "dog", "'s", "n't", "do", "映", "画", "は", "is"]
    rules = {
        "rules": edge_text.to_portable_rules(caption_text.RULES),
        "first_id": caption_text.NUM_SPECIAL,
    }
    rows = [[4, 5, 6], [8, 7, 12], [9, 10, 11, 5, 9, 10], [6], []]
    writer = caption_text.Writer(words)
    for ids in rows:
        expected = writer(tf.constant([ids], tf.int32)).numpy()[0].decode()
        assert captioning.write_caption(ids, words, rules) == expected


def test_captioning_reads_arrays_and_pictures(tmp_path):
    np.save(tmp_path / "x.npy", np.ones([2, 3]))
    values = captioning.read_input(str(tmp_path / "x.npy"), ["batch", 2, 3])
    assert (values.shape, values.dtype) == ((1, 2, 3), np.float32)
    pixels = np.full([4, 4, 3], 7, np.uint8)
    png = tf.io.encode_png(pixels).numpy()
    (tmp_path / "x.png").write_bytes(png)
    shape = ["batch", 4, 4, 3]
    values = captioning.read_input(str(tmp_path / "x.png"), shape)
    np.testing.assert_array_equal(values[0], pixels)


def test_video_tags_have_names():
    row = np.array([0.6, 0.1, 0.5])
    assert video_tagging.name_tags(row, ["a", "b", "c"], 0) == "a"
    assert video_tagging.name_tags(row, ["a", "b", "c"], 0.5) == "a c"
    assert video_tagging.name_tags(row * 0, ["a", "b", "c"], 0.5) == ""


def test_videos_have_the_graphs_that_their_models_can():
    tagger = make_tagger(takes_frames=True, image_size=16, causal=True)
    graphs = video_export.make_graphs(tagger)
    assert [graph.name for graph in graphs] == ["encode", "tag", "step"]
    assert graphs[0].inputs["frame"].axes == ("batch", 16, 16, 3)
    with pytest.raises(UserError, match="a CRF does not convert: .*--crf"):
        video_export.make_graphs(make_tagger(crf=True))


@pytest.mark.slow
def test_a_stream_of_steps_is_the_whole_video():
    tagger = make_tagger(causal=True, num_stages=2)
    tag, step = video_export.make_graphs(tagger)
    values = tf.constant(tag.cases[0]["features"])
    lengths = tf.constant(tag.cases[0]["lengths"])
    expected = tag.function(values, lengths)["probabilities"].numpy()
    states = video_pipeline.zero_states(tagger.config)
    for time in range(values.shape[1]):
        outputs = step.function(values[:, time], *states.values())
        row = outputs["probabilities"]
        np.testing.assert_allclose(row, expected[:, time], atol=1e-5)
        states = {name: outputs[f"next_{name}"] for name in states}


def test_greedy_decoding_ends_at_the_end_or_at_the_limit():
    def step(ids, count, memory):
        assert memory == "kept"
        logits = np.eye(9)[ids + 1] if count < 3 else np.eye(9)[[8]]
        return {"logits": logits, "next_count": count + 1}

    state = {"count": 0, "memory": "kept"}
    for longest, expected in ((9, [3, 4, 5]), (2, [3, 4])):
        pairs = edge_runtime.decode_greedily(step, state, 2, 8, longest)
        assert [token for token, _ in pairs] == expected
