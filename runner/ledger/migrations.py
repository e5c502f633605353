"""The ledger's schema. Opening a ledger creates it, or upgrades it with numbered migrations.

To change the schema, change `tables.py` and append the next number to `MIGRATIONS`, with statements that make the same
change to an older ledger. Put a new column at the end of its table, because that is where ALTER TABLE puts it. A test
compares an upgraded ledger with a new one.

Why not Alembic: older programs use `meta.schema_version` to refuse a newer ledger, so the version must stay there. It
must be read again under the write lock. And a linear list of versions doesn't need a graph of revisions.
"""

import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select, update

from runner.base.audit import AuditAction, AuditEntry
from runner.base.errors import InputError, RunLockedError
from runner.ledger.audit import append
from runner.ledger.lock import GRACE_S, is_dead
from runner.ledger.tables import meta, metadata, runs

# The statements that upgrade to each schema from the one before. Schema 1 had meta, runs and messages. The statements
# are text, so that a migration stays the same when `tables.py` changes.
MIGRATIONS: Mapping[int, Sequence[str]] = {
    2: (
        """CREATE TABLE receipts (
            umid VARCHAR(64) NOT NULL, message_id VARCHAR(350), state VARCHAR(16) NOT NULL, at BIGINT NOT NULL,
            detail VARCHAR(40), error_code INTEGER, error_message VARCHAR, delivered_at BIGINT, segments INTEGER,
            price VARCHAR(24), currency VARCHAR(3), received_at BIGINT NOT NULL, PRIMARY KEY (umid)
        ) WITHOUT ROWID""",
        "CREATE INDEX ix_receipts_message_id ON receipts (message_id)",
        """CREATE TABLE optouts (
            destination VARCHAR(16) NOT NULL, is_out BOOLEAN NOT NULL, at BIGINT NOT NULL,
            source VARCHAR(16) NOT NULL, word VARCHAR(40), PRIMARY KEY (destination)
        ) WITHOUT ROWID""",
        """CREATE TABLE feedback (
            run_id INTEGER NOT NULL, message_id VARCHAR(160) NOT NULL, outcome VARCHAR(8) NOT NULL,
            converted_at BIGINT, status VARCHAR(10) NOT NULL, attempts INTEGER NOT NULL, http_status INTEGER,
            detail VARCHAR, noted_at BIGINT NOT NULL, settled_at BIGINT, PRIMARY KEY (run_id, message_id),
            FOREIGN KEY(run_id) REFERENCES runs (id)
        ) WITHOUT ROWID""",
        """CREATE TABLE cancellations (
            run_id INTEGER NOT NULL, message_id VARCHAR(160) NOT NULL, status VARCHAR(10) NOT NULL,
            http_status INTEGER, detail VARCHAR, settled_at BIGINT NOT NULL, PRIMARY KEY (run_id, message_id),
            FOREIGN KEY(run_id) REFERENCES runs (id)
        ) WITHOUT ROWID""",
        """CREATE TABLE events (
            id INTEGER NOT NULL, run_id INTEGER NOT NULL, kind VARCHAR(16) NOT NULL, at BIGINT NOT NULL,
            seconds FLOAT, detail VARCHAR, PRIMARY KEY (id), FOREIGN KEY(run_id) REFERENCES runs (id)
        )""",
        "CREATE INDEX ix_events_run_id ON events (run_id)",
    ),
    # From here on, messages.detail may hold an abbreviation (see `tables.AbbreviatedDetail`).
    3: (
        """CREATE TABLE frontiers (
            run_id INTEGER NOT NULL, "plan" VARCHAR(64) NOT NULL, "row" INTEGER NOT NULL, PRIMARY KEY (run_id),
            FOREIGN KEY(run_id) REFERENCES runs (id)
        )""",
    ),
    # The resume point becomes two columns of its run.
    4: (
        "ALTER TABLE runs ADD COLUMN resume_plan VARCHAR(64)",
        "ALTER TABLE runs ADD COLUMN resume_row INTEGER",
        """UPDATE runs SET
            resume_plan = (SELECT "plan" FROM frontiers WHERE run_id = runs.id),
            resume_row = (SELECT "row" FROM frontiers WHERE run_id = runs.id)""",
        "DROP TABLE frontiers",
    ),
    # The answer that stopped a session, why each session stopped, approvals, and the audit trail.
    5: (
        "ALTER TABLE runs ADD COLUMN messages_digest VARCHAR(64)",
        "ALTER TABLE runs ADD COLUMN stop_message_id VARCHAR(160)",
        "ALTER TABLE runs ADD COLUMN stop_attempts INTEGER",
        "ALTER TABLE runs ADD COLUMN stop_http_status INTEGER",
        "ALTER TABLE runs ADD COLUMN stop_error_code INTEGER",
        "ALTER TABLE runs ADD COLUMN stop_error_id VARCHAR(64)",
        "ALTER TABLE runs ADD COLUMN stop_sent_at BIGINT",
        "ALTER TABLE runs ADD COLUMN stop_answered_at BIGINT",
        "ALTER TABLE events ADD COLUMN reason VARCHAR(32)",
        """CREATE TABLE approvals (
            name VARCHAR(64) NOT NULL, run VARCHAR(64) NOT NULL, fingerprint VARCHAR(64) NOT NULL,
            parts VARCHAR NOT NULL, planned_at BIGINT NOT NULL, planned_by VARCHAR(80), approved_at BIGINT,
            spent_at BIGINT,
            PRIMARY KEY (name, run, fingerprint)
        ) WITHOUT ROWID""",
        """CREATE TABLE audit (
            id INTEGER NOT NULL, at BIGINT NOT NULL, action VARCHAR(24) NOT NULL, run VARCHAR(129),
            actor VARCHAR(80) NOT NULL, machine VARCHAR(80) NOT NULL, version VARCHAR(24) NOT NULL,
            detail VARCHAR NOT NULL, person VARCHAR(64), destination VARCHAR(16), salt VARCHAR(32),
            hash VARCHAR(64) NOT NULL, PRIMARY KEY (id)
        )""",
        "CREATE INDEX ix_audit_run ON audit (run) WHERE run IS NOT NULL",
    ),
    # Whether a receipt is proof (not known of older receipts, so they prove nothing), checksums, so that bits that
    # changed by themselves are found, and where the messages of a run were sent. Earlier versions made the indexes when
    # a run first needed them, and so locked the ledger while others sent.
    6: (
        "ALTER TABLE receipts ADD COLUMN is_authorized BOOLEAN",
        "ALTER TABLE messages ADD COLUMN checksum INTEGER",
        "ALTER TABLE runs ADD COLUMN resume_checksum INTEGER",
        "ALTER TABLE runs ADD COLUMN places VARCHAR",
        "CREATE INDEX IF NOT EXISTS messages_by_destination ON messages (destination, claimed_at)",
        "CREATE INDEX IF NOT EXISTS messages_by_umid ON messages (umid)",
    ),
    # So that an opt-out that changed by itself is found.
    7: ("ALTER TABLE optouts ADD COLUMN checksum INTEGER",),
    # A `campaign receipts` of a version before checksums may go on. What it changes must not look like damage, which
    # runs no trigger. A new ledger never had such a process, so it has no triggers. The table has the replies that may
    # be opt-outs, until a person decides.
    8: (
        """CREATE TRIGGER messages_of_older_versions AFTER UPDATE OF status ON messages
        WHEN old.status = 'unknown' AND new.checksum IS old.checksum BEGIN
        UPDATE messages SET checksum = NULL WHERE run_id = new.run_id AND message_id = new.message_id; END""",
        """CREATE TRIGGER optouts_of_older_versions AFTER UPDATE OF is_out, at ON optouts
        WHEN new.checksum IS old.checksum BEGIN
        UPDATE optouts SET checksum = NULL WHERE destination = new.destination; END""",
        """CREATE TABLE replies (
            id INTEGER NOT NULL, digest VARCHAR(32) NOT NULL, destination VARCHAR(16) NOT NULL, at BIGINT NOT NULL,
            text VARCHAR, word VARCHAR(40) NOT NULL, decision VARCHAR(10), decided_at BIGINT, PRIMARY KEY (id),
            UNIQUE (digest)
        )""",
    ),
}

# Upgrading a ledger that is larger than this (in bytes) may take more than a few seconds.
_LARGE = 200_000_000

# A ledger with a newer schema is refused, because this version doesn't know its rules.
SCHEMA_VERSION = max(MIGRATIONS)


def no_ledger(path: Path) -> InputError:
    remedy = "set its path with --ledger or CAMPAIGN_LEDGER; for a sandbox run, add --sandbox"
    return InputError.of(f"there is no ledger at {path}", remedy)


def prepare_schema(connection: Connection, path: Path, *, create: bool, upgrade: bool = True) -> bool:
    """Create the tables of a new ledger, or upgrade an older one, in the connection's transaction.

    Returns False if it is an older one and `upgrade` is False. An upgrade that may take long is announced on standard
    error.

    Raises InputError if there is no ledger (unless `create`), if the database belongs to another program, or if a newer
    version of this program wrote it; RunLockedError if an older version is sending one of its runs.
    """
    names = inspect(connection).get_table_names()
    if not names:
        if not create:  # another process is creating it right now
            raise no_ledger(path)
        _create(connection, path)
        return True
    version = _version(connection) if "meta" in names else None
    if version is None:
        raise InputError.of(f"{path} is not a campaign-runner ledger", "name another file with --ledger")
    if version < SCHEMA_VERSION and not upgrade:
        return False
    if version < SCHEMA_VERSION:
        if path.stat().st_size > _LARGE:
            sys.stderr.write(f"upgrading the ledger {path} for this version; this may take minutes\n")
        version = _upgrade(connection)
    if version > SCHEMA_VERSION:
        raise InputError.of(
            f"the ledger {path} was written by a newer campaign-runner (it has schema {version}; this version supports "
            f"{SCHEMA_VERSION})",
            "upgrade campaign-runner",
        )
    return True


def _create(connection: Connection, path: Path) -> None:
    # The driver doesn't begin a transaction for CREATE TABLE. Without one, a kill would leave half a ledger, which no
    # command could open.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    metadata.create_all(connection)
    values = {"schema_version": str(SCHEMA_VERSION), "id": secrets.token_hex(8)}
    connection.execute(insert(meta), [{"name": name, "value": value} for name, value in values.items()])
    detail = {"ledger": str(path.resolve()), "id": values["id"]}
    append(connection, [AuditEntry(AuditAction.LEDGER_MADE, detail=detail)])


def _version(connection: Connection) -> int | None:
    found = connection.scalar(select(meta.c.value).where(meta.c.name == "schema_version"))
    return int(found) if found is not None else None


def _upgrade(connection: Connection) -> int:
    """Run all pending migrations, all or none. Returns the ledger's version afterwards."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    # Another process may have upgraded it before this one got the lock, perhaps to an even newer version.
    version = _version(connection)
    assert version is not None
    if version < SCHEMA_VERSION:
        _refuse_while_sending(connection)
        for number in range(version + 1, SCHEMA_VERSION + 1):
            for statement in MIGRATIONS[number]:
                connection.exec_driver_sql(statement)
        version = SCHEMA_VERSION
        connection.execute(update(meta).where(meta.c.name == "schema_version").values(value=str(version)))
    return version


def _refuse_while_sending(connection: Connection) -> None:
    """Raise RunLockedError while an older version of this program is sending: it doesn't know the new tables."""
    now = time.time()
    sending = (runs.c.holder.is_not(None), runs.c.lease_until > int((now - GRACE_S) * 1e6))
    query = select(runs.c.name, runs.c.run, runs.c.holder, runs.c.lease_until).where(*sending)
    ledger = Path(connection.engine.url.database or "")
    for name, run, holder, lease_until in connection.execute(query):
        if is_dead(ledger, name, run, holder):
            continue
        raise RunLockedError(
            f"the ledger can't be upgraded now: an older campaign-runner is sending {name}/{run} "
            f"({holder.rpartition(' (')[0]}); wait until it ends; if it was killed, its lease expires in "
            f"{lease_until / 1e6 + GRACE_S - now:.0f} s; then run the same command again"
        )
