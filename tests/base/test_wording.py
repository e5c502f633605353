"""Numbers, times and cells as people and spreadsheets read them."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.text import defused, defused_column, sanitized
from runner.base.wording import moment, money, rate_in_words, seconds_in_words, share


@pytest.mark.parametrize(("seconds", "words"), [
    (0.0483, "48 ms"), (0.9996, "1 s"), (3.24, "3.2 s"), (30, "30 s"), (59.96, "1 min"), (245, "4 min 5 s"),
    (12_000, "3 h 20 min"), (3_600, "1 h"), (86_400, "1 day"), (187_200, "2 days 4 h"),
])  # fmt: skip
def test_seconds(seconds: float, words: str) -> None:
    assert words == seconds_in_words(seconds)


@pytest.mark.parametrize(("part", "whole", "words"), [
    (0, 0, "–"), (0, 10, "0%"), (10, 10, "100%"), (1, 8, "12.5%"), (1, 100_000, "<0.1%"), (99_999, 100_000, ">99.9%"),
])  # fmt: skip
def test_a_share_is_all_or_nothing_only_when_it_is(part: int, whole: int, words: str) -> None:
    assert words == share(part, whole)


@pytest.mark.parametrize(("amount", "words"), [
    ("0", "0.00 EUR"), ("0.0375", "0.0375 EUR"), ("1204.5", "1,204.50 EUR"), ("1", "1.00 EUR"),
])  # fmt: skip
def test_money(amount: str, words: str) -> None:
    assert words == money(Decimal(amount), "EUR")


@pytest.mark.parametrize(("per_second", "words"), [
    (40, "40 a second"), (1.25, "1.2 a second"), (0.5, "30 a minute"), (0.001, "3.6 an hour"),
    (5_000, "5,000 a second"),
])  # fmt: skip
def test_rates(per_second: float, words: str) -> None:
    assert words == rate_in_words(per_second)


def test_moments_are_utc_and_never_fail() -> None:
    assert "25 Nov 2026, 07:16:03" == moment(1_795_590_963_999_999)
    assert "invalid time" == moment(2**62)


def test_what_is_cut_says_how_much() -> None:
    assert "abc… (7 more characters)" == sanitized("abcdefghij", 3)


@given(st.text(st.characters(codec=None)))
def test_what_is_shown_can_be_written_and_steers_nothing(text: str) -> None:
    assert not set(sanitized(text).encode().decode()) & set(map(chr, [0, 7, 27, 0x9B, 0x202E, 0x2066, 0x2028, 0xFEFF]))


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("  @SUM(1)", "'  @SUM(1)"),
        ("＝1+1", "'＝1+1"),
        ("-2+3", "'-2+3"),
        ("+12 34", "'+12 34"),
        ("\t=1", "'\t=1"),
        ("+6581234567", "+6581234567"),
        ("-12.5", "-12.5"),
        ("+1\n", "'+1\n"),
        ("a = b", "a = b"),
        ("", ""),
    ],
)
def test_formulas_are_defused(cell: str, expected: str) -> None:
    assert expected == defused(cell)


@given(st.text(st.sampled_from("=+-@＝＋－＠\t\r\n 1.a'٣"), max_size=6))
def test_a_column_is_defused_as_each_of_its_cells(cell: str) -> None:
    assert [defused(cell)] == pl.DataFrame({"cell": [cell]}).select(defused_column("cell"))["cell"].to_list()
