import pytest
import regex
import tensorflow as tf

from common import edge_runtime
from common.edge_text import to_portable, to_portable_rules

TEXTS = [
    "didn't  go",
    "don'té n't_ n't",
    "ʼtis 5 o’clock…",
    "\v\x85\u00a0\u3000\ta\r\nb",
    "映画 は 7点 カナ",
    "<br/>a<b",
    "café é́ ²",
    "\N{GRINNING FACE}!",
]
RULES = (
    (r"<[a-z/][^<>]*>", " "),
    (r"[’\x{02BC}]", "'"),
    (r"n't\b", " n't"),
    (r"(\p{Han}|\p{Katakana})|([^\pL\pM\pN\s])", r"<\1|\2>"),
    (r"[\s\pZ]+", "_"),
    (r"\s+|\PL", "-"),
)


@pytest.mark.parametrize("number", range(len(RULES)))
def test_a_pattern_matches_what_it_does_in_tensorflow(number):
    rules = RULES[number : number + 1]
    expected = tf.constant(TEXTS)
    for pattern, replacement in rules:
        expected = tf.strings.regex_replace(expected, pattern, replacement)
    portable = to_portable_rules(rules)
    answers = [edge_runtime.replace_all(text, portable) for text in TEXTS]
    assert answers == [text.decode() for text in expected.numpy()]


def test_classes_have_the_names_that_javascript_knows():
    assert to_portable(r"[^\PL\p{Han}]") == r"[^\P{L}\p{Script=Han}]"
    assert regex.fullmatch(to_portable(r"[\pL\s]+"), "a b")
