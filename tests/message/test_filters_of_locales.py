"""Money and dates."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.message.filters import FilterError, currency, date_filter
from runner.message.segments import is_gsm7

date = date_filter(None)

AMOUNTS = [
    ("1234.5", "SGD", "en", "SGD 1,234.50", "the code, with a space"),
    ("1234.5", "sgd", "en_SG", "$1,234.50", "at home; in any case"),
    ("1234.5", "EUR", "fr", "1 234,50 €", "U+202F and U+00A0 become plain"),
    ("1234.5", "CHF", "de-CH", "CHF 1'234.50", "a typographic apostrophe, too; a hyphen in the locale"),
    ("-1234.5", "SEK", "sv", "-1 234,50 kr", "and the minus"),
    ("50000", "IDR", "id", "Rp 50.000,00", "a symbol of letters"),
    ("99", "INR", "en_IN", "INR 99.00", "a symbol outside of GSM-7"),
    ("1234.5", "JPY", "en", "¥1,235", "no decimals; half up"),
    ("0.125", "USD", "en", "$0.13", "half up, not half even"),
    (5, "USD", "en", "$5.00", "a number"),
    (1e-7, "USD", "en", "$0.00", "an exponent"),
    (" 5 ", "USD", "en", "$5.00", "spaces about it"),
    ("999999999999999.99", "USD", "en", "$999,999,999,999,999.99", "nothing is lost to floats"),
    ("-0.004", "USD", "en", "$0.00", "nobody owes nothing"),
    ("1234.5", "EGP", "ar_EG", "1,234.50 EGP", "the marks of direction go with the symbol"),
]


@pytest.mark.parametrize(("amount", "code", "locale", "expected", "why"), AMOUNTS, ids=[row[-1] for row in AMOUNTS])
def test_currency(amount: object, code: str, locale: str, expected: str, why: str) -> None:
    assert expected == currency(amount, code, locale)


NO_AMOUNTS = [
    "1,234.50", "1.234,50", "$5", "5 USD", "", "-", "1e3", "nan", "inf", "٥", "1.", ".5", "1_000", "9" * 99, "x\x1b[0m",
]  # fmt: skip


@pytest.mark.parametrize("amount", NO_AMOUNTS)
def test_no_amount(amount: str) -> None:
    with pytest.raises(FilterError, match="is not an amount; write digits and a point") as error:
        currency(amount, "USD")
    assert str(error.value).isprintable()


@given(st.decimals(-(10**9), 10**9, places=2), st.sampled_from(["en", "de", "fr", "id", "sv", "hi", "th", "de_CH"]))
def test_every_digit_is_there(amount: Decimal, locale: str) -> None:
    found = currency(f"{amount:f}", "USD", locale)
    assert f"{abs(amount):f}".replace(".", "") == "".join(character for character in found if character.isdigit())
    assert is_gsm7(found)
    assert ("-" in found) == (amount < 0)


WRONG = [
    (("5", "XYZW"), '"XYZW" is not a currency code; write three letters such as SGD'),
    (("5", ""), '"" is not a currency code'),
    (("5", "USD", "xx"), '"xx" is not a locale; write one such as en, en_GB or id_ID'),
    (("5", "USD", "../../etc"), "is not a locale"),
    (("5", "USD", ""), "is not a locale"),
    (("5", "USD", "en", "yes"), "symbol must be true or false"),
    ((True, "USD"), "a value of the type bool is not text"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG, ids=[row[-1] for row in WRONG])
def test_wrong_arguments(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(FilterError) as error:
        currency(*arguments)
    assert words in str(error.value)


DATES = [
    ("2026-12-01", "medium", "en", "Dec 1, 2026", "a date"),
    ("2026-12-01", "long", "en_GB", "1 December 2026", "there"),
    ("2026-12-01", "EEE d MMM", "de", "Di. 1 Dez.", "letters"),
    ("2026-12-01T18:30", "h:mm a", "en", "6:30 PM", "a time, without U+202F"),
    ("2026-12-01 18:30:05.123456789", "HH:mm:ss", "en", "18:30:05", "a space, and nanoseconds"),
    ("2026-12-01T23:30:00+08:00", "d MMM HH:mm", "en", "1 Dec 23:30", "without a time zone, as written"),
    ("2026-12-01T23:30:00Z", "d MMM", "en", "1 Dec", "Z, too"),
    ("2026-12-28", "yyyy-MM-dd", "en", "2026-12-28", "ISO"),
    ("2026-12-01", "d 'de' MMMM", "es", "1 de diciembre", "words in quotes"),
    ("2024-02-29", "short", "en_GB", "29/02/2024", "a leap day"),
    ("2026-12-01", "long", "ja", "2026年12月1日", "a script of its own"),
]


@pytest.mark.parametrize(("value", "pattern", "locale", "expected", "why"), DATES, ids=[row[-1] for row in DATES])
def test_date(value: str, pattern: str, locale: str, expected: str, why: str) -> None:
    assert expected == date(value, pattern, locale)


ZONES = [
    ("2026-12-01 02:00:00+00:00", "Asia/Singapore", "2026-12-01 10:00", "a Parquet column in UTC"),
    ("2026-12-01T02:00:00Z", "Asia/Singapore", "2026-12-01 10:00", "Z"),
    ("2026-12-01 02:00:00 UTC", "Asia/Singapore", "2026-12-01 10:00", "BigQuery"),
    ("2026-12-01 02:00:00.123456 UTC", "Asia/Singapore", "2026-12-01 10:00", "BigQuery, with a fraction"),
    ("2026-12-01 10:00:00+08", "Asia/Singapore", "2026-12-01 10:00", "PostgreSQL's COPY"),
    ("2026-12-01 10:00:00+0800", "America/New_York", "2026-11-30 21:00", "four digits; the day before"),
    ("2026-07-01T10:00-04:00", "America/New_York", "2026-07-01 10:00", "summer time"),
    ("2026-12-01 07:30:00+05:30", "Europe/London", "2026-12-01 02:00", "minutes"),
    ("2026-12-01 10:00:00", "America/New_York", "2026-12-01 10:00", "no offset: as written"),
    ("2026-12-01 10:00:00+08", None, "2026-12-01 10:00", "no time zone: as written"),
]


@pytest.mark.parametrize(("value", "zone", "expected", "why"), ZONES, ids=[row[-1] for row in ZONES])
def test_times_with_an_offset(value: str, zone: str | None, expected: str, why: str) -> None:
    assert expected == date_filter(zone)(value, "yyyy-MM-dd HH:mm")
    assert expected == date_filter("Pacific/Auckland")(value, "yyyy-MM-dd HH:mm", zone=zone)


def test_a_date_alone_stays_that_day() -> None:
    assert "1 Dec" == date_filter("America/New_York")("2026-12-01+08:00", "d MMM")


NO_ZONES = [
    ("EST", "America/New_York"),
    ("UTC+8", "Asia/Singapore"),
    ("Asia/Singapur", 'did you mean "Asia/Singapore"?'),
]


@pytest.mark.parametrize(("zone", "words"), NO_ZONES)
def test_no_zone(zone: str, words: str) -> None:
    with pytest.raises(FilterError, match="is not a time zone") as error:
        date("2026-12-01 10:00:00+08", zone=zone)
    assert words in str(error.value)


NO_DATES = [
    ("01/12/2026", "medium", "is not a date; write it like 2026-12-01"),
    ("20261201", "medium", "is not a date; write"),
    ("2026-W49-2", "medium", "is not a date; write"),
    ("45992", "medium", "is not a date; write"),
    ("2026-02-29", "medium", "is not a date: day"),
    ("2026-12-01-05", "medium", "is not a date; write"),
    ("2026-12-01T10:00+99:00", "H", "is not a date: "),
    ("0001-01-01T00:00+14:00", "H", "is not a date: "),
    ("2026-12-01T25:00", "H", "is not a date: hour"),
    ("2026-12-01", "d MMM h a", "has no time of day"),
    ("", "medium", "is not a date"),
    ("2026-12-01", "YYYY-MM-dd", "YYYY is the week year"),
    ("2026-12-01", "DD/MM", "D is the day of the year"),
    ("2026-12-01", "dd/mm/yyyy", "mm means minutes; write MM for the month"),
    ("2026-12-01T18:30", "dd/mm/yyyy", "mm means minutes"),
    ("2026-12-01", "%d %b", "such as dd MMM yyyy for %d %b %Y"),
    ("2026-12-01", "d of MMM", "unknown letter"),
    ("2026-12-01T18:30Z", "HH:mm z", "unknown letter z"),
    ("2026-12-01", "", "shows no part of a date"),
    ("2026-12-01", "-", "shows no part of a date"),
    ("2026-12-01", "d" * 9, "is not a date pattern"),
    ("2026-12-01", "d MMM 'yy", "a quote is not closed"),
]


@pytest.mark.parametrize(("value", "pattern", "words"), NO_DATES, ids=[f"{row[0]}-{row[1]}" for row in NO_DATES])
def test_no_date(value: str, pattern: str, words: str) -> None:
    with pytest.raises(FilterError) as error:
        date(value, pattern, zone="Asia/Singapore")
    assert words in str(error.value)


@given(st.text(st.sampled_from("dMyEHhmsaYD'%-/ :.,") | st.characters(codec="utf-8"), max_size=12))
def test_any_pattern_is_text_or_words(pattern: str) -> None:
    with suppress(FilterError):
        assert date("2026-12-01T18:30", pattern)


@given(st.text(st.sampled_from("0123456789-T:+Z. ") | st.characters(codec="utf-8"), max_size=30))
def test_any_cell_is_a_date_or_words(cell: str) -> None:
    with suppress(FilterError):
        assert date_filter("Asia/Singapore")(cell)
