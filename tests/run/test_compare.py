"""Which runs are compared, from real ledgers, and what is written and told of them."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import create_engine, text

from runner.base.errors import InputError
from runner.cli.console import Console
from runner.cli.report import show_comparison
from runner.ledger.tables import metadata, runs
from runner.report.compare import SCHEMA
from runner.run.compare import Comparison, compare, parse_since
from runner.run.paths import RunOptions
from tests.ledger.filled import Filled

NOV_1 = 1_793_491_200_000_000
DAY = 86_400_000_000


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Four runs of three campaigns, a day apart, the newest with all that can be known."""
    with Filled(tmp_path / "ledger.sqlite3") as filled:
        for place, (name, run) in enumerate(
            [("spring", "w1"), ("spring", "w2"), ("welcome", "main"), ("fair", "main")]
        ):
            made = filled.run(name, run, at=NOV_1 + place * DAY, to_send=5, rows=6)
            told = {"state": "delivered", "price": "0.05", "currency": "EUR", "segments": 1} if name == "fair" else None
            filled.messages(made, 4, receipt=told, outcome="success" if name == "fair" else None)
            filled.messages(made, 1, status="rejected")
            filled.end(made, at=NOV_1 + place * DAY + 1)
    return tmp_path


def files(comparison: Comparison) -> tuple[Path, ...]:
    return tuple(map(Path, comparison.document["files"].values()))


def named(comparison: Comparison) -> list[str]:
    return [run.name for run in comparison.runs]


@pytest.mark.parametrize(
    ("since", "campaign", "expected"),
    [
        (None, "*", ["spring/w1", "spring/w2", "welcome/main", "fair/main"]),
        (None, "spring", ["spring/w1", "spring/w2"]),
        (None, "s*", ["spring/w1", "spring/w2"]),
        (None, "*/main", ["welcome/main", "fair/main"]),
        (None, "spring/w[2-9]", ["spring/w2"]),
        (datetime(2026, 11, 2, tzinfo=UTC), None, ["spring/w2", "welcome/main", "fair/main"]),
        (datetime(2026, 11, 2, 0, 0, 1, tzinfo=UTC), None, ["welcome/main", "fair/main"]),
        (datetime(2026, 11, 3, 8, tzinfo=timezone(timedelta(hours=8))), None, ["welcome/main", "fair/main"]),
        (datetime(2026, 11, 2, tzinfo=UTC), "spring", ["spring/w2"]),
    ],
)
def test_which_runs(reports: Path, since: datetime | None, campaign: str | None, expected: list[str]) -> None:
    assert expected == named(compare(RunOptions(reports=reports), since=since, campaign=campaign))


def test_what_is_written_and_told(reports: Path) -> None:
    found = compare(RunOptions(reports=reports), campaign="[fw]*")
    assert (reports / "compare.parquet", reports / "compare.html") == files(found)
    frame = pl.read_parquet(files(found)[0])
    assert SCHEMA == dict(frame.schema)
    assert ["welcome", "fair"] == frame["campaign"].to_list()
    assert [None, 1.0] == frame["delivery_rate"].to_list()
    assert "Campaigns compared" in files(found)[1].read_text(encoding="utf-8")
    fair = found.document["runs"][1]
    assert {
        "campaign": "fair", "run": "main", "fingerprint": "f", "state": "finished",
        "created_at": "2026-11-04T00:00:00.000Z", "started_at": "2026-11-04T00:00:00.000Z",
        "ended_at": "2026-11-04T00:00:00.000Z", "rows": 6, "to_send": 5, "accepted": 4, "rejected": 1, "unknown": 0,
        "unsent": 0, "excluded": 1, "segments_accepted": 4, "receipts": 4, "delivered": 4, "undelivered": 0,
        "cancelled": 0, "converted": 4, "not_converted": 0, "billed_segments": 4, "billed": "0.2", "currency": "EUR",
        "rejection_rate": 0.2, "delivery_rate": 1.0, "conversion_rate": 1.0, "cost_per_delivered": "0.05",
    } == fair  # fmt: skip
    assert {
        "compare_parquet": str(reports / "compare.parquet"),
        "compare_page": str(reports / "compare.html"),
    } == found.document["files"]


def test_at_a_terminal(reports: Path) -> None:
    console = Console()
    with console.rich.capture() as capture:
        show_comparison(console, compare(RunOptions(reports=reports), campaign="*"))
    lines = capture.get().splitlines()
    assert ["run", "started", "accepted", "rejected", "delivered", "converted", "delivered"] == lines[1].split()
    assert ["fair/main", "2026-11-04", "4", "20.0%", "100%", "100%", "0.0500", "EUR"] == lines[5].split()
    assert ["spring/w1", "2026-11-01", "4", "20.0%", "–", "–", "–"] == lines[2].split()
    assert 80 >= max(map(len, lines[:6]))


def test_columns_that_say_nothing_are_left_out(reports: Path) -> None:
    console = Console()
    with console.rich.capture() as capture:
        show_comparison(console, compare(RunOptions(reports=reports), campaign="spring"))
    assert ["run", "started", "accepted", "rejected"] == capture.get().splitlines()[0].split()


def test_sandbox_runs_are_compared_among_themselves(reports: Path) -> None:
    for name in ("fair", "welcome"):
        with Filled(reports / name / "sandbox/ledger.sqlite3") as filled:
            filled.messages(filled.run(name, "sandbox", at=NOV_1), 1)
    assert "sandbox" not in {run.record.run for run in compare(RunOptions(reports=reports), campaign="*").runs}
    found = compare(RunOptions(reports=reports, sandbox=True), campaign="*")
    assert ["fair/sandbox", "welcome/sandbox"] == named(found)
    assert (reports / "compare.sandbox.parquet", reports / "compare.sandbox.html") == files(found)


def test_nothing_to_compare(reports: Path) -> None:
    expected = "no run of autumn-* started since 2026-11-01 00:00 UTC; the ledger has spring/w1, spring/w2,"
    with pytest.raises(InputError) as caught:
        compare(RunOptions(reports=reports), since=datetime(2026, 11, 1, tzinfo=UTC), campaign="autumn-*")
    assert str(caught.value).startswith(expected)
    assert not (reports / "compare.parquet").exists()
    with Filled(reports / "empty.sqlite3"), pytest.raises(InputError, match="no runs to compare"):
        compare(RunOptions(reports=reports, ledger=str(reports / "empty.sqlite3")), campaign="*")
    with pytest.raises(InputError, match="there is no ledger"):
        compare(RunOptions(reports=reports, ledger=str(reports / "none.sqlite3")), campaign="*")


def test_a_ledger_of_the_version_before(reports: Path) -> None:
    engine = create_engine(f"sqlite:///{reports / 'ledger.sqlite3'}")
    with engine.begin() as connection:
        for table in metadata.tables.keys() - {"meta", "runs", "messages"}:
            connection.execute(text(f"DROP TABLE {table}"))
        names = runs.c.keys()
        for column in names[names.index("lease_until") + 1 :]:
            connection.execute(text(f"ALTER TABLE runs DROP COLUMN {column}"))
        connection.execute(text("ALTER TABLE messages DROP COLUMN checksum"))
        connection.execute(text("UPDATE meta SET value = '1' WHERE name = 'schema_version'"))
    engine.dispose()
    found = compare(RunOptions(reports=reports), campaign="fair")
    assert (4, None, None) == tuple(found.document["runs"][0][name] for name in ("accepted", "delivery_rate", "billed"))


NOW = NOV_1 + 30 * DAY


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("2026-11-01", NOV_1),
        (" 2026-11-01 ", NOV_1),
        ("2026-11-01T09:30", NOV_1 + 9 * 3_600_000_000 + 30 * 60_000_000),
        ("2026-11-01T09:30:00Z", NOV_1 + 9 * 3_600_000_000 + 30 * 60_000_000),
        ("2026-11-01T08:00+08:00", NOV_1),
        ("30d", NOV_1),
        ("4w", NOV_1 + 2 * DAY),
        ("12h", NOW - DAY // 2),
        ("90min", NOW - 5_400_000_000),
    ],
)
def test_since(words: str, expected: int) -> None:
    assert datetime.fromtimestamp(expected / 1e6, UTC) == parse_since(words, NOW)


@pytest.mark.parametrize(
    "words",
    ["", "yesterday", "30", "1.5d", "-3d", "2026-13-01", "20261101", "2026-W45", "999999w", "0001-01-01T00:00+14:00"],
)
def test_since_no_time(words: str) -> None:
    with pytest.raises(InputError, match="is not a time; write a date such as 2026-11-01"):
        parse_since(words, NOW)
