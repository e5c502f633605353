"""The audit trail: who planned, approved, started, stopped, overrode, cancelled, purged, opted out or in.

Entries are only ever appended. The hash of each covers its content and the hash of the entry before, and the ledger
remembers the newest hash. So an entry that was changed, removed or inserted later is found. Somebody who can write to
the ledger can also compute a new chain: keep the newest hash somewhere else to find that too.
"""

import hashlib
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.sqlite import insert

from runner.base.audit import Actor, AuditAction, AuditEntry, current_actor
from runner.ledger.tables import audit, meta

if TYPE_CHECKING:
    from runner.ledger.ledger import Ledger  # it appends the entries of a session

_HEAD = "audit_head"
# How sessions begin and end.
_SESSIONS = (AuditAction.STARTED.value, AuditAction.STOPPED.value, AuditAction.FINISHED.value)
# The year 10000, in microseconds since the epoch.
_END_OF_TIME_US = 253_402_300_800_000_000
_HASHED = ("at", "action", "run", "actor", "machine", "version", "detail", "person")


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """An entry of the trail. `number` counts from 1; `at` is microseconds since the epoch. `action` is an AuditAction,
    unless a newer version wrote the entry or somebody changed it.

    `destination` is None if the entry is about nobody, or a purge has removed the number; `person` stays.
    """

    number: int
    at: int
    action: str
    run: str | None
    actor: Actor
    detail: dict[str, Any]
    person: str | None
    destination: str | None
    hash: str


def note(ledger: "Ledger", *entries: AuditEntry) -> None:
    """Append entries, all or none. Raises LedgerError."""
    with ledger.writing() as connection:
        append(connection, entries)


def append(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Append entries in the caller's transaction, in the name of this process's `current_actor`."""
    if not entries:
        return
    # This also takes the write lock, so that no other process can append between reading the head and writing it.
    connection.execute(insert(meta).values(name=_HEAD, value="").on_conflict_do_nothing())
    head = connection.scalar(select(meta.c.value).where(meta.c.name == _HEAD)) or ""
    actor = current_actor()
    rows = []
    for entry in entries:
        salt = secrets.token_hex(16) if entry.destination else None
        row = {
            "at": time.time_ns() // 1000,
            "action": entry.action.value,
            "run": entry.run,
            "actor": actor.name,
            "machine": actor.machine,
            "version": actor.version,
            "detail": orjson.dumps(entry.detail or {}, option=orjson.OPT_SORT_KEYS).decode(),
            "person": _digest(f"{salt}{entry.destination}") if entry.destination else None,
            "destination": entry.destination,
            "salt": salt,
        }
        head = row["hash"] = _hash(head, row)
        rows.append(row)
    connection.execute(audit.insert(), rows)
    connection.execute(update(meta).where(meta.c.name == _HEAD).values(value=head))


def trail(ledger: "Ledger", name: str | None = None, run: str | None = None) -> Iterator[RecordedEntry]:
    """The entries about a campaign's runs, or one of them, or all entries; oldest first."""
    query = select(audit).order_by(audit.c.id)
    if name is not None:
        query = query.where(
            audit.c.run == f"{name}/{run}" if run else audit.c.run.startswith(f"{name}/", autoescape=True)
        )
    return map(_recorded, ledger.rows(query))


def trail_of_number(ledger: "Ledger", destination: str) -> Iterator[RecordedEntry]:
    """The entries about a number (E.164), oldest first."""
    return map(_recorded, ledger.rows(select(audit).where(audit.c.destination == destination).order_by(audit.c.id)))


def unended_start(ledger: "Ledger", run: str) -> int | None:
    """When the newest session of NAME/RUN started (microseconds since the epoch), if the trail lacks its end."""
    sessions = (audit.c.run == run, audit.c.action.in_(_SESSIONS))
    newest = select(audit.c.action, audit.c.at).where(*sessions).order_by(audit.c.id.desc()).limit(1)
    for action, at in ledger.rows(newest):
        return int(at) if action == AuditAction.STARTED.value else None
    return None


def broken_link(ledger: "Ledger") -> str | None:
    """What is wrong with the chain, in words, or None if every entry is as it was written."""
    head, number = "", 0
    for row in ledger.rows(select(audit).order_by(audit.c.id)):
        if row.id != number + 1:
            return f"entry {number + 1} is missing"
        number, values = row.id, row._asdict()
        if row.hash != _hash(head, values):
            return f"entry {number} was changed after it was written, or the entry before it was replaced"
        if row.destination is not None and row.person != _digest(f"{row.salt}{row.destination}"):
            return f"the number of entry {number} was changed after it was written"
        head = row.hash
    if head != (ledger.scalar(select(meta.c.value).where(meta.c.name == _HEAD)) or ""):
        return f"the entries after entry {number} are missing"
    return None


def forget_persons(connection: Connection, run: str) -> None:
    """Remove the numbers from the entries about NAME/RUN, in the caller's transaction. The chain stays intact."""
    connection.execute(update(audit).where(audit.c.run == run).values(destination=None, salt=None))


def _recorded(row: Any) -> RecordedEntry:  # noqa: ANN401 (a row)
    """The entry, as far as it can be read: damage is what `broken_link` reports, and the rest must stay readable."""
    at = row.at if isinstance(row.at, int) and 0 <= row.at < _END_OF_TIME_US else 0
    actor = Actor(str(row.actor), str(row.machine), str(row.version))
    try:
        detail = dict(orjson.loads(row.detail))
    except (ValueError, TypeError):
        detail = {"damaged": str(row.detail)}
    action = next((known for known in AuditAction if known == row.action), str(row.action))
    return RecordedEntry(row.id, at, action, row.run, actor, detail, row.person, row.destination, str(row.hash))


def _hash(before: str, row: dict[str, Any]) -> str:
    values = [before, *(row[name] for name in _HASHED)]
    return _digest(orjson.dumps(values, default=repr).decode())  # only damaged values need `repr`


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
