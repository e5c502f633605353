"""Suppression lists: exact, and never half loaded."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from runner.audience.spec import SuppressionList
from runner.audience.suppression import Suppression
from runner.base.errors import InputError
from tests.files.workbook import write_workbook

NUMBERS = ("+6591234567", "+447700900123", "+6581234567")


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


def loaded(*paths: Path, country: str | None = None, key: str | None = None) -> Suppression:
    return Suppression([SuppressionList(path) for path in paths], country=country, key=key)


def problems(*lists: SuppressionList, key: str | None = None, country: str | None = None) -> list[str]:
    with pytest.raises(InputError) as error:
        Suppression(lists, key=key, country=country)
    return [str(problem) for problem in error.value.problems]


LISTS = [
    ("out.txt", "+6591234567\n\n+447700900123\n", "one number per line, with a blank one"),
    ("out.txt", "'+6591234567\n'+447700900123\n", "with Excel's apostrophes, from the first line on"),
    ("out.txt", "００６５９１２３４５６７\n+447700900123\n", "a first line that only looks like a header"),
    ("out.csv", "+6591234567\n+447700900123\n", "a column without a header"),
    ("out.csv", "opted out since 2019\n+6591234567\n+447700900123\n", "a lone column, whatever it is called"),
    ("out.csv", "name;Phone\nAnn;+6591234567\n;\nBob;+447700900123\n", "a table with a blank row"),
    ("out.tsv", "name\tmsisdn\nAnn\t+6591234567\nBob\t+447700900123\n", "tabs"),
    ("out.csv", "phone\n65 9123 4567\n0044 (0)7700 900123\n", "written in any way that recipients' numbers may be"),
]


@pytest.mark.parametrize(("name", "content", "why"), LISTS, ids=[row[-1] for row in LISTS])
def test_loads(tmp_path: Path, name: str, content: str, why: str) -> None:
    found = loaded(written(tmp_path, name, content))
    assert 2 == len(found)
    assert [name, name, None] == [found.find_number(number) for number in NUMBERS]


def test_loads_compressed_lists(tmp_path: Path) -> None:
    path = tmp_path / "out.csv.gz"
    path.write_bytes(gzip.compress(b"phone\n+6591234567\n"))
    assert "out.csv.gz" == loaded(path).find_number("+6591234567")


def test_a_list_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """No key of the campaign file tells the encoding of a list."""
    path = tmp_path / "out.csv"
    path.write_bytes("phone,name\n+6591234567,Zoë\n".encode("cp1252"))
    (problem,) = problems(SuppressionList(path))
    assert problem.startswith(f'{path}:2:15: this is not UTF-8; read in other encodings: "Zoë" as windows-1252, ')
    assert problem.endswith('; save it as "CSV UTF-8"')
    path.write_bytes("phone,name\n+6591234567,Zoë\n".encode("utf-16"))
    assert "out.csv" == loaded(path).find_number("+6591234567")


def test_numbers_are_normalised_with_the_campaigns_country(tmp_path: Path) -> None:
    found = loaded(written(tmp_path, "out.txt", "9123 4567\n"), country="SG")
    assert "out.txt" == found.find_number("+6591234567")


def test_a_lists_own_countries_come_first(tmp_path: Path) -> None:
    path = written(tmp_path, "out.csv", "phone,land\n91234567,\n07700 900123,gb\n")
    found = Suppression([SuppressionList(path)], country="SG", country_column="land")
    assert ["out.csv", "out.csv", None] == [found.find_number(number) for number in NUMBERS]


def test_a_fixed_line_on_a_list_is_fine(tmp_path: Path) -> None:
    assert "out.txt" == loaded(written(tmp_path, "out.txt", "+6561234567\n")).find_number("+6561234567")


def test_parquet_and_several_lists(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    pl.DataFrame({"name": ["Ann", None], "mobile": [6591234567, None]}).write_parquet(path)
    found = loaded(path, written(tmp_path, "b.txt", "+447700900123"))
    assert ["out.parquet", "b.txt"] == [found.find_number("+6591234567"), found.find_number("+447700900123")]


def test_parquet_made_of_a_list_without_a_header(tmp_path: Path) -> None:
    """pandas takes the first number for the name of the column; that person has opted out too."""
    path = tmp_path / "out.parquet"
    pl.DataFrame({"+6591234567": ["+447700900123"]}).write_parquet(path)
    assert ["out.parquet", "out.parquet"] == [loaded(path).find_number(number) for number in NUMBERS[:2]]


def test_keys_that_lost_digits_are_junk(tmp_path: Path) -> None:
    """They would be the keys of other people, so that nobody on the list were left out."""
    path = tmp_path / "out.parquet"
    pl.DataFrame({"id": pl.Series([16777217, 123456789], dtype=pl.Float32)}).write_parquet(path)
    words = "was stored with too few digits and is rounded; store the column as text and export it again"
    assert [f'{path}: row 2: "≈123456790" {words}; {REMEDY}'] == problems(SuppressionList(path), key="id")


def test_a_spreadsheet_without_a_header(tmp_path: Path) -> None:
    found = loaded(write_workbook(tmp_path / "out.xlsx", {"Out": [[6591234567], [447700900123]]}))
    assert ["out.xlsx", "out.xlsx", None] == [found.find_number(number) for number in NUMBERS]


def test_junk_in_a_spreadsheet_is_named_by_row(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "out.xlsx", {"Out": [[6591234567], [6512]]})
    short = '"6512" has no country code; set recipients.country'
    assert [f"{path}: row 2: {short}; {REMEDY}"] == problems(SuppressionList(path))


def test_nobody_on_it_is_fine(tmp_path: Path) -> None:
    assert 0 == len(loaded(written(tmp_path, "out.csv", "phone\n")))
    assert 0 == len(loaded(written(tmp_path, "out.csv", "phone,since\n")))
    assert 0 == len(loaded(written(tmp_path, "out.csv", "id\n"), key="id"))


NOTHING = [
    # (name, content, why)
    ("out.csv", b"", "a disk was full, or the export failed after the file was made"),
    ("out.txt", b"\n\n", "as little, with line breaks"),
    ("out.parquet", b"", "no Parquet file is empty"),
    ("out.xlsx", b"", "nor is a workbook"),
    ("out.csv.gz", gzip.compress(b""), "an export that failed, compressed"),
]


@pytest.mark.parametrize(("name", "content", "why"), NOTHING, ids=[row[-1] for row in NOTHING])
def test_an_empty_list_failed_to_load(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    (problem,) = problems(SuppressionList(path))
    assert problem.startswith(f"{path} is empty; ")


@pytest.mark.parametrize("content", [b"Not found\n", b"error", b"\0\1\2\3" * 50, b"n/a\n"])
def test_one_line_that_is_no_number_is_no_list(tmp_path: Path, content: bytes) -> None:
    """What a download that failed leaves. A column of that name without anybody in it would look the same."""
    path = tmp_path / "out.txt"
    path.write_bytes(content)
    (problem,) = problems(SuppressionList(path))
    assert problem.startswith(f"{path} has only ")
    assert problem.endswith(f'if the list is empty on purpose, write one line with "phone"; {IN_DOUBT}')


@pytest.mark.parametrize("first", ["8123 4567 Ann", "6.59E+09", "+65 8123 4567 ext 12", "8123 4567 / 8123 4568"])
def test_a_first_line_with_the_digits_of_a_number_is_no_header(tmp_path: Path, first: str) -> None:
    """Somebody who has opted out; the line would be passed over as the column's name."""
    (problem,) = problems(SuppressionList(written(tmp_path, "out.txt", f"{first}\n+6591234567\n")), country="SG")
    assert f'out.txt:1:1: "{first}" ' in problem


def test_people_on_a_second_sheet_are_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "out.xlsx"
    write_workbook(path, {"2025": [["phone"], ["+6591234567"]], "2026": [["phone"], ["+6581234567"]]})
    assert [
        f'{path} has more than one sheet with data: "2025", "2026"; save each sheet as a separate file; {IN_DOUBT}'
    ] == problems(SuppressionList(path))
    write_workbook(path, {"2025": [["phone"], ["+6591234567"]], "Sheet2": []})
    assert 1 == len(loaded(path))


def test_says_how_much_the_lists_hold(tmp_path: Path) -> None:
    remarks: list[str] = []
    names = ("a.txt", "b.csv")
    contents = ("+6591234567\n+6581234567\n", "phone\n")
    paths = [written(tmp_path, name, content) for name, content in zip(names, contents, strict=True)]
    Suppression([SuppressionList(path) for path in paths], remarks=remarks)
    assert ["entries of suppression lists: a.txt 2, b.csv 0"] == remarks


def test_a_key_in_another_spelling_is_found_and_said(tmp_path: Path) -> None:
    one = written(tmp_path, "one.csv", "customer_id\nann@example.com\nBEN@example.com\n1001.0\n")
    found = loaded(one, written(tmp_path, "two.csv", "customer_id\nC-1\n"), key="customer_id")
    other = "one.csv, in another spelling"
    assert [other, other, other, "two.csv", None] == [
        found.find_key(key) for key in ("Ann@Example.com", "ben@example.com", "1001", "C-1", "1002")
    ]
    assert [
        "one.csv: 3 rows excluded by a key in another spelling (letter case, spaces, quotes, leading zeros or .0)"
    ] == (found.remarks())


def test_a_list_that_nobody_is_on_is_warned_about(tmp_path: Path) -> None:
    """Its keys or numbers may be others than the recipients', so that somebody on it gets a text."""
    contents = ["customer_id\n900001\n", "phone\n+6591234567\n", "phone\n", "phone\n+6591234567\n"]
    paths = [written(tmp_path, f"{name}.csv", content) for name, content in zip("abcd", contents, strict=True)]
    found = loaded(*paths, key="customer_id")
    check = "check that it is the right list, and that its keys or numbers are written like those of the recipients"
    lonely = [f"no recipient in r.csv is on the suppression list {name}.csv (1 entry); {check}" for name in "ab"]
    assert (None, None) == (found.find_number("+6581234567"), found.find_key("C-1"))
    assert lonely == found.warnings("r.csv"), "the number on d is on b too"
    found.find_number("+6591234567")
    found.find_key("900001")
    assert [] == found.warnings("r.csv")


KEYS = [
    # (content, numbers found, keys found, why)
    ("customer_id\nC-1\nC-2\n", [], ["C-1", "C-2"], "a lone column named like the key"),
    ("Customer_ID\n10000001\n", [], ["10000001"], "the same in other letters; the keys could be numbers in Singapore"),
    ("customer_id,name\nC-1,Ann\n", [], ["C-1"], "keys without numbers"),
    ("customer_id,phone\nC-1,91234567\n", ["+6591234567"], ["C-1"], "both count"),
    ("customer_id,phone\nC-1,\n,91234567\n", ["+6591234567"], ["C-1"], "one of the two is enough"),
    ("customer_id\n  C-1  \n", [], ["C-1"], "trimmed"),
    ("phone\n91234567\n", ["+6591234567"], [], "numbers alone"),
    ("91234567\n", ["+6591234567"], [], "a text file of numbers"),
]


@pytest.mark.parametrize(("content", "numbers", "keys", "why"), KEYS, ids=[row[-1] for row in KEYS])
def test_keys(tmp_path: Path, content: str, numbers: list[str], keys: list[str], why: str) -> None:
    found = loaded(written(tmp_path, "out.csv", content), country="SG", key="customer_id")
    assert numbers == [number for number in NUMBERS if found.find_number(number)]
    assert keys == [key for key in ("C-1", "C-2", "c-1", "C-1 ", "10000001") if found.find_key(key) == "out.csv"]


def test_a_person_is_found_by_number_or_key(tmp_path: Path) -> None:
    found = loaded(
        written(tmp_path, "keys.csv", "customer_id\nC-1\n"), written(tmp_path, "out.txt", NUMBERS[0]), key="customer_id"
    )
    assert ["out.txt", None, "keys.csv", None] == [
        found.find_number(NUMBERS[0]),
        found.find_number(NUMBERS[1]),
        found.find_key("C-1"),
        found.find_key("C-2"),
    ]


def test_columns_that_the_campaign_names(tmp_path: Path) -> None:
    path = written(tmp_path, "out.csv", "member,contact,phone\nC-1,+6591234567,+6581234567\n")
    found = Suppression([SuppressionList(path, phone="contact", key="member")], key="customer_id")
    assert ["out.csv", None, "out.csv"] == [
        found.find_number("+6591234567"),
        found.find_number("+6581234567"),
        found.find_key("C-1"),
    ]


def test_a_key_that_is_the_number_column(tmp_path: Path) -> None:
    assert "out.csv" == loaded(written(tmp_path, "out.csv", "phone\n+65 9123 4567\n"), key="phone").find_number(
        "+6591234567"
    )


def test_who_is_on_several_lists_is_on_the_first(tmp_path: Path) -> None:
    one, other = written(tmp_path, "a.csv", "phone\n+6591234567\n"), written(tmp_path, "b.csv", "id\nC-1\nC-1\n")
    found = loaded(one, other, written(tmp_path, "c.csv", "phone,id\n+6591234567,C-1\n"), key="id")
    assert (5, "a.csv", "b.csv") == (len(found), found.find_number("+6591234567"), found.find_key("C-1"))


IN_DOUBT = "nothing is sent until every suppression list is valid"
REMEDY = f"correct or remove the entry; {IN_DOUBT}"


def test_junk_stops_the_plan_with_examples(tmp_path: Path) -> None:
    path = written(tmp_path, "out.txt", "+6591234567\njunk\n" + "12345\n" * 6)
    short = '"12345" has no country code; set recipients.country'
    assert [
        f'{path}:2:1: "junk" is not a number; {REMEDY}',
        *(f"{path}:{line}:1: {short}; {REMEDY}" for line in (3, 4)),
        f"{path}: 7 of 8 entries are invalid: 6 × has no country code, 1 × is not a number; "
        "check the column, and check recipients.country",
    ] == problems(SuppressionList(path))


def test_junk_of_every_kind_is_shown_however_much_there_is(tmp_path: Path) -> None:
    kinds = ["n/a", "12345", "+6512", "8123456x", "-91234567", "6.59E+09", "+65 9123 4567 / 9123 4568"]
    content = "phone\n" + "+6591234567\n" * 3000 + "".join(f"{cell}\n" * 300 for cell in kinds)
    *shown, total = problems(SuppressionList(written(tmp_path, "out.csv", content)))
    assert [3002, 3003, 3302, 3303, 3602, 3603, 3902, 3903, 4202, 4203, 4502, 4503] == [
        int(line.split(".csv:")[1].split(":")[0]) for line in shown
    ]
    assert "2,100 of 5,100 entries are invalid: 600 × other problems, 300 × is not a number, " in total


JUNK = [
    ("name,phone\nAnn,+6591234567\nBob,\n", ":3:1: the number is missing; {remedy}", None, "a person without a number"),
    ("id,name\nC-1,Ann\n,Bob\n", ":3:1: the key is missing; {remedy}", "id", "a person without a key"),
    ("id,phone,name\n,,Bob\n", ":2:1: number and key are missing; {remedy}", "id", "a person without either"),
    ("id,phone\nC-1,n/a\n", ':2:1: "n/a" is not a number; {remedy}', "id", "a key beside a number that isn't one"),
    (
        "name,phone\nAnn,+6591234567,x\nBob,+6581234567\n",
        ":2:1: 3 cells, but the header has 2 columns (line 2 of the file); "
        "put cells that contain the delimiter in double quotes; {in_doubt}",
        None,
        "a row that can't be read",
    ),
    ("12345\n", ':1:1: "12345" has no country code; set recipients.country; {remedy}', None, "the first line, too"),
]


@pytest.mark.parametrize(("content", "words", "key", "why"), JUNK, ids=[row[-1] for row in JUNK])
def test_every_entry_counts(tmp_path: Path, content: str, words: str, key: str | None, why: str) -> None:
    path = written(tmp_path, "out.csv", content)
    assert [f"{path}{words.format(remedy=REMEDY, in_doubt=IN_DOUBT)}"] == problems(SuppressionList(path), key=key)


def test_a_country_that_is_none(tmp_path: Path) -> None:
    path = written(tmp_path, "out.csv", "phone,land\n91234567,Narnia\n+6591234567,Narnia\n")
    with pytest.raises(InputError, match=r'out\.csv:2:1: "Narnia" is not a country;'):
        Suppression([SuppressionList(path)], country_column="land")


def test_junk_in_parquet_is_named_by_row(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    pl.DataFrame({"phone": ["+6591234567", "x"]}).write_parquet(path)
    assert [f'{path}: row 2: "x" is not a number; {REMEDY}'] == problems(SuppressionList(path))


NAMES = "phone, mobile, msisdn, destination or to"
NAME_ONE = "rename a column, or use {file: out.csv, phone: COLUMN} in recipients.suppress"
DOUBTS = [
    # (content, phone, key of the list, key of the campaign, what is wrong, why)
    (
        "name,mail\nAnn,a@example.com\n",
        None,
        None,
        None,
        [f'no column is named {NAMES}; {NAME_ONE}; the columns are "name", "mail"'],
        "no column of numbers",
    ),
    (
        "+6591234567,2026-01-01\n+6581234567,2026-01-02\n",
        None,
        None,
        None,
        [
            f'no column is named {NAMES}; the first row is "+6591234567", "2026-01-01"; '
            "add a row with the column names above it"
        ],
        "several columns, and nothing that names them",
    ),
    (
        "cust,mail\n1,a@example.com\n",
        None,
        None,
        "id",
        [f'no column is named {NAMES}, or id for keys; {NAME_ONE}; the columns are "cust", "mail"'],
        "neither numbers nor keys",
    ),
    (
        "cust_id\n91234567\n",
        None,
        None,
        "customer_id",
        [
            'the only column, "cust_id", may have phone numbers or values of customer_id; '
            'rename it to phone or customer_id, or write {file: out.csv, phone: "cust_id"}'
        ],
        "customer numbers that would pass for phone numbers, so that nobody were left out",
    ),
    (
        "phone,mobile\n+6591234567,+6581234567\n",
        None,
        None,
        None,
        [
            'several columns could have the phone numbers: "phone", "mobile"; '
            'choose one: {file: out.csv, phone: "phone"}, or keep only one of them in the file'
        ],
        "two columns of numbers",
    ),
    (
        "id,phone,phone\nC-1,+6591234567,+6581234567\n",
        None,
        None,
        "id",
        [
            'several columns could have the phone numbers: "phone (column 2)", "phone (column 3)"; '
            'choose one: {file: out.csv, phone: "phone (column 2)"}, or keep only one of them in the file'
        ],
        "two columns of one name, beside the keys",
    ),
    (
        "From,To,Body\n+6591234567,+6581234567,STOP\n",
        None,
        None,
        None,
        [
            'several columns could have the phone numbers: "From", "To"; '
            'choose one: {file: out.csv, phone: "From"}, or keep only one of them in the file'
        ],
        "a log of replies, in which our own number received them",
    ),
    (
        "from,destination\nACME,+6581234567\n",
        None,
        None,
        None,
        [
            'several columns could have the phone numbers: "from", "destination"; '
            'choose one: {file: out.csv, phone: "from"}, or keep only one of them in the file'
        ],
        "a log, whoever the senders are",
    ),
    (
        "name,cell,phone\nAnn,9123 4567,+6561234567\nBen,,+6561234568\nCyd,9123 4568,+6561234569\n",
        None,
        None,
        None,
        [
            'several columns could have the phone numbers: "cell", "phone"; '
            'choose one: {file: out.csv, phone: "cell"}, or keep only one of them in the file'
        ],
        "a column that has numbers, whatever its name",
    ),
    (
        "phone,name\n+6591234567,Ann\n",
        None,
        "name",
        None,
        [
            'the list has keys in the column "name", but the campaign has no key column; '
            "set recipients.key to the key column of the recipient file"
        ],
        "keys, but nothing to compare them with",
    ),
    (
        "phone,member\n+6591234567,C-1\n",
        None,
        "membr",
        "id",
        ['there is no column "membr"; did you mean "member"? the columns are "phone", "member"'],
        "a column that isn't there",
    ),
]


@pytest.mark.parametrize(("content", "phone", "own", "key", "words", "why"), DOUBTS, ids=[row[-1] for row in DOUBTS])
def test_columns_in_doubt(
    tmp_path: Path, content: str, phone: str | None, own: str | None, key: str | None, words: list[str], why: str
) -> None:
    path = written(tmp_path, "out.csv", content)
    assert [f"{path}: {word}" for word in words] == problems(SuppressionList(path, phone, own), key=key, country="SG")


ONE_COLUMN = [
    # (header and rows, country, why)
    ("phone,since\n20123456,2026-12-01\n20123457,31.12.2026\n", "DK", "dates have eight digits, as numbers there"),
    ("phone,day\n20123456,20261201\n", "DK", "a date without separators"),
    ("phone,key\n+6591234567,91234567\n", "SG", "the same number twice, as in our own results"),
    ("phone,note\n+6591234567,\n+6591234568,call 91234568\n", "SG", "a note"),
    ("phone,id\n" + "".join(f"+659123456{n},{(80000000, 12)[n > 1]}\n" for n in range(8)), "SG", "a few by chance"),
    ("phone,customer_id\n+6591234567,81234567\n", "SG", "a column of keys"),
    ("phone,land\n91234567,SG\n", "SG", "a column of countries"),
]


@pytest.mark.parametrize(("content", "country", "why"), ONE_COLUMN, ids=[row[-1] for row in ONE_COLUMN])
def test_other_columns_cause_no_doubt(tmp_path: Path, content: str, country: str, why: str) -> None:
    path = written(tmp_path, "out.csv", content)
    assert len(Suppression([SuppressionList(path)], country=country, key="customer_id", country_column="land"))


def test_numbers_beside_keys_are_warned_about(tmp_path: Path) -> None:
    path = written(tmp_path, "out.csv", "id,cell\nC-1,+6591234567\n")
    found = Suppression([SuppressionList(path)], key="id")
    assert ("out.csv", None) == (found.find_key("C-1"), found.find_number("+6591234567"))
    assert [
        'out.csv: the column "cell" seems to have phone numbers, but only the keys are used; '
        'to suppress these numbers too, write {file: out.csv, phone: "cell"}'
    ] == found.warnings("r.csv")
    named = Suppression([SuppressionList(path, key="id")], key="id")
    assert ("out.csv", []) == (named.find_key("C-1"), named.warnings("r.csv"))


def test_several_columns_of_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, "out.csv", "id,one,two\nC-1,+6591234567,+6581234567\n,,+447700900123\nC-3,,\n")
    found = Suppression([SuppressionList(path, phone=("one", "two"))], key="id")
    assert ["out.csv"] * 3 == [found.find_number(number) for number in NUMBERS]
    assert (5, "out.csv", "out.csv") == (len(found), found.find_key("C-1"), found.find_key("C-3"))
    path.write_text("one,two\n+6591234567,soon\n")
    assert [f'{path}:2:1: "soon" is not a number; {REMEDY}'] == problems(SuppressionList(path, phone=("one", "two")))


def test_a_list_in_the_spellings_of_recipients(tmp_path: Path) -> None:
    """Whoever opted out matches however the number is written."""
    content = "phone,land\np:+6591234567,\n011 65 8123 4567,United States\n++44 7700 900123-,\n"
    path = written(tmp_path, "out.csv", content)
    found = Suppression([SuppressionList(path)], country_column="land")
    assert ["out.csv"] * 3 == [found.find_number(number) for number in NUMBERS]


def test_missing_and_ambiguous_lists_are_all_named(tmp_path: Path) -> None:
    table = written(tmp_path, "out.csv", "name,mail\nAnn,a@example.com\n")
    missing, ambiguous = problems(SuppressionList(tmp_path / "nope.txt"), SuppressionList(table))
    assert missing.startswith(f"{tmp_path / 'nope.txt'} does not exist; ")
    assert ambiguous.startswith(f"{table}: no column is named ")
