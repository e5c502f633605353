"""Parquet files: values as people write them, in the file's order."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from runner.base.cells import Kind
from runner.base.errors import InputError, Problem
from runner.files.columns import find_column
from runner.files.reader import read_header, read_numbered, read_rows
from runner.files.source import Cells, Source, UnreadableRow


def rows(path: Path, remarks: list[str] | None = None) -> list[Cells | UnreadableRow]:
    return [row for batch in read_rows(Source(path), batch_size=2, remarks=remarks) for row in batch.rows]


def test_values_are_written_as_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    moment = dt.datetime(2026, 12, 1, 10, 0, tzinfo=dt.UTC)
    pl.DataFrame(
        {
            "integer": [6591234567],
            "float": [6591234567.0],
            "narrow": pl.Series([6591234567.0], dtype=pl.Float32),
            "huge": [1e20],
            "fraction": [12.5],
            "missing": [float("nan")],
            "null": pl.Series([None], dtype=pl.String),
            "text": [" Ann\u00a0"],
            "flag": [True],
            "day": [dt.date(2026, 12, 1)],
            "moment": [moment],
            "price": [Decimal("12.50")],
            "label": pl.Series(["a"], dtype=pl.Categorical),
            "choice": pl.Series(["b"], dtype=pl.Enum(["a", "b"])),
            "nothing": [None],
        }
    ).write_parquet(path)
    expected = {
        "integer": "6591234567",
        "float": "6591234567",
        "narrow": "≈6591234600",  # its digits were lost before it came here: never to be taken for a number
        "huge": "≈1e+20",
        "fraction": "12.5",
        "missing": "",
        "null": "",
        "text": "Ann",
        "flag": "true",
        "day": "2026-12-01",
        "moment": "2026-12-01 10:00:00+00:00",
        "price": "12.5",
        "label": "a",
        "choice": "b",
        "nothing": "",
    }
    (row,) = rows(path)
    assert not isinstance(row, UnreadableRow)
    assert expected == dict(zip(read_header(Source(path)), row, strict=True))


FLOATS = [
    (0.1 + 0.2, pl.Float64, "0.3", "noise"),
    (19.9, pl.Float32, "19.9", "a narrow float"),
    (1234567.1 + 1e-9, pl.Float64, "1234567.1", "noise after more digits"),
    (-0.1 - 0.2, pl.Float64, "-0.3", "below zero"),
    (1e-7, pl.Float64, "0.0000001", "no exponent"),
    (1234567890.12345, pl.Float64, "1234567890.12345", "fifteen digits"),
    (Decimal("19.900000000"), pl.Decimal(38, 9), "19.9", "zeros of a DECIMAL"),
    (Decimal("100.000000000"), pl.Decimal(38, 9), "100", "all of them"),
    (Decimal(1200), pl.Decimal(10, 0), "1200", "no zeros of a fraction"),
    (Decimal("12345678901234567890.123456789"), pl.Decimal(38, 9), "12345678901234567890.123456789", "every digit"),
]


@pytest.mark.parametrize(("value", "dtype", "expected", "why"), FLOATS, ids=[row[-1] for row in FLOATS])
def test_fractions(tmp_path: Path, value: object, dtype: pl.DataType, expected: str, why: str) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"amount": pl.Series([value, None], dtype=dtype)}).write_parquet(path)
    assert [(expected,), ("",)] == rows(path)


def test_kinds_of_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    day = dt.date(2026, 12, 1)
    frame = pl.DataFrame({"text": ["a"], "n": [1], "x": [0.5], "flag": [True], "day": [day], "tags": [["a"]]})
    frame = frame.with_columns(at=pl.col("day").cast(pl.Datetime), time=pl.lit(dt.time(9)))
    frame.write_parquet(path)
    expected = {
        "text": Kind.TEXT, "n": Kind.NUMBER, "x": Kind.NUMBER, "flag": Kind.BOOLEAN, "day": Kind.DATE,
        "tags": Kind.LIST, "at": Kind.DATE, "time": Kind.TEXT,
    }  # fmt: skip
    assert expected == read_header(Source(path)).kinds


def test_lists_that_a_template_uses(tmp_path: Path) -> None:
    """As JSON; an empty list is an empty cell."""
    path = tmp_path / "a.parquet"
    columns = {
        "tags": [['a"b', "ü"], [], None],
        "sums": [[1.5, 0.25], [], None],
        "days": [[dt.date(2026, 12, 1)], [], None],
        "other": [[1], [2], [3]],
    }
    pl.DataFrame({"phone": [1, 2, 3], **columns}).write_parquet(path)
    source = Source(path, lists=frozenset({"tags", "sums", "days"}))
    remarks: list[str] = []
    found = [row for batch in read_rows(source, remarks=remarks) for row in batch.rows]
    first = ("1", '["a\\"b","ü"]', "[1.5,0.25]", '["2026-12-01"]', "")
    assert [first, ("2", "", "", "", ""), ("3", "", "", "", "")] == found
    assert ['a.parquet: columns with lists or bytes are ignored: "other"'] == remarks


def test_order_holds_over_batches(tmp_path: Path) -> None:
    path = tmp_path / "a[1].parquet"  # no glob
    pl.DataFrame({"phone": range(1000)}).write_parquet(path, row_group_size=100)
    batches = [batch.rows for batch in read_rows(Source(path), batch_size=64)]
    assert [(str(number),) for number in range(1000)] == [row for batch in batches for row in batch]
    assert max(map(len, batches)) <= 64
    assert [(1, ("0",)), (1000, ("999",))] == [*read_numbered(Source(path))][::999]


def test_nested_columns(tmp_path: Path) -> None:
    """Fields of a struct are columns; lists and bytes are left out aloud, and can't be meant."""
    path = tmp_path / "a.parquet"
    home = [{"city": " Ipoh ", "at": {"zip": 7}}, None]
    pl.DataFrame({"phone": [1, 2], "tags": [["a"], []], "home": home, "raw": [b"a", b""]}).write_parquet(path)
    header = read_header(Source(path))
    remarks: list[str] = []
    assert ["phone", "tags", "home.city", "home.at.zip"] == header
    assert [("1", "", "Ipoh", "7"), ("2", "", "", "")] == rows(path, remarks)
    assert ['a.parquet: columns with lists or bytes are ignored: "tags", "raw"'] == remarks
    expected = Problem(
        'the column "tags" has values of the unsupported type List(String)', "use another column, or export it as text"
    )
    assert expected == find_column(header, "tags")


def test_names_that_are_one_when_trimmed(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"phone": [1], "phone ": [2], "": [3]}).write_parquet(path)
    assert ["phone (column 1)", "phone (column 2)", "column 3"] == read_header(Source(path))
    assert [("1", "2", "3")] == rows(path)


def test_nothing_but_lists(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"tags": [["a"]]}).write_parquet(path)
    with pytest.raises(InputError, match="has no column with single values"):
        read_header(Source(path))


def test_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"phone": range(1000)}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="as Parquet: "):
        read_header(Source(path))
