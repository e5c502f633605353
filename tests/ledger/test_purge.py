"""A ledger without a run's people: every byte of its files is looked at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update

from runner.base.audit import AuditAction, AuditEntry
from runner.base.errors import StoppedError
from runner.base.events import Event, EventKind
from runner.base.optouts import OptOut, OptOutSource
from runner.ledger.audit import broken_link, note, trail
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.optouts import note_optouts, opted_out
from runner.ledger.purge import AT_A_TIME, compact, note_purge, purge_messages, purged_at
from runner.ledger.tables import cancellations, events, feedback, messages, receipts, runs

SECRETS = ("secret-", "202555")
"""What stands in everything that tells of somebody of the run: in keys and words, and in numbers."""


def begin(ledger: Ledger, run: str) -> int:
    return ledger.begin_run(
        name="sale", run=run, now=1, sub_account_id="acme", options="{}", fingerprint="f", rows=1, to_send=1
    ).id


def record(ledger: Ledger, run_id: int) -> RunRecord:
    [found] = [run for run in ledger.runs() if run.id == run_id]
    return found


def fill(ledger: Ledger, run_id: int, count: int, secret: str, number: str) -> None:
    """Messages as a run leaves them; every third was claimed, taken back and claimed again."""
    rows = [
        {
            "run_id": run_id,
            "message_id": f"sale.{run_id}.{n:06}",
            "key": f"{secret}{n}",
            "destination": f"+1{number}{n:04}",
            "country": "US",
            "encoding": "GSM7",
            "segments": 1,
            "status": ("accepted", "rejected", "unknown")[n % 3],
            "detail": f"about {secret}{n}" if n % 3 else None,
            "attempts": 1,
            "claimed_at": 1,
            "umid": f"umid-{run_id}-{n}",
        }
        for n in range(count)
    ]
    with ledger.engine.begin() as connection:
        connection.execute(insert(messages), rows)
        connection.execute(text("DELETE FROM messages WHERE run_id = :r AND message_id LIKE '%3'"), {"r": run_id})
        connection.execute(insert(messages), [row for row in rows if str(row["message_id"]).endswith("3")])


def words(ledger: Ledger, run_id: int, secret: str) -> None:
    """What the other tables say of the run, each with words that quote somebody."""
    by_umid = {"umid": f"umid-{run_id}-0", "message_id": None}
    by_id = {"umid": f"other-{run_id}", "message_id": f"sale.{run_id}.000001"}
    told = {"state": "failed", "at": 1, "received_at": 1, "error_message": f"{secret} can't be reached"}
    ours = {"run_id": run_id, "message_id": f"sale.{run_id}.000001", "detail": f"{secret} said no"}
    with ledger.engine.begin() as connection:
        connection.execute(insert(receipts), [by_umid | told, by_id | told])
        connection.execute(
            insert(feedback), ours | {"outcome": "success", "status": "told", "attempts": 1, "noted_at": 1}
        )
        connection.execute(insert(cancellations), ours | {"status": "refused", "settled_at": 1})
        connection.execute(update(runs).where(runs.c.id == run_id), {"stop_detail": f"the fuse blew at {secret}"})
    ledger.note_events(run_id, [Event(EventKind.STOPPED, 5, detail=f"at {secret}")])


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        yield ledger


def test_no_byte_of_anybody_is_left_while_the_counts_stay(tmp_path: Path, ledger: Ledger) -> None:
    """A thousand messages are many pages, which were split and merged while they were written."""
    run_id = begin(ledger, "a")
    fill(ledger, run_id, 1_000, *SECRETS)
    words(ledger, run_id, SECRETS[0])
    before = ledger.counts(run_id), ledger.sizes(run_id)
    for secret in SECRETS:
        assert secret.encode() in written(tmp_path)

    assert 1_000 == purge_messages(ledger, record(ledger, run_id))
    compact(ledger)

    for secret in SECRETS:
        assert secret.encode() not in written(tmp_path)
    assert before == (ledger.counts(run_id), ledger.sizes(run_id))
    assert {"sale.1.000007"} == ledger.claimed(run_id, ["sale.1.000007"])
    assert "umid-1-7" == ledger.records(run_id, ["sale.1.000007"])["sale.1.000007"].umid


def test_another_run_keeps_everything(tmp_path: Path, ledger: Ledger) -> None:
    gone, stays = begin(ledger, "a"), begin(ledger, "b")
    for run_id, secret in ((gone, "secret-"), (stays, "public-")):
        fill(ledger, run_id, 5, secret, "202555")
        words(ledger, run_id, secret)
    tables = (messages, feedback, cancellations, events)
    everything = [(select(table).where(table.c.run_id == stays)) for table in tables]
    everything += [
        select(receipts).where(receipts.c.umid.in_(["umid-2-0", "other-2"])),
        select(runs).where(runs.c.id == 2),
    ]
    with ledger.engine.connect() as connection:
        before = [connection.execute(query).all() for query in everything]

    purge_messages(ledger, record(ledger, gone))
    compact(ledger)

    with ledger.engine.connect() as connection:
        assert before == [connection.execute(query).all() for query in everything]
    assert b"secret-" not in written(tmp_path)


def test_the_audit_trail_stays_without_numbers(tmp_path: Path, ledger: Ledger) -> None:
    run_id = begin(ledger, "a")
    about = AuditEntry(AuditAction.OVERRODE, "sale/a", {"option": "--accept-changes"}, "+12025550001")
    note(ledger, about, AuditEntry(AuditAction.OVERRODE, "sale/b", {}, "+12125550002"))
    assert b"2025550001" in written(tmp_path)

    note_purge(ledger, record(ledger, run_id), 100)
    purge_messages(ledger, record(ledger, run_id))
    compact(ledger)

    assert b"2025550001" not in written(tmp_path)
    kept = [(entry.action, entry.run, entry.destination) for entry in trail(ledger, "sale")]
    assert [("overrode", "sale/a", None), ("overrode", "sale/b", "+12125550002"), ("purged", "sale/a", None)] == kept
    assert broken_link(ledger) is None


def test_opt_outs_stay(ledger: Ledger) -> None:
    """They protect people, whatever campaign they replied to."""
    run_id = begin(ledger, "a")
    fill(ledger, run_id, 5, "secret-", "202555")
    stop = OptOut("+12025550000", True, 1, OptOutSource.REPLY, "STOP")
    note_optouts(ledger, [stop])

    purge_messages(ledger, record(ledger, run_id))

    assert {"+12025550000": stop} == opted_out(ledger, ["+12025550000"])


def test_many_messages_go_in_parts(tmp_path: Path, ledger: Ledger) -> None:
    run_id = begin(ledger, "a")
    count = AT_A_TIME + 1
    fill(ledger, run_id, count, *SECRETS)

    assert count == purge_messages(ledger, record(ledger, run_id))
    compact(ledger)
    assert b"secret-" not in written(tmp_path)


def test_purging_twice_is_harmless(ledger: Ledger) -> None:
    run_id = begin(ledger, "a")
    fill(ledger, run_id, 5, *SECRETS)
    note_purge(ledger, record(ledger, run_id), 100)
    purge_messages(ledger, record(ledger, run_id))

    note_purge(ledger, record(ledger, run_id), 200)
    assert 0 == purge_messages(ledger, record(ledger, run_id))
    compact(ledger)

    assert 100 == purged_at(ledger, run_id)
    assert [EventKind.PURGED] == [event.kind for event in ledger.events(run_id)]


def test_a_run_is_not_purged_because_another_one_is(ledger: Ledger) -> None:
    note_purge(ledger, record(ledger, begin(ledger, "a")), 100)

    assert purged_at(ledger, begin(ledger, "b")) is None


def test_a_reader_that_holds_the_old_pages_is_told_of(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that somebody reads keeps what was written before it in the log beside the ledger."""
    monkeypatch.setattr("runner.ledger.database.BUSY_TIMEOUT_S", 0.05)
    path = ledger.path
    with open_ledger(str(path), create=False) as impatient, ledger.engine.connect() as reading:
        run_id = begin(ledger, "a")
        fill(ledger, run_id, 5, *SECRETS)
        reading.exec_driver_sql("BEGIN")
        reading.execute(select(messages)).all()
        purge_messages(impatient, record(ledger, run_id))

        with pytest.raises(StoppedError, match="another process is reading the ledger"):
            compact(impatient)
        reading.rollback()
        compact(impatient)
    assert b"secret-" not in written(path.parent)
