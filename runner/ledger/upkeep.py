"""Upkeep of the ledger's file: what is in it, whether it is intact, and a copy that is complete."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, func, inspect, select
from sqlalchemy.pool import NullPool

from runner.base.errors import BlockedError, InputError, LedgerError
from runner.base.files import part_of, replacing
from runner.base.outcomes import Status
from runner.base.wording import counted
from runner.ledger.audit import broken_link
from runner.ledger.database import ledger_errors
from runner.ledger.ledger import Ledger
from runner.ledger.optouts import count_optouts
from runner.ledger.tables import SENDING, audit, messages, meta, metadata, runs
from runner.ledger.trust import changed_messages, changed_optouts, unreadable

# Damaged databases can have thousands of errors.
MOST_ERRORS = 10

_STATUSES = (SENDING, Status.ACCEPTED.value, Status.REJECTED.value, Status.UNKNOWN.value)

# States that no transition in `tables.py` leads to.
_IMPOSSIBLE = (
    ("with an unknown status", messages.c.status.not_in(_STATUSES)),
    ("sending, but with an outcome", (messages.c.status == SENDING) & messages.c.settled_at.is_not(None)),
    ("with an outcome, but never settled", (messages.c.status != SENDING) & messages.c.settled_at.is_(None)),
    ("accepted without a umid", (messages.c.status == Status.ACCEPTED.value) & messages.c.umid.is_(None)),
    ("claimed without an attempt", messages.c.attempts < 1),
)


def figures(ledger: Ledger) -> dict[str, Any]:
    """What is in the ledger, for people and programs. `size` is in bytes, with the -wal file."""
    found = dict(ledger.rows(select(meta.c.name, meta.c.value)))
    by_status = select(messages.c.status, func.count()).group_by(messages.c.status)
    return {
        "path": str(ledger.path),
        "id": found["id"],
        "schema": int(found["schema_version"]),
        "size": sum(path.stat().st_size for path in _files(ledger.path) if path.exists()),
        "runs": ledger.scalar(select(func.count()).select_from(runs)),
        "messages": dict(sorted((status, count) for status, count in ledger.rows(by_status))),
        "optouts": count_optouts(ledger),
        "audit": {
            "entries": ledger.scalar(select(func.count()).select_from(audit)),
            "hash": ledger.scalar(select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)),
        },
    }


def damage(ledger: Ledger) -> list[str]:
    """What is wrong with the ledger, in words; empty if it is intact. Raises LedgerError if it can't be read now."""
    try:
        with ledger.reading() as connection:
            found = [str(row[0]) for row in connection.exec_driver_sql(f"PRAGMA integrity_check({MOST_ERRORS})")]
        if found != ["ok"]:
            return [f"SQLite: {words}" for words in found]
        return [*_damaged_content(ledger)]
    except LedgerError as error:
        if is_damage(error):
            return [str(error)]
        raise


def is_damage(error: LedgerError) -> bool:
    """Whether the file itself is damaged. Otherwise it is locked, say, or the disk is full."""
    cause = getattr(error.__cause__, "orig", error.__cause__)
    is_of_file = isinstance(cause, sqlite3.DatabaseError) and not isinstance(cause, sqlite3.OperationalError)
    return is_of_file or isinstance(cause, UnicodeDecodeError)


def back_up(ledger: Ledger, file: Path) -> dict[str, Any]:
    """Copy the whole ledger to a new, private file, also while a run is sending. Returns the copy's figures.

    Copying the ledger's file alone would lose what is still in its -wal file. The copy is the state of one moment, and
    has no -wal file. It is checked before it appears under its name. Raises InputError if the file exists, StoppedError
    if it can't be written, BlockedError if it is damaged.
    """
    if file.exists():
        raise InputError.of(f"{file} exists already", "name a new file; a backup never replaces one")
    part = part_of(file)
    with replacing(file):
        with ledger_errors(f"copied to {file}"), ledger.reading() as connection:
            source: Any = connection.connection.driver_connection
            with closing(sqlite3.connect(part)) as target:
                source.backup(target)
                # Otherwise opening the copy, even to read, would make a -wal file beside it.
                target.execute("PRAGMA journal_mode=DELETE")
        with closing(Ledger(_plain_engine(part), part)) as copy:
            if wrong := damage(copy):
                raise BlockedError(
                    f"the copy is damaged, so it was not kept: {wrong[0]}; check this ledger with `campaign ledger "
                    "verify`"
                )
            found = figures(copy)
    return found | {"path": str(file)}


def _damaged_content(ledger: Ledger) -> Iterator[str]:
    with ledger.reading() as connection:
        if missing := set(metadata.tables) - set(inspect(connection).get_table_names()):
            yield f"tables are missing: {', '.join(sorted(missing))}"
            return
        for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(MOST_ERRORS):
            yield f"row {row} of {table} belongs to no row of {parent}"
        for words, is_wrong in _IMPOSSIBLE:
            wrong = (
                select(runs.c.name, runs.c.run, func.count(), func.min(messages.c.message_id))
                .join_from(messages, runs)
                .where(is_wrong)
                .group_by(runs.c.id)
            )
            for name, run, count, first in connection.execute(wrong):
                yield f"{name}/{run}: {count:,} messages {words}, such as {first}"
        if changed_rows := changed_optouts(connection):
            yield f"{counted(changed_rows, 'opt-out has', 'opt-outs have')} been changed"
        for record in ledger.runs():
            name = f"{record.name}/{record.run}"
            yield from (f"{name}: {words}" for words in unreadable(connection, record.id))
            if changed := [*changed_messages(connection, record.id)]:
                yield f"{name}: {len(changed):,} messages that changed by themselves, such as {changed[0]}"
    if broken := broken_link(ledger):
        yield f"the audit trail: {broken}"


def _files(ledger: Path) -> tuple[Path, ...]:
    real = ledger.resolve()  # SQLite follows links too
    return real, real.with_name(f"{real.name}-wal")


def _plain_engine(path: Path) -> Engine:
    """An engine that leaves the file as it is: it doesn't turn on write-ahead logging."""
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(path), poolclass=NullPool)
