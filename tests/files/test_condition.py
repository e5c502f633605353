"""Conditions over the columns of a file: what holds, and what is wrong with them."""

import datetime as dt
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.base.errors import InputError
from runner.files.reader import check_where, read_rows
from runner.files.source import Source, UnreadableRow

CSV = "phone,city,amount,first name\n1,Penang,10,Ann\n2,,9,Bob\n3, Ipoh ,,Cy\n4,it's,x,\n"


def text_file(folder: Path, where: str) -> Source:
    path = folder / "a.csv"
    path.write_text(CSV)
    return Source(path, where=where)


def parquet_file(folder: Path, where: str) -> Source:
    path = folder / "a.parquet"
    pl.DataFrame(
        {
            "phone": [1, 2, 3],
            "city": pl.Series(["Penang ", "", "Ipoh"], dtype=pl.Categorical),
            "amount": [10.5, float("nan"), None],
            "since": [dt.date(2026, 1, 1), dt.date(2025, 1, 1), None],
            "yes": [True, False, None],
            "home": [{"zip": "10"}, {"zip": None}, None],
            "house": ["1", "2", "3"],
            "nothing": [None, None, None],
        }
    ).write_parquet(path)
    return Source(path, where=where)


def kept(source: Source, batch_size: int = 2) -> list[int]:
    """The numbers of the rows for which the condition holds."""
    answers = [answer for batch in read_rows(source, batch_size=batch_size) for answer in batch.matches or []]
    return [number for number, answer in enumerate(answers, 1) if answer]


HOLDS = [
    ("city = 'Penang'", [1], "text"),
    ("city <> 'Penang'", [3, 4], "an empty cell is NULL, and NULL doesn't hold"),
    ("city IS NULL", [2], "empty is NULL"),
    ("city = 'Ipoh'", [3], "trimmed"),
    ("city = 'it''s'", [4], "a quote in text"),
    ("city = 'Penang' OR phone = '2'", [1, 2], "what is known decides, even next to a NULL"),
    ("TRY_CAST(amount AS INT) >= 10", [1], "10 is more than 9, as a number; x is NULL"),
    ("\"first name\" LIKE 'A%'", [1], "a name with a space stands in double quotes"),
    ("NOT city IN ('Penang', 'Ipoh')", [4], "lists"),
    ("LOWER(city) = 'penang' AND LENGTH(phone) BETWEEN 1 AND 2", [1], "functions of one row"),
    ("CASE WHEN city IS NULL THEN TRUE ELSE FALSE END", [2], "cases"),
    ("COALESCE(city, 'none') = 'none'", [2], "a default for what is empty"),
    ("amount <> '9' AND phone != '4'", [1], "not equal is no order"),
    ("city > 'J'", [1, 4], "the order of letters"),
    ("city = 'select over('", [], "words in quotes are text"),
]


@pytest.mark.parametrize(("where", "expected", "why"), HOLDS, ids=[row[-1] for row in HOLDS])
def test_text(tmp_path: Path, where: str, expected: list[int], why: str) -> None:
    source = text_file(tmp_path, where)
    assert check_where(source) is None
    assert expected == kept(source)


ORDERS = [
    ("joined > '2026-02'", "2026-01-31,2026-03-01,", "2026-02-01,,2026-02-02", [2], "dates in ISO 8601"),
    ("joined < left_on", "2026-01-31,2026-03-01", "2026-02-01,2026-02-01", [1], "two columns of them"),
    ("joined < left_on", "9,10", "10,9", 1, "numbers in two columns"),
    ("joined > '2026-02-01'", "2026-03-01,01/12/2026", ",", 2, "dates in another order"),
    ("joined BETWEEN '2026-02-01' AND '2026-03-01'", "2026-02-09,20260209", ",", 2, "dates without hyphens"),
]


@pytest.mark.parametrize(("where", "joined", "left", "expected", "why"), ORDERS, ids=[row[-1] for row in ORDERS])
def test_text_in_order(tmp_path: Path, where: str, joined: str, left: str, expected: list[int] | int, why: str) -> None:
    columns = {"joined": joined.split(","), "left_on": left.split(",")}
    rows = zip(*columns.values(), strict=False)
    (tmp_path / "a.csv").write_text("".join(f"{','.join(row)}\n" for row in [tuple(columns), *rows]))
    pl.DataFrame([*zip(*columns.values(), strict=False)], [*columns], orient="row").write_parquet(
        tmp_path / "a.parquet"
    )
    for name, above in (("a.csv", 1), ("a.parquet", 0)):  # a CSV's header is a row too
        source = Source(tmp_path / name, where=where)
        if isinstance(expected, list):
            assert expected == kept(source)
        else:
            with pytest.raises(InputError, match=f"row {expected + above}"):
                kept(source)


TYPED = [
    ("city = 'Penang'", [1], "categories are text, trimmed"),
    ("city IS NULL", [2], "empty text is NULL, as in a CSV"),
    ("amount > 10", [1], "numbers"),
    ("amount IS NULL", [2, 3], "a NaN is a missing number"),
    ("since >= DATE '2025-06-01'", [1], "dates"),
    ("yes", [1], "a column of truths is a condition"),
    ("NOT yes", [2], "and so is its contrary"),
    ("\"home.zip\" = '10'", [1], "a field of a struct"),
    ("nothing IS NULL", [1, 2, 3], "a column without a type"),
    ("phone % 2 = 1", [1, 3], "arithmetic"),
]


@pytest.mark.parametrize(("where", "expected", "why"), TYPED, ids=[row[-1] for row in TYPED])
def test_parquet_keeps_its_types(tmp_path: Path, where: str, expected: list[int], why: str) -> None:
    source = parquet_file(tmp_path, where)
    assert check_where(source) is None
    assert expected == kept(source)


WRONG_TEXT = [
    ("city = 'Penang", "not a valid SQL condition", "close the single quote"),
    ("city =", "not a valid SQL condition", "write a condition such as consent = 'yes' AND city IN ('Penang', 'Ipoh')"),
    ("city = 'a' && phone = '1'", "not a valid SQL condition", "use =, AND, OR and NOT"),
    ("citty = 'a'", 'there is no column "citty"', "did you mean city?"),
    ("city = Penang", 'there is no column "Penang"', "put text in single quotes: 'Penang'"),
    ('city = "Penang"', 'there is no column "Penang"', "put text in single quotes: 'Penang'"),
    ("first_name = 'a'", 'there is no column "first_name"', 'did you mean "first name" in double quotes?'),
    (
        "amount > 5",
        'the column "amount" is text, but is compared with a number',
        "write CAST(amount AS INT)",
    ),
    (
        "amount = 5",
        'the column "amount" is text, but is compared with a number',
        "write CAST(amount AS INT), or put the number",
    ),
    *(
        (
            where,
            "amount is text, and <, > and BETWEEN order text by letters: '9' is after '100'",
            "write CAST",
        )
        for where in (
            "amount > '5'",
            "'5' <= amount",
            "amount BETWEEN '5' AND '18'",
            "city = 'a' OR (amount<'5')",
            "\"amount\" >= '5'",
            "NOT amount NOT BETWEEN '5' AND 'x'",
        )
    ),
    ("amount BETWEEN 5 AND 18", '"amount" is text, but is compared with a number', "write CAST(amount AS INT)"),
    ("city > '31/12/2026'", '"31/12/2026" is text that <, > and BETWEEN can\'t order', "DATE(city, '%d/%m/%Y') >"),
    ("city", "the expression is not true or false", "write a comparison such as city = 'yes', or city IS NOT NULL"),
    ("TRUE", "the condition uses no column", "write a condition such as consent = 'yes'"),
    ("NULL", "the condition uses no column", "write a condition such as consent = 'yes'"),
    ("1 = 1", "the condition uses no column", "write a condition such as consent = 'yes'"),
    ("phone = '1' -- mine", "comments are not allowed", "remove the comment"),
    ("city IN (SELECT city FROM x)", "SELECT is not allowed", "a condition can't query tables"),
    ("city = (SELECT 1)", "SELECT is not allowed", "a condition can't query tables"),
    ("read_csv('/etc/passwd') = 'a'", "the function READ_CSV is not supported", "use functions such as LOWER"),
    ("phone = MAX(phone)", "the function MAX is not supported", "use functions such as LOWER"),
    ("ROW_NUMBER() OVER () < 5", "the function ROW_NUMBER is not supported", "use functions such as LOWER"),
    ("COUNT(*) > 1", "the function COUNT is not supported", "use functions such as LOWER"),
    ("LOWR(city) = 'a'", "the function LOWR is not supported", "did you mean LOWER?"),
    ("phone > CURRENT_DATE", "CURRENT_DATE is not allowed", "write the date as DATE '2026-12-31'"),
    ("city = 'a'; DROP TABLE x", "not a valid SQL condition", "write a condition such as"),
    ("*", "not a valid SQL condition", "write a condition such as"),
    ("CAST(city AS DATE) > DATE '2026-01-01'", '"city" is text, but is used', "DATE(city, '%Y-%m-%d') for a date"),
    ("TRY_CAST(city AS DATE) > DATE '2026-01-01'", '"city" is text, but is used', "DATE(city, '%Y-%m-%d') for a date"),
    ("CAST(city AS BOOLEAN)", '"city" is text, but is used', "compare it with text: city = 'true'"),
    ("DATE(city) > DATE '2026-01-01'", "DATE() needs the format of the text", "add the format"),
    ("TIMESTAMP(CONCAT(city, ',)')) > DATE '2026-01-01'", "TIMESTAMP() needs the format of the text", "add the format"),
    (
        "DATE(city, '%Y-%m-%d') > '2026-01-01'",
        "the condition compares a date with text",
        "write DATE(city, '%Y-%m-%d') > DATE '2026-12-31'",
    ),
    ("city ~ '(['", "the pattern is not a regular expression", "use LIKE"),
    ("city = 'a' ORDER BY phone", "not a valid SQL condition", "write a condition such as"),
]


@pytest.mark.parametrize(("where", "what", "remedy"), WRONG_TEXT, ids=[row[0] for row in WRONG_TEXT])
def test_what_is_wrong(tmp_path: Path, where: str, what: str, remedy: str) -> None:
    problem = check_where(text_file(tmp_path, where))
    assert problem is not None
    assert ("", None) == (problem.path, problem.where)
    assert what in problem.what
    assert remedy in problem.remedy


WRONG_TYPES = [
    ("phone = '1'", 'the column "phone" is a number, but is compared with text; write the value without quotes'),
    ("since > '2025-06-01'", 'the column "since" is a date, but is used as another type; compare it with DATE'),
    ("LOWER(phone) = 'a'", 'the column "phone" is a number, but is used as another type; compare it with a value'),
    ("amount", "the expression is not true or false; write a comparison"),
    ("home.zip = '10'", 'there is no column "home"; put a name with a dot in double quotes: "home.zip"'),
    ("home = '10'", 'there is no column "home"; put a name with a dot in double quotes: "home.zip"'),
]


@pytest.mark.parametrize(("where", "message"), WRONG_TYPES, ids=[row[0] for row in WRONG_TYPES])
def test_wrong_types_of_parquet(tmp_path: Path, where: str, message: str) -> None:
    assert message in str(check_where(parquet_file(tmp_path, where)))


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_a_cast_that_fails_names_the_row_and_the_remedy(tmp_path: Path, batch_size: int) -> None:
    source = text_file(tmp_path, "CAST(amount AS INT) > 5")
    assert check_where(source) is None
    with pytest.raises(InputError) as error:
        kept(source, batch_size)
    assert (
        'recipients.where: can\'t convert "x" in the column "amount" on row 5; '
        "correct the cell, or use TRY_CAST to read it as NULL"
    ) == str(error.value)


def test_dates_are_read_as_they_are_said_to_be_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("phone,since\n1,13/02/2026\n2,01/03/2026\n3,\n")
    source = Source(path, where="DATE(since, '%d/%m/%Y') >= DATE '2026-03-01'")
    assert check_where(source) is None
    assert [2] == kept(source)
    wrong = Source(path, where="DATE(since, '%m/%d/%Y') >= DATE '2026-03-01'")
    assert check_where(wrong) is None
    with pytest.raises(InputError, match=r"13/02/2026.* on row 2; correct the cell, or the format in the condition"):
        kept(wrong)


PIECES = [
    *("city", "phone", "'a'", '"', "'", "(", ")", "=", "<", "AND", "NOT", "1", "-", "IN", "CAST(", "AS", "INT", ","),
    *("NULL", "*", "::", "LIKE", "CASE", "WHEN", "END", "IS", "@", "$1", "?", "[", "]", ".", "~"),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=8))
def test_whatever_is_written_there_is_an_answer(tmp_path: Path, pieces: list[str]) -> None:
    source = text_file(tmp_path, " ".join(pieces))
    if check_where(source) is None:
        with suppress(InputError):  # that a cast fails shows only on a row
            assert set(kept(source)) <= {1, 2, 3, 4}


def test_an_unreadable_row_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("phone,city\n1,a\n2,a,b\n3,b\n")
    (batch,) = read_rows(Source(path, where="city = 'b'"))
    assert [tuple, UnreadableRow, tuple] == [type(row) for row in batch.rows]
    assert [False, True, True] == batch.matches


def test_no_condition_asks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("phone\n1\n")
    assert check_where(Source(path)) is None
    assert [None] == [batch.matches for batch in read_rows(Source(path))]
