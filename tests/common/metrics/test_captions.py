"""Scores of captions against pycocoevalcap, and by hand."""

import collections
import math

import numpy as np
import pytest

from common.metrics import captions as caption_metrics
from common.metrics.captions import (
    bleu,
    cider,
    rouge_l,
    score,
    tokenize,
)

# Captions and references of which the rest of this file speaks: repeated
# words, contractions, an empty caption, lengths that tie, a perfect caption.
CORPUS = {
    "A brown dog runs through the snow.": [
        "A dog is running in the deep snow.",
        "The brown dog runs across a snowy field!",
        "A dog runs.",
    ],
    "a man on a man on a surfboard": [
        "A man's surfboard doesn't stay on the wave.",
        "A surfer rides a wave on a white surfboard, smiling.",
    ],
    "": ["Two children play in a fountain.", "Kids; water"],
    "Two women are talking.": ["Two women are talking."],
    "a dog in a red t-shirt sits on a bench near the water": [
        "The dog, in a t-shirt, sits on a bench.",
        "A bench by the water",
        "A small dog wears a red shirt and looks at the lake",
    ],
    "skier": ["A skier jumps off a cliff", "skier in mid-air"],
}
# What pycocoevalcap 1.2 prints, its Java tokenizer included.
EXPECTED = (
    70.74267183239456,
    56.2116102659025,
    42.51335762258484,
    31.309505685572653,
    0.5866842993129175,
    2.602815332903225,
)
# The same of `random_corpus`, by its seed: BLEU-1, BLEU-4, ROUGE-L, CIDEr.
EXPECTED_OF_SEED = {
    0: (
        72.83684948541834,
        5.740144288001225e-07,
        0.6365558837283761,
        1.6059937521835355,
    ),
    1: (
        59.99999999760001,
        4.6530242952361643e-07,
        0.5071333982828442,
        0.9318240985671729,
    ),
    2: (
        48.27586206730084,
        4.4096263486609667e-07,
        0.28105083063561526,
        0.8575094958395189,
    ),
}


@pytest.fixture
def corpus():
    """Captions and references as words."""
    captions = [tokenize(caption) for caption in CORPUS]
    return captions, [[*map(tokenize, texts)] for texts in CORPUS.values()]


def random_corpus(seed, num_images=5, num_words=6):
    rng = np.random.default_rng(seed)

    def text():
        return rng.choice([*"abcdefgh"[:num_words]], rng.integers(9)).tolist()

    captions = [text() for _ in range(num_images)]
    return captions, [
        [text() for _ in range(rng.integers(1, 4))] for _ in captions
    ]


def words(*texts):
    return [text.split() for text in texts]


def slow_cider(captions, references):
    """CIDEr-D from dense vectors over all n-grams, one formula a line."""
    scores = np.zeros((4, len(captions)))
    for n in range(1, 5):

        def ngrams(text, n=n):
            return [" ".join(text[i : i + n]) for i in range(len(text) - n + 1)]

        every = [*captions, *(text for texts in references for text in texts)]
        vocab = sorted({ngram for text in every for ngram in ngrams(text)})

        def counts(text, vocab=vocab, ngrams=ngrams):
            numbers = collections.Counter(ngrams(text))
            return np.array([numbers[ngram] for ngram in vocab], float)

        has = [np.any([counts(t) > 0 for t in ts], 0) for ts in references]
        idf = np.log(len(captions) / np.maximum(np.sum(has, axis=0), 1))
        for image, caption in enumerate(captions):
            for text in references[image]:
                g, h = counts(caption) * idf, counts(text) * idf
                norms = np.sqrt((g**2).sum() * (h**2).sum())
                cosine = (np.minimum(g, h) * h).sum() / norms if norms else 0
                d = max(len(caption) - 1, 0) - max(len(text) - 1, 0)
                similarity = cosine * np.exp(-(d**2) / (2 * 6**2))
                scores[n - 1, image] += similarity / len(references[image])
    return 10 * scores.mean()


def test_scores_equal_pycocoevalcap():
    scores = score([*CORPUS], [*CORPUS.values()])
    assert scores == pytest.approx(EXPECTED, rel=1e-12)


def test_metrics_equal_pycocoevalcap_where_texts_may_be_empty():
    for seed, expected in EXPECTED_OF_SEED.items():
        captions, references = random_corpus(seed)
        bleu_1, *_, bleu_4 = bleu(captions, references)
        scores = (
            bleu_1,
            bleu_4,
            rouge_l(captions, references),
            cider(captions, references),
        )
        assert scores == pytest.approx(expected, rel=1e-12)


def test_bleu_counts_a_word_as_often_as_the_reference_that_has_it_most():
    # The example of the paper: "the" is found 2 of 7 times; no 2-gram is.
    captions = words("the the the the the the the")
    references = [words("the cat is on the mat", "there is a cat on the mat")]
    bleu_1, bleu_2, *_ = bleu(captions, references)
    assert bleu_1 == pytest.approx(100 * 2 / 7)
    assert bleu_2 == pytest.approx(0, abs=1e-4)


def test_bleu_sums_over_the_corpus_before_it_divides():
    captions = words("a dog runs in the snow", "two men")
    references = [
        words("a dog runs in deep snow today"),
        words("two men sit in a boat", "two old men row"),
    ]
    brevity = math.exp(1 - (7 + 4) / (6 + 2))
    matches = np.array([5 + 2, 3 + 1, 2, 1])
    total = np.array([6 + 2, 5 + 1, 4, 3])
    means = np.cumprod(matches / total) ** (1 / np.arange(1, 5))
    expected = 100 * brevity * means
    assert bleu(captions, references) == pytest.approx(expected)


def test_of_two_references_equally_close_bleu_takes_the_shorter():
    captions, references = words("a b c"), [words("a b c d", "x y")]
    assert bleu(captions, references)[0] == pytest.approx(100)
    references = [words("a b c d", "x")]
    assert bleu(captions, references)[0] == pytest.approx(
        100 * math.exp(1 - 4 / 3)
    )


def test_rouge_by_hand():
    # "a dog in snow" is common to both; "a dog" to the caption and the other.
    captions = words("a dog runs in snow")
    references = [words("a big dog plays in the deep snow", "a dog")]
    precision, recall = 4 / 5, 2 / 2
    expected = 2.44 * precision * recall / (recall + 1.44 * precision)
    assert rouge_l(captions, references) == pytest.approx(expected)


def test_rouge_keeps_the_order_of_words_and_is_a_mean_over_images():
    captions = words("snow the in runs dog", "two men", "a")
    references = [words("dog runs in the snow"), words("two men"), words("b")]
    assert rouge_l(captions, references) == pytest.approx((1 / 5 + 1 + 0) / 3)


def test_cider_by_hand():
    # Two images: what only one has weighs log 2, "a" of both weighs nothing.
    captions = words("a dog", "a boat")
    references = [words("a dog runs", "a dog"), words("a ship")]
    one, two = 1 / math.sqrt(2), 1 / math.sqrt(2)  # [dog] . [dog, runs], ...
    first = (math.exp(-1 / 72) * (one + two) + 2) / 2
    expected = 10 * (first / 4 + 0) / 2
    assert cider(captions, references) == pytest.approx(expected)


def test_cider_gains_nothing_from_repeating_a_word():
    references = [words("a red dog runs", "one dog"), words("a boat on water")]
    once = cider(words("dog", "boat"), references)
    assert cider(words("dog dog", "boat boat"), references) < once


def test_cider_equals_a_slow_one_of_dense_vectors():
    for seed in range(8):
        captions, references = random_corpus(seed, 4 + seed, 2 + seed)
        assert cider(captions, references) == pytest.approx(
            slow_cider(captions, references), rel=1e-12
        )


def test_perfect_captions_reach_the_highest_scores():
    texts = [text for texts in CORPUS.values() for text in texts]
    # CIDEr averages over n = 1 to 4, so all must have four words.
    texts = [text for text in texts if len(tokenize(text)) >= 4]
    assert score(texts, [[text] for text in texts]) == pytest.approx(
        (100, 100, 100, 100, 1, 10)
    )


def test_a_caption_that_is_one_of_several_references():
    captions = words("a dog runs in snow", "two men sit in a boat")
    references = [
        words("the white dog", "a dog runs in snow"),
        words("two men sit in a boat", "people on a lake"),
    ]
    assert bleu(captions, references) == pytest.approx([100] * 4)
    assert rouge_l(captions, references) == pytest.approx(1)
    assert 5 <= cider(captions, references) < 10


def test_empty_captions_score_nothing():
    references = [["A dog runs in snow."], ["Two men sit in a boat."]]
    assert score(["", " . "], references) == pytest.approx([0] * 6)


def test_an_empty_caption_costs_as_a_wrong_one_does(corpus):
    captions, references = corpus
    captions[3] = []
    scores = score([*CORPUS], [*CORPUS.values()])
    assert bleu(captions, references)[0] < scores.bleu_1
    assert rouge_l(captions, references) < scores.rouge_l
    assert cider(captions, references) < scores.cider


def test_captions_without_any_4_gram_have_the_bleu_of_pycocoevalcap():
    captions = words("a red boat")
    *_, bleu_3, bleu_4 = bleu(captions, [captions])
    assert bleu_3 == pytest.approx(100)
    assert bleu_4 == pytest.approx(100 * 1e-6 ** (1 / 4))


def test_one_image_alone_has_no_cider(corpus):
    captions, references = corpus
    assert cider(captions[3:4], references[3:4]) == 0


def test_the_order_of_images_and_references_does_not_matter():
    captions, references = [*CORPUS], [*CORPUS.values()]
    turned = score(captions[::-1], [texts[::-1] for texts in references[::-1]])
    assert turned == pytest.approx(score(captions, references))


def test_repeated_references_change_neither_bleu_nor_rouge(corpus):
    captions, references = corpus
    repeated = [texts * 2 for texts in references]
    assert bleu(captions, repeated) == bleu(captions, references)
    assert rouge_l(captions, repeated) == rouge_l(captions, references)


def test_captions_of_other_images_score_less(corpus):
    captions, references = corpus
    shuffled = captions[1:] + captions[:1]
    assert cider(shuffled, references) < cider(captions, references) / 4
    assert bleu(shuffled, references)[3] < bleu(captions, references)[3]
    assert rouge_l(shuffled, references) < rouge_l(captions, references)


@pytest.mark.parametrize("metric", [score, bleu, rouge_l, cider])
def test_errors_say_what_came(metric):
    texts = ["a dog"] if metric is score else words("a dog")
    with pytest.raises(ValueError) as error:
        metric(texts * 3, [texts, texts])
    assert str(error.value) == (
        "expected captions and a list of references for each, got 3 captions "
        "and 2 lists"
    )
    with pytest.raises(ValueError, match="got 0 captions and 0 lists$"):
        metric([], [])
    with pytest.raises(ValueError) as error:
        metric(texts * 2, [texts, []])
    assert str(error.value) == (
        "expected a list of one or more references for each image, got [] for "
        "image 1"
    )
    with pytest.raises(ValueError, match="got 'a dog' for image 0$"):
        metric(texts, ["a dog"])


# Java's PTBTokenizer gives the same, but for the lines marked "Java".
TOKENS = {
    "": "",
    " \t\n": "",
    "?... -- ;": "",
    "a dog?!": "a dog",  # Java: a dog ?!
    "  Spaces   here\tand\nthere ": "spaces here and there",
    "A dog, a cat; and: more.": "a dog a cat and more",
    "It doesn't, can't, won't!": "it does n't ca n't wo n't",
    "it's I'm you're they've he'd she'll": (
        "it 's i 'm you 're they 've he 'd she 'll"
    ),
    "couldn't've": "could n't 've",
    "a man\u2019s hat": "a man 's hat",
    "boy 's ca n't": "boy 's ca n't",
    "the dogs' 'bowls'": "the dogs bowls",
    "cannot gonna wanna gotta gimme lemme": (
        "can not gon na wan na got ta gim me lem me"
    ),
    "candy gonzo gotten scanty": "candy gonzo gotten scanty",
    "T-shirt black-and-white 7-year-old": "t-shirt black-and-white 7-year-old",
    "a man - a woman -- two": "a man a woman two",
    "em\u2014dash \u2013 and\u2026": "em dash and",
    "a \"quoted\" ``sign'' \u201codd\u201d \u2018one\u2019": (
        "a quoted sign odd one"
    ),
    "the U.S. flag at 3 p.m. sharp": "the u.s. flag at 3 p.m. sharp",
    "Mr. Smith, plan B. today": "mr. smith plan b. today",
    "3:30, 10,000 and $5.50.": "3:30 10,000 and $ 5.50",
    "1/2 of 50% & #1": "1/2 of 50 % & # 1",
    "5'10\" in the '80s": "5 10 in the '80s",
    "five o'clock, ma'am": "five o'clock ma'am",
    "rock 'n' roll": "rock 'n' roll",
    "www.example.com": "www.example.com",
    "black/white caf\u00e9": "black/white caf\u00e9",
    "a (red) [big] {old} dog": "a red big old dog",  # Java: -lrb- red -rrb-
    "@home #tag": "@ home # tag",  # Java: @home #tag
    "'tis no. 5": "tis no 5",  # Java: 't is no. 5
}


# Other scripts, and what their letters carry.
OTHER_TOKENS = {
    "एक लाल वर्ग हिन्दी में।": "एक लाल वर्ग हिन्दी में",
    "একটি লাল বর্গ": "একটি লাল বর্গ",
    "ஒரு சிவப்பு": "ஒரு சிவப்பு",
    "สีแดง": "สีแดง",
    "\u0130stanbul Köprü": "i\u0307stanbul köprü",
    "mo\u0323\u0302t Hi\u0300nh": "m\u1ed9t h\u00ecnh",  # Composed.
    "\u0645\u06cc\u200c\u0634\u0648\u062f\u061f": (
        "\u0645\u06cc\u200c\u0634\u0648\u062f"  # A joiner is in the word.
    ),
    "黑色。t-shirt上ラーメン": "黑 色 t-shirt 上 ラ ー メ ン",
    "한국어 \u2764\ufe0f": "한국어 \u2764",
    "¡Hola! «café»": "hola café",
}


def test_tokens_of_other_scripts():
    for caption, tokens in OTHER_TOKENS.items():
        assert tokenize(caption) == tokens.split()
        assert tokenize(tokens) == tokens.split()


def test_tokens():
    for caption, tokens in TOKENS.items():
        assert tokenize(caption) == tokens.split()


def test_tokens_stay_what_they_are():
    for texts in CORPUS.values():
        for text in texts:
            assert tokenize(" ".join(tokenize(text))) == tokenize(text)


def test_scores_are_floats_that_json_takes():
    scores = score([*CORPUS], [*CORPUS.values()])
    assert {type(value) for value in scores} == {float}
    assert caption_metrics.Scores._fields == (
        "bleu_1",
        "bleu_2",
        "bleu_3",
        "bleu_4",
        "rouge_l",
        "cider",
    )
