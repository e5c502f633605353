"""Finding columns by name."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.errors import Problem
from runner.files.columns import (
    Header,
    find_column,
    find_phone_column,
    name_columns,
    naming_remarks,
    no_header_remedy,
)


@pytest.mark.parametrize("name", ["phone", "mobile", "msisdn", "destination", "to", "Phone", "MSISDN"])
def test_finds_the_phone_column_by_itself(name: str) -> None:
    assert name == find_phone_column(["id", name, "telephone"])


def test_the_wanted_column_wins() -> None:
    assert "work" == find_phone_column(["phone", "work"], "work")


def test_two_that_could_be_it_are_ambiguous() -> None:
    expected = Problem(
        'several columns could have the phone numbers: "Phone", "mobile"', "choose one with recipients.phone"
    )
    assert expected == find_phone_column(["Phone", "id", "mobile"])


def test_in_a_log_the_sender_could_be_it_too() -> None:
    """In a log of replies, our own number is in `To`."""
    expected = Problem('several columns could have the phone numbers: "From", "To"', "choose one with recipients.phone")
    assert expected == find_phone_column(["Date", "From", "To", "Body"])
    assert "phone" == find_phone_column(["phone", "from"]), "where somebody is from"


def test_none_that_could_be_it_lists_the_columns() -> None:
    expected = Problem(
        "no column is named phone, mobile, msisdn, destination or to",
        'name the column with the phone numbers in recipients.phone; the columns are "id", "handset"',
    )
    assert expected == find_phone_column(["id", "handset"])


def test_suggests_a_near_miss_but_never_takes_it() -> None:
    expected = Problem(
        'there is no column "custmer_id"', 'did you mean "customer_id"? the columns are "phone", "customer_id"'
    )
    assert expected == find_column(["phone", "customer_id"], "custmer_id")


SPELLINGS = [
    ("customer_id", "Customer_ID", "letter case"),
    ("customer_id", " customer_id", "blanks"),
    ("pr\u00e9nom", "pre\u0301nom", "Unicode's forms"),
    ("pre\u0301nom", "PR\u00c9NOM", "both"),
    ("stra\u00dfe", "STRASSE", "a letter that two capitals stand for"),
]


@pytest.mark.parametrize(("name", "wanted", "why"), SPELLINGS, ids=[row[-1] for row in SPELLINGS])
def test_names_that_people_read_as_the_same(name: str, wanted: str, why: str) -> None:
    assert name == find_column(["phone", name], wanted)


def test_two_columns_that_people_read_as_the_same() -> None:
    header = name_columns(["phone", "Name", "name"])
    expected = Problem(
        'there are 2 columns named "name" (columns 2 and 3)', 'rename all but one, or write "Name (column 2)"'
    )
    assert expected == find_column(header, "name")
    remarks = naming_remarks("a.csv", ["phone", "Name", "name"], header)
    assert ['a.csv: 2 columns are named "Name" or "name"; use "Name (column 2)" and "name (column 3)"'] == remarks


DATA = ["+65 8123 4567", "81234567", "'+6581234567", "2026-12-01T10:00:00Z", "ann@example.com", str(UUID(int=7 << 64))]


@pytest.mark.parametrize("cell", DATA)
def test_a_first_line_of_data(cell: str) -> None:
    remedy = f'the first row has data, not column names: "{cell}", "x"; add a row with the column names above it'
    for wanted in (None, "mobile"):
        found = find_phone_column([cell, "x"], wanted)
        assert isinstance(found, Problem)
        assert remedy == found.remedy


@pytest.mark.parametrize("name", ["2026", "address_2", "opted out since 2019", "q1-2026", "@handle", "+1"])
def test_a_name_that_is_no_data(name: str) -> None:
    assert no_header_remedy([name]) is None


def test_a_wide_file_is_not_listed_whole() -> None:
    found = find_column([f"c{number}" for number in range(50)], "nothing alike")
    assert isinstance(found, Problem)
    assert found.remedy.endswith('"c19" and 30 more')


def test_a_name_that_several_columns_have_means_none_of_them() -> None:
    header = name_columns(["id", "phone", "name", "city", "phone"])
    expected = Problem(
        'there are 2 columns named "phone" (columns 2 and 5)', 'rename all but one, or write "phone (column 2)"'
    )
    assert expected == find_column(header, "phone")
    assert "phone (column 5)" == find_column(header, "phone (column 5)")
    found = find_phone_column(header)
    assert isinstance(found, Problem)
    assert 'several columns could have the phone numbers: "phone (column 2)", "phone (column 5)"' == found.what


def test_a_column_of_no_single_values() -> None:
    header = Header(["phone"], {"tags": "List(String)"})
    expected = Problem(
        'the column "tags" has values of the unsupported type List(String)', "use another column, or export it as text"
    )
    assert expected == find_column(header, "tags")


NAMES = [
    (["a", "b"], ("a", "b"), "as they are"),
    ([" a ", "b\u00a0"], ("a", "b"), "trimmed"),
    (["a", "", "a"], ("a (column 1)", "column 2", "a (column 3)"), "none is the one that was meant"),
    (["a", "a ", "a (column 1)"], ("a (column 1)'", "a (column 2)", "a (column 1)"), "a real name keeps its name"),
    (["", "column 1"], ("column 1'", "column 1"), "also next to a blank one"),
    (["A", "a"], ("A (column 1)", "a (column 2)"), "case doesn't tell names apart"),
]


@pytest.mark.parametrize(("written", "expected", "why"), NAMES, ids=[row[-1] for row in NAMES])
def test_names_of_columns(written: list[str], expected: tuple[str, ...], why: str) -> None:
    assert expected == name_columns(written)


@given(st.lists(st.sampled_from(["", "a", "b", "column 1", "a (column 1)", "a (column 1)'"]), max_size=6))
def test_every_name_is_one_of_a_kind(written: list[str]) -> None:
    names = name_columns(written)
    assert len(written) == len(set(names))
    assert name_columns(names) == names
