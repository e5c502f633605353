"""The ledger on real SQLite files: versions, permissions, dead claims, and what a damaged file says."""

import asyncio
import sqlite3
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock, patch

import pytest
from sqlalchemy import Engine

from runner.base.errors import InputError, LedgerError
from runner.base.messages import Encoding, Message
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.database import parse_url
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.writer import Claim, LedgerWriter, Spill, spill_path

ACCEPTED = Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, umid="u-1", http_status=200, sent_at=10, answered_at=20)


def message(number: int) -> Message:
    return Message(number, f"C-{number}", "+12025550142", "US", "Hi", Encoding.GSM7, 1, f"sale.main.{number}")


def writing(
    ledger: Ledger, record: RunRecord, on_failure: Callable[[LedgerError], None] = lambda _: None
) -> LedgerWriter:
    return LedgerWriter(ledger.engine, record.id, Spill(spill_path(ledger.path, record.id)), on_failure=on_failure)


def begin(ledger: Ledger, run: str = "main") -> RunRecord:
    return ledger.begin_run(
        name="sale", run=run, now=1, sub_account_id="acme", options="{}", fingerprint="f", rows=3, to_send=3
    )


def claim_and_settle(ledger: Ledger, record: RunRecord, *settled: tuple[int, Outcome], claimed: int = 3) -> None:
    async def scenario() -> None:
        async with LedgerWriter(
            ledger.engine, record.id, Spill(spill_path(ledger.path, record.id)), on_failure=lambda _: None
        ) as writer:
            await writer.claim([Claim(message(number), 1) for number in range(claimed)])
            for number, outcome in settled:
                writer.settle(message(number).message_id, outcome)
            await writer.flush()

    asyncio.run(scenario())


def test_a_message_lives_as_the_design_says(tmp_path: Path) -> None:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        record = begin(ledger)
        rejected = Outcome(Status.REJECTED, OutcomeReason.INVALID_TEXT, "too long", error_code=3006, error_id="e-1")
        unsent = Outcome(Status.UNSENT, OutcomeReason.THROTTLED)

        claim_and_settle(ledger, record, (0, ACCEPTED), (1, rejected), (2, unsent))

        ids = [message(number).message_id for number in range(4)]
        records = ledger.records(record.id, ids)
        assert {"sale.main.0", "sale.main.1"} == set(records)
        assert ("accepted", "queued", "u-1", 10, 20) == (
            records["sale.main.0"].status, records["sale.main.0"].reason, records["sale.main.0"].umid,
            records["sale.main.0"].sent_at, records["sale.main.0"].answered_at,
        )  # fmt: skip
        assert ("rejected", "too long", 3006) == (
            records["sale.main.1"].status, records["sale.main.1"].detail, records["sale.main.1"].error_code,
        )  # fmt: skip
        assert {"sale.main.0", "sale.main.1"} == ledger.claimed(record.id, ids)
        assert {"accepted": 1, "rejected": 1} == ledger.counts(record.id)


def test_a_dead_process_leaves_unknown_messages_of_its_own_run_only(tmp_path: Path) -> None:
    path = str(tmp_path / "l.sqlite3")
    with open_ledger(path, create=True) as ledger:
        dead, living = begin(ledger), begin(ledger, "other")
        claim_and_settle(ledger, dead, (0, ACCEPTED))
        claim_and_settle(ledger, living)

    with open_ledger(path, create=False) as ledger:
        assert 2 == ledger.mark_dead_claims_unknown(dead.id, died_by=7)
        assert {"accepted": 1, "unknown": 2} == ledger.counts(dead.id)
        assert {"sending": 3} == ledger.counts(living.id)
        assert "process_died" == ledger.records(dead.id, ["sale.main.1"])["sale.main.1"].reason


def test_nothing_is_claimed_twice(tmp_path: Path) -> None:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        record = begin(ledger)
        claim_and_settle(ledger, record, (0, ACCEPTED))

        with pytest.raises(LedgerError, match="could not be written"):
            claim_and_settle(ledger, record, claimed=1)

        assert {"accepted": 1, "sending": 2} == ledger.counts(record.id)


@pytest.mark.parametrize("final", [Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN])
def test_what_is_settled_is_never_settled_again(tmp_path: Path, final: Status) -> None:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        record = begin(ledger)
        claim_and_settle(ledger, record, (0, Outcome(final, OutcomeReason.QUEUED)), claimed=1)

        async def again(outcome: Outcome) -> None:
            async with LedgerWriter(
                ledger.engine, record.id, Spill(spill_path(ledger.path, record.id)), on_failure=lambda _: None
            ) as writer:
                writer.settle(message(0).message_id, outcome)
                await writer.flush()

        for outcome in (ACCEPTED, Outcome(Status.UNSENT, OutcomeReason.THROTTLED)):
            with pytest.raises(LedgerError, match="another program changed the ledger"):
                asyncio.run(again(outcome))

        assert {final.value: 1} == ledger.counts(record.id)


def test_a_claim_that_returned_survives_a_copy_of_the_files(tmp_path: Path) -> None:
    """Durable means: in the files, for any other reader, before `claim` returns."""
    path = tmp_path / "l.sqlite3"

    async def scenario(ledger: Ledger, record: RunRecord) -> None:
        async with LedgerWriter(
            ledger.engine, record.id, Spill(spill_path(ledger.path, record.id)), on_failure=lambda _: None
        ) as writer:
            await writer.claim([Claim(message(0), 1)])
            copy = tmp_path / "copy.sqlite3"
            copy.write_bytes(path.read_bytes())
            copy.with_name("copy.sqlite3-wal").write_bytes(path.with_name("l.sqlite3-wal").read_bytes())
            reader = sqlite3.connect(copy)
            assert [("sending",)] == reader.execute("select status from messages").fetchall()
            reader.close()

    with open_ledger(str(path), create=True) as ledger:
        asyncio.run(scenario(ledger, begin(ledger)))


def test_commits_are_full_syncs_into_a_write_ahead_log(tmp_path: Path) -> None:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger, ledger.engine.connect() as connection:
        raw = connection.connection.cursor()
        assert ("wal",) == raw.execute("pragma journal_mode").fetchone()
        assert (2,) == raw.execute("pragma synchronous").fetchone()


def test_a_failing_write_is_said_and_stops_everything_after_it(tmp_path: Path) -> None:
    said: list[LedgerError] = []

    async def scenario(ledger: Ledger, record: RunRecord) -> None:
        async with LedgerWriter(
            ledger.engine, record.id, Spill(spill_path(ledger.path, record.id)), on_failure=said.append
        ) as writer:
            await writer.claim([Claim(message(0), 1)])
            with ledger.engine.begin() as connection:
                connection.exec_driver_sql("drop table messages")
            with pytest.raises(LedgerError):
                await writer.claim([Claim(message(1), 1)])
            with pytest.raises(LedgerError):
                await writer.claim([Claim(message(2), 1)])

    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        asyncio.run(scenario(ledger, begin(ledger)))

    assert 1 == len(said)
    assert "no such table" in str(said[0])


def test_the_ledger_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "l.sqlite3"
    with open_ledger(str(path), create=True) as ledger:
        claim_and_settle(ledger, begin(ledger))
        modes = {(file.suffix, stat.S_IMODE(file.stat().st_mode)) for file in path.parent.glob("l.sqlite3*")}

    assert {(".locks", 0o700)} == {mode for mode in modes if mode[1] != 0o600}
    assert (".sqlite3", 0o600) in modes


def test_runs_are_told_apart_and_continue(tmp_path: Path) -> None:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        first = begin(ledger)
        ledger.end_run(first.id, now=5, stop_reason="interrupted", stop_detail="stopped by Ctrl-C")
        stopped = ledger.runs("sale", "main")[0]
        again = begin(ledger)
        begin(ledger, "other")

        assert ("interrupted", 5) == (stopped.stop_reason, stopped.ended_at)
        assert (first.id, None, None) == (again.id, again.stop_reason, again.ended_at)
        assert ["main", "other"] == [record.run for record in ledger.runs("sale")]


def test_the_newest_time_is_the_last_start_or_end_of_any_run(tmp_path: Path) -> None:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        found = [ledger.newest_time()]
        first = begin(ledger)
        found.append(ledger.newest_time())
        ledger.end_run(first.id, now=9, stop_reason=None, stop_detail=None)
        begin(ledger, "other")
        found.append(ledger.newest_time())

    assert [0, 1, 9] == found


def test_each_ledger_has_an_id_of_its_own(tmp_path: Path) -> None:
    ids = []
    for name in ("a.sqlite3", "b.sqlite3", "a.sqlite3"):
        with open_ledger(str(tmp_path / name), create=True) as ledger:
            ids.append(ledger.id)

    assert (2, ids[0]) == (len(set(ids)), ids[2])


def test_what_a_run_waits_for_is_its_own_and_ends_with_it(tmp_path: Path) -> None:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        first, ended = begin(ledger), begin(ledger, "ended")
        begin(ledger, "other")
        ledger.end_run(ended.id, now=5, stop_reason="fuse", stop_detail="words")
        ledger.note_waiting(first.id, "sending hours")
        ledger.note_waiting(ended.id, "sending hours")
        assert ["sending hours", "words", None] == [record.stop_detail for record in ledger.runs()]

        ledger.note_waiting(first.id, None)
        assert [None, "words", None] == [record.stop_detail for record in ledger.runs()]


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite3"
    with open_ledger(str(path), create=True) as ledger, ledger.engine.begin() as connection:
        connection.exec_driver_sql("update meta set value = '999' where name = 'schema_version'")

    with pytest.raises(InputError, match="newer campaign-runner"):
        open_ledger(str(path), create=True)


def test_a_ledger_that_is_refused_is_not_held_open(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite3"
    with open_ledger(str(path), create=True) as ledger, ledger.engine.begin() as connection:
        connection.exec_driver_sql("delete from meta")
    with (
        patch.object(Engine, "dispose", autospec=True, side_effect=Engine.dispose) as dispose,
        pytest.raises(InputError, match="is not a campaign-runner ledger"),
    ):
        open_ledger(str(path), create=False)

    dispose.assert_called_once()


def test_a_missing_ledger_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no ledger"):
        open_ledger(str(tmp_path / "l.sqlite3"), create=False)

    assert [] == list(tmp_path.iterdir())


def test_commands_that_start_together_make_one_ledger(tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def opened(path: Path) -> str:
        together.wait()
        with open_ledger(str(path), create=True) as ledger:
            return ledger.id

    with ThreadPoolExecutor(together.parties) as threads:
        for number in range(15):
            paths = [tmp_path / f"{number}.sqlite3"] * together.parties
            assert 1 == len(set(threads.map(opened, paths)))


def test_a_ledger_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "l.sqlite3"
    with monkeypatch.context() as dying:
        dying.setattr("runner.ledger.migrations.secrets.token_hex", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            open_ledger(str(path), create=True)

    with pytest.raises(InputError, match="there is no ledger"):
        open_ledger(str(path), create=False)
    with open_ledger(str(path), create=True) as ledger:
        assert [] == ledger.runs()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    other = sqlite3.connect(path)
    other.execute("create table customers (id integer)")
    other.commit()
    other.close()

    with pytest.raises(InputError, match="is not a campaign-runner ledger"):
        open_ledger(str(path), create=True)


def test_a_file_that_is_no_database_is_an_error_in_words(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite3"
    path.write_bytes(b"phone\n+12025550142\n" * 100)

    words = r"opened at .*: this is not a SQLite database \(file is not a database\); name another file"
    with pytest.raises(LedgerError, match=words):
        open_ledger(str(path), create=True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("postgresql://user:secret@db/ledger", "is not supported", id="PostgreSQL"),
        pytest.param("nonsense://x", "is not supported", id="unknown"),
        pytest.param("sqlite:///:memory:", "would be lost when the command ends", id="in memory"),
        pytest.param("sqlite://", "would be lost when the command ends", id="no path"),
    ],
)
def test_urls_that_cannot_be_used(url: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        parse_url(url)

    assert "secret" not in str(caught.value)


def test_a_path_and_a_url_are_the_same_ledger(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite3"

    assert str(path) == parse_url(str(path)).database == parse_url(f"sqlite:///{path}").database
