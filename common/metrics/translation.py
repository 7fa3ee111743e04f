"""Metrics of translation: BLEU and chrF, as sacrebleu computes them."""

from collections.abc import Sequence
from typing import Any

from common.errors import UserError


def import_sacrebleu() -> Any:
    """Imports the package that computes the metrics.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import sacrebleu
    except ImportError as error:
        raise UserError(
            "BLEU and chrF need the package sacrebleu: pip install"
            ' "rnn-topologies[translation]"'
        ) from error
    return sacrebleu


def score(
    translations: Sequence[str], references: Sequence[str]
) -> dict[str, float]:
    """Computes BLEU and chrF of a corpus, both 0 to 100.

    Args:
        translations: of the model.
        references: one right translation of each.

    Returns:
        `bleu` and `chrf`, with the defaults of sacrebleu.

    Raises:
        UserError: if sacrebleu is not installed.

    Reference:
        Papineni et al. 2002, "BLEU: a method for automatic evaluation of
        machine translation"; Popović 2015, "chrF: character n-gram F-score
        for automatic MT evaluation".
    """
    sacrebleu = import_sacrebleu()
    return {
        "bleu": sacrebleu.corpus_bleu(translations, [references]).score,
        "chrf": sacrebleu.corpus_chrf(translations, [references]).score,
    }


def score_sentence(translation: str, reference: str) -> float:
    """Computes chrF of one sentence, 0 to 100.

    Raises:
        UserError: if sacrebleu is not installed.
    """
    return import_sacrebleu().sentence_chrf(translation, [reference]).score


def signatures() -> dict[str, str]:
    """Returns how sacrebleu computes each metric, for comparison with others.

    Raises:
        UserError: if sacrebleu is not installed.
    """
    result = {}
    for name in ("BLEU", "CHRF"):
        metric = getattr(import_sacrebleu(), name)()
        # A metric knows its number of references once it has seen a corpus.
        metric.corpus_score(["a"], [["a"]])
        result[name] = str(metric.get_signature())
    return result
