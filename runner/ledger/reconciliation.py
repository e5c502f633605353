"""The unknown messages of a run, and how the provider's log settles them.

A message leaves `unknown` only with proof: it is in the provider's log, or an export that covers its time lacks it.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select, update

from runner.base.audit import AuditEntry
from runner.base.errors import LedgerError
from runner.base.outcomes import DIFFERING, OutcomeReason, Status
from runner.ledger.audit import append
from runner.ledger.ledger import Ledger
from runner.ledger.receipts import forget_disproved
from runner.ledger.tables import messages, runs
from runner.ledger.transitions import Proof, accept_unknown, release


class Unknown(NamedTuple):
    """When the request of an unknown message may have left, by this computer's clock (microseconds since the epoch)."""

    begin: int
    end: int


def unknowns(ledger: Ledger, run_id: int) -> dict[str, Unknown]:
    """The unknown messages by their ids. They fit into memory, because only a small part of a run can be unknown."""
    # A message is claimed some time before it leaves. A killed process didn't record when it left.
    left = func.coalesce(messages.c.sent_at, messages.c.claimed_at)
    query = select(messages.c.message_id, left, messages.c.settled_at).where(*_unknown(run_id))
    # A clock that was set back between the two must not make the span empty.
    return {name: Unknown(begin, max(begin, end or begin)) for name, begin, end in ledger.rows(query)}


def accepted(ledger: Ledger, run_id: int, *, since: int) -> Iterator[tuple[str, int, int]]:
    """The messages claimed since then that the provider accepted in an answer: id, sent at, answered at.

    The log must have them.
    """
    query = select(messages.c.message_id, messages.c.sent_at, messages.c.answered_at).where(
        messages.c.run_id == run_id,
        messages.c.reason.in_([OutcomeReason.QUEUED.value, *DIFFERING]),
        messages.c.sent_at.is_not(None),
        messages.c.answered_at.is_not(None),
        messages.c.claimed_at >= since,
    )
    return ledger.rows(query)


def has_accepted(ledger: Ledger, run_id: int, *, since: int, until: int) -> bool:
    """Whether a message that was sent since then was accepted before `until`."""
    query = select(func.count()).where(
        messages.c.run_id == run_id,
        messages.c.reason.in_([OutcomeReason.QUEUED.value, *DIFFERING]),
        messages.c.sent_at >= since,
        messages.c.answered_at < until,
    )
    return bool(ledger.scalar(query))


def _unknown(run_id: int) -> tuple[ColumnElement[bool], ...]:
    return messages.c.run_id == run_id, messages.c.status == Status.UNKNOWN.value


def apply(
    ledger: Ledger,
    run_id: int,
    *,
    found: Mapping[str, Proof],
    not_received: Collection[str],
    audited: Sequence[AuditEntry] = (),
) -> None:
    """Settle unknown messages, all or none. Raises LedgerError if one of them is no longer unknown.

    `found` become accepted. `not_received` are removed from the ledger, so that the run sends them again. `audited`:
    for the audit trail.
    """
    proven = [(run_id, message_id, proof) for message_id, proof in found.items()]
    with ledger.writing() as connection:
        detail = "found in the provider's log"
        changed = accept_unknown(connection, proven, OutcomeReason.RECONCILED, detail, time.time_ns() // 1000)
        changed += release(connection, run_id, not_received, Status.UNKNOWN.value)
        if changed != len(found) + len(not_received):
            raise LedgerError("the ledger changed during reconcile; the rest stays unknown, run the command again")
        forget_disproved(connection, not_received)  # otherwise the next start would hold them back again
        if not_received:
            # A run that had nothing left to send but opted-out numbers now has messages to send again.
            is_over = (runs.c.id == run_id, runs.c.stop_reason == OutcomeReason.OPTED_OUT.value)
            connection.execute(update(runs).where(*is_over).values(stop_reason=None, stop_detail=None))
        append(connection, audited)
