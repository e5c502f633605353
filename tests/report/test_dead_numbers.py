"""Numbers to remove from the list: only dead ones, and as a file that the next campaign suppresses by."""

import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from runner.audience.spec import SuppressionList
from runner.audience.suppression import Suppression
from runner.base.errors import StoppedError
from runner.provider.delivery import CODES, Verdict
from runner.report.dead_numbers import write_dead_numbers

TIME = pl.Datetime("us", "UTC")
SCHEMA: dict[str, Any] = {
    "destination": pl.String,
    "status": pl.String,
    "delivery_error": pl.Int32,
    "delivered_at": TIME,
}
DEAD = sorted(code for code, meaning in CODES.items() if meaning.verdict is Verdict.DEAD)
ARRIVED = datetime(2026, 12, 1, 2, tzinfo=UTC)


def number(last: int) -> str:
    return f"+120255501{last:02}"


def results(folder: Path, *rows: tuple[Any, ...]) -> Path:
    path = folder / "results.parquet"
    pl.DataFrame(rows, SCHEMA, orient="row").write_parquet(path)
    return path


def test_only_what_says_that_the_number_is_dead(tmp_path: Path) -> None:
    table = results(
        tmp_path,
        *((number(code), "accepted", code, None) for code in CODES),
        (number(70), "accepted", None, ARRIVED),
        (number(71), "rejected", 59, None),
        (number(72), "accepted", 99, None),
        (None, "accepted", 59, None),
    )
    assert len(DEAD) == write_dead_numbers(table, tmp_path / "out.csv")
    expected = ["destination,reason", *(f"{number(code)},{CODES[code].words}" for code in DEAD)]
    assert expected == (tmp_path / "out.csv").read_text().splitlines()
    assert 0o600 == stat.S_IMODE((tmp_path / "out.csv").stat().st_mode)


def test_each_number_once_and_in_the_order_of_the_file(tmp_path: Path) -> None:
    table = results(tmp_path, *((number(n), "accepted", code, None) for n, code in ((9, 59), (2, 15), (9, 15))))
    assert 2 == write_dead_numbers(table, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert [f"{number(9)},{CODES[59].words}", f"{number(2)},{CODES[15].words}"] == lines[1:]


def test_a_number_that_was_reached_is_not_dead(tmp_path: Path) -> None:
    """By the same message, or by that of another row."""
    table = results(
        tmp_path,
        (number(1), "accepted", 59, ARRIVED),
        (number(2), "accepted", 59, None),
        (number(2), "accepted", None, ARRIVED),
    )
    assert 0 == write_dead_numbers(table, tmp_path / "out.csv")


@pytest.mark.parametrize("mask", [False, True])
def test_without_such_numbers_there_is_no_file_and_an_earlier_one_goes(tmp_path: Path, *, mask: bool) -> None:
    """With `mask` the file would hold whole numbers."""
    out = tmp_path / "out.csv"
    out.write_text("destination,reason\n+12025550101,the number is not assigned\n")
    code = 59 if mask else 1
    assert 0 == write_dead_numbers(results(tmp_path, (number(1), "accepted", code, None)), out, mask=mask)
    assert not out.exists()


def test_the_next_campaign_suppresses_by_it(tmp_path: Path) -> None:
    out = tmp_path / "numbers-to-remove.csv"
    write_dead_numbers(
        results(tmp_path, (number(1), "accepted", 59, None), ("+447700900123", "accepted", 15, None)), out
    )
    for country, key in ((None, None), ("SG", "customer_id"), ("US", "mobile")):
        loaded = Suppression([SuppressionList(out)], country=country, key=key)
        assert loaded.find_number(number(1))
        assert loaded.find_number("+447700900123")
        assert 2 == len(loaded)


def test_an_earlier_one_that_stays_is_said(tmp_path: Path) -> None:
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(StoppedError, match=r"out\.csv could not be deleted: "):
        write_dead_numbers(results(tmp_path), tmp_path / "out.csv")
    assert ["out.csv", "results.parquet"] == sorted(path.name for path in tmp_path.iterdir())
