"""Finding columns by name."""

import pytest

from runner.audience.columns import find_column, find_phone_column
from runner.errors import Problem


@pytest.mark.parametrize("name", ["phone", "mobile", "msisdn", "destination", "to", "Phone", "MSISDN"])
def test_finds_the_phone_column_by_itself(name: str) -> None:
    assert name == find_phone_column(["id", name, "telephone"])


def test_the_wanted_column_wins() -> None:
    assert "work" == find_phone_column(["phone", "work"], "work")


def test_two_that_could_be_it_are_ambiguous() -> None:
    expected = Problem(
        'several columns could hold the numbers: "Phone", "mobile"', "say which one with recipients.phone"
    )
    assert expected == find_phone_column(["Phone", "id", "mobile"])


def test_none_that_could_be_it_lists_the_columns() -> None:
    expected = Problem(
        "no column is named phone, mobile, msisdn, destination or to",
        'say which one holds the numbers with recipients.phone; the file has "id", "handset"',
    )
    assert expected == find_phone_column(["id", "handset"])


@pytest.mark.parametrize("wanted", ["custmer_id", "Customer_ID", " customer_id"])
def test_suggests_a_near_miss_but_never_takes_it(wanted: str) -> None:
    expected = Problem(
        f'there is no column "{wanted}"', 'did you mean "customer_id"? the file has "phone", "customer_id"'
    )
    assert expected == find_column(["phone", "customer_id"], wanted)


def test_a_wide_file_is_not_listed_whole() -> None:
    found = find_column([f"c{number}" for number in range(50)], "nothing alike")
    assert isinstance(found, Problem)
    assert found.remedy.endswith('"c19" and 30 more')
