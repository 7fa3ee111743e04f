"""Metrics of image captioning: BLEU, ROUGE-L and CIDEr-D.

They equal those of pycocoevalcap, the code of the COCO caption evaluation
(Chen et al. 2015, "Microsoft COCO captions: data collection and evaluation
server"), also where it departs from the papers: the docstrings say where.

`score` takes texts. The metrics take words, as `tokenize` returns them: a
caption for each image, and a list of references for each image.
"""

import collections
import functools
import math
import operator
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from common.metrics.caption_tokens import tokenize

_Words = list[str]
_Counts = collections.Counter[tuple[str, ...]]  # Of n-grams.
_Vector = dict[tuple[str, ...], float]  # From n-grams to weights.

_ORDERS = range(1, 5)  # The n-grams that BLEU and CIDEr count.
_TINY, _SMALL = 1e-15, 1e-9  # Keep BLEU from dividing 0 by 0.
_ROUGE_BETA = 1.2  # Above 1: recall weighs more than precision.
_CIDER_SIGMA = 6.0  # In words: how far apart lengths may be.


class Scores(NamedTuple):
    """Scores of a corpus by all metrics.

    Attributes:
        bleu_1: 0 to 100, of 1-grams; so on to bleu_4, of 1-grams to 4-grams.
        rouge_l: 0 to 1.
        cider: 0 to 10; where papers print "100", this is 1.0.
    """

    bleu_1: float
    bleu_2: float
    bleu_3: float
    bleu_4: float
    rouge_l: float
    cider: float


def score(
    captions: Sequence[str], references: Sequence[Sequence[str]]
) -> Scores:
    """Scores captions by all metrics.

    Args:
        captions: one text for each image; it may be empty.
        references: the true captions of each image, one text or more.

    Returns:
        The scores, each in the usual scale of its metric.

    Raises:
        ValueError: there is no caption, or not one for each list of
            references, or an image has no reference.

    Example:
        >>> scores = score(
        ...     ["A brown dog runs.", "two men"],
        ...     [["A brown dog runs!", "a dog"], ["Two men in a boat."]],
        ... )
        >>> round(scores.bleu_1, 1), round(scores.rouge_l, 3)
        (60.7, 0.765)
    """
    _check(captions, references)
    words = [tokenize(caption) for caption in captions]
    texts = [[tokenize(text) for text in image] for image in references]
    return Scores(
        *bleu(words, texts), rouge_l(words, texts), cider(words, texts)
    )


def bleu(
    captions: Sequence[_Words], references: Sequence[Sequence[_Words]]
) -> tuple[float, float, float, float]:
    """Computes BLEU, the share of n-grams that references have too.

        BLEU-n = 100 BP (p_1 p_2 ... p_n) ** (1 / n)
        p_k = number of k-grams found in references / number of k-grams
        BP = min(1, exp(1 - length of references / length of captions))

    with sums over the corpus. A k-gram is found at most as often as the one
    reference that has it most has it. Of an image's references the length of
    the one closest to the caption counts, of two the shorter.

    As in pycocoevalcap, every division adds 1e-15 above and 1e-9 below: what
    should score 0 does not quite, and captions of which none has four words
    can reach a BLEU-4 of 3.16.

    Args:
        captions: the words of one caption for each image.
        references: the words of one or more references for each image.

    Returns:
        BLEU-1, BLEU-2, BLEU-3 and BLEU-4, each 0 to 100.

    Raises:
        ValueError: as `score`.

    Example:
        >>> references = ["a dog runs in snow".split(), "a dog runs".split()]
        >>> scores = bleu(["a dog runs on snow".split()], [references])
        >>> [round(score, 2) for score in scores]
        [80.0, 63.25, 51.09, 0.01]

    Reference:
        Papineni et al. 2002, "BLEU: a method for automatic evaluation of
        machine translation", section 2.3.
    """
    _check(captions, references)
    matches = np.sum(list(map(_count_matches, captions, references)), axis=0)
    lengths = np.array([len(caption) for caption in captions])
    total = [np.maximum(lengths - k + 1, 0).sum() for k in _ORDERS]
    precisions = (matches + _TINY) / (np.array(total) + _SMALL)
    means = np.cumprod(precisions) ** (1 / np.array(_ORDERS))
    closest = sum(map(_closest_length, captions, references))
    ratio = (lengths.sum() + _TINY) / (closest + _SMALL)
    brevity_penalty = math.exp(min(0, 1 - 1 / ratio))
    bleu_1, bleu_2, bleu_3, bleu_4 = (100 * brevity_penalty * means).tolist()
    return bleu_1, bleu_2, bleu_3, bleu_4


def _count_matches(caption: _Words, references: Sequence[_Words]) -> list[int]:
    """Counts the n-grams of each order that references have too."""
    matches = []
    for order in _ORDERS:
        counts = [_ngrams(reference, order) for reference in references]
        most = functools.reduce(operator.or_, counts)
        matches.append((_ngrams(caption, order) & most).total())
    return matches


def _closest_length(caption: _Words, references: Sequence[_Words]) -> int:
    lengths = sorted(map(len, references))
    return min(lengths, key=lambda length: abs(length - len(caption)))


def rouge_l(
    captions: Sequence[_Words], references: Sequence[Sequence[_Words]]
) -> float:
    """Computes ROUGE-L, the share of words in a common subsequence.

        ROUGE-L = (1 + beta ** 2) P R / (R + beta ** 2 P), beta = 1.2
        P, R = longest common subsequence / length of caption, of reference

    and the mean over images. As in pycocoevalcap, P and R are each the best
    over an image's references, maybe of two different ones, and a text
    without words counts as one empty word.

    Args:
        captions: the words of one caption for each image.
        references: the words of one or more references for each image.

    Returns:
        0 to 1.

    Raises:
        ValueError: as `score`.

    Example:
        >>> references = ["a dog runs in snow".split(), "a dog runs".split()]
        >>> round(rouge_l(["a dog runs on snow".split()], [references]), 4)
        0.9071

    Reference:
        Lin 2004, "ROUGE: a package for automatic evaluation of summaries",
        equations 2 to 4.
    """
    _check(captions, references)
    return statistics.fmean(map(_rouge_l_image, captions, references))


def _rouge_l_image(caption: _Words, references: Sequence[_Words]) -> float:
    caption, *references = [words or [""] for words in (caption, *references)]
    common = [_longest_common(caption, words) for words in references]
    precision = max(common) / len(caption)
    recall = max(map(operator.truediv, common, map(len, references)))
    if not precision:
        return 0.0
    square = _ROUGE_BETA**2
    return (1 + square) * precision * recall / (recall + square * precision)


def _longest_common(first: _Words, second: _Words) -> int:
    """Measures the longest common subsequence, row by row of its table."""
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for j, other in enumerate(second, start=1):
            above = row[j]
            row[j] = diagonal + 1 if word == other else max(above, row[j - 1])
            diagonal = above
    return row[-1]


def cider(
    captions: Sequence[_Words], references: Sequence[Sequence[_Words]]
) -> float:
    """Computes CIDEr-D, the similarity to references in rare n-grams.

        CIDEr-D = 10 mean over images, their references and n = 1 to 4 of
                  exp(-d ** 2 / (2 sigma ** 2)) min(g, h) . h / (|g| |h|)
        g, h = tf-idf of the caption's and of the reference's n-grams:
               count * log(images / images with a reference that has it)
        d = difference of their lengths, sigma = 6

    The images are those scored: an n-gram of all of them counts nothing, a
    single one scores 0, and data sets of different size do not compare.
    As in pycocoevalcap, counts are not divided by lengths, and a length is
    the number of 2-grams: no words are as long as one.

    Args:
        captions: the words of one caption for each image.
        references: the words of one or more references for each image.

    Returns:
        0 to 10; where papers print "100", this is 1.0.

    Raises:
        ValueError: as `score`.

    Example:
        >>> dogs = ["a dog runs in snow".split(), "a dog runs".split()]
        >>> boats = ["men in a boat".split()]
        >>> captions = ["a dog runs on snow".split(), boats[0]]
        >>> round(cider(captions, [dogs, boats]), 4)
        7.2396

    Reference:
        Vedantam et al. 2015, "CIDEr: consensus-based image description
        evaluation", equations 1 and 4.
    """
    _check(captions, references)
    num_with: _Counts = collections.Counter()  # Images with an n-gram.
    for texts in references:
        counts = [_ngrams(text, order) for text in texts for order in _ORDERS]
        num_with.update(set().union(*counts))

    def tf_idf(words: _Words, order: int) -> _Vector:
        return {
            # What no reference has weighs as if one image's had it.
            ngram: count * math.log(len(references) / max(1, num_with[ngram]))
            for ngram, count in _ngrams(words, order).items()
        }

    score_image = functools.partial(_cider_image, tf_idf=tf_idf)
    return statistics.fmean(map(score_image, captions, references))


def _cider_image(
    caption: _Words,
    references: Sequence[_Words],
    tf_idf: Callable[[_Words, int], _Vector],
) -> float:
    vectors = [tf_idf(caption, order) for order in _ORDERS]
    total = 0.0
    for reference in references:
        others = [tf_idf(reference, order) for order in _ORDERS]
        similarity = statistics.fmean(map(_clipped_cosine, vectors, others))
        # In 2-grams, so that no words are as long as one.
        longer = max(1, len(caption)) - max(1, len(reference))
        total += similarity * math.exp(-((longer / _CIDER_SIGMA) ** 2) / 2)
    return 10 * total / len(references)


def _clipped_cosine(caption: _Vector, reference: _Vector) -> float:
    """Computes the cosine, with counts no higher than the reference has."""
    product = sum(
        min(weight, reference[ngram]) * reference[ngram]
        for ngram, weight in caption.items()
        if ngram in reference
    )
    norms = math.hypot(*caption.values()) * math.hypot(*reference.values())
    return product / norms if norms else 0.0


def _ngrams(words: _Words, order: int) -> _Counts:
    shifted = [words[start:] for start in range(order)]
    return collections.Counter(zip(*shifted, strict=False))


def _check(captions: Sequence, references: Sequence[Sequence]) -> None:
    if not 0 < len(captions) == len(references):
        raise ValueError(
            "expected captions and a list of references for each, got "
            f"{len(captions)} captions and {len(references)} lists"
        )
    for image, texts in enumerate(references):
        if isinstance(texts, str) or not len(texts):
            raise ValueError(
                "expected a list of one or more references for each image, "
                f"got {texts!r} for image {image}"
            )
