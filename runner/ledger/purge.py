"""Purging a run: delete phone numbers, keys and texts; keep the counts.

Message ids stay, so that no message is sent again and each can still be found in the provider's log. A message id is a
hash of the key, so somebody with a list of all keys (or of all numbers, if those are the keys) can match them.

Every step can be repeated. If a purge is killed, the next one completes it.
"""

from sqlalchemy import bindparam, func, insert, or_, select, update

from runner.base.audit import AuditAction, AuditEntry
from runner.base.errors import StoppedError
from runner.base.events import EventKind
from runner.ledger.audit import append, forget_persons
from runner.ledger.database import give_way, ledger_errors
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.tables import cancellations, events, feedback, messages, receipts, replies, runs

# Messages per transaction. Between two transactions, receipts that arrive during the purge can be written.
AT_A_TIME = 10_000

_REST = (messages.c.run_id == bindparam("of_run"), messages.c.message_id > bindparam("after"))
_PART = select(messages.c.message_id).where(*_REST).order_by(messages.c.message_id).limit(AT_A_TIME).subquery()
_END_OF_PART = select(func.max(_PART.c.message_id))
_IN_PART = (*_REST, messages.c.message_id <= bindparam("upto"))
_DELETE_PERSONS = (
    update(messages)
    .where(
        *_IN_PART,
        or_(messages.c.key != "", messages.c.destination != "", messages.c.detail.is_not(None)),
    )
    .values(key="", destination="", detail=None)
)
# What the receipts of these messages quote.
_DELETE_WORDS = (
    update(receipts)
    .where(
        receipts.c.error_message.is_not(None),
        or_(
            receipts.c.umid.in_(select(messages.c.umid).where(*_IN_PART)),
            receipts.c.message_id.in_(select(messages.c.message_id).where(*_IN_PART)),
        ),
    )
    .values(error_message=None)
)
# What these recipients replied. The number of a reply that waits for review stays, as the number of an opt-out does.
_DELETE_REPLIES = (
    update(replies)
    .where(
        replies.c.text.is_not(None),
        replies.c.destination.in_(select(messages.c.destination).where(*_IN_PART, messages.c.destination != "")),
    )
    .values(text=None)
)


def purged_at(ledger: Ledger, run_id: int) -> int | None:
    """When the purge of a run began (microseconds since the epoch), or None. A purged run can't be sent."""
    is_purge = (events.c.run_id == run_id, events.c.kind == EventKind.PURGED.value)
    found: int | None = ledger.scalar(select(func.min(events.c.at)).where(*is_purge))
    return found


def note_purge(ledger: Ledger, record: RunRecord, now: int) -> None:
    """Mark a run as purged. Call this before deleting anything, so that nobody sends the run during the purge."""
    is_first = purged_at(ledger, record.id) is None
    with ledger.writing() as connection:
        if is_first:
            connection.execute(insert(events).values(run_id=record.id, kind=EventKind.PURGED.value, at=now))
        append(connection, [AuditEntry(AuditAction.PURGED, f"{record.name}/{record.run}")])


def purge_messages(ledger: Ledger, record: RunRecord) -> int:
    """Delete what identifies a person or may quote one. Returns how many messages changed.

    Numbers and keys become empty. Texts from the provider and stop reasons become null. The audit trail keeps the
    entries about the run, without numbers.
    """
    run_id, changed = record.id, 0
    with ledger_errors("written"), ledger.engine.connect() as connection:
        # SQLite overwrites deleted bytes at once, in case `compact` fails afterwards.
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
        after = ""
        while upto := connection.scalar(_END_OF_PART, {"of_run": run_id, "after": after}):
            values = {"of_run": run_id, "after": after, "upto": upto}
            connection.execute(_DELETE_REPLIES, values)  # before the numbers that find them
            changed += connection.execute(_DELETE_PERSONS, values).rowcount
            connection.execute(_DELETE_WORDS, values)
            connection.commit()
            after = upto
            give_way()
        for table in (feedback, cancellations, events):
            connection.execute(update(table).where(table.c.run_id == run_id).values(detail=None))
        connection.execute(update(runs).where(runs.c.id == run_id).values(stop_detail=None))
        forget_persons(connection, f"{record.name}/{record.run}")
        connection.commit()
    return changed


def compact(ledger: Ledger) -> None:
    """Rewrite the file without the deleted data. Raises LedgerError or StoppedError if that fails."""
    with ledger_errors("compacted"), ledger.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        # Overwriting the changed cells isn't enough: SQLite leaves copies behind where it split or merged a page.
        connection.exec_driver_sql("VACUUM")
        busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    if busy:
        raise StoppedError(
            f"another process is reading the ledger, so {ledger.path}-wal still contains phone numbers; run the purge "
            "again when that process has ended"
        )
