"""The unknown messages of a run, and how the provider's log settles them.

A message leaves `unknown` only with proof: it is in the provider's log, or the log was exported late enough and doesn't
contain it.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select, update

from runner.base.audit import AuditEntry
from runner.base.errors import LedgerError
from runner.base.outcomes import DIFFERING, OutcomeReason, Status
from runner.ledger.audit import append
from runner.ledger.ledger import Ledger
from runner.ledger.receipts import forget_disproved
from runner.ledger.tables import messages, runs
from runner.ledger.transitions import Proof, accept_unknown, release


@dataclass(frozen=True, slots=True)
class Unknowns:
    """The unknown messages of a run: how many, and when their requests left.

    All of them left between `first_claimed_at` and `last_settled_at` (microseconds since the epoch).
    """

    count: int
    first_claimed_at: int
    last_settled_at: int


def unknowns(ledger: Ledger, run_id: int) -> Unknowns | None:
    """The unknown messages of a run, or None if there are none."""
    columns = (func.count(), func.min(messages.c.claimed_at), func.max(messages.c.settled_at))
    [(count, first, last)] = ledger.rows(select(*columns).where(*_unknown(run_id)))
    return Unknowns(count, first, last or first) if count else None


def unknown_ids(ledger: Ledger, run_id: int) -> set[str]:
    """The ids of the unknown messages. They fit into memory, because only a small part of a run can be unknown."""
    return {row[0] for row in ledger.rows(select(messages.c.message_id).where(*_unknown(run_id)))}


def accepted_ids(ledger: Ledger, run_id: int, *, answered_before: int, limit: int) -> set[str]:
    """The newest messages that the provider had accepted, in an answer, by `answered_before`. The log must have them.

    Finding them in an export shows that the export is complete up to that time.
    """
    # The export begins when the first unknown message was claimed, so older messages aren't in it.
    first_unknown = select(func.min(messages.c.claimed_at)).where(*_unknown(run_id)).scalar_subquery()
    query = select(messages.c.message_id).where(
        messages.c.run_id == run_id,
        messages.c.reason.in_([OutcomeReason.QUEUED.value, *DIFFERING]),
        messages.c.answered_at <= answered_before,
        messages.c.claimed_at >= first_unknown,
    )
    return {row[0] for row in ledger.rows(query.order_by(messages.c.answered_at.desc()).limit(limit))}


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
            raise LedgerError("the ledger changed during reconcile, so nothing was changed; run the command again")
        forget_disproved(connection, not_received)  # otherwise the next start would hold them back again
        if not_received:
            # A run that had nothing left to send but opted-out numbers now has messages to send again.
            is_over = (runs.c.id == run_id, runs.c.stop_reason == OutcomeReason.OPTED_OUT.value)
            connection.execute(update(runs).where(*is_over).values(stop_reason=None, stop_detail=None))
        append(connection, audited)
