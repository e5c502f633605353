"""Numbers as they stand in real files: what is read, what is refused, and that nothing is guessed."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.text import quoted
from runner.numbers.phone import Number, format_phone, normalise
from runner.numbers.ranges import KIND_LABELS
from tests.audience.dirty import NOTED, NOTED_AS_INVISIBLE, READ, REFUSED


@pytest.mark.parametrize(("raw", "country", "destination", "home", "kind", "why"), READ, ids=[row[-1] for row in READ])
def test_reads(raw: str, country: str | None, destination: str, home: str | None, kind: str, why: str) -> None:
    assert Number(destination, home, kind) == normalise(raw, country)


@pytest.mark.parametrize(("raw", "country", "destination", "home", "why"), NOTED, ids=[row[-1] for row in NOTED])
def test_notes_what_was_repaired(raw: str, country: str | None, destination: str, home: str, why: str) -> None:
    found = normalise(raw, country)
    assert isinstance(found, Number)
    assert (destination, home, f'read "{raw}" as {destination}') == (found.destination, found.country, found.note)


@pytest.mark.parametrize(
    ("raw", "shown", "country", "why"), NOTED_AS_INVISIBLE, ids=[row[-1] for row in NOTED_AS_INVISIBLE]
)
def test_notes_what_could_not_be_seen(raw: str, shown: str, country: str | None, why: str) -> None:
    note = f'read "{shown}" as +6591234567, without invisible marks'
    assert Number("+6591234567", "SG", "mobile", note) == normalise(raw, country)


@pytest.mark.parametrize("space", "\u00a0\u2007\u2009\u202f\u3000")
def test_spaces_of_all_widths(space: str) -> None:
    found = normalise(f"{space}9123{space}4567", "SG")
    assert Number("+6591234567", "SG", "mobile", 'read "9123 4567" as +6591234567') == found


@pytest.mark.parametrize(("raw", "country", "words", "why"), REFUSED, ids=[row[-1] for row in REFUSED])
def test_refuses(raw: str, country: str | None, words: str, why: str) -> None:
    assert Exclusion(ExclusionReason.INVALID_NUMBER, f"{quoted(raw)} {words}") == normalise(raw, country)


def test_a_cell_is_shown_short_and_on_one_line() -> None:
    assert f'"{"1" * 40}…"' == quoted("1" * 41)
    assert '"91 81"' == quoted("91\n81")
    assert '"abc"' == quoted("\u202dabc\u200b")


def test_a_cell_that_reads_backwards_is_refused() -> None:
    detail = '" 76543219" has a mark that reverses its digits (U+202E); type the number again'
    assert Exclusion(ExclusionReason.INVALID_NUMBER, detail) == normalise("\u202e76543219\u202c", "SG")


def test_an_empty_cell() -> None:
    assert Exclusion(ExclusionReason.INVALID_NUMBER, "is empty") == normalise("")


def test_a_country_by_name() -> None:
    assert Number("+6591234567", "SG", "mobile") == normalise("91234567", "Singapore")
    words = '"Narnia" is not a country; write its code, such as SG, or its name'
    assert Exclusion(ExclusionReason.INVALID_NUMBER, words) == normalise("91234567", "Narnia")


@pytest.mark.parametrize("raw", ["+6591234567", "tel:+65 9123 4567", "＋6591234567"])
def test_a_number_with_a_plus_needs_no_country(raw: str) -> None:
    found = normalise(raw, "Narnia")
    assert isinstance(found, Number)
    assert "+6591234567" == found.destination


DIRTY = st.text(st.sampled_from("0123456789+-() ./xE,;\n'\"\u00a0\u200b٣①"), max_size=25) | st.text(max_size=30)
COUNTRIES = st.sampled_from([None, "SG", "US", "GB", "DE", "IT", "AR", "ID", "HK", "XX", ""])


@given(raw=DIRTY, country=COUNTRIES)
def test_anything_is_a_valid_number_or_an_exclusion(raw: str, country: str | None) -> None:
    found = normalise(raw.strip(), country)
    if isinstance(found, Number):
        assert re.fullmatch(r"\+[1-9][0-9]{6,14}", found.destination)
        assert found.kind in KIND_LABELS
        assert Number(found.destination, found.country, found.kind) == normalise(found.destination, country or None)
    else:
        assert ExclusionReason.INVALID_NUMBER is found.reason


@given(raw=st.text(st.sampled_from("0123456789+- .()eExXpPtelTELoOlIأЕО"), min_size=7, max_size=20), country=COUNTRIES)
@example(raw="tel:91234567e1", country="SG")
@example(raw="9123456O", country="SG")
def test_a_text_with_letters_is_never_a_number(raw: str, country: str | None) -> None:
    if any(character.isalpha() for character in raw.removeprefix("tel:")):
        assert isinstance(normalise(raw, country), Exclusion)


@given(mantissa=st.from_regex(r"[0-9]{1,10}([.,][0-9]{1,10})?", fullmatch=True), exponent=st.integers(0, 15))
def test_an_exponent_is_never_a_number(mantissa: str, exponent: int) -> None:
    for written in (f"{mantissa}E{exponent}", f"{mantissa}e+{exponent:02}", f"+{mantissa}E+{exponent}"):
        assert isinstance(normalise(written, "DE"), Exclusion)


@given(raw=st.from_regex(r"\+?[0-9]{5,16}", fullmatch=True), country=st.sampled_from(["SG", "US", "GB", "MY", "DE"]))
def test_no_digit_of_the_cell_is_lost_but_a_prefix(raw: str, country: str) -> None:
    """Whatever is stripped stands at the beginning: the number dialled ends as the cell does."""
    found = normalise(raw, country)
    if isinstance(found, Number):
        assert found.destination.endswith(raw.lstrip("+0")[-6:])


QUOTES = st.text(st.sampled_from("'\"`‘’“”«»"), max_size=2)
INVISIBLE = st.text(st.sampled_from("\u200b\u200e\u202a\u202c\u2060\ufeff\u00ad"), max_size=3)
DIGITS = st.sampled_from([chr(place) for place in range(0x10000) if unicodedata.decimal(chr(place), -1) == 0])
CLEAN = st.sampled_from(
    [
        "+6591234567",
        "+447700900123",
        "+61491570156",
        "+12025550123",
        "+4915123456789",
        "+6281234567890",
        "+393471234567",
    ]
)


@given(number=CLEAN, before=QUOTES, after=QUOTES, mark=INVISIBLE, zero=DIGITS, tail=st.sampled_from(["", ".0"]))
def test_noise_changes_no_number(number: str, before: str, after: str, mark: str, zero: str, tail: str) -> None:
    """A number in quotes, with invisible marks, in the digits of another script, or as a float is the same number."""
    digits = "".join(chr(ord(zero) + int(character)) for character in number[1:])
    for written in (f"+{digits}{tail}", f"＋{digits}", f"00{digits}", f"tel:+{digits}", f"{digits}{tail}"):
        inside = "" if "." in written else mark  # between the digits of a float there is no excuse for a space
        noisy = f"{before}{mark}{written[:5]}{inside}{written[5:]}{mark}{after}"
        found = normalise(noisy)
        assert isinstance(found, Number), (noisy, found)
        assert number == found.destination


PEOPLE = [
    ("+6581234567", "international", None, "+65 8123 4567"),
    ("+6581234567", "national", None, "8123 4567"),
    ("81234567", "international", "SG", "+65 8123 4567"),
    ("+447700900123", "national", None, "07700 900123"),
    ("+12025550123", "national", "SG", "(202) 555-0123"),
    ("1800 123 4567", "national", "SG", "1800 123 4567"),
]


@pytest.mark.parametrize(("written", "style", "country", "shown"), PEOPLE)
def test_formats_for_people(written: str, style: str, country: str | None, shown: str) -> None:
    assert shown == format_phone(written, style, country)


def test_formats_internationally_unless_told_otherwise() -> None:
    assert "+65 8123 4567" == format_phone("+6581234567")


NOT_FOR_PEOPLE = [
    ("soon", "national", '"soon" is not a number'),
    ("81234567", "national", '"81234567" has no country code; add its country, as in phone("national", "SG")'),
    ("", "national", '"" is not a number'),
    ("+6581234567", "pretty", 'unknown style "pretty"; write "national" or "international"'),
]


@pytest.mark.parametrize(("written", "style", "words"), NOT_FOR_PEOPLE)
def test_says_what_cannot_be_formatted(written: str, style: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        format_phone(written, style)
