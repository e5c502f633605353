"""Parquet files: values as people write them, in the file's order."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest

from runner.base.cells import Kind
from runner.base.errors import InputError, Problem
from runner.files.columns import find_column
from runner.files.reader import check_where, read_header, read_numbered, read_rows
from runner.files.source import Cells, Source, UnreadableRow

# A Parquet file of DuckDB with one row: +6581234567, and an INTERVAL of a month, which polars can't read.
INTERVAL = bytes.fromhex(
    "504152311500151e15222c150215001506150600000f380b0000002b3635383132333435363715001518151c2c150215001506150600000c"
    "2c0100000000000000000000001502193c3500180d6475636b64625f736368656d61150400150c2500180570686f6e65250000150e151815"
    "0018056576657279252a001602191c192c26001c150c19150019180570686f6e65150216021640164426083c180b2b363538313233343536"
    "37180b2b363538313233343536371600280b2b36353831323334353637180b2b36353831323334353637111100191c150015001502000000"
    "26001c150e191500191805657665727915021602163a163e264c491c150015001502000000167a1602260816820100191c181c6475636b64"
    "622e696e74657276616c5f626c6f6f6d5f66696c746572180d6e6f726d616c697a65642d76310018284475636b44422076657273696f6e20"
    "76322e302e3120286275696c64203864373831313465393029192c1c00001c0000002d01000050415231"
)
# One of Spark with one row: +6581234567, and 9999-12-31 as an INT96 timestamp.
INT96 = bytes.fromhex(
    "504152311500152a152a2c15021500150615061c0000000200000002010b0000002b363538313233343536371500152415242c1502150015"
    "0615061c00000002000000020100000000000000002cfe51001504193c35001806736368656d61150400150c2502180570686f6e6525004c"
    "1c000000150625021805756e74696c001602191c192c26001c150c1925060019180570686f6e6515001602165016502608491c1500150015"
    "02003c161619061926000200000026001c150619250600191805756e74696c15001602164a164a2658491c150015001502003c2906192600"
    "02000000169a0116022608169a01002820706172717565742d6370702d6172726f772076657273696f6e2032362e302e31192c1c00001c00"
    "0000c900000050415231"
)


def rows(
    path: Path, remarks: list[str] | None = None, *, used: frozenset[str] | None = None
) -> list[Cells | UnreadableRow]:
    source = Source(path, used=used)
    return [row for batch in read_rows(source, batch_size=2, remarks=remarks) for row in batch.rows]


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
    source = Source(path, used=frozenset({"phone", "tags", "sums", "days"}))
    remarks: list[str] = []
    found = [row for batch in read_rows(source, remarks=remarks) for row in batch.rows]
    first = ("1", '["a\\"b","ü"]', "[1.5,0.25]", '["2026-12-01"]', "")
    assert [first, ("2", "", "", "", ""), ("3", "", "", "", "")] == found
    assert [] == remarks


def test_order_holds_over_batches(tmp_path: Path) -> None:
    path = tmp_path / "a[1].parquet"  # no glob
    pl.DataFrame({"phone": range(1000)}).write_parquet(path, row_group_size=100)
    batches = [batch.rows for batch in read_rows(Source(path), batch_size=64)]
    assert [(str(number),) for number in range(1000)] == [row for batch in batches for row in batch]
    assert max(map(len, batches)) <= 64
    assert [(1, ("0",)), (1000, ("999",))] == [*read_numbered(Source(path))][::999]


def test_nested_columns(tmp_path: Path) -> None:
    """Fields of a struct are columns; lists are left out with a remark, and can't be named."""
    path = tmp_path / "a.parquet"
    home = [{"city": " Ipoh ", "at": {"zip": 7}}, None]
    pl.DataFrame({"phone": [1, 2], "tags": [["a"], []], "home": home}).write_parquet(path)
    header = read_header(Source(path))
    remarks: list[str] = []
    assert ["phone", "tags", "home.city", "home.at.zip"] == header
    assert [("1", "", "Ipoh", "7"), ("2", "", "", "")] == rows(path, remarks)
    assert [] == remarks
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


IDS = [UUID("e4d8265a-7dca-4bdd-81dc-100000000001"), UUID(int=1), UUID(int=0)]

BYTES = [
    ([b"+6581234567", "Łódź".encode(), None], ["+6581234567", "Łódź", ""], "text"),
    ([b"+6581234567\0\0\0\0\0", b"\0" * 16], ["+6581234567", ""], "text of a fixed length"),
    ([*[one.bytes for one in IDS], None], [*map(str, IDS), ""], "UUIDs"),
    ([b"\xff\xfe", b"a"], [None, "a"], "no text"),
    ([b"\xff" * 16, b"\1"], [None, None], "no UUIDs, because the lengths differ"),
]


@pytest.mark.parametrize(("values", "expected", "why"), BYTES, ids=[row[-1] for row in BYTES])
def test_bytes(tmp_path: Path, values: list[bytes | None], expected: list[str | None], why: str) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"id": pl.Series(values, dtype=pl.Binary)}).write_parquet(path)
    lost = UnreadableRow('bytes that are not text in the column "id"; export it as text')
    assert [lost if text is None else (text,) for text in expected] == rows(path)
    assert ["id"] == read_header(Source(path))


def test_a_condition_on_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"id": [one.bytes for one in IDS]}).write_parquet(path)
    (batch,) = read_rows(Source(path, where=f"ID = '{IDS[1]}'"))
    assert [False, True, False] == batch.matches


FAR = "an infinite or very distant date"
INFINITE = [
    (pl.Date, 2**31 - 1, FAR),
    (pl.Date, -(2**31), FAR),
    (pl.Date, 2_932_897, FAR),  # the first day of the year 10000
    (pl.Date, -719_163, FAR),  # the last day before the year 1
    (pl.Datetime("us"), 2**63 - 1, FAR),
    (pl.Datetime("ms", "UTC"), -(2**63) + 1, FAR),
    (pl.Datetime("ns"), 2**63 - 1, FAR),  # an INT96 timestamp after the year 2262
    (pl.Float64, float("-inf"), "an infinite number"),
]


@pytest.mark.parametrize(("dtype", "value", "words"), INFINITE)
def test_an_infinite_value(tmp_path: Path, dtype: pl.DataType, value: float, words: str) -> None:
    path = tmp_path / "a.parquet"
    odd = pl.Series([value, 0, None], dtype=pl.Float64 if dtype == pl.Float64 else pl.Int64).cast(dtype)
    pl.DataFrame({"phone": ["1", "2", "3"], "odd": odd}).write_parquet(path)
    lost = UnreadableRow(f'{words} in the column "odd"; correct it, or export the column as text')
    assert [lost, "2", "3"] == [row if isinstance(row, UnreadableRow) else row[0] for row in rows(path)]
    assert [("1", ""), ("2", ""), ("3", "")] == rows(path, used=frozenset({"phone"}))
    (batch,) = read_rows(Source(path, where="odd IS NOT NULL", used=frozenset({"phone"})))
    assert [True, True, False] == batch.matches


@pytest.mark.parametrize("day", [-719_162, 2_932_896])
def test_the_first_and_the_last_day(tmp_path: Path, day: int) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"day": pl.Series([day], dtype=pl.Date)}).write_parquet(path)
    assert [("0001-01-01" if day < 0 else "9999-12-31",)] == rows(path)


def test_a_condition_that_panics(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"day": pl.Series([0, 2**31 - 1], dtype=pl.Date)}).write_parquet(path)
    with pytest.raises(InputError, match="the condition fails on row 2: "):
        list(read_rows(Source(path, where="STRFTIME(day, '%Y') = '1970'")))
    assert "" == capfd.readouterr().err  # Rust prints a panic before it raises it


def test_an_interval(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(INTERVAL)
    remarks: list[str] = []
    assert [("+6581234567",)] == rows(path, remarks)
    assert ['a.parquet: columns of types that can\'t be used are ignored: "every" (Interval)'] == remarks
    words = 'the column "every" has values of the unsupported type Interval'
    assert Problem(words, "use another column, or export it as text") == find_column(read_header(Source(path)), "every")
    trouble = check_where(Source(path, where="every IS NULL"))
    assert trouble is not None
    assert words == trouble.what
    assert "" == capfd.readouterr().err


def test_a_timestamp_that_64_bits_can_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(INT96)
    assert [UnreadableRow(f'{FAR} in the column "until"; correct it, or export the column as text')] == rows(path)
    assert [("+6581234567", "")] == rows(path, used=frozenset({"phone"}))


# Values of every type that polars writes, with the text of a cell. None: the column is left out; a list is read only
# if it is used.
TYPES = [
    (pl.Series([2**127 - 1], dtype=pl.Int128), "170141183460469231731687303715884105727"),
    (pl.Series([1.5], dtype=pl.Float32).cast(pl.Float16), "1.5"),
    (pl.Series([dt.time(10, 30)]), "10:30:00"),
    (pl.Series([None], dtype=pl.Null), ""),
    (pl.Series([dt.timedelta(hours=1)]), None),
    (pl.Series([[["a"]]]), None),
    (pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)), None),
    (pl.Series([{"a": {"b": [1]}}]), ""),
    (pl.Series([[{"a": 1}]]), None),
    (pl.Series([{"k": 1}], dtype=pl.Map(pl.String, pl.Int64)), None),
]


@pytest.mark.parametrize(("values", "expected"), TYPES, ids=[str(row[0].dtype) for row in TYPES])
def test_every_type(tmp_path: Path, values: pl.Series, expected: str | None) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"phone": ["1"], "odd": values}).write_parquet(path)
    assert [("1",) if expected is None else ("1", expected)] == rows(path)
    assert ["phone"] == [name for name in read_header(Source(path)) if not name.startswith("odd") or expected is None]


def test_a_damaged_column_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"phone": ["1"], "name": ["Łódź" * 9]}).write_parquet(path, compression="uncompressed")
    path.write_bytes(path.read_bytes().replace("Łódź".encode(), b"\xff" * 7))
    assert [("1", "")] == rows(path, used=frozenset({"phone"}))
    with pytest.raises(InputError, match=r'can\'t read the column "name" of .*; export it again, or use CSV'):
        rows(path)
    assert "" == capfd.readouterr().err
