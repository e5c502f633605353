"""Texts cut to a number of septets."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.message.given import FilterError
from runner.message.gsm import EXTENSION, is_gsm7
from runner.message.likeness import in_gsm7
from runner.message.truncate import truncate_gsm

CUT = [
    ("Kettle", 6, "", "Kettle", "it fits"),
    ("Kettle", 5, "", "Kettl", "it doesn't"),
    ("Noise cancelling headphones", 20, "", "Noise cancelling", "at a space"),
    ("Noise cancelling headphones", 20, "...", "Noise cancelling...", "with an end"),
    ("Noise cancelling headphones", 16, "", "Noise cancelling", "just behind a word"),
    ("A Supercalifragilistic", 10, "", "A Supercal", "no space in the second half"),
    ("a€€€€", 4, "", "a€", "a pair is never cut"),
    ("{{{{", 5, "", "{{", "nor is one at the end"),
    ("it’s here", 4, "", "it’s", "outside of GSM-7, one unit"),
    ("wait…now", 6, "", "wait", "but its likeness takes three"),
    ("👍👍👍", 5, "", "👍👍", "two units"),
    ("👍🏽👍🏽", 7, "", "👍🏽", "with its skin"),
    ("👨‍👩‍👧 x", 7, "", "", "a family of eight units, whole or not at all"),
    ("🇸🇬🇲🇾", 7, "", "🇸🇬", "flags"),
    ("cafe\u0301s", 4, "", "caf", "an accent belongs to its letter"),
    ("a\nb c", 3, "", "a\nb", "a line break is a septet"),
    (1234.5, 4, "", "1234", "a number: trailing signs are the author's matter"),
    ("ab", 3, "...", "ab", "it fits, and the end isn't needed"),
    ("abcdef", 3, "...", "...", "only the end fits"),
]


@pytest.mark.parametrize(("value", "length", "end", "expected", "why"), CUT, ids=[row[-1] for row in CUT])
def test_cut(value: object, length: int, end: str, expected: str, why: str) -> None:
    assert expected.rstrip(".") == truncate_gsm(value, length, end).rstrip(".")
    assert truncate_gsm(value, length, end).startswith(expected)


def septets(text: str) -> int:
    return sum(2 if character in EXTENSION else 1 for character in text)


@given(st.text(st.sampled_from("ab c€{’…ﬁ👍\u0301ë\u200d｛") | st.characters(codec="utf-8")), st.integers(3, 40))
def test_never_more_than_asked_for(text: str, length: int) -> None:
    for end in ("", "...", "€"):
        found = truncate_gsm(text, length, end)
        units = septets(found) if is_gsm7(found) else len(found.encode("utf-16-le")) // 2
        assert units <= length
        # Smart encoding comes later, and the promise holds all the same.
        replaced = in_gsm7(found)
        assert replaced is None or septets(replaced) <= length
        assert text.startswith(found.removesuffix(end)) or found == text


@given(st.text(st.sampled_from("ab c€{é"), max_size=40))
def test_what_fits_stays(text: str) -> None:
    assert text == truncate_gsm(text, max(septets(text), 1), "")


def test_a_page_in_a_cell_is_not_read_to_its_end() -> None:
    begin = time.process_time()
    assert "xxxxx..." == truncate_gsm("x" * 10_000_000, 8, "...")
    assert time.process_time() - begin < 0.2


@pytest.mark.parametrize(
    ("length", "end", "words"),
    [
        (0, "", "whole number of septets above 0"),
        ("20", "", "whole number"),
        (True, "", "whole number"),
        (1.5, "", "whole number"),
        (2, "...", "the end takes 3 of 2 septets"),
        (1, "€", "the end takes 2 of 1"),
    ],
)
def test_nonsense(length: object, end: object, words: str) -> None:
    with pytest.raises(FilterError, match=words):
        truncate_gsm("abc", length, end)
