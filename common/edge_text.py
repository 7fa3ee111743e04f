r"""Patterns of RE2, which TensorFlow has, as all other engines read them."""

import re

_SPACES = r" \t\n\f\r"
_RULES = (
    (r"\\([pP])([A-Z])", r"\\\1{\2}"),
    (r"\\p\{([A-Z]\w\w+)\}", r"\\p{Script=\1}"),
    (r"\\b", "(?![0-9A-Za-z_])"),
)


def to_portable(pattern: str) -> str:
    r"""Rewrites a pattern of RE2 for JavaScript, Java, ICU and `regex`.

    RE2's spaces and words are those of ASCII; others take those of all
    scripts, so they are spelt out. \b must stand behind a word.

    Example:
        >>> print(to_portable(r"[^\pL\s]|\s+|\p{Han}|\x{02BC}|n't\b"))
        [^\p{L} \t\n\f\r]|[ \t\n\f\r]+|\p{Script=Han}|ʼ|n't(?![0-9A-Za-z_])
    """
    pattern = re.sub(
        r"\\x\{([0-9A-F]+)\}", lambda m: chr(int(m[1], 16)), pattern
    )
    pattern = re.sub(
        r"\[(?:[^\]\\]|\\.)*\]",
        lambda m: m[0].replace(r"\s", _SPACES),
        pattern,
    )
    pattern = pattern.replace(r"\s", f"[{_SPACES}]")
    for old, new in _RULES:
        pattern = re.sub(old, new, pattern)
    return pattern


def to_portable_rules(rules: tuple[tuple[str, str], ...]) -> list[list[str]]:
    r"""Rewrites pairs of a pattern and what replaces it, with $1 for \1.

    Example:
        >>> to_portable_rules(((r"(\pN)", r" \1 "),))
        [['(\\p{N})', ' $1 ']]
    """
    return [
        [to_portable(pattern), re.sub(r"\\(\d)", r"$\1", replacement)]
        for pattern, replacement in rules
    ]
