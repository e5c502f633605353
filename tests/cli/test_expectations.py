"""What a campaign expects of its recipient file: a plan that breaks it is refused, with the figures."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.provider import Provider
from tests.cli.workplace import MINIMAL, Workplace, people

FILE = "id,mobile,name,at\n"
ROWS = (
    "k1,+6581230001,Ann,2026-11-01\n"
    "k2,+6581230002,Ben,2026-11-02 10:00\n"
    "\n"
    "k3,+6581230003,,2026-11-02T10:00:00+08:00\n"
    "k4,12,Ann,soon\n"
)


def write(place: Workplace, expect: str, rows: str = ROWS, more: str = "") -> None:
    campaign = MINIMAL.replace("country: SG", f"country: SG{more}, expect: {{{expect}}}")
    place.write("", campaign.replace("{{ name }}", "{{ name or 'you' }}"))
    (place.folder / "people.csv").write_text(FILE + rows)


def problems(place: Workplace) -> list[str]:
    """The problems of the plan. Made twice: the second is the cached one."""
    found = [place.here("plan", "hello.yaml", "--json") for _ in range(2)]
    assert found[0].document["problems"] == found[1].document["problems"]
    assert {2 if found[0].document["problems"] else 0} == {done.exit_code for done in found}
    return [problem.partition("recipients.expect.")[2] for problem in found[0].document["problems"]]


REMEDY = "; correct the file, or this expectation"


@pytest.mark.parametrize(
    ("expect", "expected"),
    [
        ("rows: 4..4", ""),
        ("rows: 4..", ""),
        ("rows: ..4", ""),
        ("rows: 5..", "rows: people.csv has 4 rows, expected at least 5"),
        ("rows: ..3", "rows: people.csv has 4 rows, expected at most 3"),
        ("rows: 1000..5000", "rows: people.csv has 4 rows, expected 1,000 to 5,000"),
        ("excluded: <= 25%", ""),
        ('excluded: "<=1"', ""),
        ("excluded: <= 24.9%", "excluded: 1 of 4 rows are excluded (25.0%), expected at most 24.9%"),
        ("excluded: <= 0", "excluded: 1 of 4 rows are excluded (25.0%), expected at most 0"),
        ("unique: [id, mobile]", ""),
        ("unique: [name]", 'unique: 1 row has a value that an earlier row has in the column "name" (row 6)'),
        ("notNull: [id, at]", ""),
        ("notNull: [id, name]", 'notNull: 1 row has no value in the column "name" (row 5)'),
    ],
)
def test_figures(offline: Workplace, expect: str, expected: str) -> None:
    write(offline, expect)
    assert ([f"{expected}{REMEDY}"] if expected else []) == problems(offline)


def test_all_that_is_broken_is_said_at_once_with_its_place(offline: Workplace) -> None:
    write(offline, "rows: 9.., unique: [name], notNull: [name]")
    done = offline.here("plan", "hello.yaml")
    assert 2 == done.exit_code
    assert ["hello.yaml:3"] * 3 == [line[:12] for line in done.stderr.splitlines()]


def test_what_a_sample_or_a_limit_leaves_out_is_not_excluded(offline: Workplace) -> None:
    write(offline, "excluded: <= 25%", more=", limit: 1")
    assert [] == problems(offline)
    write(offline, "excluded: <= 25%", more=", sample: 0.001%")
    assert [] == problems(offline)


@pytest.mark.parametrize(
    ("fresh", "age", "is_fresh"),
    [("2d", timedelta(days=1), True), ("2d", timedelta(days=3), False), ("1h", timedelta(minutes=61), False)],
)
def test_the_age_of_the_file(offline: Workplace, fresh: str, age: timedelta, is_fresh: bool) -> None:
    write(offline, f"freshWithin: {fresh}")
    changed = (datetime.now(UTC) - age).timestamp()
    os.utime(offline.folder / "people.csv", (changed, changed))
    found = problems(offline)
    assert is_fresh == (not found)
    assert all(words.startswith("freshWithin: people.csv was last changed 20") for words in found)


@pytest.mark.parametrize(
    ("newest", "is_fresh"),
    [
        (lambda now: f"{now - timedelta(hours=47):%Y-%m-%d %H:%M:%S}", True),
        (lambda now: f"{now - timedelta(hours=49):%Y-%m-%dT%H:%M:%S}Z", False),
        # In Singapore, it is eight hours later than in UTC.
        (lambda now: f"{now - timedelta(hours=41):%Y-%m-%d %H:%M:%S}+08:00", False),
        (lambda now: f"{now + timedelta(days=30):%Y-%m-%d}", False),
    ],
)
def test_the_newest_time_in_a_column(offline: Workplace, newest: object, is_fresh: bool) -> None:
    assert callable(newest)
    row = f"k5,+6581230005,Eve,{newest(datetime.now(UTC))}\n"
    write(offline, "freshWithin: {column: at, within: 2d}", row + ROWS)
    found = problems(offline)
    assert is_fresh == (not found)
    assert all(words.startswith('freshWithin: the newest time in the column "at" is 20') for words in found)


@pytest.mark.parametrize("never", ["0001-01-01", "9999-12-31T23:00-08:00"])
def test_a_placeholder_is_no_time(offline: Workplace, never: str) -> None:
    write(offline, "freshWithin: {column: at, within: 9999d}", ROWS + f"k5,+6581230005,Eve,{never}\n")
    assert [] == problems(offline)


def test_a_column_without_times(offline: Workplace) -> None:
    write(offline, "freshWithin: {column: name, within: 2d}")
    assert [f'freshWithin: no cell of the column "name" is a date or time such as 2026-12-01{REMEDY}'] == problems(
        offline
    )


def test_a_run_is_refused_but_one_that_has_begun_continues_with_an_old_file(
    campaign: Workplace, provider: Provider
) -> None:
    expecting = MINIMAL.replace("country: SG", "country: SG, expect: {freshWithin: 2d}")
    campaign.write(people(3), expecting)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    os.utime(campaign.folder / "people.csv", (long_ago, long_ago))
    done = campaign("run", "hello.yaml", "--yes", "--allow-empty")
    assert (2, 0) == (done.exit_code, provider.sent.total())
    assert "freshWithin: people.csv was last changed 2026-01-01 00:00 UTC" in done.stderr

    os.utime(campaign.folder / "people.csv")
    assert 0 == campaign("run", "hello.yaml", "--yes", "--limit", "1").exit_code
    os.utime(campaign.folder / "people.csv", (long_ago, long_ago))
    assert 0 == campaign("run", "hello.yaml", "--yes").exit_code
    assert (3, {1}) == (provider.sent.total(), set(provider.sent.values()))


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ("rows: 4", 'rows: "4" is not a range of rows; write a range such as 100..500'),
        ('rows: ".."', 'rows: ".." is not a range of rows'),
        ("rows: 5..4", "rows: the range ends before it begins; write the smaller number first"),
        ("excluded: 10%", 'excluded: "10%" is not a maximum; write "<= 10%"'),
        ("excluded: <= 101%", 'excluded: "<= 101%" is not a maximum'),
        ("excluded: <= 1.5", 'excluded: "<= 1.5" is not a maximum'),
        ("unique: id", 'unique: "id" is not a list; write [id]'),
        ("unique: []", "unique: the list is empty"),
        ("unique: [id, id]", 'unique: lists "id" twice'),
        ("notNull: [nmae]", 'expect.notNull: there is no column "nmae" in people.csv; did you mean "name"?'),
        ("freshWithin: 0d", "freshWithin: 0d is zero"),
        ("freshWithin: {column: at}", "freshWithin.within: is missing"),
        ("freshWithin: {column: ta, within: 1d}", 'freshWithin.column: there is no column "ta"'),
        ("maxRows: 3", "expect.maxRows: unknown key"),
    ],
)
def test_a_wrong_value_has_its_place_and_a_remedy(offline: Workplace, expect: str, words: str) -> None:
    write(offline, expect)
    done = offline.here("check", "hello.yaml")
    assert 2 == done.exit_code
    assert "hello.yaml:3:" in done.stderr
    assert words in done.stderr
