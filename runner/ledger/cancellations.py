"""What became of asking the provider not to send messages that it has scheduled."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert

from runner.ledger.database import IDS_AT_A_TIME, ledger_errors
from runner.ledger.ledger import Ledger
from runner.ledger.tables import cancellations, messages, receipts
from runner.models import DeliveryState, Status


class CancelStatus(StrEnum):
    """How asking for one message ended."""

    CANCELLED = "cancelled"
    REFUSED = "refused"  # it was sent already, or the provider doesn't know it


@dataclass(frozen=True, slots=True)
class Cancellation:
    """How asking for one message ended; `settled_at` is microseconds since the epoch."""

    message_id: str
    status: CancelStatus
    settled_at: int
    http_status: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An accepted message of which nothing says that it was sent on."""

    message_id: str
    key: str
    umid: str
    sent_at: int | None


_ONLY_QUEUED = (DeliveryState.QUEUED.value, DeliveryState.UNKNOWN.value)


def waiting_after(ledger: Ledger, run_id: int, message_id: str, *, limit: int) -> list[Waiting]:
    """The next messages, by message id, after that one, that the provider may still have to send.

    Accepted, not cancelled, and without a receipt that they were sent. One that was refused before is among them: the
    wrong account may have been asked, and asking again does no harm.
    """
    # By its key, message for message: a list of all that were asked about would be made anew for each batch, which took
    # minutes with half a million of them instead of seconds.
    cancelled = select(cancellations.c.message_id).where(
        cancellations.c.run_id == messages.c.run_id,
        cancellations.c.message_id == messages.c.message_id,
        cancellations.c.status == CancelStatus.CANCELLED.value,
    )
    sent = select(receipts.c.umid).where(receipts.c.umid == messages.c.umid, receipts.c.state.not_in(_ONLY_QUEUED))
    query = (
        select(messages.c.message_id, messages.c.key, messages.c.umid, messages.c.sent_at)
        .where(
            messages.c.run_id == run_id,
            messages.c.message_id > message_id,
            messages.c.status == Status.ACCEPTED.value,
            messages.c.umid.is_not(None),
            ~cancelled.exists(),
            ~sent.exists(),
        )
        .order_by(messages.c.message_id)
        .limit(limit)
    )
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return [Waiting(*row) for row in connection.execute(query)]


def note_cancellations(ledger: Ledger, run_id: int, ended: Sequence[Cancellation]) -> None:
    """Note how asking ended, all of it or nothing. What was cancelled stays so. Raises LedgerError."""
    if not ended:
        return
    rows = [
        {
            "run_id": run_id,
            "message_id": one.message_id,
            "status": one.status.value,
            "http_status": one.http_status,
            "detail": one.detail,
            "settled_at": one.settled_at,
        }
        for one in ended
    ]
    statement = insert(cancellations)
    names = ("status", "http_status", "detail", "settled_at")
    upsert = statement.on_conflict_do_update(
        index_elements=[cancellations.c.run_id, cancellations.c.message_id],
        set_={name: statement.excluded[name] for name in names},
        where=cancellations.c.status != CancelStatus.CANCELLED.value,
    )
    with ledger_errors("written"), ledger.engine.begin() as connection:
        connection.execute(upsert, rows)


def refusals(ledger: Ledger, run_id: int, *, limit: int | None = None) -> list[tuple[str, str]]:
    """The messages of a run that could not be cancelled, and why, by key: (key, words)."""
    of_same = (messages.c.run_id == cancellations.c.run_id) & (messages.c.message_id == cancellations.c.message_id)
    query = (
        select(messages.c.key, func.coalesce(cancellations.c.detail, ""))
        .join_from(cancellations, messages, of_same)
        .where(cancellations.c.run_id == run_id, cancellations.c.status == CancelStatus.REFUSED.value)
        .order_by(messages.c.key, messages.c.message_id)
        .limit(limit)
    )
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return [(key, words) for key, words in connection.execute(query)]


def cancelled_of(ledger: Ledger, run_id: int, message_ids: Sequence[str]) -> dict[str, int]:
    """Which of some messages were cancelled, and when (microseconds since the epoch), by message id."""
    found: dict[str, int] = {}
    with ledger_errors("read"), ledger.engine.connect() as connection:
        for first in range(0, len(message_ids), IDS_AT_A_TIME):
            query = select(cancellations.c.message_id, cancellations.c.settled_at).where(
                cancellations.c.run_id == run_id,
                cancellations.c.message_id.in_(message_ids[first : first + IDS_AT_A_TIME]),
                cancellations.c.status == CancelStatus.CANCELLED.value,
            )
            found.update((message_id, settled_at) for message_id, settled_at in connection.execute(query))
    return found


def cancellation_counts(ledger: Ledger, run_id: int) -> dict[str, int]:
    """How asking ended for the messages of a run, by status."""
    of_run = cancellations.c.run_id == run_id
    query = select(cancellations.c.status, func.count()).where(of_run).group_by(cancellations.c.status)
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}
