"""Text files with rows, whole and broken."""

import csv
import gzip
import io
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runner.base.errors import InputError
from runner.files.reader import read_header, read_numbered, read_rows
from runner.files.source import Cells, Source, UnreadableRow
from tests.files.workbook import write_workbook


def rows(path: Path, remarks: list[str] | None = None) -> list[Cells | UnreadableRow]:
    return [row for batch in read_rows(Source(path), batch_size=2, remarks=remarks) for row in batch.rows]


def written(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


WHOLE = [
    ("a.csv", "phone,name\n1,Ann\n2,Bob\n", "as it should be"),
    ("a.csv", "\ufeffphone,name\r\n1,Ann\r\n2,Bob", "Excel: byte order mark, CRLF, no newline at the end"),
    ("a.csv", "phone;name\n1;Ann\n2;Bob\n", "Excel in half of Europe"),
    ("a.csv", "phone|name\n1|Ann\n2|Bob\n", "pipes of a database"),
    ("a.csv", "phone\tname\n1\tAnn\n2\tBob\n", "tabs in a .csv"),
    ("a.tsv", "phone\tname\n1\tAnn\n2\tBob\n", "tabs in a .tsv"),
    ("a.txt", "phone,name\n1,Ann\n2,Bob\n", "the same with another ending"),
    ("A.CSV", "phone,name\r1,Ann\r2,Bob\r", "an old Macintosh, shouting"),
    ("a.csv", " phone , name \n 1 ,\u00a0Ann\u00a0\n2,Bob\n", "white space about cells, NBSP too"),
    ("a.csv", "\nphone;name\n\n1;Ann\n   \n2;Bob\n\n", "blank lines are no rows, before the header either"),
    ("a.csv", ";;\nphone;name;\n1;Ann;\n;;\n2;Bob;\n;;\n", "nor are rows of nothing but delimiters"),
    ("a.csv", '"phone","name"\n"1","Ann"\n"2","Bob"\n', "all quoted"),
    ("a.csv", "sep=;\r\nphone;name\r\n1;Ann\r\n2;Bob\r\n", "Excel's own first line"),
    ("a.csv", "\ufeffSEP=|\nphone|name\n1|Ann\n2|Bob\n", "the same behind a mark, and louder"),
    ("a.csv", "phone;name;;;\n1;Ann;;;\n2;Bob;;;\n", "columns of nothing at the end, as Excel leaves them"),
    ("a.csv", "phone,name\n1,Ann,\n2,Bob,,\n", "delimiters at the end of rows alone"),
]


@pytest.mark.parametrize(("name", "content", "why"), WHOLE, ids=[row[-1] for row in WHOLE])
def test_reads_text(tmp_path: Path, name: str, content: str, why: str) -> None:
    path = written(tmp_path, name, content)
    assert ["phone", "name"] == read_header(Source(path))
    assert [("1", "Ann"), ("2", "Bob")] == rows(path)


def test_the_delimiter_is_told_by_the_header_outside_of_quotes(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", '"a,b,c,\nd";phone\n"1,2,3";+65\n')
    assert ["a,b,c,\nd", "phone"] == read_header(Source(path))
    assert [("1,2,3", "+65")] == rows(path)


def test_quoted_newlines_stay_in_their_cell(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'phone,name\n1,"Ann\nLee"\n')
    assert [("1", "Ann\nLee")] == rows(path)


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert [] == list(read_rows(Source(written(tmp_path, "a.csv", "phone,name\n"))))


def test_batches(tmp_path: Path) -> None:
    source = Source(written(tmp_path, "a.csv", "phone\n1\n2\n3\n4\n"))
    sizes = [[len(batch.rows) for batch in read_rows(source, batch_size=size)] for size in (3, 2)]
    assert [[3, 1], [2, 2]] == sizes


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_archives(tmp_path: Path, ending: str) -> None:
    content = "phone,name\n" + "".join(f"{number},Ann\n" for number in range(10_000))
    compress = gzip.compress if ending == ".gz" else zstandard.compress
    parts = compress(content[:50_000].encode()) + compress(content[50_000:].encode())  # as `cat a.gz b.gz` does
    path = written(tmp_path, f"a.csv{ending}", parts)
    assert ["phone", "name"] == read_header(Source(path))
    assert [(str(number), "Ann") for number in range(10_000)] == rows(path)
    for broken in (parts[:-1], parts[: len(parts) // 2], parts[:-30] + bytes(30), parts + b"more"):
        path.write_bytes(broken)
        with pytest.raises(InputError, match="is a damaged or incomplete archive; copy or create it again"):
            rows(path)


def test_an_archive_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty; write the column names in the first line"):
        rows(written(tmp_path, "a.csv.gz", gzip.compress(b"")))


def test_an_archive_that_asks_for_much_memory(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=30, compression_level=1)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    content = compressor.compress(b"phone\n1\n") + compressor.flush()
    with pytest.raises(InputError, match="is a damaged or incomplete archive"):
        rows(written(tmp_path, "a.csv.zst", content))


RAGGED = b'phone,name\n1,"a\nb"\n\n2\n3,c,d\n4,e\n'


def test_short_rows_are_filled_up_and_long_ones_left_out(tmp_path: Path) -> None:
    """Lines count newlines in cells and blank lines, rows don't."""
    names = "but the header has 2 columns"
    remarks: list[str] = []
    assert [
        ("1", "a\nb"),
        ("2", ""),
        UnreadableRow(f"3 cells, {names} (line 6 of the file); put cells that contain the delimiter in double quotes"),
        ("4", "e"),
    ] == rows(written(tmp_path, "a.csv", RAGGED), remarks)
    words = "1 row has fewer cells than the header, first on line 5 of the file; the missing cells are read as empty"
    assert f"a.csv: {words}" in remarks


def test_every_row_may_be_short(tmp_path: Path) -> None:
    """A program that leaves out empty cells at the end writes such a file when a column is empty."""
    assert [("1", "Ann", ""), ("2", "", "")] == rows(written(tmp_path, "a.csv", "phone,name,note\n1,Ann\n2\n"))


def test_a_row_with_another_delimiter_is_not_short(tmp_path: Path) -> None:
    words = "1 cell, but the header has 2 columns (line 2 of the file); separate the cells as in the header"
    assert [UnreadableRow(words), ("2", "Bob")] == rows(written(tmp_path, "a.csv", "phone,name\n1;Ann\n2,Bob\n"))


def test_a_cell_under_no_name(tmp_path: Path) -> None:
    place = "text in column 4, but the header has no name for it (line 3 of the file)"
    words = f"{place}; add a name to the header, or clear the cell"
    path = written(tmp_path, "a.csv", "phone,name,,\n1,Ann,,\n2,Bob,,x\n")
    assert [("1", "Ann"), UnreadableRow(words)] == rows(path)


NUL = b'phone,name\n1,A\0nn\n2,Bob\n3,"a\n\0"\n'


def test_rows_with_nul_bytes_are_left_out(tmp_path: Path) -> None:
    words = "export the file again"
    assert [
        UnreadableRow(f"a NUL byte (line 2 of the file); {words}"),
        ("2", "Bob"),
        UnreadableRow(f"a NUL byte (line 4 of the file); {words}"),
    ] == rows(written(tmp_path, "a.csv", NUL))


BROKEN = [
    ("a.csv", b"\n\n", "{path} is empty; write the column names in the first line", "nothing but newlines"),
    (
        "a.csv",
        b"phone,na\0me\n",
        '{path}:1:1: the header has a NUL byte; save the file as "CSV UTF-8" again',
        "NUL in the header",
    ),
    (
        "a.csv",
        b'phone,name\n1,a\n2,"b\n3,c\n',
        "{path}:3:1: a double quote in this row is not closed; close it",
        "an open quote, named where it is opened",
    ),
    (
        "a.csv",
        b'sep=,\nphone,name\n1,a\n2,"b\n3,c\n',
        "{path}:4:1: a double quote in this row is not closed; close it",
        "Excel's first line is a line too",
    ),
    (
        "a.csv",
        b'phone,name\n1,"the "big" sale"\n',
        "{path}:2:1: there is text after the closing quote of a cell; "
        'double the quotes inside a quoted cell, as in "the ""big"" sale"',
        "quotes that aren't doubled",
    ),
    (
        "a.csv",
        b"phone;name\n1,a\n2,b\n",
        "{path}:2:1: no row matches the header: this row has 1 cell, the header has 2 columns; check that the first "
        "line has the column names, and separate all cells with semicolons",
        "a header of other delimiters than the rows",
    ),
]


@pytest.mark.parametrize(("name", "content", "message", "why"), BROKEN, ids=[row[-1] for row in BROKEN])
def test_says_what_is_wrong(tmp_path: Path, name: str, content: bytes, message: str, why: str) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(InputError) as error:
        rows(path)
    assert message.format(path=path) == str(error.value)


def test_twins_and_blanks_get_names_of_their_own(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "phone,,phone,column 2,name\n1,2,3,4,5\n")
    remarks: list[str] = []
    header = ["phone (column 1)", "column 2'", "phone (column 3)", "column 2", "name"]
    assert header == read_header(Source(path))
    assert [("1", "2", "3", "4", "5")] == rows(path, remarks)
    assert [
        'a.csv: 2 columns are named "phone"; use "phone (column 1)" and "phone (column 3)"',
        'a.csv: column 2 has no name; use "column 2\'"',
    ] == remarks


REMARKS = [
    ("a.csv", "phone,name\n1,Ann\n", [], "a plain CSV needs no words"),
    ("a.tsv", "phone\tname\n1\tAnn\n", [], "nor do tabs in a .tsv"),
    ("a.csv", "phone;name\n1;Ann\n", ["a.csv: cells are separated by semicolons"], "other delimiters"),
    ("a.csv", "phone,name\n\n1,Ann\n,\n\n2,Bob\n", ["a.csv: 3 blank rows skipped"], "blank rows"),
    ("a.csv", "phone,name\n\n1,Ann\n", ["a.csv: 1 blank row skipped"], "a blank row"),
    ("a.csv", "\nphone,name\n1,Ann\n\n", [], "blank lines before the header and at the end mean nothing"),
]


@pytest.mark.parametrize(("name", "content", "expected", "why"), REMARKS, ids=[row[-1] for row in REMARKS])
def test_remarks(tmp_path: Path, name: str, content: str, expected: list[str], why: str) -> None:
    remarks: list[str] = []
    rows(written(tmp_path, name, content), remarks)
    assert expected == remarks


def test_numbered_rows_of_a_list(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "\n+6591234567\n\n+6591234568\n")
    assert [(2, ("+6591234567",)), (4, ("+6591234568",))] == list(read_numbered(Source(path)))
    assert [] == list(read_numbered(Source(written(tmp_path, "a.txt", "\n \n"))))
    assert [] == list(read_numbered(Source(written(tmp_path, "b.txt.gz", gzip.compress(b"")))))


def test_a_sheet_of_a_text_file(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "phone\n1\n")
    with pytest.raises(
        InputError,
        match=r"recipients\.sheet: .*a\.csv is not a spreadsheet and has no sheets; remove recipients\.sheet",
    ):
        read_header(Source(path, sheet="One"))


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\x1b"), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[CELL] * width), max_size=6)),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_reads_back_what_the_csv_module_writes(
    tmp_path: Path, table: list[tuple[str, ...]], delimiter: str, encoding: str
) -> None:
    width = len(table[0]) if table else 1
    delimiter = delimiter if width > 1 else ","  # the header of a lone column doesn't tell another
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow([f"c{number}" for number in range(width)])
    writer.writerows(table)
    path = tmp_path / "a.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    expected = [tuple(cell.strip() for cell in row) for row in table]
    assert [row for row in expected if any(row)] == rows(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.sampled_from('ab,;\t|"\n\r\0 \ufeff'), max_size=30), ending=st.sampled_from(["csv", "tsv"]))
@example(text=";;a\r\0\n;;", ending="csv")  # not UTF-16, though the zero is at an even place of what LF ends
def test_whatever_the_text_is_rows_come_or_words(tmp_path: Path, text: str, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        header = read_header(Source(path))
        found = rows(path)
    except InputError:
        return
    assert len(header) == len(set(header))
    assert {len(header)} >= {len(row) for row in found if not isinstance(row, UnreadableRow)}


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.xlsx", "a.parquet"])
def test_null_of_databases_is_empty(tmp_path: Path, name: str) -> None:
    table = [["phone", "name"], ["1", r"\N"], [r"\N", "Ann"], ["2", r"\Nope"]]
    path = tmp_path / name
    if name.endswith("xlsx"):
        write_workbook(path, {"One": table})
    elif name.endswith("parquet"):
        pl.DataFrame(table[1:], table[0], orient="row").write_parquet(path)
    else:
        path.write_text("".join(("\t" if "tsv" in name else ",").join(row) + "\n" for row in table))
    assert [("1", ""), ("", "Ann"), ("2", r"\Nope")] == rows(path)
    nobody = Source(path, where="name IS NULL")
    assert [[True, False, False]] == [batch.matches for batch in read_rows(nobody)]
    assert [("1", ""), ("", "Ann"), ("2", r"\Nope")] == [cells for _, cells in read_numbered(Source(path))][-3:]


def test_an_error_value_in_a_condition_is_no_answer(tmp_path: Path) -> None:
    source = Source(written(tmp_path, "a.csv", "phone,city\n1,#N/A\n2,Ipoh\n"), where="city <> 'Penang'")
    [batch] = read_rows(source)
    assert [UnreadableRow("city has the error value #N/A; correct or clear the cell"), ("2", "Ipoh")] == batch.rows
