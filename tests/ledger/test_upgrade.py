"""A ledger of an older version: its rows stay, whoever opens it first, and however many at once."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from runner.errors import InputError, LedgerError
from runner.ledger import ledger as module
from runner.ledger.ledger import open_ledger
from runner.ledger.receipts import Kept, keep
from runner.ledger.tables import SCHEMA_VERSION, metadata
from runner.models import DeliveryState, Receipt

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
TABLES = ("meta", "runs", "messages")


@pytest.fixture
def older(tmp_path: Path) -> Path:
    path = tmp_path / "l.sqlite3"
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA_1)
    connection.close()
    return path


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows that schema 1 has, without the version."""
    connection = sqlite3.connect(path)
    found = {name: connection.execute(f"select * from {name} order by 1, 2").fetchall() for name in TABLES}  # noqa: S608
    connection.close()
    found["meta"] = [row for row in found["meta"] if row[0] != "schema_version"]
    return found


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
            name for (name,) in connection.execute("select name from sqlite_master where sql is not null order by 1")
        ]
        shapes.append([(name, connection.execute(f"pragma table_xinfo({name})").fetchall(),
                        connection.execute(f"pragma index_xinfo({name})").fetchall()) for name in names])  # fmt: skip
        connection.close()
    assert shapes[0] == shapes[1]


def test_an_upgraded_ledger_takes_receipts_for_its_messages(older: Path) -> None:
    with open_ledger(str(older), create=False) as ledger:
        told = [Receipt(f"u-{last}", f"welcome.main.{last}", DeliveryState.SENT, 1) for last in "abc"]
        assert Kept(3, 3, 1) == keep(ledger, told, now=2)
        assert {"accepted": 2, "sending": 1} == ledger.counts(1)


OPENER = """
import sys
from runner.ledger.ledger import open_ledger

print("ready", flush=True)
for line in sys.stdin:
    with open_ledger(line.strip(), create=sys.argv[1] == "run") as ledger:
        print(ledger.counts(1)["accepted"], flush=True)
"""


def test_processes_that_open_it_together(older: Path, tmp_path: Path) -> None:
    """Two that may make a ledger, and one that only reads, again and again from the older state."""
    processes = [
        subprocess.Popen((sys.executable, "-c", OPENER, kind), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for kind in ("run", "run", "read")
    ]
    pipes = [(process.stdin, process.stdout) for process in processes]
    assert ["ready\n"] * 3 == [reading.readline() for _, reading in pipes if reading]
    before = content(older)
    for number in range(10):
        path = tmp_path / f"{number}.sqlite3"
        path.write_bytes(older.read_bytes())
        for writing, _ in pipes:
            assert writing is not None
            writing.write(f"{path}\n")
            writing.flush()
        assert ["1\n"] * 3 == [reading.readline() for _, reading in pipes if reading]
        assert (SCHEMA_VERSION, before) == (version(path), content(path))
    for process in processes:
        process.communicate(timeout=30)
    assert [0] * 3 == [process.returncode for process in processes]


def test_a_process_of_the_older_version_goes_on(older: Path) -> None:
    """One that began before the upgrade: its tables are as they were."""
    running = sqlite3.connect(older)
    running.execute("select * from messages").fetchall()
    with open_ledger(str(older), create=False) as ledger:
        running.execute("update messages set status = 'accepted', umid = 'u-3' where status = 'sending'")
        running.commit()
        assert {"accepted": 2, "unknown": 1} == ledger.counts(1)
    running.close()


def test_it_is_upgraded_whole_or_not_at_all(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(older)

    def dying(connection: Connection) -> None:
        metadata.tables["receipts"].create(connection)
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(metadata, "create_all", dying)
        with pytest.raises(KeyboardInterrupt):
            open_ledger(str(older), create=True)
    assert (1, set(TABLES), before) == (version(older), tables(older), content(older))
    open_ledger(str(older), create=True).close()
    assert SCHEMA_VERSION == version(older)


def test_a_newer_version_that_was_first_is_not_taken_back(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the version and the lock another process upgraded it, further than this one knows."""
    upgrade = module._upgrade

    def late(connection: Connection) -> str:
        other = sqlite3.connect(older)
        other.execute("update meta set value = '999' where name = 'schema_version'")
        other.commit()
        other.close()
        return upgrade(connection)

    monkeypatch.setattr(module, "_upgrade", late)
    with pytest.raises(InputError, match="newer campaign-runner"):
        open_ledger(str(older), create=False)
    assert 999 == version(older)


def test_a_ledger_that_cannot_be_written_says_so(older: Path) -> None:
    older.with_name("l.sqlite3-wal").mkdir()
    with pytest.raises(LedgerError, match="could not be opened"):
        open_ledger(str(older), create=False)
