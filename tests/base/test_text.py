"""How words that a user wrote are shown, and which one may have been meant."""

import polars as pl
import pytest

from runner.base.text import closest, defused, defused_column, joined, quoted

QUOTED = [
    ("NO", '"NO"', "as it is"),
    ("a\nb\tc\u00a0d", '"a b c d"', "on one line"),
    ("\x1b[31m", '"\\u001b[31m"', "harmless to a terminal"),
    ("\u202a+65\u202c", '"+65"', "without marks that have no width"),
    ("x" * 40, f'"{"x" * 40}"', "just short enough"),
    ("x" * 1000, f'"{"x" * 40}…"', "too long"),
]


@pytest.mark.parametrize(("text", "expected", "why"), QUOTED, ids=[row[-1] for row in QUOTED])
def test_quoted(text: str, expected: str, why: str) -> None:
    assert expected == quoted(text)


@pytest.mark.parametrize(
    ("word", "meant"), [("frist", "first"), ("FIRST", "first"), ("gsm-7", "GSM7"), ("nothing like it", None)]
)
def test_closest(word: str, meant: str | None) -> None:
    assert meant == closest(word, ["first", "reject", "GSM7"])


@pytest.mark.parametrize(("words", "expected"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")])
def test_joined(words: list[str], expected: str) -> None:
    assert expected == joined(words, "or")


def test_a_csv_file_has_no_control_characters() -> None:
    cells = ["\x1b[2JAnn", "a\x9bb", "a\rb", "a\r\nb\tc", "=1\x07"]
    expected = ["\ufffd[2JAnn", "a\ufffdb", "a\ufffdb", "a\nb\tc", "'=1\ufffd"]
    assert expected == list(map(defused, cells))
    assert expected == pl.DataFrame({"name": cells}).select(defused_column("name"))["name"].to_list()
