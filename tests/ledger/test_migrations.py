"""A ledger of an older version: its rows stay, whoever opens it first, and however many at once."""

import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import IO, Any
from unittest.mock import Mock

import pytest
from sqlalchemy import Connection

from runner.base.delivery import DeliveryState, Receipt
from runner.base.errors import InputError, LedgerError, RunLockedError
from runner.base.optouts import OptOut, OptOutSource
from runner.ledger import lock
from runner.ledger import migrations as module
from runner.ledger.database import engine_for, parse_url
from runner.ledger.ledger import open_ledger
from runner.ledger.lock import making_lock, run_lock
from runner.ledger.migrations import MIGRATIONS, SCHEMA_VERSION
from runner.ledger.optouts import note_optouts, opted_out
from runner.ledger.receipts import save_receipts
from runner.ledger.tables import metadata
from tests.deadline import DEADLINE_S

SCHEMA_1 = """
PRAGMA journal_mode=WAL;
CREATE TABLE meta (name VARCHAR(32) NOT NULL, value VARCHAR(255) NOT NULL, PRIMARY KEY (name));
CREATE TABLE runs (
    id INTEGER NOT NULL, name VARCHAR(64) NOT NULL, run VARCHAR(64) NOT NULL, sub_account_id VARCHAR(50) NOT NULL,
    options VARCHAR NOT NULL, fingerprint VARCHAR(64) NOT NULL, rows INTEGER NOT NULL, to_send INTEGER NOT NULL,
    created_at BIGINT NOT NULL, started_at BIGINT NOT NULL, ended_at BIGINT, stop_reason VARCHAR(32),
    stop_detail VARCHAR, holder VARCHAR(160), lease_until BIGINT, PRIMARY KEY (id), UNIQUE (name, run)
);
CREATE TABLE messages (
    run_id INTEGER NOT NULL, message_id VARCHAR(160) NOT NULL, "key" VARCHAR NOT NULL,
    destination VARCHAR(16) NOT NULL, country VARCHAR(2), encoding VARCHAR(4) NOT NULL, segments INTEGER NOT NULL,
    status VARCHAR(10) NOT NULL, reason VARCHAR(32), detail VARCHAR, attempts INTEGER NOT NULL,
    claimed_at BIGINT NOT NULL, sent_at BIGINT, answered_at BIGINT, settled_at BIGINT, umid VARCHAR(64),
    http_status INTEGER, error_code INTEGER, error_id VARCHAR(64), log_status VARCHAR(40), log_segments INTEGER,
    log_price VARCHAR(24), log_currency VARCHAR(3), PRIMARY KEY (run_id, message_id),
    FOREIGN KEY(run_id) REFERENCES runs (id)
) WITHOUT ROWID;
INSERT INTO meta VALUES ('schema_version', '1'), ('id', '0123456789abcdef');
INSERT INTO runs VALUES (1, 'welcome', 'main', 'acme_hq', '{}', 'f', 4, 4, 10, 20, NULL, NULL, NULL, NULL, NULL);
INSERT INTO messages (run_id, message_id, "key", destination, country, encoding, segments, status, attempts, claimed_at,
                      umid)
VALUES (1, 'welcome.main.a', 'C-1', '+12025550101', 'US', 'GSM7', 1, 'accepted', 1, 11, 'u-1'),
       (1, 'welcome.main.b', 'C-2', '+12025550102', 'US', 'UCS2', 2, 'unknown', 1, 12, NULL),
       (1, 'welcome.main.c', 'C-3', '+12025550103', NULL, 'GSM7', 1, 'sending', 2, 13, NULL);
"""
# What schema 2 has beside it, with rows as its programs wrote them.
SCHEMA_2 = """
CREATE TABLE receipts (
    umid VARCHAR(64) NOT NULL, message_id VARCHAR(350), state VARCHAR(16) NOT NULL, at BIGINT NOT NULL,
    detail VARCHAR(40), error_code INTEGER, error_message VARCHAR, delivered_at BIGINT, segments INTEGER,
    price VARCHAR(24), currency VARCHAR(3), received_at BIGINT NOT NULL, PRIMARY KEY (umid)
) WITHOUT ROWID;
CREATE INDEX ix_receipts_message_id ON receipts (message_id);
CREATE TABLE optouts (
    destination VARCHAR(16) NOT NULL, is_out BOOLEAN NOT NULL, at BIGINT NOT NULL, source VARCHAR(16) NOT NULL,
    word VARCHAR(40), PRIMARY KEY (destination)
) WITHOUT ROWID;
CREATE TABLE feedback (
    run_id INTEGER NOT NULL, message_id VARCHAR(160) NOT NULL, outcome VARCHAR(8) NOT NULL, converted_at BIGINT,
    status VARCHAR(10) NOT NULL, attempts INTEGER NOT NULL, http_status INTEGER, detail VARCHAR,
    noted_at BIGINT NOT NULL, settled_at BIGINT, PRIMARY KEY (run_id, message_id),
    FOREIGN KEY(run_id) REFERENCES runs (id)
) WITHOUT ROWID;
CREATE TABLE cancellations (
    run_id INTEGER NOT NULL, message_id VARCHAR(160) NOT NULL, status VARCHAR(10) NOT NULL, http_status INTEGER,
    detail VARCHAR, settled_at BIGINT NOT NULL, PRIMARY KEY (run_id, message_id),
    FOREIGN KEY(run_id) REFERENCES runs (id)
) WITHOUT ROWID;
CREATE TABLE events (
    id INTEGER NOT NULL, run_id INTEGER NOT NULL, kind VARCHAR(16) NOT NULL, at BIGINT NOT NULL, seconds FLOAT,
    detail VARCHAR, PRIMARY KEY (id), FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE INDEX ix_events_run_id ON events (run_id);
INSERT INTO receipts VALUES ('u-1', 'welcome.main.a', 'delivered', 30, NULL, NULL, NULL, 30, 1, '0.01', 'USD', 31);
INSERT INTO optouts VALUES ('+12025550109', 1, 5, 'reply', 'stop');
INSERT INTO feedback VALUES (1, 'welcome.main.a', 'success', 40, 'told', 1, 200, NULL, 41, 42);
INSERT INTO cancellations VALUES (1, 'welcome.main.a', 'refused', 404, 'sent already', 43);
INSERT INTO events VALUES (1, 1, 'started', 20, NULL, NULL);
UPDATE meta SET value = '2' WHERE name = 'schema_version';
"""
# Schema 3 noted the resume point in a table, and abbreviated the usual words.
SCHEMA_3 = """
CREATE TABLE frontiers (
    run_id INTEGER NOT NULL, "plan" VARCHAR(64) NOT NULL, "row" INTEGER NOT NULL, PRIMARY KEY (run_id),
    FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO runs VALUES (2, 'welcome', 'next', 'acme_hq', '{}', 'f', 4, 4, 10, 20, 30, NULL, NULL, NULL, NULL);
INSERT INTO frontiers VALUES (1, 'plan-digest', 3);
UPDATE messages SET detail = char(1) WHERE status = 'accepted';
UPDATE meta SET value = '3' WHERE name = 'schema_version';
"""
SCHEMAS = {1: SCHEMA_1, 2: SCHEMA_1 + SCHEMA_2, 3: SCHEMA_1 + SCHEMA_2 + SCHEMA_3}


def made(path: Path, schema: str) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(schema)
    connection.close()
    return path


@pytest.fixture(params=SCHEMAS)
def older(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return made(tmp_path / "l.sqlite3", SCHEMAS[request.param])


@pytest.fixture
def newest_but_one(tmp_path: Path) -> Path:
    return made(tmp_path / "l.sqlite3", SCHEMAS[3])


def columns(schema: str) -> dict[str, str]:
    """The columns of each table, as a query names them."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema)
    names = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    found = {name: [row[1] for row in connection.execute(f"pragma table_info({name})")] for name in names}
    connection.close()
    return {name: ", ".join(f'"{column}"' for column in found[name]) for name in names}


# What no upgrade changes: a later migration may add tables and columns to these.
LASTING = {name: names for name, names in columns(SCHEMAS[3]).items() if name != "frontiers"}


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows that every upgrade keeps, without the version."""
    connection = sqlite3.connect(path)
    found = {
        name: connection.execute(f"select {LASTING[name]} from {name} order by 1, 2").fetchall()  # noqa: S608
        for name in LASTING.keys() & tables(path)
    }
    connection.close()
    found["meta"] = [row for row in found["meta"] if row[0] != "schema_version"]
    return {name: rows for name, rows in found.items() if rows}


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    (found,) = connection.execute("select value from meta where name = 'schema_version'").fetchone()
    connection.close()
    return int(found)


def tables(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    found = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    connection.close()
    return found


@pytest.mark.parametrize("create", [True, False], ids=["a run", "a reader"])
def test_an_older_ledger_is_upgraded_and_keeps_its_rows(older: Path, *, create: bool) -> None:
    before = content(older)
    for _ in range(2):
        with open_ledger(str(older), create=create) as ledger:
            assert "0123456789abcdef" == ledger.id
            assert {"accepted": 1, "unknown": 1, "sending": 1} == ledger.counts(1)
    assert before == content(older)
    assert (SCHEMA_VERSION, set(metadata.tables)) == (version(older), tables(older))


def test_it_has_the_columns_and_indexes_of_a_new_one(older: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.sqlite3"
    shapes = []
    for path in (older, new):
        open_ledger(str(path), create=True).close()
        connection = sqlite3.connect(path)
        names = [
            name
            for name, kind in connection.execute(
                "select name, type from sqlite_master where sql is not null order by 1"
            )
            if kind != "trigger"  # for older processes, which a new ledger never had
        ]
        shapes.append([(name, connection.execute(f"pragma table_xinfo({name})").fetchall(),
                        connection.execute(f"pragma index_xinfo({name})").fetchall()) for name in names])  # fmt: skip
        connection.close()
    assert shapes[0] == shapes[1]


def test_an_upgraded_ledger_takes_receipts_for_its_messages(older: Path) -> None:
    with open_ledger(str(older), create=False) as ledger:
        told = [Receipt(f"u-{last}", f"welcome.main.{last}", DeliveryState.SENT, 1) for last in "abc"]
        assert 1 == save_receipts(ledger, told, now=2, authorized=True)
        assert {"accepted": 2, "sending": 1} == ledger.counts(1)


def test_the_resume_point_becomes_columns_of_its_run(newest_but_one: Path) -> None:
    with open_ledger(str(newest_but_one), create=False) as ledger:
        assert 3 == ledger.resume_row(1, "plan-digest")
        assert 0 == ledger.resume_row(1, "another plan")
        assert 0 == ledger.resume_row(2, "plan-digest")
        assert (
            "SMS is accepted and queued for processing"
            == ledger.records(1, ["welcome.main.a"])["welcome.main.a"].detail
        )


OPENER = """
import sys
from runner.ledger.ledger import open_ledger

print("ready", flush=True)
for line in sys.stdin:
    with open_ledger(line.strip(), create=sys.argv[1] == "run") as ledger:
        print(ledger.counts(1)["accepted"], flush=True)
"""


@pytest.fixture(scope="module")
def openers() -> Iterator[list[tuple[IO[str], IO[str]]]]:
    """Two that may make a ledger, and one that only reads: their standard inputs and outputs."""
    processes = [
        subprocess.Popen((sys.executable, "-c", OPENER, kind), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for kind in ("run", "run", "read")
    ]
    pipes = [(process.stdin, process.stdout) for process in processes if process.stdin and process.stdout]
    assert ["ready\n"] * 3 == [reading.readline() for _, reading in pipes]
    yield pipes
    for process in processes:
        process.communicate(timeout=DEADLINE_S)
    assert [0] * 3 == [process.returncode for process in processes]


def test_processes_that_open_it_together(older: Path, tmp_path: Path, openers: list[tuple[IO[str], IO[str]]]) -> None:
    """Again and again from the older state."""
    before = content(older)
    for number in range(10):
        path = tmp_path / f"{number}.sqlite3"
        path.write_bytes(older.read_bytes())
        for writing, _ in openers:
            writing.write(f"{path}\n")
            writing.flush()
        assert ["1\n"] * 3 == [reading.readline() for _, reading in openers]
        assert (SCHEMA_VERSION, before) == (version(path), content(path))


def test_a_process_of_the_older_version_goes_on(older: Path) -> None:
    """One that began before the upgrade: its tables are as they were."""
    running = sqlite3.connect(older)
    running.execute("select * from messages").fetchall()
    with open_ledger(str(older), create=False) as ledger:
        running.execute("update messages set status = 'accepted', umid = 'u-3' where status = 'sending'")
        running.commit()
        assert {"accepted": 2, "unknown": 1} == ledger.counts(1)
    running.close()


def test_what_it_changes_afterwards_is_no_damage(older: Path) -> None:
    """`campaign receipts` of a version without checksums: a STOP for a number that has opted in, and a receipt."""
    running = sqlite3.connect(older)
    running.execute("select * from messages").fetchall()
    with open_ledger(str(older), create=False) as ledger:
        ledger.mark_dead_claims_unknown(1, died_by=50)
        note_optouts(ledger, [OptOut("+12025550108", is_out=False, at=6, source=OptOutSource.COMMAND)])
        running.execute(
            "insert into optouts (destination, is_out, at, source) values ('+12025550108', 1, 7, 'reply') "
            "on conflict (destination) do update set is_out = excluded.is_out, at = excluded.at"
        )
        running.execute("update messages set status = 'accepted', umid = 'u-3' where message_id = 'welcome.main.c'")
        running.commit()
        running.close()
        ledger.refuse_damage(1)
        assert {"accepted": 2, "unknown": 1} == ledger.counts(1)
        assert ["+12025550108"] == [*opted_out(ledger, ["+12025550108"])]
        note_optouts(ledger, [OptOut("+12025550108", is_out=True, at=8, source=OptOutSource.COMMAND)])
    connection = sqlite3.connect(older)
    assert [1] == [
        row[0] for row in connection.execute("select checksum is not null from optouts where destination like '%08'")
    ]
    connection.close()


def test_what_an_older_process_takes_out_after_all_is_not_lost(newest_but_one: Path) -> None:
    """It would forget the resume point where that no longer is: so its whole transaction fails."""
    running = sqlite3.connect(newest_but_one)
    with open_ledger(str(newest_but_one), create=False) as ledger:
        running.execute("delete from messages where status = 'sending'")
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            running.execute("delete from frontiers where run_id = 1")
        running.close()
        assert {"accepted": 1, "unknown": 1, "sending": 1} == ledger.counts(1)
        assert 3 == ledger.resume_row(1, "plan-digest")


NOW = 1_800_000_000.0


def lease(path: Path, until_s: int, host: str = "far") -> None:
    """Let another process on this host hold the run's lease until so long after `NOW`."""
    connection = sqlite3.connect(path)
    values = (f"process 7 on {host} (ab12)", int((NOW + until_s) * 1e6))
    connection.execute("update runs set holder = ?, lease_until = ? where id = 1", values)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(("until_s", "ends_in_s"), [(30, 45), (-10, 5), (-15, None)])
def test_it_waits_until_an_older_version_has_ended(
    older: Path, until_s: int, ends_in_s: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease of 30 seconds may be renewed until 15 seconds after its end."""
    monkeypatch.setattr(module, "time", Mock(time=lambda: NOW))
    lease(older, until_s)
    before = version(older)
    if ends_in_s is not None:
        words = rf"sending welcome/main \(process 7 on far\); wait until it ends.* {ends_in_s} s"
        with pytest.raises(RunLockedError, match=words):
            open_ledger(str(older), create=False)
        assert before == version(older)
    else:
        open_ledger(str(older), create=False).close()
        assert SCHEMA_VERSION == version(older)


def test_it_does_not_wait_for_a_killed_process_of_this_computer(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", Mock(time=lambda: NOW))
    lease(older, 30, socket.gethostname())
    with pytest.raises(RunLockedError):  # no lock file: it may have the ledger under another path
        open_ledger(str(older), create=False)
    path = older.with_name(f"{older.name}.locks") / "welcome" / "main.lock"
    with run_lock(older, "welcome", "main"):
        monkeypatch.setattr(lock, "_ours", set())  # as if another process had it
        with pytest.raises(RunLockedError):
            open_ledger(str(older), create=False)
        monkeypatch.setattr(lock, "_ours", {path})
        open_ledger(str(older), create=False).close()
    assert SCHEMA_VERSION == version(older)


def test_it_does_not_wait_if_nobody_has_the_lock(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", Mock(time=lambda: NOW))
    with run_lock(older, "welcome", "main"):
        pass  # as the process that was killed
    lease(older, 30, socket.gethostname())
    open_ledger(str(older), create=False).close()
    assert SCHEMA_VERSION == version(older)


KILLED = """
import os, signal, sys
from collections.abc import Iterator
from runner.ledger import migrations
from runner.ledger.ledger import open_ledger

def dying() -> Iterator[str]:
    yield "ALTER TABLE messages ADD COLUMN colour VARCHAR(8)"
    yield "UPDATE messages SET colour = 'red'"
    os.kill(os.getpid(), signal.SIGKILL)

migrations.SCHEMA_VERSION += 1
migrations.MIGRATIONS = {**migrations.MIGRATIONS, migrations.SCHEMA_VERSION: dying()}
open_ledger(sys.argv[1], create=True)
"""


def test_a_process_that_is_killed_in_the_middle_leaves_the_older_schema(older: Path) -> None:
    before = (version(older), tables(older), content(older))
    killed = subprocess.run((sys.executable, "-c", KILLED, str(older)), timeout=DEADLINE_S, check=False)
    assert -signal.SIGKILL == killed.returncode
    assert before == (version(older), tables(older), content(older))
    open_ledger(str(older), create=True).close()
    assert (SCHEMA_VERSION, before[2]) == (version(older), content(older))


def test_a_later_migration_adds_a_column_once(newest_but_one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = SCHEMA_VERSION + 1
    monkeypatch.setattr(module, "SCHEMA_VERSION", number)
    added = ("ALTER TABLE messages ADD COLUMN colour VARCHAR(8)",)
    monkeypatch.setattr(module, "MIGRATIONS", {**MIGRATIONS, number: added})
    for _ in range(2):
        with open_ledger(str(newest_but_one), create=False) as ledger, ledger.reading() as connection:
            assert 3 == len(connection.exec_driver_sql("select colour from messages").fetchall())
    assert number == version(newest_but_one)


def test_a_newer_version_that_was_first_is_not_taken_back(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the version and the lock another process upgraded it, further than this one knows."""
    upgrade = module._upgrade

    def late(connection: Connection) -> int:
        other = sqlite3.connect(older)
        other.execute("update meta set value = '999' where name = 'schema_version'")
        other.commit()
        other.close()
        return upgrade(connection)

    monkeypatch.setattr(module, "_upgrade", late)
    with pytest.raises(InputError, match="newer campaign-runner"):
        open_ledger(str(older), create=False)
    assert 999 == version(older)


def test_what_another_process_upgraded_first_is_opened_although_it_sends_already(
    older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "time", Mock(time=lambda: NOW))
    upgrade = module._upgrade

    def late(connection: Connection) -> int:
        other = engine_for(parse_url(str(older)))
        with other.begin() as its_connection:
            upgrade(its_connection)
        other.dispose()
        lease(older, 30)
        return upgrade(connection)

    monkeypatch.setattr(module, "_upgrade", late)
    open_ledger(str(older), create=False).close()
    assert SCHEMA_VERSION == version(older)


@pytest.mark.parametrize("create", [True, False])
def test_others_wait_for_an_upgrade_and_say_so(older: Path, monkeypatch: pytest.MonkeyPatch, *, create: bool) -> None:
    said: Queue[str] = Queue()
    monkeypatch.setattr(lock, "LOCK_TIMEOUT_S", 0)
    monkeypatch.setattr(sys, "stderr", Mock(write=said.put))
    with ThreadPoolExecutor() as pool:
        with making_lock(older):
            opening = pool.submit(open_ledger, str(older), create=create)
            assert f"waiting for another process that is creating or upgrading the ledger {older}\n" == said.get(
                timeout=DEADLINE_S
            )
            assert version(older) < SCHEMA_VERSION
        opening.result().close()
    assert SCHEMA_VERSION == version(older)


def test_a_wait_for_an_upgrade_ends(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LOCK_TIMEOUT_S", 0)
    monkeypatch.setattr(lock, "MAKING_TIMEOUT_S", 0)
    with making_lock(older), pytest.raises(LedgerError, match="has been creating or upgrading the ledger"):
        open_ledger(str(older), create=False)


def test_a_long_upgrade_is_announced(
    older: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_LARGE", 0)
    for _ in range(2):
        open_ledger(str(older), create=False).close()
    assert f"upgrading the ledger {older} for this version; this may take minutes\n" == capsys.readouterr().err


def test_a_ledger_that_cannot_be_written_says_so(older: Path) -> None:
    older.with_name("l.sqlite3-wal").mkdir()
    with pytest.raises(LedgerError, match="could not be opened"):
        open_ledger(str(older), create=False)
