"""BLEU by the script of the references, and when it cannot tell."""

import importlib.util

import pytest
import sacrebleu

from common.metrics import translation

# References, and the tokenizer without packages for Japanese and Korean.
TOKENIZERS = {
    "The old cat likes the pig, 猪.": "13a",
    "Старая кошка.": "13a",
    "2024-01-05": "13a",
    "": "13a",
    "老猫喜欢 BLEU。": "zh",
    "猫は豚が好きです。": "char",
    "고양이는 돼지를 좋아한다.": "char",
    "แมวชอบหมู": "char",
}


def test_the_tokenizer_follows_the_script(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for text, tokenizer in TOKENIZERS.items():
        assert translation.choose_tokenizer([text]) == tokenizer, text
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert translation.choose_tokenizer(["猫は豚が好き"]) == "ja-mecab"
    assert translation.choose_tokenizer(["고양이는"]) == "ko-mecab"


def test_bleu_of_chinese_is_that_of_its_tokenizer():
    references, close = ["老猫喜欢红色的猪。"], ["老猫喜欢红色的狗。"]
    expected = sacrebleu.corpus_bleu(close, [references], tokenize="zh").score
    scores = translation.score(close, references)
    assert scores["bleu"] == pytest.approx(expected)
    assert 50 < expected < 90
    assert translation.score(references, references)["bleu"] > 99.9
    assert translation.score(close, references, "13a")["bleu"] == 0
    assert "|tok:zh|" in translation.signatures(references)["BLEU"]
    assert "|tok:13a|" in translation.signatures(["a cat"])["BLEU"]


def test_chrf_chooses_where_references_are_short():
    for references, name in {
        ("2024.01.05",) * 9: "chrf",
        ("a cat", "a dog!"): "chrf",
        ("a cat sleeps.", "a dog"): "chrf",
        ("The old cat likes the pig.",): "bleu",
        ("老猫喜欢猪。",): "bleu",
    }.items():
        assert translation.choose_measure(references).name == name
    measure = translation.choose_measure(["2024.01.05"])
    for value, rate in ((0.9, 0), (1.5, 1.5), (70.0, 70)):
        assert measure.rate({"bleu": 99.0, "chrf": value}) == rate
    reason = translation.choose_measure(["2024.01.05"]).reason
    assert reason == (
        "the best epoch is chosen by chrF: BLEU cannot tell targets of 1.0"
        " tokens"
    )
    assert translation.choose_measure(["你好，老猫。"]).reason == (
        "the best epoch is chosen by BLEU (sacrebleu, tok:zh)"
    )
