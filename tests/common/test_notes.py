"""Notes about inputs, on standard error."""

from common import notes


def test_a_note_is_one_line_an_input_before_it_comes(capsys):
    texts = [f"text {number}" for number in range(notes.WINDOW + 2)]
    windows = []

    def describe(window):
        windows.append(len(window))
        return ["odd" if text.endswith("5") else "" for text in window]

    assert list(notes.print_notes(texts, describe)) == texts
    out, err = capsys.readouterr()
    assert out == ""
    expected = [n for n, text in enumerate(texts, 1) if text.endswith("5")]
    assert err.splitlines() == [f"note: input {n}: odd" for n in expected]
    assert windows == [notes.WINDOW, 2]


def test_no_input_is_read_before_it_is_asked_for():
    def broken():
        raise AssertionError
        yield

    notes.print_notes(broken(), lambda window: [""] * len(window))


def test_what_is_known_needs_no_word(capsys):
    assert notes.describe_unknown(["a", "b"], set()) == ""
    assert notes.describe_unknown([], {"a"}) == ""
    assert notes.join_remarks("", "") == ""
    notes.print_note("a.png", "")
    assert capsys.readouterr() == ("", "")


def test_a_note_stays_short_however_long_the_words():
    words = [f"{number}{'y' * 1000}" for number in range(100)]
    remark = notes.describe_unknown(words, set(words))
    assert remark.startswith("100 of 100 words are unknown to this model: 0yyy")
    assert remark.count("yyy...") == notes.MAX_NAMED
    assert remark.endswith(", ...")
    assert len(remark) < 450
    assert (
        notes.describe_unknown(["a", "b"], {"b"})
        == "1 of 2 words is unknown to this model: b"
    )
