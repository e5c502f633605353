"""Spreadsheets: values as people write them, and nothing silently empty."""

import pickle
from pathlib import Path
from zipfile import ZipFile

import pytest

from runner.base.cells import Kind, TypedText
from runner.base.errors import InputError
from runner.files import spreadsheet
from runner.files.reader import read_header, read_numbered, read_rows
from runner.files.source import Cells, Source, UnreadableRow
from runner.numbers.phone import Number, normalise
from tests.files import workbook
from tests.files.workbook import write_workbook


def rows(source: Source, remarks: list[str] | None = None) -> list[Cells | UnreadableRow]:
    return [row for batch in read_rows(source, remarks=remarks) for row in batch.rows]


VALUES = [
    (6591234567.0, "6591234567", "a number in Excel is a float, and this one is exact"),
    (workbook.SCIENTIFIC, "6591234567", "shown as 6.59E+09, but whole in the file"),
    ("6.59E+09", "6.59E+09", "text that lost its digits stays recognisable"),
    (12.5, "12.5", "a price"),
    (0.1 + 0.2, "0.3", "Excel calculates with 15 digits, and shows no more"),
    (0.00001, "0.00001", "no scientific notation is invented"),
    (-0.0, "0", "no minus before nothing"),
    (1234567890123456789.0, "≈1234567890123456768", "17 digits and more were rounded: never a number to send to"),
    (workbook.TRUE, "true", "a tick"),
    (workbook.DATE, "2025-12-09", "a date"),
    (workbook.MOMENT, "2025-12-09 12:00:00", "a date with its time"),
    (workbook.TIME, "18:00:00", "a time"),
    (workbook.DURATION, "36:00:00", "hours that go past midnight"),
    (workbook.FORMULA, "2", "the value that a formula had when the file was saved"),
    (" Zoë\u00a0", "Zoë", "white space about text, NBSP too"),
    ("<b> & Co", "<b> & Co", "what XML escapes"),
]


@pytest.mark.parametrize(("value", "expected", "why"), VALUES, ids=[row[-1] for row in VALUES])
def test_values(tmp_path: Path, value: str | float, expected: str, why: str) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"One": [["phone", "x"], ["1", value]]})
    assert [("1", expected)] == rows(Source(path))


def test_kinds_of_cells(tmp_path: Path) -> None:
    cells: list[workbook.Cell] = [
        workbook.TRUE,
        12.5,
        3,
        workbook.DATE,
        workbook.MOMENT,
        workbook.TIME,
        "12.5",
        "true",
        1e20,
    ]
    path = write_workbook(tmp_path / "a.xlsx", {"One": [[f"c{place}" for place in range(len(cells))], cells]})
    expected = [Kind.BOOLEAN, Kind.NUMBER, Kind.NUMBER, Kind.DATE, Kind.DATE, None, None, None, None]
    (row,) = rows(Source(path))
    assert not isinstance(row, UnreadableRow)
    assert expected == [cell.kind if isinstance(cell, TypedText) else None for cell in row]
    assert expected == [getattr(cell, "kind", None) for cell in pickle.loads(pickle.dumps(row))]  # noqa: S301
    assert {} == read_header(Source(path)).kinds


def test_a_rounded_number_is_no_number() -> None:
    assert not isinstance(normalise("≈6591234600", "SG"), Number)


def test_blank_rows_and_notes_are_no_rows(tmp_path: Path) -> None:
    table: list[list[workbook.Cell]] = [
        [],
        ["phone", "name"],
        [1, "Ann"],
        [],
        [2, None, None, "a note"],
        [None, None, None, "another"],
        [3, "Bob"],
    ]
    source = Source(write_workbook(tmp_path / "a.xlsx", {"One": table}))
    assert ["phone", "name"] == read_header(source)
    assert [("1", "Ann"), ("2", ""), ("3", "Bob")] == rows(source)
    assert [2, 3, 5, 7] == [place for place, _ in read_numbered(source)]


@pytest.mark.parametrize("cell", [workbook.ERROR, workbook.UNCALCULATED])
def test_cells_without_a_value_make_the_row_unreadable(tmp_path: Path, cell: str) -> None:
    path = write_workbook(
        tmp_path / "a.xlsx", {"One": [["phone", "name"], ["1", "Ann"], [], ["2", cell], ["3", "Bob"]]}
    )
    what = "the error value #N/A" if cell == workbook.ERROR else "a formula without a value"
    words = f'{what} in the column "name" (row 4 of the sheet); correct or clear the cell'
    assert [("1", "Ann"), UnreadableRow(words), ("3", "Bob")] == rows(Source(path))


def test_other_formats_do_not_tell_errors_from_empty_cells(tmp_path: Path) -> None:
    """A template may have a default for an empty cell, so it is said."""
    path = tmp_path / "a.ods"
    space = "urn:oasis:names:tc:opendocument:xmlns"
    kind = 'office:value-type="string"'
    texts = [f"<table:table-cell {kind}><text:p>{text}</text:p></table:table-cell>" for text in ("phone", "name", "1")]
    error = f'<table:table-cell {kind} office:string-value=""><text:p>#N/A</text:p></table:table-cell>'
    table = "".join(f"<table:table-row>{cells}</table:table-row>" for cells in (texts[0] + texts[1], texts[2] + error))
    names = " ".join(f'xmlns:{name}="{space}:{name}:1.0"' for name in ("office", "table", "text"))
    with ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{space}:manifest:1.0"/>')
        archive.writestr(
            "content.xml",
            f"<office:document-content {names}><office:body><office:spreadsheet>"
            f'<table:table table:name="One">{table}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    remarks: list[str] = []
    assert [("1", "")] == rows(Source(path), remarks)
    assert [
        "a.ods: in this format, error values such as #N/A are read as empty cells; save it as XLSX to detect them"
    ] == remarks


def test_a_row_of_nothing_but_an_error_is_a_row(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"One": [["phone"], [workbook.ERROR], ["1"]]})
    assert [UnreadableRow, tuple] == [type(row) for row in rows(Source(path))]


def test_an_error_for_a_name(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"One": [["phone", workbook.ERROR], ["1", "2"]]})
    with pytest.raises(InputError, match=r"the header \(row 1\) has the error value #N/A; write"):
        rows(Source(path))


def test_every_error_is_found_wherever_the_xml_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table: list[list[workbook.Cell]] = [["phone", "name"]]
    table += [[str(number), workbook.ERROR if number % 7 == 0 else "Ann"] for number in range(1, 200)]
    path = write_workbook(tmp_path / "a.xlsx", {"One": table})
    for size in (50, 97, 1000):
        monkeypatch.setattr(spreadsheet, "_CHUNK", 4096)
        monkeypatch.setattr(spreadsheet, "_READ", size)
        found = [number for number, row in enumerate(rows(Source(path)), 1) if isinstance(row, UnreadableRow)]
        assert list(range(7, 200, 7)) == found


def test_the_first_sheet_that_shows_is_read_and_said(tmp_path: Path) -> None:
    sheets = {"Old": [["x"], ["0"]], "Members": [["phone"], ["1"]], "Left": [["phone"], ["2"]]}
    path = write_workbook(tmp_path / "a.xlsx", sheets, hidden_sheets=["Old"])
    remarks: list[str] = []
    assert [("1",)] == rows(Source(path), remarks)
    assert ['a.xlsx: only the first of 2 sheets, "Members", is read'] == remarks
    assert [("2",)] == rows(Source(path, sheet="Left"))
    assert [("0",)] == rows(Source(path, sheet="Old"))


def test_hidden_rows_are_read_and_said(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"One": [["phone"], ["1"], ["2"]]}, hidden_rows=[3])
    remarks: list[str] = []
    assert [("1",), ("2",)] == rows(Source(path), remarks)
    assert ["a.xlsx: includes 1 hidden row (hidden by a filter or by hand)"] == remarks


def test_an_unknown_sheet(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"Members": [["phone"]], "Left": []})
    with pytest.raises(InputError) as error:
        read_header(Source(path, sheet="members"))
    expected = f'{path} has no sheet "members"; did you mean "Members"? its sheets are "Members", "Left"'
    assert f"recipients.sheet: {expected}" == str(error.value)


def test_an_empty_sheet(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"One": []})
    with pytest.raises(InputError, match="is empty; write the column names in the first row"):
        read_header(Source(path))
    assert [] == list(read_numbered(Source(path)))


def test_half_a_workbook(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"One": [["phone"], ["1"]]})
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match=r"should be a spreadsheet .* but is a ZIP archive or a damaged spreadsheet"):
        read_header(Source(path))


def test_an_old_workbook_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(3_000))
    with pytest.raises(InputError, match="is damaged or not a spreadsheet: "):
        read_header(Source(path))


def test_a_workbook_with_the_ending_of_an_older_one(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xls", {"One": [["phone"], ["1"]]})
    assert [("1",)] == rows(Source(path))
