"""Whole recipient files, judged."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.audience.audience import numbered, read_audience
from runner.audience.spec import SuppressionList
from runner.base.exclusions import Duplicates, ExclusionReason
from runner.files.source import Source
from tests.audience.rows import Row, judging, spec_of, written
from tests.audience.rows import judged as judged_source

HEADER = "id,mobile,country,name\n"


def judged(folder: Path, content: str, **spec: Any) -> list[Row]:  # noqa: ANN401 - the fields of AudienceSpec
    return judged_source(written(folder, HEADER + content), "mobile", **spec)


def verdicts(rows: list[Row]) -> list[tuple[str | None, str]]:
    return [(row.key, row.verdict) for row in rows]


def test_a_recipient_has_everything(tmp_path: Path) -> None:
    expected = Row(1, key="C-1", destination="+6591234567", country="SG")
    assert [expected] == judged(tmp_path, "C-1, 9123 4567 ,,Ann\n", country="SG", key="id")


def test_without_a_key_column_the_number_is_the_key(tmp_path: Path) -> None:
    assert [("+6591234567", "")] == verdicts(judged(tmp_path, "C-1,+6591234567,,Ann\n"))


def test_every_row_is_judged_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = judged(tmp_path, "".join(f"{i},{'+6591' if i % 3 else ''}{i:06d},,\n" for i in range(1, 8)))
    assert [1, 2, 3, 4, 5, 6, 7] == [row.number for row in rows]


def test_each_reason_in_words(tmp_path: Path) -> None:
    suppressed = tmp_path / "opted-out.txt"
    suppressed.write_text("+6590000001\n")
    rows = judged(
        tmp_path,
        "a,,,\n"
        "b,12345,,\n"
        "c,+60123456789,,\n"
        "d,+870773111632,,\n"
        "D,+6561234567,,\n"
        "e,+6590000001,,\n"
        ",+6590000002,,\n"
        "g,+6590000003,,\n"
        "g,+6590000004,,\n",
        key="id",
        country="SG",
        suppress=(SuppressionList(suppressed),),
        countries=frozenset({"SG", "GB"}),
    )
    assert [
        ("a", "invalid_number: mobile is empty"),
        ("b", 'invalid_number: mobile: "12345" is too short for a phone number in SG'),
        ("c", "country_not_allowed: mobile: +60123456789 is a number in MY; recipients.countries allows only GB, SG"),
        (
            "d",
            "number_type: mobile: +870773111632 is a satellite or global network number; "
            "to send to it, add satellite to recipients.types",
        ),
        (
            "D",
            "not_mobile: mobile: +6561234567 is a fixed-line number; to send to it, add fixed-line to recipients.types",
        ),
        ("e", "suppressed: mobile: +6590000001 is on the suppression list opted-out.txt"),
        (None, "missing_field: id is empty, but it is the key (recipients.key)"),
        ("g", ""),
        ("g", 'duplicate: same key "g" as row 9'),
    ] == verdicts(rows)


def test_the_countrys_column_comes_before_the_constant(tmp_path: Path) -> None:
    rows = judged(
        tmp_path,
        "a,91234567,,\nb,07700900123,gb,\nc,91234567,Singapore,\nd,91234567,Narnia,\ne,+6591234567,Narnia,\n",
        country="SG",
        country_column="country",
        key="id",
    )
    assert [
        ("a", ""),
        ("b", ""),
        ("c", ""),
        ("d", 'invalid_number: country: "Narnia" is not a country; write its code, such as SG, or its name'),
        ("e", ""),
    ] == verdicts(rows)
    assert ["SG", "GB", "SG"] == [row.country for row in rows[:3]]


def test_people_are_left_out_by_number_or_key(tmp_path: Path) -> None:
    left = tmp_path / "left.csv"
    left.write_text("id,phone,country\nC-1,,\n,07700 900123,gb\n")
    rows = judged(
        tmp_path,
        "C-1,+6591234567,,\nC-2,07700 900123,GB,\nC-3,+6591234567,,\n",
        country="SG",
        country_column="country",
        key="id",
        suppress=(SuppressionList(left),),
    )
    assert [
        ("C-1", 'suppressed: id: "C-1" is on the suppression list left.csv'),
        ("C-2", "suppressed: mobile: +447700900123 is on the suppression list left.csv"),
        ("C-3", ""),
    ] == verdicts(rows)


def test_the_first_rule_that_applies_speaks(tmp_path: Path) -> None:
    """Each of these rows has one trouble less than the one before it."""
    stop = tmp_path / "stop.csv"
    stop.write_text("id,phone\n,+6591234567\nC-2,\n")
    rows = judged(
        tmp_path,
        ",junk,,nowhere\n,+60323856789,,nowhere\n,+60123456789,,nowhere\n,+6591234567,,nowhere\n"
        ",+6581234567,,nowhere\nC-2,+6581234567,,nowhere\nC-1,+6581234567,,nowhere\nC-1,+6581234567,,\n",
        key="id",
        countries=frozenset({"SG"}),
        suppress=(SuppressionList(stop),),
        wants_zones=True,
        zone_column="name",
    )
    assert [
        ExclusionReason.INVALID_NUMBER,
        ExclusionReason.NOT_MOBILE,
        ExclusionReason.COUNTRY_NOT_ALLOWED,
        ExclusionReason.SUPPRESSED,
        ExclusionReason.MISSING_FIELD,
        ExclusionReason.SUPPRESSED,
        ExclusionReason.UNKNOWN_ZONE,
        None,
    ] == [row.reason for row in rows]


def test_a_damaged_key_is_not_looked_up(tmp_path: Path) -> None:
    """The number is, all the same: whoever has opted out is counted as such."""
    stop = tmp_path / "stop.txt"
    stop.write_text("+6591234567\n")
    rows = judged(tmp_path, "≈1,+6591234567,,\n≈1,+6581234567,,\n", key="id", suppress=(SuppressionList(stop),))
    assert [ExclusionReason.SUPPRESSED, ExclusionReason.MISSING_FIELD] == [row.reason for row in rows]


def test_the_suppressed_make_nobody_a_duplicate(tmp_path: Path) -> None:
    stop = tmp_path / "stop.txt"
    stop.write_text("+6591234567\n")
    people, lists = "C-1,+6591234567,,\nC-1,+6581234567,,\n", (SuppressionList(stop),)
    for duplicates in (Duplicates.FIRST, Duplicates.REJECT):
        rows = judged(tmp_path, people, key="id", suppress=lists, duplicates=duplicates)
        assert [ExclusionReason.SUPPRESSED, None] == [row.reason for row in rows]


def test_a_float_that_lost_digits_is_no_number(tmp_path: Path) -> None:
    """A number in 32 bits is 6591234600.0 in place of 6591234567.0: somebody else's, or nobody's."""
    path = tmp_path / "people.parquet"
    pl.DataFrame({"phone": [6591234567.0, 6591234567.0]}).write_parquet(path)
    exact = judged_source(Source(path), duplicates=Duplicates.ALL)
    assert ["+6591234567", "+6591234567"] == [row.destination for row in exact]

    pl.DataFrame({"phone": pl.Series([6591234567.0, 91234567.0], dtype=pl.Float32)}).write_parquet(path)
    lossy = judged_source(Source(path), country="SG")
    words = "was stored with too few digits and is rounded; store the column as text and export it again"
    assert [
        (None, f'invalid_number: phone: "≈6591234600" {words}'),
        (None, f'invalid_number: phone: "≈91234570" {words}'),
    ] == verdicts(lossy)


def test_zones_come_with_the_row(tmp_path: Path) -> None:
    rows = judged(tmp_path, "a,+12025550123,,\n", wants_zones=True)
    assert [("America/New_York",)] == [row.zones for row in rows]


def test_what_was_repaired_is_noted(tmp_path: Path) -> None:
    assert 'read "6591234567" as +6591234567' == judged(tmp_path, "a,6591234567,,\n")[0].note


TWINS = "a,+6590000001,,\nb,+6590000002,,\nc,+6590000001,,\nd,junk,,\ne,+65 9000 0001,,\n"


def test_duplicates_first(tmp_path: Path) -> None:
    assert [
        ("+6590000001", ""),
        ("+6590000002", ""),
        ("+6590000001", "duplicate: same number as row 2"),
        (None, 'invalid_number: mobile: "junk" is not a number'),
        ("+6590000001", "duplicate: same number as row 2"),
    ] == verdicts(judged(tmp_path, TWINS))


def test_duplicates_reject(tmp_path: Path) -> None:
    assert [
        ("+6590000001", "duplicate: same number as row 4"),
        ("+6590000002", ""),
        ("+6590000001", "duplicate: same number as row 2"),
        (None, 'invalid_number: mobile: "junk" is not a number'),
        ("+6590000001", "duplicate: same number as row 2"),
    ] == verdicts(judged(tmp_path, TWINS, duplicates=Duplicates.REJECT))


def test_duplicates_all(tmp_path: Path) -> None:
    rows = judged(tmp_path, TWINS, duplicates=Duplicates.ALL)
    assert ["+6590000001", "+6590000002", "+6590000001#2", None, "+6590000001#3"] == [row.key for row in rows]


def test_later_rows_get_a_number() -> None:
    assert ["C-17", "C-17#2", "C-17#3"] == [numbered("C-17", before) for before in range(3)]


def test_a_key_that_looks_numbered_is_numbered_from_the_start() -> None:
    assert ["C#2#1", "C#2#2", "C#x", "#", "C#"] == [
        numbered("C#2", 0),
        numbered("C#2", 1),
        numbered("C#x", 0),
        numbered("#", 0),
        numbered("C#", 0),
    ]


@given(st.lists(st.text("a#12", max_size=5), max_size=30))
def test_no_two_rows_ever_share_a_numbered_key(keys: list[str]) -> None:
    made = [numbered(key, keys[:index].count(key)) for index, key in enumerate(keys)]
    assert len(keys) == len(set(made))


def test_appended_rows_change_nobodys_key(tmp_path: Path) -> None:
    before = judged(tmp_path, "x,+6590000001,,\nx,+6590000002,,\n", key="id", duplicates=Duplicates.ALL)
    after = judged(
        tmp_path, "x,+6590000001,,\nx,+6590000002,,\nx#2,+6590000003,,\n", key="id", duplicates=Duplicates.ALL
    )
    assert ["x", "x#2"] == [row.key for row in before]
    assert ["x", "x#2", "x#2#1"] == [row.key for row in after]


def test_a_row_that_is_out_anyway_makes_nobody_a_duplicate(tmp_path: Path) -> None:
    rows = judged(tmp_path, "x,12345,,\nx,+6590000001,,\n", key="id", duplicates=Duplicates.REJECT, country="SG")
    assert [ExclusionReason.INVALID_NUMBER, None] == [row.reason for row in rows]


def test_stopping_early_leaves_nothing_open(tmp_path: Path) -> None:
    spec = spec_of(written(tmp_path, HEADER + "a,+6590000001,,\n" * 10), "mobile")
    batches = read_audience(spec, judging(spec), batch_size=2)
    assert 2 == len(next(batches))
    batches.close()  # an open file would be a ResourceWarning, and so an error


def test_check_loads_nothing_heavy() -> None:
    """`campaign check` answers in milliseconds: it needs the header alone."""
    code = (
        "import sys, runner.audience.audience, runner.files.columns, runner.files.reader;"
        "print([name for name in ('polars', 'phonenumbers', 'sqlite3') if name in sys.modules])"
    )
    # Measuring coverage loads sqlite3 itself.
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run([sys.executable, "-c", code], env=unmeasured, capture_output=True, text=True, check=True)
    assert "[]\n" == done.stdout


def test_any_number_of_a_row_suppresses_it(tmp_path: Path) -> None:
    """Also one that isn't texted, such as a fixed line."""
    stop = tmp_path / "stop.csv"
    stop.write_text("phone\n+6591234567\n+6561234567\n")
    people = written(
        tmp_path,
        "id,one,two\na,+6581234567,+6591234567\nb,+6591234567,\nc,+6561234567,+6582345678\nd,,+6581234567\n"
        "e,+6581234567,+6583456789\n",
    )
    remarks: list[str] = []
    rows = judged_source(people, "one", more_phones=("two",), suppress=(SuppressionList(stop),), remarks=remarks)
    on = "is on the suppression list stop.csv"
    assert [
        ("+6581234567", f"suppressed: two: +6591234567 {on}"),
        ("+6591234567", f"suppressed: one: +6591234567 {on}"),
        ("+6582345678", f"suppressed: one: +6561234567 {on}"),
        ("+6581234567", ""),
        ("+6581234567", "duplicate: same number as row 5"),
    ] == verdicts(rows)


@pytest.mark.parametrize("duplicates", list(Duplicates))
def test_keys_that_are_one_key_for_people_are_warned_about(tmp_path: Path, duplicates: Duplicates) -> None:
    source = written(
        tmp_path,
        "id,phone\nann@example.com,+6590000001\nAnn@Example.com,+6590000002\n1001,+6590000003\n'1001,+6590000004\n",
    )
    spec, warnings, remarks = spec_of(source, key="id", duplicates=duplicates), list[str](), list[str]()
    found = [
        row for batch in read_audience(spec, judging(spec), remarks=remarks, warnings=warnings) for row in batch.keys
    ]
    assert ["ann@example.com", "Ann@Example.com", "1001", "'1001"] == found, "each remains a recipient"
    assert [
        "2 rows have the key of an earlier row in another spelling, such as another letter case (row 3 like row 2, "
        "row 5 like row 4); each is a separate recipient: if it is the same person, write the key in the same way"
    ] == warnings


@pytest.mark.parametrize("duplicates", list(Duplicates))
def test_a_list_in_another_spelling_suppresses_and_is_said(tmp_path: Path, duplicates: Duplicates) -> None:
    left = tmp_path / "left.csv"
    left.write_text("id\nANN@example.com\n1001.0\n")
    source = written(tmp_path, "id,phone\nAnn@Example.com,+6590000001\n1001,+6590000002\n1002,+6590000003\n")
    other = tmp_path / "other.csv"
    other.write_text("id\n9\n")
    suppress = (SuppressionList(left), SuppressionList(other))
    spec = spec_of(source, key="id", suppress=suppress, duplicates=duplicates)
    warnings, remarks = list[str](), list[str]()
    [batch] = read_audience(spec, judging(spec), remarks=remarks, warnings=warnings)
    assert [
        'id: "Ann@Example.com" is on the suppression list left.csv, in another spelling',
        'id: "1001" is on the suppression list left.csv, in another spelling',
    ] == [exclusion.detail for exclusion in batch.exclusions.values()]
    assert (
        "left.csv: 2 rows excluded by a key in another spelling (letter case, spaces, quotes, leading zeros or .0)"
        in remarks
    )
    assert ["no recipient in people.csv is on the suppression list other.csv (1 entry)"] == [
        words.partition(";")[0] for words in warnings
    ]
