"""`campaign plan --out`: the plan for people."""

import csv
from pathlib import Path

import polars as pl
import pytest

from runner.files.reader import read_header, read_rows
from runner.files.source import Source
from tests.cli.workplace import MINIMAL, Workplace, people

CAMPAIGN = MINIMAL.replace("Hi {{ name }}", "Hi {{ name }} {{ site }}")
ROWS = (
    "id,mobile,name,site\n"
    'k1,8123 0001,"Ann\nLee",http://a.example/x\n'
    "\n"
    "=1+1,+6581230002,=SUM(A1),shop\n"
    "k3,12,Cy,shop\n"
    "k1,+6581230004,Dan,shop\n"
)
HEADER = ["row", "key", "number", "text", "segments", "reason", "detail", "warnings"]
WARNING = "an unencrypted link: http://a.example/… from the column site; use https:// if the site supports it"
EXPECTED = [
    (2, "k1", "+6581230001", "Hi Ann\nLee http://a.example/x", 1, None, None, WARNING),
    (4, "=1+1", "+6581230002", "Hi =SUM(A1) shop", 1, None, None, None),
    (5, "k3", None, None, None, "invalid_number", 'mobile: "12" is too short for a phone number in SG', None),
    (6, "k1", "+6581230004", None, None, "duplicate", 'same key "k1" as row 2', None),
]


@pytest.fixture
def place(offline: Workplace) -> Workplace:
    offline.write("", CAMPAIGN)
    (offline.folder / "people.csv").write_text(ROWS)
    return offline


def written(place: Workplace, name: str, *options: str) -> Path:
    done = place.here("plan", "hello.yaml", "--out", name, *options)
    assert 0 == done.exit_code, done.stderr
    assert f"table  {name}" in done.stdout.splitlines()
    path = place.folder / name
    assert 0o600 == path.stat().st_mode & 0o777
    assert {path.name} == {each.name for each in path.parent.iterdir() if "table" in each.name}
    return path


def test_parquet_has_each_row_as_it_is(place: Workplace) -> None:
    frame = pl.read_parquet(written(place, "table.parquet"))
    assert HEADER == frame.columns
    assert EXPECTED == frame.rows()


def test_csv_is_defused(place: Workplace) -> None:
    with written(place, "out/table.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert HEADER == header
    assert [str(row[0]) for row in EXPECTED] == [row[0] for row in rows]
    assert ["k1", "'=1+1", "k3", "k1"] == [row[1] for row in rows]
    assert ["+6581230001", "+6581230002", "", "+6581230004"] == [row[2] for row in rows]


def test_a_spreadsheet_has_the_same_cells(place: Workplace) -> None:
    source = Source(written(place, "table.xlsx"))
    assert HEADER == read_header(source)
    rows = [row for batch in read_rows(source) for row in batch.rows]
    assert [tuple("" if cell is None else str(cell) for cell in row[:6]) for row in EXPECTED] == [
        row[:6] for row in rows if isinstance(row, tuple)
    ]


def test_a_kept_plan_is_made_again(place: Workplace) -> None:
    assert 0 == place.here("plan", "hello.yaml").exit_code
    first = place.here("plan", "hello.yaml", "--json").document["fingerprint"]
    assert 4 == len(pl.read_parquet(written(place, "table.parquet")))
    assert first == place.here("plan", "hello.yaml", "--json").document["fingerprint"]


def test_numbers_and_texts_are_hidden_if_the_campaign_asks_for_it(place: Workplace) -> None:
    (place.folder / "hello.yaml").write_text(CAMPAIGN + "report: {mask: true}\n")
    frame = pl.read_parquet(written(place, "table.parquet", "--unmask"))
    assert ["+6581••••01", "+6581••••02", None, "+6581••••04"] == frame["number"].to_list()
    assert [None] * 4 == frame["text"].to_list()
    assert [WARNING, None, None, None] == frame["warnings"].to_list()


def test_a_refused_plan_is_written_too(place: Workplace) -> None:
    (place.folder / "hello.yaml").write_text(CAMPAIGN.replace("SG}", "SG, expect: {rows: ..1}}"))
    assert 2 == place.here("plan", "hello.yaml", "--out", "table.csv").exit_code
    assert (place.folder / "table.csv").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("table.txt", "--out: table.txt doesn't end in .csv, .xlsx or .parquet"),
        ("table", "--out: table doesn't end in"),
        ("people.csv", "--out: people.csv belongs to the campaign or the run; name another file"),
        ("other/../people.csv", "belongs to the campaign or the run"),
        ("link.csv", "belongs to the campaign or the run"),
        ("reports/hello/main/results.csv", "belongs to the campaign or the run"),
    ],
)
def test_no_file_of_the_campaign_is_replaced(place: Workplace, name: str, words: str) -> None:
    (place.folder / "other").mkdir()
    (place.folder / "link.csv").hardlink_to(place.folder / "people.csv")
    done = place.here("plan", "hello.yaml", "--out", name)
    assert 2 == done.exit_code
    assert words in done.stderr
    assert ROWS == (place.folder / "people.csv").read_text()


@pytest.mark.parametrize("name", ["table.csv", "table.xlsx", "table.parquet"])
def test_only_an_earlier_table_is_replaced(place: Workplace, name: str) -> None:
    """Another campaign's recipients would be gone."""
    path = place.folder / name
    path.write_text("phone\n+6581230001\n")
    done = place.here("plan", "hello.yaml", "--out", name)
    assert (2, True) == (done.exit_code, f"--out: {name} exists and is no plan table; name a new file" in done.stderr)
    assert "phone\n+6581230001\n" == path.read_text()
    path.unlink()
    written(place, name)
    written(place, name)


def test_a_failed_plan_leaves_the_earlier_table(place: Workplace) -> None:
    path = written(place, "table.csv")
    before = path.read_bytes()
    place.write(people(2), MINIMAL.replace("Hi {{ name }}", "Hi {{ 1 / 0 }}{{ name }}"))
    assert 2 == place.here("plan", "hello.yaml", "--out", "table.csv").exit_code
    assert before == path.read_bytes()
