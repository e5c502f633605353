"""Bits that changed by themselves are found before anybody is texted again, and a torn commit isn't damage."""

import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.base.errors import BrokenLedgerError
from runner.base.messages import Encoding, Message
from runner.base.optouts import OptOut, OptOutSource
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.ledger import Ledger, open_ledger
from runner.ledger.optouts import note_optouts, opted_out
from runner.ledger.transitions import claim, note_resume_point, settle
from runner.ledger.trust import checksum
from runner.ledger.upkeep import damage

MESSAGES = 40
IDS = [f"sale.main.{n:05}" for n in range(MESSAGES)]


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Path]:
    """A copy of the files of a ledger that is in use, as a kill leaves them. Each group of five was one commit."""
    with open_ledger(str(tmp_path / "live/ledger.sqlite3"), create=True) as ledger:
        ledger.begin_run(
            name="sale", run="main", now=1, sub_account_id="acme", options="{}", fingerprint="f", rows=9, to_send=9
        )
        outcome = Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, umid="u", answered_at=2, sent_at=1)
        for n in range(0, MESSAGES, 5):
            ids = IDS[n : n + 5]
            with ledger.writing() as connection:
                sent = [Message(1, name, "+12025550142", "US", "", Encoding.GSM7, 1, name) for name in ids]
                claim(connection, 1, [(message, 1) for message in sent], 1)
                note_resume_point(connection, 1, "plan", n)
            with ledger.writing() as connection:
                settle(connection, 1, [(name, outcome) for name in ids[1:]])
        shutil.copytree(tmp_path / "live", tmp_path / "killed")
        yield tmp_path / "killed/ledger.sqlite3"


def log_of(ledger: Path) -> Path:
    return ledger.with_name(f"{ledger.name}-wal")


def known_by(ledger: Ledger) -> set[str]:
    ledger.refuse_damage(1)
    return ledger.claimed(1, IDS)


def test_a_killed_process_left_everything(killed: Path) -> None:
    with open_ledger(str(killed), create=False) as ledger:
        assert set(IDS) == known_by(ledger)
        assert 35 == ledger.resume_row(1, "plan")
        assert [] == damage(ledger)
        assert 8 == ledger.mark_dead_claims_unknown(1, died_by=7)
        assert {"accepted": 32, "unknown": 8} == ledger.counts(1)
        assert set(IDS) == known_by(ledger)


def test_a_changed_bit_in_the_log_is_found_again_and_again(killed: Path) -> None:
    """SQLite would read no commit after it. A refusal must not throw away what is left."""
    data = log_of(killed).read_bytes()
    chance = random.Random(4)
    frames = (len(data) - 32) // 4120
    for bit in [*chance.sample(range(32 * 8), 4), *chance.sample(range(32 * 8, (frames // 2) * 4120 * 8), 12)]:
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        log_of(killed).write_bytes(changed)
        for _ in range(2):
            with pytest.raises(BrokenLedgerError):
                open_ledger(str(killed), create=False)
        assert changed == log_of(killed).read_bytes()


@pytest.mark.parametrize("lost", [1, 100, 4096, 4120])
def test_half_a_commit_is_no_damage(killed: Path, lost: int) -> None:
    """What a kill or a power loss leaves of the newest commit; no request had left for it."""
    with log_of(killed).open("r+b") as file:
        file.truncate(log_of(killed).stat().st_size - lost)
    with open_ledger(str(killed), create=False) as ledger:
        assert set(IDS) == known_by(ledger)  # the newest commit was a settlement
        assert {"accepted": 28, "sending": 12} == ledger.counts(1)


def test_a_process_may_use_the_ledger_meanwhile(tmp_path: Path, killed: Path) -> None:
    live = tmp_path / "live/ledger.sqlite3"
    for checkpoint in ("PASSIVE", "TRUNCATE", "RESTART"):
        with open_ledger(str(live), create=False) as ledger, ledger.writing() as connection:
            connection.exec_driver_sql("UPDATE runs SET to_send = to_send + 1")
            with open_ledger(str(live), create=False) as other:
                assert set(IDS) == known_by(other)
        with closing(sqlite3.connect(live)) as plain:
            plain.execute(f"PRAGMA wal_checkpoint({checkpoint})").fetchall()
    assert killed.exists()


def test_looking_at_its_files_takes_no_lock_away(tmp_path: Path) -> None:
    """POSIX takes all of a process's locks on a file when the process closes that file, however often it has it open.

    SQLite's locks are on the ledger and its -shm file.
    """
    path = tmp_path / "l.sqlite3"
    writes = f"import sqlite3; sqlite3.connect({str(path)!r}, timeout=0).execute('BEGIN IMMEDIATE')"
    with open_ledger(str(path), create=True) as ledger, ledger.writing() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        open_ledger(str(path), create=False).close()
        other = subprocess.run([sys.executable, "-c", writes], capture_output=True, text=True, check=False)
    assert "database is locked" in other.stderr


def swapped(ledger: Path, old: bytes, new: bytes) -> None:
    """Change bits behind SQLite's back, in the ledger's file, wherever it has these bytes."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    data = ledger.read_bytes()
    assert old in data
    ledger.write_bytes(data.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"sale.main.00007", b"sale.main.0000w"),  # another message
        (b"sale.main.00007", b"sale.mai\xee.00007"),  # no text at all
        (b"accepted", b"acceptee"),  # no status
        (b"salemainacme", b"salemaioacme"),  # another run
    ],
)
def test_a_changed_entry_is_found(killed: Path, old: bytes, new: bytes) -> None:
    with open_ledger(str(killed), create=False) as ledger:
        ledger.refuse_damage(1)
    swapped(killed, old, new)
    with (
        pytest.raises(BrokenLedgerError, match=r"damaged|decode"),
        open_ledger(str(killed), create=False) as ledger,
    ):
        ledger.refuse_damage(1)
    with open_ledger(str(killed), create=False) as ledger:
        assert damage(ledger)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"+12025550142sale.main.00007", b"+12025550102sale.main.00007"),  # the number in the index
        (b"+12025550142sale.main.00007", b"+12025550142sale.main.0000w"),  # which message has it
        (b"sale.main.00007+12025550142", b"sale.main.00007+12025550102"),  # the number in the message
        (b"accepted", b"acceptee"),
    ],
)
def test_what_a_frequency_cap_would_miss_is_found(killed: Path, old: bytes, new: bytes) -> None:
    with open_ledger(str(killed), create=False) as ledger:
        ledger.refuse_uncounted(since=1)
        ledger.refuse_uncounted(since=2)
    swapped(killed, old, new)
    with open_ledger(str(killed), create=False) as ledger, pytest.raises(BrokenLedgerError, match="is damaged"):
        ledger.refuse_uncounted(since=1)


@pytest.mark.parametrize("row", [(3, 1, 7), (2, 0, 7), (2, 1, 5)])
def test_a_changed_optout_is_found(killed: Path, row: tuple[int, int, int]) -> None:
    with open_ledger(str(killed), create=False) as ledger:
        for at, is_out in ((6, False), (7, True)):
            note_optouts(ledger, [OptOut("+12025550102", is_out, at, OptOutSource.REPLY)])
        ledger.refuse_damage(1)
        with ledger.writing() as connection:
            connection.exec_driver_sql("UPDATE optouts SET destination = '+1202555010' || ?, is_out = ?, at = ?", row)
        with pytest.raises(BrokenLedgerError, match="1 opt-out has been changed"):
            ledger.refuse_damage(1)
        assert ["1 opt-out has been changed"] == damage(ledger)
        with ledger.writing() as connection:
            connection.exec_driver_sql("UPDATE optouts SET checksum = NULL")  # as of an older version
        ledger.refuse_damage(1)


def test_a_changed_resume_point_is_not_known(killed: Path) -> None:
    with open_ledger(str(killed), create=False) as ledger, ledger.writing() as connection:
        connection.exec_driver_sql("UPDATE runs SET resume_row = 39")
    with open_ledger(str(killed), create=False) as ledger:
        assert 0 == ledger.resume_row(1, "plan")


def test_entries_of_an_older_version_count(killed: Path) -> None:
    with open_ledger(str(killed), create=False) as ledger:
        with ledger.writing() as connection:
            connection.exec_driver_sql("UPDATE messages SET checksum = NULL")
            connection.exec_driver_sql("UPDATE runs SET resume_checksum = NULL")
        assert set(IDS) == known_by(ledger)
        assert 35 == ledger.resume_row(1, "plan")


def test_any_changed_bit_changes_the_checksum() -> None:
    text = bytearray(b"sale.main.00007")
    found = {checksum(1, text.decode(), "accepted")}
    for bit in range(len(text) * 8):
        text[bit // 8] ^= 1 << bit % 8
        found.add(checksum(1, text.decode("latin-1"), "accepted"))
        text[bit // 8] ^= 1 << bit % 8
    assert 1 + len(text) * 8 == len(found)
    assert all(-(2**31) <= each < 2**31 for each in found)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE runs SET options = '{$'", "the options of the run have changed"),
        ("UPDATE runs SET stop_reason = 'intervupted'", "an unknown reason for its stop, 'intervupted'"),
        ("INSERT INTO events (run_id, kind, at) VALUES (1, 'ctarted', 1)", "of an unknown kind, 'ctarted'"),
        ("INSERT INTO optouts VALUES ('+12025550102', 1, 7, '#ommand', NULL, NULL)", "1 opt-out has been changed"),
    ],
)
def test_what_no_version_wrote_is_damage(killed: Path, statement: str, words: str) -> None:
    with open_ledger(str(killed), create=False) as ledger:
        ledger.refuse_damage(1)
        with ledger.writing() as connection:
            connection.exec_driver_sql(statement)
        with pytest.raises(BrokenLedgerError, match=words):
            ledger.refuse_damage(1)
        if "optouts" in statement:  # a new run is planned before the ledger is checked
            with pytest.raises(BrokenLedgerError, match="an unknown source, '#ommand'"):
                opted_out(ledger, ["+12025550102"])
        assert words in "\n".join(damage(ledger))


def test_a_time_that_no_clock_has_is_damage(killed: Path) -> None:
    with open_ledger(str(killed), create=False) as ledger:
        with ledger.writing() as connection:
            connection.exec_driver_sql("UPDATE runs SET ended_at = 1154717277336754038")
        for look in (Ledger.newest_time, damage):
            with pytest.raises(BrokenLedgerError, match="a time of sale/main has changed by itself"):
                look(ledger)
