"""The row numbers that people see are those of the spreadsheet program that they open the file with."""

import gzip
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from runner.files.reader import read_rows
from runner.files.sheet_rows import SheetRows
from runner.files.source import Source


def numbers_of(path: Path, batch_size: int = 2) -> dict[str, int]:
    """The first cell of each row → its number."""
    sheet_rows, found, row = SheetRows(), {}, 0
    for batch in read_rows(Source(path), batch_size=batch_size, sheet_rows=sheet_rows):
        for cells in batch.rows:
            row += 1
            assert isinstance(cells, tuple)
            found[cells[0]] = sheet_rows.of(row)
    return found


def text(content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "people.csv"
        path.write_bytes(content.encode())
        return path

    return write


def packed(folder: Path) -> Path:
    path = folder / "people.csv.gz"
    path.write_bytes(gzip.compress(b"id,name\na,Ann\n\nb,Ben\n"))
    return path


def parquet(folder: Path) -> Path:
    path = folder / "people.parquet"
    pl.DataFrame({"id": ["a", "b"]}).write_parquet(path)
    return path


def sheet(folder: Path) -> Path:
    """The table begins in row 3, and row 5 is blank."""
    path = folder / "people.xlsx"
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        for row, cell in ((2, "id"), (3, "a"), (5, "b"), (6, "c")):
            page.write(row, 1, cell)
            page.write(row, 2, "name")
    return path


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        pytest.param(text("id,name\na,Ann\nb,Ben\n"), {"a": 2, "b": 3}, id="a plain file"),
        pytest.param(text("id,name\r\na,Ann\r\n\r\n\r\nb,Ben\r\nc,Cy"), {"a": 2, "b": 5, "c": 6}, id="blank lines"),
        pytest.param(text("id,name\na,Ann\n,\nb,Ben\n"), {"a": 2, "b": 4}, id="a row of blank cells"),
        pytest.param(text("\n\nid,name\na,Ann\n"), {"a": 4}, id="blank lines above the header"),
        pytest.param(text('id,name\na,"Ann\nLee\n\nTan"\nb,Ben\n'), {"a": 2, "b": 3}, id="breaks inside a cell"),
        pytest.param(text('id,"first\nname"\na,Ann\n'), {"a": 2}, id="a break in the header"),
        pytest.param(text("sep=;\nid;name\na;Ann\n"), {"a": 2}, id="a line for Excel, which it doesn't show"),
        pytest.param(text("\ufeffid\tname\na\tAnn\n"), {"a": 2}, id="tabs and a BOM"),
        pytest.param(packed, {"a": 2, "b": 4}, id="packed: as the unpacked file"),
        pytest.param(sheet, {"a": 4, "b": 6, "c": 7}, id="a sheet"),
        pytest.param(parquet, {"a": 1, "b": 2}, id="without a sheet, the data rows"),
    ],
)
def test_the_number_is_the_one_that_a_spreadsheet_shows(
    tmp_path: Path, write: Callable[[Path], Path], expected: dict[str, int]
) -> None:
    path = write(tmp_path)
    for batch_size in (1, 2, 100):
        assert expected == numbers_of(path, batch_size)


@given(gaps=st.lists(st.integers(1, 3), min_size=1), size=st.integers(1, 5))
def test_each_row_has_its_number_however_the_file_is_read(gaps: list[int], size: int) -> None:
    numbers = list(accumulate(gaps))
    sheet_rows = SheetRows()
    for first in range(0, len(numbers), size):
        sheet_rows.add(first + 1, numbers[first : first + size])
    assert numbers == [sheet_rows.of(row) for row in range(1, len(numbers) + 1)]
    assert len(sheet_rows.starts) <= 1 + sum(gap > 1 for gap in gaps)
