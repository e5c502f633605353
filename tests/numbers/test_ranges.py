"""Country and kind of a number in one look: the same as the public functions of phonenumbers say in four."""

import random
from functools import cache

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneNumber, PhoneNumberType

from runner.audience.spec import DEFAULT_TYPES
from runner.numbers import ranges
from runner.numbers.ranges import KIND_OF_TYPE, find_range, split_international, split_national

TYPES = [kind for kind in PhoneNumberType.values() if kind != PhoneNumberType.UNKNOWN]
WORLDWIDE = [800, 808, 870, 878, 881, 882, 883, 888, 979]


@cache
def corpus() -> list[PhoneNumber]:
    """Numbers of every country and kind, and for each some that differ from it in a few digits: many of no range."""
    examples = [
        number
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in TYPES
        if (number := phonenumbers.example_number_for_type(region, kind))
    ]
    examples += [number for code in WORLDWIDE if (number := phonenumbers.example_number_for_non_geo_entity(code))]
    chance = random.Random(4)
    for number in list(examples):
        digits = phonenumbers.national_significant_number(number)
        for _ in range(5):
            place = chance.randrange(len(digits))
            other = f"{digits[:place]}{chance.randrange(10)}{digits[place + 1 :]}"
            examples.append(phonenumbers.parse(f"+{number.country_code}{other}"))
    return examples


def by_public_functions(number: PhoneNumber) -> tuple[str | None, str] | None:
    if not phonenumbers.is_valid_number(number):
        return None
    region = phonenumbers.region_code_for_number(number)
    return None if region == "001" else region, KIND_OF_TYPE[phonenumbers.number_type(number)]


def test_agrees_with_the_public_functions() -> None:
    found = {}
    expected = {}
    for number in corpus():
        national = phonenumbers.national_significant_number(number)
        if number.country_code in WORLDWIDE or (number.country_code == 44 and national.startswith("7700900")):
            continue  # here it differs on purpose, see below
        written = f"+{number.country_code} {national}"
        found[written] = find_range(number.country_code or 0, national)
        expected[written] = by_public_functions(number)
    assert 5_000 < len(expected)
    assert set(KIND_OF_TYPE.values()) == {home[1] for home in expected.values() if home}
    assert None in expected.values()
    assert expected == found


def parsed(digits: str) -> tuple[int, str] | None:
    try:
        number = phonenumbers.parse(f"+{digits}")
    except NumberParseException:
        return None
    return number.country_code or 0, phonenumbers.national_significant_number(number)


def test_parts_the_code_as_parsing_does() -> None:
    digits = [f"{number.country_code}{phonenumbers.national_significant_number(number)}" for number in corpus()]
    expected = {written: parsed(written) for written in digits}
    found = {written: split_international(written) for written in digits}
    # Some countries' numbers may begin with what is dialled inside of them: those are left to parsing.
    assert 0.9 * len(expected) < sum(1 for parts in found.values() if parts)
    assert {written: expected[written] for written, parts in found.items() if parts} == {
        written: parts for written, parts in found.items() if parts
    }


@given(
    code=st.sampled_from(sorted(COUNTRY_CODE_TO_REGION_CODE)),
    dialled=st.sampled_from(["", "0", "00", "1", "8", "9", "01", "06"]),
    rest=st.text(st.sampled_from("0123456789"), max_size=14),
)
def test_a_number_as_dialled_inside_is_left_to_parsing(code: int, dialled: str, rest: str) -> None:
    digits = f"{code}{dialled}{rest}"
    parts = split_international(digits)
    if parts is not None and find_range(*parts):
        assert parsed(digits) == parts


def dialled_digits(country: str, times: int) -> list[str]:
    """Digits as they stand in files of a country: with its prefix or its code, cut off, mistyped, and at random."""
    chance = random.Random(country)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country)
    assert metadata is not None
    code = str(metadata.country_code)
    before = ["", "", "", "0", "1", "8", code, f"{code}0", "00", f"00{code}", metadata.national_prefix or ""]
    examples = [
        phonenumbers.national_significant_number(number)
        for kind in TYPES
        if (number := phonenumbers.example_number_for_type(country, kind))
    ]
    found = []
    for _ in range(times):
        digits = chance.choice(examples)
        kept = len(digits) - chance.choice((0, 1, 3, 6, 6))
        digits = digits[:kept] + "".join(
            chance.choices("0123456789", k=len(digits) - kept + chance.choice((0, 0, 0, 1)))
        )
        found.append(
            chance.choice(before) + (digits if chance.random() < 0.9 else digits[: chance.randrange(len(digits))])
        )
    return found


def inside(digits: str, country: str) -> tuple[int, str] | None:
    try:
        number = phonenumbers.parse(digits, country)
    except NumberParseException:
        return None
    return number.country_code or 0, phonenumbers.national_significant_number(number)


@pytest.mark.parametrize("first", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
def test_takes_what_is_dialled_inside_as_parsing_does(first: str) -> None:
    """Tried once with 4,100 numbers of each country, a million in all; here it is a twentieth of that."""
    taken = asked = 0
    for country in sorted(country for country in phonenumbers.SUPPORTED_REGIONS if country[0] == first):
        for digits in filter(None, dialled_digits(country, 205)):
            parts = split_national(digits, country)
            asked += 1
            if parts is not None and find_range(*parts):
                taken += 1
                assert inside(digits, country) == parts, (digits, country)
    assert 0.2 * asked <= taken


@pytest.mark.parametrize(("digits", "why"), [
    ("", "nothing"),
    ("0659123", "a code begins with no zero"),
    ("210912345678", "no such code"),
    ("4402012345678", "a zero that is dialled inside of the country alone"),
])  # fmt: skip
def test_what_cannot_be_parted(digits: str, why: str) -> None:
    assert split_international(digits) is None, why


WORLD = [
    (800, "12345678", "toll-free", "international freephone"),
    (808, "12345678", "shared-cost", "international shared cost"),
    (870, "773111632", "satellite", "Inmarsat; phonenumbers says mobile"),
    (878, "101234567890", "personal", "universal personal telecommunication; phonenumbers says VoIP"),
    (881, "612345678", "satellite", "Iridium; phonenumbers says mobile"),
    (882, "3421234", "satellite", "a worldwide network; phonenumbers says mobile"),
    (883, "510012345", "satellite", "a worldwide network; phonenumbers says VoIP"),
    (979, "123456789", "premium-rate", "international premium rate"),
]


@pytest.mark.parametrize(("code", "national", "kind", "why"), WORLD)
def test_numbers_of_no_country(code: int, national: str, kind: str, why: str) -> None:
    assert (None, kind) == find_range(code, national)
    assert phonenumbers.is_valid_number(PhoneNumber(country_code=code, national_number=int(national)))


def test_british_fiction_is_mobile() -> None:
    assert ("GB", "mobile") == find_range(44, "7700900123")
    assert find_range(44, "77009001234") is None


@pytest.mark.parametrize(("code", "national"), [(0, "123"), (999, "12345678"), (65, ""), (65, "11234567")])
def test_numbers_in_no_range(code: int, national: str) -> None:
    assert find_range(code, national) is None


def test_every_kind_has_a_name_and_words() -> None:
    assert set(ranges.KIND_LABELS) == {*KIND_OF_TYPE.values(), ranges.SATELLITE, ranges.UNKNOWN}
    assert set(ranges.KIND_LABELS) > DEFAULT_TYPES
