"""How words that a user wrote are shown, and which one may have been meant."""

import pytest

from runner.text import LONGEST_SHOWN, did_you_mean, listed, quoted

QUOTED = [
    ("NO", '"NO"', "as it is"),
    ('a "b"', '"a \\"b\\""', "quotes"),
    ("a\nb\tc\r", '"a\\nb\\tc\\r"', "on one line"),
    ("\x1b[31m", '"\\u001b[31m"', "harmless to a terminal"),
    ("x" * LONGEST_SHOWN, f'"{"x" * LONGEST_SHOWN}"', "just short enough"),
    ("x" * 1000, f'"{"x" * (LONGEST_SHOWN - 1)}…"', "too long"),
]


@pytest.mark.parametrize(("text", "expected", "why"), QUOTED, ids=[row[-1] for row in QUOTED])
def test_quoted(text: str, expected: str, why: str) -> None:
    assert expected == quoted(text)


@pytest.mark.parametrize(
    ("word", "meant"), [("frist", "first"), ("FIRST", "first"), ("gsm-7", "GSM7"), ("nothing like it", None)]
)
def test_did_you_mean(word: str, meant: str | None) -> None:
    assert meant == did_you_mean(word, ["first", "reject", "GSM7"])


@pytest.mark.parametrize(("words", "expected"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")])
def test_listed(words: list[str], expected: str) -> None:
    assert expected == listed(words)
