"""The ledger's file: damage is found, and a copy is complete, also while somebody writes."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base.audit import AuditAction, AuditEntry
from runner.base.errors import BlockedError, InputError, StoppedError
from runner.base.messages import Encoding, Message
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.audit import note, trail
from runner.ledger.ledger import Ledger, open_ledger
from runner.ledger.transitions import claim, settle
from runner.ledger.upkeep import back_up, damage, figures

MESSAGES = 1_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with a run whose messages were committed one after the other, open as during a run."""
    with open_ledger(str(tmp_path / "ledger.sqlite3"), create=True) as ledger:
        run = ledger.begin_run(
            name="sale", run="main", now=1, sub_account_id="acme", options="{}", fingerprint="f", rows=9, to_send=9
        )
        note(ledger, AuditEntry(AuditAction.STARTED, "sale/main"), AuditEntry(AuditAction.STOPPED, "sale/main"))
        outcome = Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, umid="u", answered_at=2, sent_at=1)
        for n in range(0, MESSAGES, 20):
            ids = [f"sale.main.{n + i:05}" for i in range(20)]
            sent = [Message(1, name, "+12025550142", "US", "", Encoding.GSM7, 1, name) for name in ids]
            with ledger.writing() as connection:
                claim(connection, run.id, [(message, 1) for message in sent], 1)
            with ledger.writing() as connection:
                settle(connection, run.id, [(message.message_id, outcome) for message in sent])
            if n == MESSAGES // 2:
                with ledger.engine.connect() as connection:
                    # During a longer run, SQLite itself does this now and then.
                    connection.exec_driver_sql("PRAGMA wal_checkpoint")
        yield ledger


def change(ledger: Ledger, statement: str) -> None:
    connection = sqlite3.connect(ledger.path)
    connection.execute("PRAGMA ignore_check_constraints=ON")
    connection.execute(statement)
    connection.commit()
    connection.close()


def known_by(path: Path) -> int:
    """How many messages a file knows, looked up by nothing but SQLite."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        [(count,)] = connection.execute("SELECT count(*) FROM messages WHERE status = 'accepted'")
    finally:
        connection.close()
    return int(count)


def test_a_new_ledger_says_where_it_was_made(tmp_path: Path) -> None:
    with open_ledger(str(tmp_path / "x/ledger.sqlite3"), create=True) as ledger:
        [made] = trail(ledger)
        assert (AuditAction.LEDGER_MADE, None) == (made.action, made.run)
        assert {"ledger": str(tmp_path / "x/ledger.sqlite3"), "id": ledger.id} == made.detail
    with open_ledger(str(tmp_path / "x/ledger.sqlite3"), create=True) as ledger:
        assert [made] == [*trail(ledger)]


def test_an_intact_ledger(ledger: Ledger) -> None:
    assert [] == damage(ledger)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE messages SET status = 'lost' WHERE message_id LIKE '%7'", "sale/main: 100 messages with an unknown"),
        ("UPDATE messages SET status = 'sending' WHERE message_id LIKE '%00003'", "sending, but with an outcome"),
        ("UPDATE messages SET settled_at = NULL WHERE message_id LIKE '%00003'", "with an outcome, but never settled"),
        ("UPDATE messages SET umid = NULL WHERE message_id LIKE '%00003'", "accepted without a umid"),
        ("UPDATE messages SET attempts = 0 WHERE message_id LIKE '%00003'", "claimed without an attempt"),
        ("UPDATE messages SET run_id = 7 WHERE message_id LIKE '%00003'", "belongs to no row of runs"),
        ("UPDATE audit SET actor = 'somebody' WHERE id = 2", "the audit trail: entry 2 was changed"),
        ("DELETE FROM audit WHERE id = 3", "the audit trail: the entries after entry 2 are missing"),
        ("DROP TABLE optouts", "tables are missing: optouts"),
    ],
)
def test_what_nothing_leads_to_is_found(ledger: Ledger, statement: str, words: str) -> None:
    change(ledger, statement)
    assert words in "\n".join(damage(ledger))


def test_a_damaged_file_is_found(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    size = ledger.path.stat().st_size
    with ledger.path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 20_000)
    with open_ledger(str(ledger.path), create=False) as damaged:
        assert damage(damaged)


def test_the_file_alone_knows_fewer_than_a_backup(ledger: Ledger, tmp_path: Path) -> None:
    """As it happened: 604 were accepted, and the copied file knew 460 of them. The others were in the -wal file."""
    alone, backup = tmp_path / "alone.sqlite3", tmp_path / "backup.sqlite3"
    shutil.copy(ledger.path, alone)
    found = back_up(ledger, backup)
    assert 0 < known_by(alone) < MESSAGES
    assert MESSAGES == known_by(backup) == found["messages"]["accepted"]
    # One private file that needs no other beside it.
    assert {alone, backup, ledger.path} == set(tmp_path.glob("[!.]*.sqlite3"))
    assert [] == [path.name for path in tmp_path.iterdir() if path.name.startswith((".", "backup.sqlite3-"))]
    assert 0o600 == backup.stat().st_mode & 0o777
    with open_ledger(str(backup), create=False) as copy:
        assert [] == damage(copy)
        assert figures(ledger)["audit"] == figures(copy)["audit"]
        assert (ledger.id, ledger.counts(1)) == (copy.id, copy.counts(1))


def test_a_backup_never_replaces_a_file(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "backup").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        back_up(ledger, tmp_path / "backup")
    assert "mine" == (tmp_path / "backup").read_text()


def test_a_damaged_copy_is_not_kept(ledger: Ledger, tmp_path: Path) -> None:
    change(ledger, "UPDATE messages SET status = 'lost'")
    with pytest.raises(BlockedError, match="the copy is damaged, so it was not kept: sale/main: 1,000 messages"):
        back_up(ledger, tmp_path / "backup")
    assert ["ledger.sqlite3"] == [path.name for path in tmp_path.iterdir() if path.suffix == ".sqlite3"]
    assert not any(path.name.endswith(".part") for path in tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_backup_that_cannot_be_written(ledger: Ledger) -> None:
    with pytest.raises((StoppedError, InputError)):
        back_up(ledger, Path("/dev/full/backup"))


def test_figures(ledger: Ledger) -> None:
    found = figures(ledger)
    assert (ledger.id, 1, 0) == (found["id"], found["runs"], found["optouts"])
    assert {"accepted": MESSAGES} == found["messages"]
    assert {"entries": 3, "hash": [*trail(ledger)][-1].hash} == found["audit"]
    sizes = [path.stat().st_size for path in (ledger.path, Path(f"{ledger.path}-wal"))]
    assert sizes[0] < sum(sizes) == found["size"]
