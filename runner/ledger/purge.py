"""Purging a run: numbers, keys and words are deleted, the counts stay.

A message's id stays, so that it is never sent again and can still be looked up in the provider's log. An id is a hash
of the key: with a list of all keys (or numbers, where they are the keys), each can be tried.

Every step can be repeated. A purge that was killed is finished by the next one.
"""

from sqlalchemy import bindparam, func, or_, select, update

from runner.base.errors import StoppedError
from runner.base.events import Event, EventKind
from runner.ledger.database import ledger_errors
from runner.ledger.ledger import Ledger
from runner.ledger.tables import cancellations, events, feedback, messages, receipts, runs

# Messages in one transaction: receipts that come in meanwhile are written between two of them.
AT_A_TIME = 10_000

_REST = (messages.c.run_id == bindparam("of_run"), messages.c.message_id > bindparam("after"))
_PART = select(messages.c.message_id).where(*_REST).order_by(messages.c.message_id).limit(AT_A_TIME).subquery()
_END_OF_PART = select(func.max(_PART.c.message_id))
_DELETE_PERSONS = (
    update(messages)
    .where(
        *_REST,
        messages.c.message_id <= bindparam("upto"),
        or_(messages.c.key != "", messages.c.destination != "", messages.c.detail.is_not(None)),
    )
    .values(key="", destination="", detail=None)
)


def purged_at(ledger: Ledger, run_id: int) -> int | None:
    """When the purge of a run began (microseconds since the epoch), after which it can't be sent; None: it didn't."""
    is_purge = (events.c.run_id == run_id, events.c.kind == EventKind.PURGED.value)
    found: int | None = ledger.scalar(select(func.min(events.c.at)).where(*is_purge))
    return found


def note_purge(ledger: Ledger, run_id: int, now: int) -> None:
    """Note that a run is purged from now on: before its first number is deleted, so that it is not sent meanwhile."""
    if purged_at(ledger, run_id) is None:
        ledger.note_events(run_id, [Event(EventKind.PURGED, now)])


def purge_messages(ledger: Ledger, run_id: int) -> int:
    """Delete what identifies a person or may quote one. Returns how many messages changed.

    Numbers and keys become empty; words, of the provider and of what stopped the run, become null.
    """
    is_of_run = messages.c.run_id == run_id
    is_receipt_of_run = or_(
        receipts.c.umid.in_(select(messages.c.umid).where(is_of_run)),
        receipts.c.message_id.in_(select(messages.c.message_id).where(is_of_run)),
    )
    changed = 0
    with ledger_errors("written"), ledger.engine.connect() as connection:
        # Deleted bytes are overwritten at once, in case `compact` can't be done afterwards.
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
        after = ""
        while upto := connection.scalar(_END_OF_PART, {"of_run": run_id, "after": after}):
            values = {"of_run": run_id, "after": after, "upto": upto}
            changed += connection.execute(_DELETE_PERSONS, values).rowcount
            connection.commit()
            after = upto
        has_words = receipts.c.error_message.is_not(None)
        connection.execute(update(receipts).where(has_words, is_receipt_of_run).values(error_message=None))
        for table in (feedback, cancellations, events):
            connection.execute(update(table).where(table.c.run_id == run_id).values(detail=None))
        connection.execute(update(runs).where(runs.c.id == run_id).values(stop_detail=None))
        connection.commit()
    return changed


def compact(ledger: Ledger) -> None:
    """Rewrite the file without the bytes of what was deleted. Raises LedgerError or StoppedError if it can't."""
    with ledger_errors("written anew"), ledger.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        # Overwriting changed cells isn't enough: SQLite leaves copies behind wherever it has split or merged a page.
        connection.exec_driver_sql("VACUUM")
        busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    if busy:
        raise StoppedError(
            f"another process is reading the ledger, so the numbers are not yet gone from {ledger.path}-wal; purge "
            "again when it has ended"
        )
