"""Files that change while they are read."""

import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from runner.audience.files import read_rows
from runner.audience.spec import Source
from runner.audience.steady import unchanged
from runner.errors import InputError
from runner.models import Duplicates
from tests.audience.rows import judged

CHANGED = "changed while it was read; run again when it is written whole"


def test_a_file_that_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("phone\n")
    with unchanged(path):
        path.read_text()
    with unchanged(tmp_path / "nope.csv"):
        pass


def read(path: Path, in_between: Callable[[], object]) -> None:
    """Reads all rows, and does something after the first."""
    for number, _ in enumerate(read_rows(Source(path), batch_size=1)):
        if number == 0:
            in_between()


@pytest.mark.parametrize("how", ["appended", "replaced", "removed", "touched"])
def test_rows_of_a_file_that_changes(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("phone\n1\n2\n")
    with pytest.raises(InputError, match=CHANGED):
        read(path, lambda: _change(path, how))


def _change(path: Path, how: str) -> None:
    if how == "appended":
        with path.open("a") as file:
            file.write("3\n")
    elif how == "replaced":
        other = path.with_name("b.csv")
        other.write_text(path.read_text())
        stamp = path.stat()
        os.utime(other, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        other.replace(path)
    elif how == "removed":
        path.unlink()
    else:
        os.utime(path, ns=(1, 1))


def test_parquet_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"phone": [1, 2]}).write_parquet(path)
    with pytest.raises(InputError, match=CHANGED):
        read(path, lambda: os.utime(path, ns=(1, 1)))


def test_a_quote_that_is_never_closed_in_a_half_written_file_is_no_news(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('phone,name\n1,a\n2,"b')
    with pytest.raises(InputError, match=CHANGED):
        read(path, lambda: path.write_text('phone,name\n1,a\n2,"b"\n'))


def test_a_change_between_the_two_readings_for_duplicates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("phone\n+6590000001\n+6590000002\n")
    readings: list[int] = []

    def changing(source: Source, **options: int) -> object:
        readings.append(1)
        if len(readings) == 2:
            path.write_text("phone\n+6590000001\n+6590000003\n")
        return read_rows(source, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("runner.audience.files.read_rows", changing)
    with pytest.raises(InputError, match=CHANGED):
        judged(Source(path), duplicates=Duplicates.REJECT)


def test_stopping_early_asks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("phone\n1\n2\n")
    batches = read_rows(Source(path), batch_size=1)
    next(batches)
    path.unlink()
    batches.close()
