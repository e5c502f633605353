"""The unknown messages of a run, and what the provider's log says of them.

The one door out of `unknown`, and it takes proof: a line of the log, or a log that was made late enough and doesn't
have one.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ScalarSelect, bindparam, delete, func, select, update

from runner.errors import LedgerError
from runner.ledger.claims import forget_resume_point
from runner.ledger.ledger import Ledger
from runner.ledger.tables import messages, runs
from runner.models import OutcomeReason, Status


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
    query = select(*columns).where(messages.c.run_id == run_id, messages.c.status == Status.UNKNOWN.value)
    with ledger.reading() as connection:
        count, first, last = connection.execute(query).one()
    return Unknowns(count, first, last or first) if count else None


def unknown_ids(ledger: Ledger, run_id: int) -> set[str]:
    """The message ids that are unknown: as many as went wrong, not as many as were sent."""
    query = select(messages.c.message_id).where(messages.c.run_id == run_id, messages.c.status == Status.UNKNOWN.value)
    with ledger.reading() as connection:
        return set(connection.scalars(query))


def accepted_ids(ledger: Ledger, run_id: int, *, answered_before: int, limit: int) -> set[str]:
    """Some messages whose acceptance came as an answer, the newest before that time: the log must have them."""
    query = (
        select(messages.c.message_id)
        .where(
            messages.c.run_id == run_id,
            messages.c.reason == OutcomeReason.QUEUED.value,
            messages.c.answered_at <= answered_before,
            messages.c.claimed_at >= _first_unknown(run_id),
        )
        .order_by(messages.c.answered_at.desc())
        .limit(limit)
    )
    with ledger.reading() as connection:
        return set(connection.scalars(query))


def _first_unknown(run_id: int) -> ScalarSelect[int]:
    """When the first unknown message was claimed: the export's span reaches back to there."""
    unknown = (messages.c.run_id == run_id, messages.c.status == Status.UNKNOWN.value)
    return select(func.min(messages.c.claimed_at)).where(*unknown).scalar_subquery()


def apply(ledger: Ledger, run_id: int, *, found: Mapping[str, LogEntry], not_received: Iterable[str]) -> None:
    """Settle the unknown: `found` become accepted, `not_received` absent, so that the run sends them again.

    All or nothing. Raises LedgerError when one of them is not unknown any more.
    """
    now = time.time_ns() // 1000
    accepted = [
        {
            "of_message": message_id,
            "umid": entry.umid,
            "log_status": entry.status,
            "log_segments": entry.segments,
            "log_price": entry.price,
            "log_currency": entry.currency,
            "settled_at": now,
        }
        for message_id, entry in found.items()
    ]
    released = [{"of_message": message_id} for message_id in not_received]
    with ledger.writing() as connection:
        for statement, rows in ((_ACCEPT, accepted), (_RELEASE, released)):
            if not rows:
                continue
            bound = [{"of_run": run_id, **row} for row in rows]
            if connection.execute(statement, bound).rowcount != len(rows):
                raise LedgerError("the ledger changed while it was reconciled; nothing was changed, run it again")
        if released:
            forget_resume_point(connection, run_id)
            # A run that only opt-outs had ended has something to send again.
            connection.execute(_REOPEN, {"of_run": run_id})


_IS_UNKNOWN = (
    messages.c.run_id == bindparam("of_run"),
    messages.c.message_id == bindparam("of_message"),
    messages.c.status == Status.UNKNOWN.value,
)
_ACCEPT = (
    update(messages)
    .where(*_IS_UNKNOWN)
    .values(
        status=Status.ACCEPTED.value,
        reason=OutcomeReason.RECONCILED.value,
        detail="found in the provider's log",
        **{
            name: bindparam(name)
            for name in ("umid", "log_status", "log_segments", "log_price", "log_currency", "settled_at")
        },
    )
)
_RELEASE = delete(messages).where(*_IS_UNKNOWN)
_REOPEN = (
    update(runs)
    .where(runs.c.id == bindparam("of_run"), runs.c.stop_reason == OutcomeReason.OPTED_OUT.value)
    .values(stop_reason=None, stop_detail=None)
)
