"""The unknown messages of a run, and what the provider's log says of them.

The one door out of `unknown`, and it takes proof: a line of the log, or a log that was made late enough and doesn't
have one.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select, update

from runner.base.errors import LedgerError
from runner.base.outcomes import OutcomeReason, Status
from runner.ledger.ledger import Ledger
from runner.ledger.tables import messages, runs
from runner.ledger.transitions import Proof, accept_unknown, release


@dataclass(frozen=True, slots=True)
class Unknowns:
    """The unknown messages of a run: how many, and the span of time in which their requests left.

    `first_claimed_at` is before the first of them can have left, `last_settled_at` after the last one has; both in
    microseconds since the epoch.
    """

    count: int
    first_claimed_at: int
    last_settled_at: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What the provider's log has of one message. `price` is decimal text."""

    umid: str
    status: str
    segments: int | None = None
    price: str | None = None
    currency: str | None = None


def unknowns(ledger: Ledger, run_id: int) -> Unknowns | None:
    """What is unknown in a run; None when nothing is."""
    columns = (func.count(), func.min(messages.c.claimed_at), func.max(messages.c.settled_at))
    query = select(*columns).where(*_unknown(run_id))
    with ledger.reading() as connection:
        count, first, last = connection.execute(query).one()
    return Unknowns(count, first, last or first) if count else None


def unknown_ids(ledger: Ledger, run_id: int) -> set[str]:
    """The message ids that are unknown: as many as went wrong, not as many as were sent."""
    query = select(messages.c.message_id).where(*_unknown(run_id))
    with ledger.reading() as connection:
        return set(connection.scalars(query))


def accepted_ids(ledger: Ledger, run_id: int, *, answered_before: int, limit: int) -> set[str]:
    """Some messages whose acceptance came as an answer, the newest before that time: the log must have them."""
    # The export's span reaches back to when the first unknown message was claimed.
    first_unknown = select(func.min(messages.c.claimed_at)).where(*_unknown(run_id)).scalar_subquery()
    query = (
        select(messages.c.message_id)
        .where(
            messages.c.run_id == run_id,
            messages.c.reason == OutcomeReason.QUEUED.value,
            messages.c.answered_at <= answered_before,
            messages.c.claimed_at >= first_unknown,
        )
        .order_by(messages.c.answered_at.desc())
        .limit(limit)
    )
    with ledger.reading() as connection:
        return set(connection.scalars(query))


def _unknown(run_id: int) -> tuple[ColumnElement[bool], ...]:
    return messages.c.run_id == run_id, messages.c.status == Status.UNKNOWN.value


def apply(ledger: Ledger, run_id: int, *, found: Mapping[str, LogEntry], not_received: Iterable[str]) -> None:
    """Settle the unknown: `found` become accepted, `not_received` absent, so that the run sends them again.

    All or nothing. Raises LedgerError when one of them is not unknown any more.
    """
    accepted = [
        Proof(run_id, message_id, entry.umid, entry.status, entry.segments, entry.price, entry.currency)
        for message_id, entry in found.items()
    ]
    released = list(not_received)
    with ledger.writing() as connection:
        detail = "found in the provider's log"
        changed = accept_unknown(connection, accepted, OutcomeReason.RECONCILED, detail, time.time_ns() // 1000)
        changed += release(connection, run_id, released, Status.UNKNOWN.value)
        if changed != len(accepted) + len(released):
            raise LedgerError("the ledger changed while it was reconciled; nothing was changed, run it again")
        if released:
            # A run that only opt-outs had ended has something to send again.
            over = (runs.c.id == run_id, runs.c.stop_reason == OutcomeReason.OPTED_OUT.value)
            connection.execute(update(runs).where(*over).values(stop_reason=None, stop_detail=None))
