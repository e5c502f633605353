"""Recipient files of every format, whole and broken."""

import csv
import datetime as dt
import io
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.audience.files import Cells, read_header, read_rows
from runner.errors import InputError


def rows(path: Path, batch_size: int = 2) -> list[Cells]:
    return [row for batch in read_rows(path, batch_size=batch_size) for row in batch]


def written(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


WHOLE = [
    ("a.csv", "phone,name\n1,Ann\n2,Bob\n", "as it should be"),
    ("a.csv", "\ufeffphone,name\r\n1,Ann\r\n2,Bob", "Excel: byte order mark, CRLF, no newline at the end"),
    ("a.csv", "phone;name\n1;Ann\n2;Bob\n", "Excel in half of Europe"),
    ("a.csv", "phone\tname\n1\tAnn\n2\tBob\n", "tabs in a .csv"),
    ("a.tsv", "phone\tname\n1\tAnn\n2\tBob\n", "tabs in a .tsv"),
    ("a.txt", "phone,name\n1,Ann\n2,Bob\n", "the same with another ending"),
    ("A.CSV", "phone,name\r1,Ann\r2,Bob\r", "an old Macintosh, shouting"),
    ("a.csv", " phone , name \n 1 ,\u00a0Ann\u00a0\n2,Bob\n", "white space about cells, NBSP too"),
    ("a.csv", "\nphone,name\n\n1,Ann\n   \n2,Bob\n\n", "blank lines are no rows"),
    ("a.csv", '"phone","name"\n"1","Ann"\n"2","Bob"\n', "all quoted"),
]


@pytest.mark.parametrize(("name", "content", "why"), WHOLE, ids=[row[-1] for row in WHOLE])
def test_reads_text(tmp_path: Path, name: str, content: str, why: str) -> None:
    path = written(tmp_path, name, content)
    assert ["phone", "name"] == read_header(path)
    assert [("1", "Ann"), ("2", "Bob")] == rows(path)


def test_the_delimiter_is_told_by_the_header_outside_of_quotes(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", '"a,b,c,d";phone\n"1,2,3";+65\n')
    assert [("1,2,3", "+65")] == rows(path)


def test_quoted_newlines_and_empty_rows_are_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'phone,name\n1,"Ann\nLee"\n,\n')
    assert [("1", "Ann\nLee"), ("", "")] == rows(path)


def test_one_column_keeps_its_empty_cells(tmp_path: Path) -> None:
    assert [("",), ("1",)] == rows(written(tmp_path, "a.csv", 'phone\n""\n\n1\n'))


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert [] == list(read_rows(written(tmp_path, "a.csv", "phone,name\n")))


def test_batches(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "phone\n1\n2\n3\n4\n")
    assert [[("1",), ("2",), ("3",)], [("4",)]] == list(read_rows(path, batch_size=3))
    assert [[("1",), ("2",)], [("3",), ("4",)]] == list(read_rows(path, batch_size=2))


BROKEN = [
    ("a.csv", b"", "{path} is empty; its first line must name the columns", "no byte"),
    ("a.csv", b"\n\n", "{path} is empty; its first line must name the columns", "nothing but newlines"),
    (
        "a.csv",
        "phone,name\n1,a\n2,Zoë\n".encode("cp1252"),
        '{path}:3:5: the byte 0xEB shows that this file is not UTF-8; save it as "CSV UTF-8"',
        "Windows-1252",
    ),
    (
        "a.csv",
        "phone\n1\n".encode("utf-16"),
        '{path}:1:1: the byte 0xFF shows that this file is not UTF-8; save it as "CSV UTF-8"',
        "UTF-16",
    ),
    (
        "a.csv",
        b"phone,na\0me\n",
        '{path}:1:9: there is a NUL byte, which no text file holds; save the file as "CSV UTF-8" again',
        "NUL",
    ),
    (
        "a.csv",
        b"phone,,phone,name,name\n",
        "{path}:1:1: column 2 has no name; name it in the header, or delete the column\n"
        '{path}:1:1: 2 columns are named "phone" (columns 1, 3); rename all but one\n'
        '{path}:1:1: 2 columns are named "name" (columns 4, 5); rename all but one',
        "blank and repeated names, all at once",
    ),
    (
        "a.csv",
        b'phone,name\n1,"a\nb"\n\n2\n3,c,d\n4,e\n',
        "{path}:5:1: row 2 has 1 cell, but the header names 2 columns; add the missing cells, left empty if need be\n"
        "{path}:6:1: row 3 has 3 cells, but the header names 2 columns; put a cell that holds the delimiter in double"
        " quotes",
        "ragged rows: lines count newlines in cells and blank lines, rows don't",
    ),
    (
        "a.csv",
        b'phone,name\n1,a\n2,"b\n3,c\n',
        "{path}:3:1: a double quote is opened in this row and never closed; close it",
        "an open quote, named where it is opened",
    ),
    (
        "a.csv",
        b'phone,name\n1,"the "big" sale"\n',
        "{path}:2:1: a quoted cell is followed by more text; "
        'write a double quote inside of a quoted cell twice, as in "the ""big"" sale"',
        "quotes that aren't doubled",
    ),
    ("a.xlsx", b"PK", '{path} is a spreadsheet; save it as "CSV UTF-8" and name that file', "a spreadsheet"),
    (
        "a.json",
        b"[]",
        "{path} has the ending .json, which is not supported; use a .csv, .tsv, .txt or .parquet file",
        "another format",
    ),
    ("a.parquet", b"phone\n1\n", "{path} is not a Parquet file; check its ending: .csv, .tsv or .txt", "not Parquet"),
]


@pytest.mark.parametrize(("name", "content", "message", "why"), BROKEN, ids=[row[-1] for row in BROKEN])
def test_says_what_is_wrong(tmp_path: Path, name: str, content: bytes, message: str, why: str) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(InputError) as error:
        rows(path)
    assert message.format(path=path) == str(error.value)


def test_ten_ragged_rows_are_enough(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "phone,name\n" + "1\n" * 50)
    with pytest.raises(InputError) as error:
        rows(path)
    assert 10 == len(error.value.problems)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nope\.csv does not exist; check the name"):
        read_header(tmp_path / "nope.csv")
    with pytest.raises(InputError, match=r"is not a file; name a \.csv"):
        read_header(tmp_path)


def test_parquet_values_are_written_as_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    moment = dt.datetime(2026, 12, 1, 10, 0, tzinfo=dt.UTC)
    pl.DataFrame(
        {
            "integer": [6591234567],
            "float": [6591234567.0],
            "narrow": pl.Series([6591234567.0], dtype=pl.Float32),
            "fraction": [12.5],
            "missing": [float("nan")],
            "null": pl.Series([None], dtype=pl.String),
            "text": [" Ann\u00a0"],
            "flag": [True],
            "day": [dt.date(2026, 12, 1)],
            "moment": [moment],
            "price": [Decimal("12.50")],
            "label": pl.Series(["a"], dtype=pl.Categorical),
        }
    ).write_parquet(path)
    expected = {
        "integer": "6591234567",
        "float": "6591234567",
        "narrow": "6591234600.0",  # its digits were lost before it came here: never to be taken for a number
        "fraction": "12.5",
        "missing": "",
        "null": "",
        "text": "Ann",
        "flag": "true",
        "day": "2026-12-01",
        "moment": "2026-12-01 10:00:00+00:00",
        "price": "12.50",
        "label": "a",
    }
    assert expected == dict(zip(read_header(path), rows(path)[0], strict=True))


def test_parquet_keeps_its_order_over_batches(tmp_path: Path) -> None:
    path = tmp_path / "a[1].parquet"  # no glob
    pl.DataFrame({"phone": range(1000)}).write_parquet(path, row_group_size=100)
    batches = list(read_rows(path, batch_size=64))
    assert [(str(number),) for number in range(1000)] == [row for batch in batches for row in batch]
    assert max(map(len, batches)) <= 64


def test_parquet_columns_that_hold_no_single_value_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"phone": [1], "tags": [["a"]], "home": [{"city": "b"}]}).write_parquet(path)
    with pytest.raises(InputError) as error:
        read_header(path)
    assert [
        f'{path}: the column "tags" holds List(String), which is not a single value; leave it out of the file',
        f"{path}: the column \"home\" holds Struct({{'city': String}}), which is not a single value; "
        "leave it out of the file",
    ] == [str(problem) for problem in error.value.problems]


def test_half_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"phone": range(1000)}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_header(path)


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[CELL] * width), max_size=6)),
    delimiter=st.sampled_from([",", ";", "\t"]),
    mark=st.booleans(),
)
def test_reads_back_what_the_csv_module_writes(
    tmp_path: Path, table: list[tuple[str, ...]], delimiter: str, mark: bool
) -> None:
    width = len(table[0]) if table else 1
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow([f"c{number}" for number in range(width)])
    writer.writerows(table)
    path = tmp_path / ("a.tsv" if width == 1 and delimiter == "\t" else "a.csv")
    path.write_bytes(out.getvalue().encode("utf-8-sig" if mark else "utf-8"))
    assert [tuple(cell.strip() for cell in row) for row in table] == rows(path)
