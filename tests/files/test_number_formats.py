"""Number formats: expected values are what a spreadsheet shows."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.files.number_formats import number_format

ACCOUNTING = '_($* #,##0.00_);_($* (#,##0.00);_($* "-"??_);_(@_)'
LOCAL_PHONE = "[<=9999999]###-####;(###) ###-####"

AS_SHOWN = [
    ('"V-"000000', 42, "V-000042"), ("00000", 2110, "02110"), ("0000", -7, "-0007"), ('"SKU"000', 7, "SKU007"),
    ("0%", 0.15, "15%"), ("0.0%", 0.1234, "12.3%"), ("0 %", 0.5, "50 %"), ("0%", 0.125, "13%"),
    ("000-00-0000", 123456789, "123-45-6789"), (LOCAL_PHONE, 5551234, "555-1234"),
    (LOCAL_PHONE, 2025551234, "(202) 555-1234"), ('"+"0', 6591234567, "+6591234567"),
    ("+00 0000 0000", 6591234567, "+65 9123 4567"), ('#,##0 "pts"', 12345, "12,345 pts"), ("0°", 5, "5°"),
    ('0.0,,"M"', 1234567, "1.2M"), ('General" kg"', 12.5, "12.5 kg"), ('"Mr "@', "Tan", "Mr Tan"), ("0;-0", -5, "-5"),
    ("0_ ;[Red]-0 ", -3, "-3"), ('0;-0;"none"', 0, "none"), ("+0;-0", 5, "+5"), (r"\#0", 5, "#5"),
    ("h:mm AM/PM", dt.time(9, 30), "9:30 AM"), ("h:mm AM/PM", dt.time(0, 5), "12:05 AM"),
    ("h:mm am/pm", dt.time(13), "1:00 PM"), ("h:mm A/P", dt.time(13), "1:00 P"), ("hh:mm", dt.time(9, 5), "09:05"),
    ('h"h"mm', dt.time(9, 5), "9h05"), ("h.mm", dt.time(9, 5), "9.05"), ("[$-409]h:mm AM/PM", dt.time(18), "6:00 PM"),
    ("[h]:mm", dt.timedelta(hours=36), "36:00"), ("mm:ss", dt.time(0, 5, 7), "05:07"),
    ("[mm]:ss", dt.timedelta(minutes=90, seconds=7), "90:07"), ("0;;", 0, ""), ("0;-0;;@", 0, ""),
    ("0000 0000", 1234567, "0123 4567"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "value", "expected"), AS_SHOWN)
def test_as_the_sheet_shows_it(code: str, value: object, expected: str) -> None:
    found = number_format(200, code)
    assert found is not None
    assert not found.has_currency
    assert expected == found.shown(value) == found.text(value)


AS_NUMBERS = [
    ("0.00", 12.5, "12.50", "12.50"), ("0.00", 21.5892, "21.59", "21.59"), ("0.00", 0.125, "0.13", "0.13"),
    ("0.00", 12, "12.00", "12"), ("0.00", 6591234567, "6591234567.00", "6591234567"), ("0", 12.7, "13", "13"),
    ("0.00", -0.001, "0.00", "0"), ("#,##0.00", 1234.5, "1,234.50", "1234.50"), ("0.##", 5.25, "5.25", "5.25"),
    ("#,##0_);(#,##0)", -1234, "(1,234)", "-1234"), ("# ##0", 1234, "1 234", "1234"), ("0;;", 5, "5", "5"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "value", "shown", "expected"), AS_NUMBERS)
def test_a_plain_number_has_no_commas_and_whole_numbers_stay_whole(
    code: str, value: float, shown: str, expected: str
) -> None:
    found = number_format(200, code)
    assert found is not None
    assert not found.has_currency
    assert (shown, expected) == (found.shown(value), found.text(value))


AMOUNTS = [
    ("$#,##0.00", 1234.5, "$1,234.50", "1234.50"), ("[$RM-43E] #,##0.00", 1234.5, "RM 1,234.50", "1234.50"),
    ('"Rp" #,##0', 150000, "Rp 150,000", "150000"), ("0.00 [$€-407]", 3.5, "3.50 €", "3.50"),
    (ACCOUNTING, -1234.5, "$(1,234.50)", "-1234.50"), (ACCOUNTING, 0, "$-", "0.00"), ("€ 0.00", 12, "€ 12.00", "12.00"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "value", "shown", "expected"), AMOUNTS)
def test_an_amount_has_no_currency(code: str, value: float, shown: str, expected: str) -> None:
    found = number_format(200, code)
    assert found is not None
    assert found.has_currency
    assert (shown, expected) == (found.shown(value), found.text(value))


@pytest.mark.parametrize(
    "code", ["General", "@", "dd/mm/yyyy", "mmm", "yyyy-mm-dd h:mm", "0.00E+00", "# ?/?", ";;;", ""]
)
def test_formats_that_change_nothing_here(code: str) -> None:
    assert number_format(200, code) is None


def test_formats_known_by_number() -> None:
    names = {number: number_format(number, None) for number in (0, 9, 14, 22, 49)}
    assert [9] == [number for number, found in names.items() if found]
    assert (percent := names[9]) is not None
    assert "15%" == percent.text(0.15)


def test_what_a_format_is_not_for() -> None:
    zeros = number_format(200, "00000")
    assert zeros is not None
    assert [None, None, None, None] == [zeros.text(value) for value in ("x", True, dt.date(2026, 12, 1), 1e18)]


@given(st.text('0#?.,%@;"\\[]$-+hmsAPM/ _*GeneralV€<=9', max_size=20), st.floats(-1e15, 1e15))
def test_any_code_gives_a_text_or_none(code: str, value: float) -> None:
    if found := number_format(200, code):
        for one in (value, int(value), "x", dt.time(9, 30), dt.timedelta(hours=30), dt.datetime(2026, 12, 1, 9, 30)):  # noqa: DTZ001 - a cell
            assert isinstance(found.text(one), str | None)
            assert isinstance(found.shown(one), str | None)
