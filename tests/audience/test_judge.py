"""One row at a time: what each rule says, and which of them speaks first."""

from pathlib import Path
from typing import Any

import pytest

from runner.audience.judge import Judge
from runner.audience.row_batch import RowBatch
from runner.audience.spec import AudienceSpec
from runner.files.source import Source
from tests.audience.rows import Row, rows

HEADER = ("id", "mobile", "country", "zone")


def judged(*cells: str, **options: Any) -> Row:  # noqa: ANN401 - the fields of AudienceSpec
    batch = RowBatch(7, [(*cells, *[""] * (len(HEADER) - len(cells)))])
    Judge(AudienceSpec(Source(Path("people.csv")), HEADER, "mobile", **options)).judge(batch)
    [row] = rows([batch])
    return row


def test_a_recipient() -> None:
    assert Row(7, "C-1", "+6591234567", "SG") == judged("C-1", "9123 4567", country="SG", key="id")


def test_what_was_repaired_stays_with_the_row() -> None:
    assert 'read "0065 9123 4567" as +6591234567' == judged("C-1", "0065 9123 4567").note


def test_without_a_key_column_the_number_is_the_key() -> None:
    assert "+6591234567" == judged("C-1", "+6591234567").key


@pytest.mark.parametrize("key", ["NULL", "nan", "N/A", "-"])
def test_a_word_for_a_missing_value_is_no_key(key: str) -> None:
    words = f'id: "{key}" stands for a missing value; write the key (recipients.key) into the cell'
    assert f"missing_field: {words}" == judged(key, "+6591234567", key="id").verdict
    assert "" == judged(key, "+6591234567").verdict


def test_an_error_value_is_no_key() -> None:
    words = 'id: "#REF!" is a spreadsheet error; correct it in the spreadsheet and export it again'
    assert f"missing_field: {words}" == judged("#REF!", "+6591234567", key="id").verdict


NUMBERS = [
    ("", "", "invalid_number: mobile is empty"),
    ("12345", "", 'invalid_number: mobile: "12345" is too short for a phone number in SG'),
    ("91234567", "UK", 'invalid_number: mobile: "91234567" has no area code in GB'),
    (
        "91234567",
        "Narnia",
        'invalid_number: country: "Narnia" is not a country; write its code, such as SG, or its name',
    ),
    (
        "91234567",
        "x" * 50,
        f'invalid_number: country: "{"x" * 40}…" is not a country; write its code, such as SG, or its name',
    ),
    ("07700 900123", "gb", ""),
    ("91234567", "", ""),
]


@pytest.mark.parametrize(("mobile", "country", "expected"), NUMBERS)
def test_numbers(mobile: str, country: str, expected: str) -> None:
    assert expected == judged("C-1", mobile, country, country="SG", country_column="country").verdict


def test_a_row_without_a_country_of_its_own() -> None:
    words = 'mobile: "91234567" has no country code; fill in country'
    assert words in judged("C-1", "91234567", "", country_column="country").verdict


KINDS = [
    ("+6561234567", "not_mobile", "a fixed-line number", "fixed-line"),
    ("+6518001234567", "number_type", "a toll-free number", "toll-free"),
    ("+6519001234567", "number_type", "a premium-rate number", "premium-rate"),
    ("+611300123456", "number_type", "a shared-cost number", "shared-cost"),
    ("+447012345678", "number_type", "a personal number", "personal"),
    ("+447640123456", "number_type", "a pager number", "pager"),
    ("+6570001234567", "number_type", "a universal access number (UAN)", "uan"),
    ("+870773111632", "number_type", "a satellite or global network number", "satellite"),
]


@pytest.mark.parametrize(("number", "reason", "words", "kind"), KINDS, ids=[row[-1] for row in KINDS])
def test_kinds_that_no_text_reaches(number: str, reason: str, words: str, kind: str) -> None:
    expected = f"{reason}: mobile: {number} is {words}; to send to it, add {kind} to recipients.types"
    assert expected == judged("C-1", number).verdict
    assert "" == judged("C-1", number, types=frozenset({kind})).verdict


@pytest.mark.parametrize("number", ["+6591234567", "+12025550123", "+6531581234", "+447700900123"])
def test_kinds_that_texts_reach(number: str) -> None:
    assert "" == judged("C-1", number).verdict


def test_a_kind_that_is_taken_from_the_list() -> None:
    expected = "number_type: mobile: +6591234567 is a mobile number; to send to it, add mobile to recipients.types"
    assert expected == judged("C-1", "+6591234567", types=frozenset({"voip"})).verdict


ALL = frozenset({"mobile", "fixed-line", "satellite"})
COUNTRIES = [
    ("+60123456789", {"SG", "GB"}, set(), "is a number in MY; recipients.countries allows only GB, SG"),
    ("+870773111632", {"SG", "GB"}, set(), "is in no country; recipients.countries allows only GB, SG"),
    ("+60123456789", set(), {"MY"}, "is a number in MY; recipients.denyCountries excludes this country"),
    ("+870773111632", set(), {"MY"}, ""),
    ("+6591234567", {"SG"}, {"MY"}, ""),
    ("+6591234567", set(), set(), ""),
]


@pytest.mark.parametrize(("number", "allowed", "denied", "words"), COUNTRIES)
def test_countries(number: str, allowed: set[str], denied: set[str], words: str) -> None:
    row = judged("C-1", number, countries=frozenset(allowed), deny_countries=frozenset(denied), types=ALL)
    assert (f"country_not_allowed: mobile: {number} {words}" if words else "") == row.verdict


def test_a_key_is_needed_where_there_is_a_column_for_it() -> None:
    assert (
        "missing_field: id is empty, but it is the key (recipients.key)" == judged("", "+6591234567", key="id").verdict
    )


def test_a_rounded_key_tells_nobody_apart() -> None:
    words = '"≈16777220" was stored with too few digits and is rounded; store the column as text and export it again'
    assert f"missing_field: id: {words}" == judged("≈16777220", "+6591234567", key="id").verdict


ZONES = [
    ("+6591234567", "", ("Asia/Singapore",), "", "the number tells"),
    ("+6591234567", "Europe/Paris", ("Europe/Paris",), "", "the file knows better"),
    ("+870773111632", "Europe/Paris", ("Europe/Paris",), "", "the number alone wouldn't tell"),
    (
        "+870773111632",
        "",
        (),
        "unknown_zone: mobile: the time zone of +870773111632 is unknown; fill in zone",
        "nobody knows",
    ),
    (
        "+6591234567",
        "Asia/singapore",
        (),
        'unknown_zone: zone: "Asia/singapore" is not a time zone; did you mean "Asia/Singapore"?',
        "what the file says is never passed over",
    ),
    (
        "+6591234567",
        "EST",
        (),
        'unknown_zone: zone: "EST" is not a time zone; use an area and a city, such as "America/New_York" or '
        '"America/Panama" (no summer time)',
        "New York has summer time, EST doesn't: 21:30 would be taken for 20:30",
    ),
]


@pytest.mark.parametrize(("number", "zone", "zones", "expected", "why"), ZONES, ids=[row[-1] for row in ZONES])
def test_zones(number: str, zone: str, zones: tuple[str, ...], expected: str, why: str) -> None:
    row = judged("C-1", number, "", zone, wants_zones=True, zone_column="zone", types=ALL)
    assert (zones, expected) == (row.zones, row.verdict)


def test_zones_without_a_column() -> None:
    row = judged("C-1", "+870773111632", wants_zones=True, types=ALL)
    assert row.verdict.endswith("; name a column of time zones with recipients.zone")


def test_zones_are_not_looked_for_unless_asked() -> None:
    row = judged("C-1", "+6591234567", "", "nowhere", zone_column="zone")
    assert ((), "") == (row.zones, row.verdict)


SEVERAL = [
    # (first, second, country, destination, all numbers by column, verdict, why)
    ("+6591234567", "+6581234567", "", "+6591234567", "mobile zone", "", "the first counts"),
    ("+6561234567", "+6581234567", "", "+6581234567", "zone mobile", "", "a fixed line first"),
    ("", "+6581234567", "", "+6581234567", "zone", "", "nothing first"),
    ("soon", "+6581234567", "", "+6581234567", "zone", "", "no number first"),
    ("+60123456789", "+6581234567", "", "+6581234567", "zone mobile", "", "a country first that is not allowed"),
    ("+6591234567", "", "", "+6591234567", "mobile", "", "nothing behind it"),
    ("011 65 8123 4567", "+6591234567", "US", "+6581234567", "mobile zone", "", "with the row's country"),
    ("", "", "", None, "", "invalid_number: mobile and zone are empty", "nothing at all"),
    (
        "+6561234567",
        "soon",
        "",
        "+6561234567",
        "mobile",
        "not_mobile: mobile: +6561234567 is a fixed-line number; to send to it, add fixed-line to recipients.types; "
        'zone: "soon" is not a number',
        "no usable one: the words of both, the reason of the first",
    ),
    (
        "",
        "+6561234567",
        "",
        "+6561234567",
        "zone",
        "not_mobile: zone: +6561234567 is a fixed-line number; to send to it, add fixed-line to recipients.types",
        "the only one is not usable",
    ),
]


@pytest.mark.parametrize(
    ("first", "second", "country", "destination", "columns", "verdict", "why"),
    SEVERAL,
    ids=[row[-1] for row in SEVERAL],
)
def test_the_first_usable_number_counts(
    first: str, second: str, country: str, destination: str | None, columns: str, verdict: str, why: str
) -> None:
    batch = RowBatch(7, [("C-1", first, country, second)])
    spec = AudienceSpec(
        Source(Path("people.csv")),
        HEADER,
        "mobile",
        more_phones=("zone",),
        country_column="country",
        countries=frozenset({"SG"}),
    )
    Judge(spec).judge(batch)
    [row] = rows([batch])
    assert (destination, destination, verdict) == (row.destination, row.key, row.verdict)
    assert columns.split() == [column for column, _ in batch.numbers.get(0, [])]
    assert destination in (None, *[number for _, number in batch.numbers.get(0, [])][:1])
