"""The unknown messages of a run, and their proof in the provider's log.

A message leaves `unknown` only by proof: a line of the log, or a log that was made late enough and doesn't have it.
"""

import time
from collections.abc import Collection, Mapping
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


def unknowns(ledger: Ledger, run_id: int) -> Unknowns | None:
    """The unknown messages of a run; None when there are none."""
    columns = (func.count(), func.min(messages.c.claimed_at), func.max(messages.c.settled_at))
    [(count, first, last)] = ledger.rows(select(*columns).where(*_unknown(run_id)))
    return Unknowns(count, first, last or first) if count else None


def unknown_ids(ledger: Ledger, run_id: int) -> set[str]:
    """The ids of the unknown messages: as many as went wrong, not as many as were sent."""
    return {row[0] for row in ledger.rows(select(messages.c.message_id).where(*_unknown(run_id)))}


def accepted_ids(ledger: Ledger, run_id: int, *, answered_before: int, limit: int) -> set[str]:
    """Some messages whose acceptance came as an answer, the newest before that time: the log must have them."""
    # The export's span reaches back to when the first unknown message was claimed.
    first_unknown = select(func.min(messages.c.claimed_at)).where(*_unknown(run_id)).scalar_subquery()
    query = select(messages.c.message_id).where(
        messages.c.run_id == run_id,
        messages.c.reason == OutcomeReason.QUEUED.value,
        messages.c.answered_at <= answered_before,
        messages.c.claimed_at >= first_unknown,
    )
    return {row[0] for row in ledger.rows(query.order_by(messages.c.answered_at.desc()).limit(limit))}


def _unknown(run_id: int) -> tuple[ColumnElement[bool], ...]:
    return messages.c.run_id == run_id, messages.c.status == Status.UNKNOWN.value


def apply(ledger: Ledger, run_id: int, *, found: Mapping[str, Proof], not_received: Collection[str]) -> None:
    """Settle unknown messages: `found` become accepted, `not_received` absent, so that the run sends them again.

    All or nothing. Raises LedgerError when one of them is not unknown any more.
    """
    proven = [(run_id, message_id, proof) for message_id, proof in found.items()]
    with ledger.writing() as connection:
        detail = "found in the provider's log"
        changed = accept_unknown(connection, proven, OutcomeReason.RECONCILED, detail, time.time_ns() // 1000)
        changed += release(connection, run_id, not_received, Status.UNKNOWN.value)
        if changed != len(found) + len(not_received):
            raise LedgerError("the ledger changed while it was reconciled; nothing was changed, run it again")
        if not_received:
            # A run that only opt-outs had ended has something to send again.
            is_over = (runs.c.id == run_id, runs.c.stop_reason == OutcomeReason.OPTED_OUT.value)
            connection.execute(update(runs).where(*is_over).values(stop_reason=None, stop_detail=None))
