"""Numbers as they stand in real files: what is read, what is refused, and that nothing is guessed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.audience.phone import Number, is_country, normalise
from runner.models import Exclusion, ExclusionReason

READ = [
    # (as written, country, E.164, its country, why it is here)
    ("+6591234567", None, "+6591234567", "SG", "E.164 as it should be"),
    ("+6591234567", "MY", "+6591234567", "SG", "a plus wins over the file's country"),
    ("91234567", "SG", "+6591234567", "SG", "national"),
    ("91234567", "sg", "+6591234567", "SG", "the country in small letters"),
    ("6591234567", "SG", "+6591234567", "SG", "with its own country code, without a plus"),
    ("9123-4567", "SG", "+6591234567", "SG", "hyphen"),
    ("9123\u00a04567", "SG", "+6591234567", "SG", "NBSP, from a web page"),
    ("9123\u20134567", "SG", "+6591234567", "SG", "en dash, from a word processor"),
    ("(202) 555-0123", "US", "+12025550123", "US", "American brackets"),
    ("+1 (202) 555-0123", None, "+12025550123", "US", "American, international"),
    ("+(65) 9123 4567", None, "+6591234567", "SG", "brackets about the country code"),
    ("(+65) 9123 4567", None, "+6591234567", "SG", "brackets about plus and country code"),
    ("07700 900123", "GB", "+447700900123", "GB", "national prefix; a range reserved for fiction"),
    ("+44 (0)7700 900123", None, "+447700900123", "GB", "the national prefix in brackets"),
    ("00447700900123", "DE", "+447700900123", "GB", "00 is how one dials abroad from Germany, and nothing else"),
    ("+61491570156", None, "+61491570156", "AU", "a range reserved for fiction"),
    ("+39 06 1234 5678", None, "+390612345678", "IT", "in Italy the zero belongs to the number"),
    ("+870773111632", None, "+870773111632", None, "satellite: no country"),
]


@pytest.mark.parametrize(("raw", "country", "destination", "home", "why"), READ, ids=[row[-1] for row in READ])
def test_reads(raw: str, country: str | None, destination: str, home: str | None, why: str) -> None:
    assert Number(destination, home) == normalise(raw, country)


TAKEN_AS_INTERNATIONAL = [
    ("6591234567", None, "+6591234567", "SG", "no country is given"),
    ("60123456789", "SG", "+60123456789", "MY", "not valid in the given country"),
    ("60 12-345 6789", "SG", "+60123456789", "MY", "with separators"),
]


@pytest.mark.parametrize(("raw", "country", "destination", "home", "why"), TAKEN_AS_INTERNATIONAL)
def test_says_when_digits_were_taken_as_international(
    raw: str, country: str | None, destination: str, home: str, why: str
) -> None:
    assert Number(destination, home, f'read "{raw}" as {destination}') == normalise(raw, country)


REFUSED = [
    ("", None, "is empty", "an empty cell"),
    ("12345", "SG", '"12345" is too short for a number in SG', "a short code"),
    ("912345678", "SG", '"912345678" has the wrong number of digits for a number in SG', "a digit too many"),
    ("+6511234567", None, '"+6511234567" has the right length, but no such number range exists in SG', "possible only"),
    ("5550123", "US", '"5550123" lacks its area code in US', "local only"),
    ("91234567", None, '"91234567" has no country code; set recipients.country', "national without a country"),
    ("+999123456789", None, '"+999123456789" does not begin with a country code that exists', "no such country code"),
    ("91234567", "UK", '"UK" is not a country code; GB is the United Kingdom', "everybody's first try"),
    ("91234567", "Singapore", '"SINGAPORE" is not a country code; write two letters, such as SG', "a name"),
    (
        "6.59E+09",
        "SG",
        '"6.59E+09" was shortened by a spreadsheet, and its digits are lost; '
        "format the column as text and export it again",
        "Excel",
    ),
    (
        "6591234567.0",
        "SG",
        '"6591234567.0" was saved as a decimal number; format the column as text and export it again',
        "pandas: without this, the dot would be a separator and the number ten times as large",
    ),
    ("-6591234567", None, '"-6591234567" begins with a minus', "Excel evaluated +65 - …"),
    ("9123 4567 ext 5", "SG", '"9123 4567 ext 5" has an extension; texts cannot be sent to extensions', "extension"),
    ("91234567x5", "SG", '"91234567x5" has an extension; texts cannot be sent to extensions', "short extension"),
    ("1-800-FLOWERS", "US", '"1-800-FLOWERS" holds letters', "a vanity number: phonenumbers would dial it"),
    ("91234567 (Bob)", "SG", '"91234567 (Bob)" holds letters', "a name behind the number"),
    ("n/a", "SG", '"n/a" is not a number', "a note instead of a number"),
    ("91234567/81234567", "SG", '"91234567/81234567" looks like two numbers; give each a row of its own', "slash"),
    ("91234567 81234567", "SG", '"91234567 81234567" looks like two numbers; give each a row of its own', "space"),
    ("91234567\n81234567", "SG", '"91234567 81234567" looks like two numbers; give each a row of its own', "newline"),
    ("1234567 7654321", None, '"1234567 7654321" looks like two numbers; give each a row of its own', "valid as one"),
    ("'+6591234567", None, "\"'+6591234567\" holds ' (U+0027), which does not belong in a number", "Excel's text mark"),
    ("９１２３４５６７", "SG", '"９１２３４５６７" holds ９ (U+FF19), which does not belong in a number', "full width"),
    (
        "0049 1512 3456789",
        "SG",
        '"0049 1512 3456789" begins with 00; write + and the country code instead',
        "German; phonenumbers reads 004 as the way to dial abroad and finds a number in India",
    ),
    (
        "0116782 2345",
        "SG",
        '"0116782 2345" is not a number as written in SG',
        "Malaysian; phonenumbers finds a number in Vanuatu",
    ),
    ("00447700900123", None, '"00447700900123" begins with 00; write + and the country code instead', "no country"),
    ("1" * 300, "SG", f'"{"1" * 40}…" is too long for a number', "a cell that holds something else"),
]


@pytest.mark.parametrize(("raw", "country", "detail", "why"), REFUSED, ids=[row[-1] for row in REFUSED])
def test_refuses(raw: str, country: str | None, detail: str, why: str) -> None:
    assert Exclusion(ExclusionReason.INVALID_NUMBER, detail) == normalise(raw, country)


def test_knows_countries() -> None:
    assert [True, False, False, False] == [is_country(code) for code in ("SG", "sg", "UK", "001")]


DIRTY = st.text(st.sampled_from("0123456789+-() ./xE,;\n\u00a0٣①"), max_size=25) | st.text(max_size=30)


@given(raw=DIRTY, country=st.sampled_from([None, "SG", "US", "GB", "DE", "IT", "AR", "XX", ""]))
def test_anything_is_a_valid_number_or_an_exclusion(raw: str, country: str | None) -> None:
    found = normalise(raw.strip(), country)
    if isinstance(found, Number):
        assert re.fullmatch(r"\+[1-9][0-9]{6,14}", found.destination)
        assert (found.destination, found.country) == (
            (again := normalise(found.destination)).destination,  # type: ignore[union-attr]
            again.country,  # type: ignore[union-attr]
        )
    else:
        assert ExclusionReason.INVALID_NUMBER is found.reason


@given(raw=st.from_regex(r"\+?[0-9]{5,16}", fullmatch=True), country=st.sampled_from(["SG", "US", "GB", "MY", "DE"]))
def test_no_digit_of_the_cell_is_lost_but_a_prefix(raw: str, country: str) -> None:
    """Whatever is stripped stands at the beginning: the number dialled ends as the cell does."""
    found = normalise(raw, country)
    if isinstance(found, Number):
        assert found.destination.endswith(raw.lstrip("+0")[-6:])
