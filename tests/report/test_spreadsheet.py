"""results.xlsx: every cell is what it is, nothing runs, and a broken one leaves nothing behind."""

import errno
import io
import re
import stat
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from runner.report import spreadsheet as module
from runner.report.spreadsheet import CUT, MOST_OF_CELL, spreadsheet

TIME = pl.Datetime("us", "UTC")


def written(folder: Path, schema: dict[str, Any], *frames: Sequence[tuple[Any, ...]]) -> bytes:
    file = io.BytesIO()
    with spreadsheet(file, schema, folder / "scratch") as book:
        for rows in frames:
            book.add(pl.DataFrame(rows, schema, orient="row"))
    return file.getvalue()


def sheets(data: bytes) -> dict[str, list[list[Any]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def cells(data: bytes) -> list[Any]:
    """The first column of the first sheet, below its header."""
    return [row[0] for row in next(iter(sheets(data).values()))[1:]]


def xml(data: bytes, name: str = "xl/worksheets/sheet1.xml") -> str:
    return zipfile.ZipFile(io.BytesIO(data)).read(name).decode()


def test_kinds(tmp_path: Path) -> None:
    schema = {"row": pl.Int64, "key": pl.String, "latency_ms": pl.Float64, "billed_price": pl.Decimal(18, 6),
              "sent_at": TIME}  # fmt: skip
    sent = datetime(2026, 12, 1, 2, 3, 4, 567_000, tzinfo=UTC)
    data = written(tmp_path, schema, [(1, "007", 12.345, Decimal("0.0375"), sent)], [(2, None, None, None, None)])
    header, first, second = sheets(data)["results"]
    assert ["row", "key", "latency_ms", "billed_price", "sent_at (UTC)"] == header
    assert [1.0, "007", 12.345, 0.0375, sent.replace(tzinfo=None)] == first
    assert [2.0, "", "", "", ""] == second
    assert 'topLeftCell="B2"' in xml(data)
    assert '<autoFilter ref="A1:E3"/>' in xml(data)


EVIL = (
    "=1+1", "=HYPERLINK(0)", "{=1}", "+65", "@SUM(1)", "https://acme.example", "mailto:a@acme.example",
    "internal:Sheet2!A1", "external:c:\\a.xlsx", "</t></is></c><c><f>1+1</f></c>", "a & b < c", "  spaces  ",
    "two\nlines", "_x0041_", "00123", "1e5", "TRUE", "Zoë ✓ 🎉", "\u202eevil",
)  # fmt: skip


def test_a_text_is_a_text(tmp_path: Path) -> None:
    data = written(tmp_path, {"key": pl.String}, [(text,) for text in EVIL])
    assert list(EVIL) == cells(data)
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert "<f>" not in xml(data)
    assert "hyperlink" not in xml(data)
    assert "xl/worksheets/_rels/sheet1.xml.rels" not in names


def test_no_text_is_markup(tmp_path: Path) -> None:
    evil = "<r><t>a</t></r></is></c><c><f>1+1</f></c><c><is><r></r>"
    data = written(tmp_path, {evil: pl.String}, [(evil,)])
    assert [[f"{evil} "], [f"{evil} "]] == sheets(data)["results"]
    assert "<f>" not in xml(data)


@given(st.text(max_size=40))
def test_whatever_a_cell_holds_the_file_can_be_read(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    storable = text.encode("utf-8", "replace").decode()
    [found] = cells(written(folder, {"key": pl.String}, [(f"x{storable}",)]))
    unwritable = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
    assert "x" + unwritable.sub("\ufffd", storable) == found.replace("\r\n", "\n") or "\r" in storable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * MOST_OF_CELL, "a" * MOST_OF_CELL),
        ("a" * (MOST_OF_CELL + 1), "a" * (MOST_OF_CELL - len(CUT)) + CUT),
        # Two units each: the half of one doesn't stay.
        ("🎉" * 16_383, "🎉" * 16_383),
        ("a" + "🎉" * 16_384, "a" + "🎉" * ((MOST_OF_CELL - len(CUT) - 1) // 2) + CUT),
    ],
)
def test_a_cell_that_is_too_long_is_cut_so_that_one_sees_it(tmp_path: Path, text: str, expected: str) -> None:
    assert [expected] == cells(written(tmp_path, {"key": pl.String}, [(text,)]))


def test_what_is_beyond_a_sheet_goes_on_in_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHEET_ROWS", 3)
    schema = {"row": pl.Int64, "key": pl.String}
    data = written(tmp_path, schema, [(n, f"k{n}") for n in range(1, 6)], [(n, f"k{n}") for n in range(6, 8)])
    found = sheets(data)
    assert ["results", "results 2", "results 3"] == list(found)
    assert all(["row", "key"] == rows[0] for rows in found.values())
    assert [[1, 2, 3], [4, 5, 6], [7]] == [[row[0] for row in rows[1:]] for rows in found.values()]
    assert '<autoFilter ref="A1:B4"/>' in xml(data)
    assert '<autoFilter ref="A1:B2"/>' in xml(data, "xl/worksheets/sheet3.xml")


def test_a_sheet_is_as_large_as_a_spreadsheet_program_takes() -> None:
    assert 2**20 == module.SHEET_ROWS + 1


def test_without_rows_there_is_the_header(tmp_path: Path) -> None:
    assert {"results": [["row"]]} == sheets(written(tmp_path, {"row": pl.Int64}))


def test_a_time_before_the_calendar_of_spreadsheets_is_a_text(tmp_path: Path) -> None:
    old = datetime(1899, 12, 31, tzinfo=UTC)
    assert ["1899-12-31 00:00:00+00:00"] == cells(written(tmp_path, {"converted_at": TIME}, [(old,)]))


def test_the_same_rows_are_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any time zone, and whenever it is written: no part of the archive has a time of its own."""
    rows = [(n, f"k{n}") for n in range(50)]
    schema = {"row": pl.Int64, "key": pl.String}
    data = written(tmp_path, schema, rows)
    parts = zipfile.ZipFile(io.BytesIO(data)).infolist()
    assert {(1980, 1, 31, 0, 0, 0)} == {part.date_time for part in parts}
    assert ["2000-01-01T00:00:00Z"] * 2 == re.findall(r">([^<]*)</dcterms", xml(data, "docProps/core.xml"))
    assert data == written(tmp_path, schema, rows[:7], rows[7:])


def test_what_is_on_its_way_is_its_owners_alone_and_goes_with_the_block(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "of_a_killed_process").write_text("+6591234567")
    with spreadsheet(io.BytesIO(), {"key": pl.String}, scratch) as book:
        book.add(pl.DataFrame({"key": ["a"]}))
        assert 0o700 == stat.S_IMODE(scratch.stat().st_mode)
        assert 1 == len(list(scratch.iterdir()))
        assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in scratch.iterdir()}
    assert [] == list(tmp_path.iterdir())


def test_a_block_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        spreadsheet(io.BytesIO(), {"key": pl.String}, tmp_path / "scratch") as book,
    ):
        book.add(pl.DataFrame({"key": [str(1 // 0)]}))
    assert [] == list(tmp_path.iterdir())


class Full(io.BytesIO):
    """A file on a disk that has room for so many bytes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: Any, /) -> int:  # noqa: ANN401 (any buffer)
        if self.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("room", [0, 1_000, 4_000])
def test_a_full_disk_is_an_oserror_and_nothing_else(tmp_path: Path, room: int) -> None:
    """Nor does what was broken off write, or complain, afterwards: a warning fails the test."""
    file = Full(room)
    with pytest.raises(OSError, match="No space left"), spreadsheet(file, {"key": pl.String}, tmp_path / "s") as book:
        book.add(pl.DataFrame({"key": [f"{n * 7919:x}" for n in range(2_000)]}))
    size = len(file.getvalue())
    file.close()
    assert size <= room
    assert [] == list(tmp_path.iterdir())
