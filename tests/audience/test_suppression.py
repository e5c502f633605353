"""Suppression lists: exact, and never half loaded."""

from pathlib import Path

import polars as pl
import pytest

from runner.audience import suppression
from runner.audience.suppression import Suppression
from runner.errors import InputError


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


LISTS = [
    ("out.txt", "+6591234567\n\n+447700900123\n", "one number per line, with a blank one"),
    ("out.csv", "+6591234567\n+447700900123\n", "a column without a header"),
    ("out.csv", "opted out since 2019\n+6591234567\n+447700900123\n", "a lone column, whatever it is called"),
    ("out.csv", "name;Phone\nAnn;+6591234567\n;\nBob;+447700900123\n", "a table with a blank row"),
    ("out.tsv", "name\tmsisdn\nAnn\t+6591234567\nBob\t+447700900123\n", "tabs"),
]


@pytest.mark.parametrize(("name", "content", "why"), LISTS, ids=[row[-1] for row in LISTS])
def test_loads(tmp_path: Path, name: str, content: str, why: str) -> None:
    found = Suppression([written(tmp_path, name, content)])
    assert 2 == len(found)
    assert [name, name, None] == [found.find(number) for number in ("+6591234567", "+447700900123", "+6581234567")]


def test_numbers_are_normalised_with_the_campaigns_country(tmp_path: Path) -> None:
    found = Suppression([written(tmp_path, "out.txt", "9123 4567\n")], "SG")
    assert "out.txt" == found.find("+6591234567")


def test_parquet_and_several_lists(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    pl.DataFrame({"name": ["Ann", None], "mobile": [6591234567, None]}).write_parquet(path)
    found = Suppression([path, written(tmp_path, "b.txt", "+447700900123")])
    assert ["out.parquet", "b.txt"] == [found.find("+6591234567"), found.find("+447700900123")]


@pytest.mark.parametrize("content", ["", "phone\n"])
def test_nobody_on_it_is_fine(tmp_path: Path, content: str) -> None:
    assert 0 == len(Suppression([written(tmp_path, "out.csv", content)]))


def test_more_than_one_run_of_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppression, "_RUN_LENGTH", 3)
    numbers = [f"+6591{number:06d}" for number in range(10)]
    found = Suppression([written(tmp_path, "out.txt", "\n".join(reversed(numbers)))])
    assert ["out.txt"] * 10 == [found.find(number) for number in numbers]
    assert found.find("+6591000010") is None


def test_junk_stops_the_plan_with_examples(tmp_path: Path) -> None:
    path = written(tmp_path, "out.txt", "+6591234567\njunk\n" + "12345\n" * 6)
    with pytest.raises(InputError) as error:
        Suppression([path])
    remedy = "correct the entry or remove it; nothing is sent while a suppression list is in doubt"
    short = '"12345" has no country code; set recipients.country'
    assert [
        f'{path}:2:1: "junk" is not a number; {remedy}',
        *(f"{path}:{line}:1: {short}; {remedy}" for line in range(3, 7)),
        f"{path}: 2 more entries are no numbers",
    ] == [str(problem) for problem in error.value.problems]


def test_a_person_without_a_number_is_junk_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"out\.csv:3:1: there is no number; "):
        Suppression([written(tmp_path, "out.csv", "name,phone\nAnn,+6591234567\nBob,\n")])


def test_missing_and_ambiguous_lists_are_all_named(tmp_path: Path) -> None:
    table = written(tmp_path, "out.csv", "name,mail\nAnn,a@example.com\n")
    with pytest.raises(InputError) as error:
        Suppression([tmp_path / "nope.txt", table])
    assert [
        f"{tmp_path / 'nope.txt'} does not exist; check the name; it is relative to the campaign file",
        f"{table}: no column is named phone, mobile, msisdn, destination or to; "
        "name one column, and only one, phone, mobile, msisdn, destination or to",
    ] == [str(problem) for problem in error.value.problems]
