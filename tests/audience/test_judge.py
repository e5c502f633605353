"""One row at a time: what each rule says, and which of them speaks first."""

from pathlib import Path
from typing import Any

import pytest

from runner.audience.audience import Judging
from runner.audience.files import Batch
from runner.audience.judge import Judge
from runner.audience.source import Source
from runner.audience.spec import AudienceSpec, SuppressionList
from runner.audience.suppression import Suppression
from runner.models import ExclusionReason, Row

HEADER = ("id", "mobile", "country", "zone")


def judged(*cells: str, suppressed: str = "", folder: Path | None = None, **options: Any) -> Row:  # noqa: ANN401 - the fields of AudienceSpec
    spec = AudienceSpec(Source(Path("people.csv")), "mobile", **options)
    lists = []
    if folder is not None:
        path = folder / "opted-out.csv"
        path.write_text(suppressed)
        lists.append(SuppressionList(path))
    judging = Judging()
    judging.begin(Judge(spec, HEADER, Suppression(lists, key=spec.key)))
    [rows] = judging.judged([(7, Batch([(*cells, *[""] * (len(HEADER) - len(cells)))]))])
    return rows.row(0)


def verdict(row: Row) -> str:
    return f"{row.exclusion.reason}: {row.exclusion.detail}" if row.exclusion else ""


def test_a_recipient() -> None:
    fields = {"id": "C-1", "mobile": "9123 4567", "country": "", "zone": ""}
    assert Row(7, fields, "C-1", "+6591234567", "SG") == judged("C-1", "9123 4567", country="SG", key="id")


def test_what_was_repaired_stays_with_the_row() -> None:
    assert 'read "0065 9123 4567" as +6591234567' == judged("C-1", "0065 9123 4567").note


def test_without_a_key_column_the_number_is_the_key() -> None:
    assert "+6591234567" == judged("C-1", "+6591234567").key


NUMBERS = [
    ("", "", "invalid_number: mobile is empty"),
    ("12345", "", 'invalid_number: mobile: "12345" is too short for a number in SG'),
    ("91234567", "UK", 'invalid_number: country: "UK" is not a country code; GB is the United Kingdom'),
    (
        "91234567",
        "Singapore",
        'invalid_number: country: "Singapore" is not a country code; write two letters, such as SG',
    ),
    (
        "91234567",
        "x" * 50,
        f'invalid_number: country: "{"x" * 40}…" is not a country code; write two letters, such as SG',
    ),
    ("07700 900123", "gb", ""),
    ("91234567", "", ""),
]


@pytest.mark.parametrize(("mobile", "country", "expected"), NUMBERS)
def test_numbers(mobile: str, country: str, expected: str) -> None:
    assert expected == verdict(judged("C-1", mobile, country, country="SG", country_column="country"))


def test_a_row_without_a_country_of_its_own() -> None:
    words = 'mobile: "91234567" has no country code; fill in country'
    assert words in verdict(judged("C-1", "91234567", "", country_column="country"))


KINDS = [
    ("+6561234567", "not_mobile", "a fixed line", "fixed-line"),
    ("+6518001234567", "number_type", "a toll-free number", "toll-free"),
    ("+6519001234567", "number_type", "a premium rate number", "premium-rate"),
    ("+611300123456", "number_type", "a shared cost number", "shared-cost"),
    ("+447012345678", "number_type", "a personal number", "personal"),
    ("+447640123456", "number_type", "a pager", "pager"),
    ("+6570001234567", "number_type", "a company's number for the whole country (UAN)", "uan"),
    ("+870773111632", "number_type", "a number of a satellite or worldwide network", "satellite"),
]


@pytest.mark.parametrize(("number", "reason", "words", "kind"), KINDS, ids=[row[-1] for row in KINDS])
def test_kinds_that_no_text_reaches(number: str, reason: str, words: str, kind: str) -> None:
    expected = f"{reason}: mobile: {number} is {words}; recipients.types can allow {kind}"
    assert expected == verdict(judged("C-1", number))
    assert "" == verdict(judged("C-1", number, types=frozenset({kind})))


@pytest.mark.parametrize("number", ["+6591234567", "+12025550123", "+6531581234", "+447700900123"])
def test_kinds_that_texts_reach(number: str) -> None:
    assert "" == verdict(judged("C-1", number))


def test_a_kind_that_is_taken_from_the_list() -> None:
    expected = "number_type: mobile: +6591234567 is a mobile number; recipients.types can allow mobile"
    assert expected == verdict(judged("C-1", "+6591234567", types=frozenset({"voip"})))


ALL = frozenset({"mobile", "fixed-line", "satellite"})
COUNTRIES = [
    ("+60123456789", {"SG", "GB"}, set(), "is a number of MY; recipients.countries allows GB, SG"),
    ("+870773111632", {"SG", "GB"}, set(), "belongs to no country; recipients.countries allows GB, SG"),
    ("+60123456789", set(), {"MY"}, "is a number of MY; recipients.denyCountries leaves them out"),
    ("+870773111632", set(), {"MY"}, ""),
    ("+6591234567", {"SG"}, {"MY"}, ""),
    ("+6591234567", set(), set(), ""),
]


@pytest.mark.parametrize(("number", "allowed", "denied", "words"), COUNTRIES)
def test_countries(number: str, allowed: set[str], denied: set[str], words: str) -> None:
    row = judged("C-1", number, countries=frozenset(allowed), deny_countries=frozenset(denied), types=ALL)
    assert (f"country_not_allowed: mobile: {number} {words}" if words else "") == verdict(row)


def test_suppressed_by_number_or_key(tmp_path: Path) -> None:
    listed = "id,phone\nC-1,\n,+6591234567\n"
    assert [
        'suppressed: id: "C-1" is listed in opted-out.csv',
        "",
        "suppressed: mobile: +6591234567 is listed in opted-out.csv",
    ] == [
        verdict(judged(key, number, suppressed=listed, folder=tmp_path, key="id"))
        for key, number in (("C-1", "+6581234567"), ("C-2", "+6581234567"), ("C-2", "+6591234567"))
    ]


def test_a_key_is_needed_where_there_is_a_column_for_it() -> None:
    assert "missing_field: id is empty, and it is the key that tells persons apart" == verdict(
        judged("", "+6591234567", key="id")
    )


def test_a_rounded_key_tells_nobody_apart() -> None:
    words = '"≈16777220" is rounded: it was stored with too few digits; store the column as text and export it again'
    assert f"missing_field: id: {words}" == verdict(judged("≈16777220", "+6591234567", key="id"))


ZONES = [
    ("+6591234567", "", ("Asia/Singapore",), "", "the number tells"),
    ("+6591234567", "Europe/Paris", ("Europe/Paris",), "", "the file knows better"),
    ("+870773111632", "Europe/Paris", ("Europe/Paris",), "", "the number alone wouldn't tell"),
    (
        "+870773111632",
        "",
        (),
        "unknown_zone: mobile: where the phone of +870773111632 is isn't known, so its sending hours aren't; "
        "fill in zone",
        "nobody knows",
    ),
    (
        "+6591234567",
        "Asia/singapore",
        (),
        'unknown_zone: zone: "Asia/singapore" is not a time zone; did you mean "Asia/Singapore"?',
        "what the file says is never passed over",
    ),
]


@pytest.mark.parametrize(("number", "zone", "zones", "expected", "why"), ZONES, ids=[row[-1] for row in ZONES])
def test_zones(number: str, zone: str, zones: tuple[str, ...], expected: str, why: str) -> None:
    row = judged("C-1", number, "", zone, wants_zones=True, zone_column="zone", types=ALL)
    assert (zones, expected) == (row.zones, verdict(row))


def test_zones_without_a_column() -> None:
    row = judged("C-1", "+870773111632", wants_zones=True, types=ALL)
    assert verdict(row).endswith("; name a column of time zones with recipients.zone")


def test_zones_are_not_looked_for_unless_asked() -> None:
    row = judged("C-1", "+6591234567", "", "nowhere", zone_column="zone")
    assert ((), "") == (row.zones, verdict(row))


def test_the_first_rule_that_applies_speaks(tmp_path: Path) -> None:
    """Each of these rows has one trouble less than the one before it."""
    rules: dict[str, Any] = {
        "key": "id",
        "countries": frozenset({"SG"}),
        "wants_zones": True,
        "zone_column": "zone",
        "suppressed": "phone\n+6591234567\n",
        "folder": tmp_path,
    }
    rows = [
        judged("", number, "", "nowhere", **rules)
        for number in ("junk", "+60323856789", "+60123456789", "+6591234567", "+6581234567")
    ]
    rows += [judged("C-1", "+6581234567", "", "nowhere", **rules), judged("C-1", "+6581234567", **rules)]
    assert [
        ExclusionReason.INVALID_NUMBER,
        ExclusionReason.NOT_MOBILE,
        ExclusionReason.COUNTRY_NOT_ALLOWED,
        ExclusionReason.SUPPRESSED,
        ExclusionReason.MISSING_FIELD,
        ExclusionReason.UNKNOWN_ZONE,
        None,
    ] == [row.exclusion and row.exclusion.reason for row in rows]
