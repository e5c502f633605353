"""Messages that a ledger lost, added from the lines of the provider's log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base.messages import Encoding, Message
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.ledger import Ledger, open_ledger
from runner.ledger.rebuilding import LogLine, adopt_lines, describe, nameless, note_rebuilt
from runner.ledger.transitions import Proof, claim, settle
from runner.ledger.upkeep import damage

NUMBER = "+12025550142"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "ledger.sqlite3"), create=True) as ledger:
        ledger.begin_run(
            name="sale", run="main", now=1, sub_account_id="acme", options="{}", fingerprint="", rows=0, to_send=0
        )
        yield ledger


def line(name: str, umid: str = "u", at: int = 50) -> LogLine:
    return LogLine(f"sale.main.{name}", at, "UCS2", "US", Proof(umid, "delivered", 3, "0.03", "USD"))


def message(name: str) -> Message:
    return Message(1, name, NUMBER, "US", "Hi", Encoding.GSM7, 2, f"sale.main.{name}")


def statuses(ledger: Ledger) -> dict[str, tuple[str, str | None, str | None]]:
    records = ledger.records(1, [f"sale.main.{name}" for name in "abcdef"])
    return {name[-1]: (record.status, record.reason, record.umid) for name, record in records.items()}


def test_lines_become_messages(ledger: Ledger) -> None:
    assert 2 == adopt_lines(ledger, 1, [line("a", "ua"), line("b", "")], now=90)
    assert 0 == adopt_lines(ledger, 1, [line("a", "other"), line("b", "")], now=91)
    assert {"a": ("accepted", "reconciled", "ua"), "b": ("unknown", "invalid_answer", None)} == statuses(ledger)
    [record] = ledger.records(1, ["sale.main.a"]).values()
    assert ("UCS2", 3, "US", "found in the provider's log") == (
        record.encoding,
        record.segments,
        record.country,
        record.detail,
    )
    assert ("delivered", 3, "0.03", "USD") == (
        record.log_status,
        record.log_segments,
        record.log_price,
        record.log_currency,
    )
    # Once its umid is in the log, it is accepted.
    assert 0 == adopt_lines(ledger, 1, [line("b", "ub")], now=92)
    assert ("accepted", "reconciled", "ub") == statuses(ledger)["b"]
    assert [] == damage(ledger)


def test_what_the_ledger_knows_stays(ledger: Ledger) -> None:
    known = {
        "c": Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, umid="uc"),
        "d": Outcome(Status.REJECTED, OutcomeReason.INVALID_TEXT),
        "e": Outcome(Status.UNKNOWN, OutcomeReason.TIMEOUT),
    }
    with ledger.writing() as connection:
        claim(connection, 1, [(message(name), 1) for name in (*known, "f")], 1)
        settle(connection, 1, [(f"sale.main.{name}", outcome) for name, outcome in known.items()])
    assert 0 == adopt_lines(ledger, 1, [line(name) for name in "cdef"], now=90)
    assert {
        "c": ("accepted", "queued", "uc"),
        "d": ("rejected", "invalid_text", None),
        "e": ("accepted", "reconciled", "u"),
        "f": ("sending", None, None),
    } == statuses(ledger)


def test_a_plan_gives_them_keys_and_numbers(ledger: Ledger) -> None:
    adopt_lines(ledger, 1, [line("a"), line("b")], now=90)
    assert 2 == nameless(ledger, 1)
    describe(ledger, 1, [message("a"), message("c")])
    assert 1 == nameless(ledger, 1)
    [record] = ledger.records(1, ["sale.main.a"]).values()
    assert (NUMBER, "GSM7", 2) == (record.destination, record.encoding, record.segments)
    assert {"a", "b"} == set(statuses(ledger))


def test_the_times_of_a_rebuilt_run_are_those_of_its_messages(ledger: Ledger) -> None:
    adopt_lines(ledger, 1, [line("a", at=70), line("b", at=50)], now=90)
    note_rebuilt(ledger, 1, rows=9, to_send=8)
    [run] = ledger.runs()
    assert (50, 50, 70, 9, 8) == (run.created_at, run.started_at, run.ended_at, run.rows, run.to_send)
