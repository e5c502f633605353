"""Small files that ask for more memory or time than any list needs."""

import gzip
import re
import struct
import tempfile
import tracemalloc
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import polars as pl
import pytest

from runner.base.errors import InputError
from runner.files import formats, parquet, sheet_xml, spreadsheet
from runner.files.reader import read_header, read_rows
from runner.files.source import Source
from tests.files.workbook import write_workbook


def read(path: Path) -> int:
    return sum(len(batch.rows) for batch in read_rows(Source(path)))


FAR = {
    "a text in the last cell of all": '<c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c>',
    "a space in the last cell of the row": '<c r="XFD2" t="inlineStr"><is><t> </t></is></c>',
    "a number far below and beside": '<c r="CZ900000"><v>1</v></c>',
    "a format without a value in the last row": '<c r="A1048576" s="1"/>',
    "a number in an impossible row": '<c r="C9999999"><v>1</v></c>',
    "a space in the last row": '<c r="A1048576" t="inlineStr"><is><t>&#160;</t></is></c>',
}


@pytest.mark.parametrize("cell", FAR.values(), ids=FAR)
def test_a_stray_cell_far_from_the_table_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    monkeypatch.setattr(sheet_xml, "_SMALL_AREA", 1 << 8)
    table = [["phone", "name"], ["+6591234567", "Ann"], ["+6591234568", "Bob"]]
    path = write_workbook(tmp_path / "a.xlsx", {"people": [*table, [cell]]})
    tracemalloc.start()
    assert ["phone", "name"] == read_header(Source(path))
    assert table[1:] == [list(row) for batch in read_rows(Source(path)) for row in batch.rows if isinstance(row, tuple)]
    assert ["people"] == spreadsheet.filled_sheets(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()


def test_shared_spaces_are_no_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_xml, "_SMALL_AREA", 1 << 8)
    cells = [f'<c r="{column}" t="s"><v>{number}</v></c>' for column, number in (("A1", 1), ("XFD1", 0), ("A3", 2))]
    cells += ['<c r="XFD9" t="s"><v>3</v></c>']
    path = write_workbook(tmp_path / "a.xlsx", {"people": [[cells[0], cells[1]], [], [cells[2]], [cells[3]]]})
    with ZipFile(path, "a") as archive:
        shared = "".join(f"<si><t>{text}</t></si>" for text in (" ", "phone", "+6591234567", "\n"))
        archive.writestr("xl/sharedStrings.xml", f"<sst>{shared}</sst>")
    found = sheet_xml.scan(path, "people")
    assert found is not None
    assert found.is_sparse
    with tempfile.TemporaryFile() as file:
        sheet_xml.trimmed(path, found, file)
        copy = ZipFile(file).read("xl/worksheets/sheet1.xml")
    assert [b"A1", b"A3"] == re.findall(rb'<c r="(\w+)"', copy)


@pytest.mark.parametrize("address", ["xfd1048576", "A99999999999", "ZZZZZZZZZZZZ1"])
def test_a_cell_with_an_impossible_address(tmp_path: Path, address: str) -> None:
    path = write_workbook(
        tmp_path / "a.xlsx", {"people": [["phone"], ["+6591234567", f'<c r="{address}"><v>1</v></c>']]}
    )
    for reading in (lambda: read_header(Source(path)), lambda: read(path), lambda: spreadsheet.filled_sheets(path)):
        with pytest.raises(InputError, match=f'has a cell with the address "{address}"; open it in a spreadsheet'):
            reading()


def test_a_value_in_an_impossible_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_xml, "_SMALL_AREA", 1 << 8)
    path = write_workbook(tmp_path / "a.xlsx", {"people": [["phone"], ['<c r="A9999999"><v>1</v></c>']]})
    with pytest.raises(InputError, match="the sheet's table has 9,999,999 rows and 1 columns, too many to read"):
        read(path)


def test_a_table_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_xml, "_MOST_CELLS", 1 << 10)
    path = write_workbook(tmp_path / "a.xlsx", {"people": [["phone"], ['<c r="A2000"><v>1</v></c>']]})
    with pytest.raises(InputError, match="the sheet's table has 2,000 rows and 1 columns, too many to read; delete"):
        read_header(Source(path))


def test_a_wide_sheet_is_read(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"people": [["phone"], ["+6591234567", '<c r="XFD2"><v>1</v></c>']]})
    assert 1 == read(path)


def test_a_part_that_grows_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_xml, "_SMALL_BYTES", 1 << 16)
    path = write_workbook(tmp_path / "a.xlsx", {"people": [["phone"], ["+6591234567"]]})
    with ZipFile(path, "a", ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", b"<t>" + b"x" * (1 << 20))
    with pytest.raises(
        InputError, match="more than 200 times as large when unpacked, so it is not a list of recipients"
    ):
        read_header(Source(path))


@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"])
def test_an_archive_that_states_a_wrong_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(sheet_xml, "_SMALL_BYTES", 1 << 16)
    honest = write_workbook(tmp_path / "honest.xlsx", {"people": [["phone"], ["+6591234567"]]})
    path = tmp_path / "a.xlsx"
    size = 1 << 20
    with ZipFile(honest) as old, ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name in {*old.namelist()} - {part}:
            archive.writestr(name, old.read(name))
        archive.writestr(part, b"<row/>" + b" " * (size - 6))
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", 60_000)))
    with pytest.raises(
        InputError, match="more than 200 times as large when unpacked, so it is not a list of recipients"
    ):
        read_header(Source(path))


def test_an_ods_file_that_repeats_cells(tmp_path: Path) -> None:
    path = tmp_path / "a.ods"
    office = "urn:oasis:names:tc:opendocument:xmlns"
    with ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{office}:manifest:1.0"/>')
        archive.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{office}:office:1.0" xmlns:table="{office}:table:1.0" '
            f'xmlns:text="{office}:text:1.0"><office:body><office:spreadsheet><table:table table:name="people">'
            '<table:table-row table:number-rows-repeated="1048576"><table:table-cell office:value-type="string" '
            'table:number-columns-repeated="16384"><text:p>phone</text:p></table:table-cell></table:table-row>'
            "</table:table></office:spreadsheet></office:body></office:document-content>",
        )
    with pytest.raises(InputError, match="a sheet reaches over more than 100 million cells, too far to read; delete"):
        read_header(Source(path))


def test_a_cell_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_xml, "_MOST_CELL_BYTES", 1 << 16)
    monkeypatch.setattr(sheet_xml, "_READ", 1 << 12)
    path = write_workbook(tmp_path / "a.xlsx", {"people": [["phone"], ["x" * (1 << 18)]]})
    with pytest.raises(InputError, match="has a cell of more than 16 MB; shorten it"):
        read(path)


def test_an_archive_of_blank_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_SMALL_BYTES", 1 << 20)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"phone\n" + b"\n" * (1 << 22)))
    with pytest.raises(InputError, match="more than 200 times as large when unpacked"):
        read(path)


def test_a_million_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"phone\n" + b"\n" * 1_000_002)
    with pytest.raises(InputError, match="has more than 1,000,000 blank rows in a row, up to line"):
        read(path)


def test_one_endless_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"x" * (17 << 20))
    with pytest.raises(InputError, match="has a line of more than 16 MB"):
        read_header(Source(path))


def test_a_header_with_too_many_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",".join(map(str, range(20_000))) + "\n")
    with pytest.raises(InputError, match=r"a\.csv:1:1: the header has 20,000 columns; the maximum is 16,384"):
        read_header(Source(path))


def test_parquet_rows_that_share_one_long_cell(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"phone": range(100_000)}).with_columns(name=pl.lit("x" * 20_000)).write_parquet(path)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(InputError, match=r"a\.parquet: the cells of the rows 1 to 5,000 have more than 64 MB"):
        read(path)


def test_parquet_rows_that_share_long_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"phone": range(50_000)}).with_columns(name=pl.lit(b"x" * 20_000)).write_parquet(path)
    with pytest.raises(
        InputError, match=r"a\.parquet: the cells of the rows 1 to 50,000 have more than 64 MB; shorten"
    ):
        read(path)


def test_a_parquet_file_with_a_huge_number_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_SMALL_ROWS", 100_000)
    path = tmp_path / "a.parquet"
    pl.DataFrame({"phone": ["+6591234567"] * 400_000}).write_parquet(path)
    with pytest.raises(InputError, match="has 400,000 rows that are almost all the same, so it is not a list"):
        read(path)
