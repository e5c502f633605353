"""How claims, answers and proofs change a message's status (see the table in `tables.py`), and the resume point.

Every function writes in its caller's transaction. Statements that run for every message are compiled once, and their
values go straight to the driver, because SQLAlchemy would process each value (`python -m benchmarks.parts` measures
both).

The resume point is the row of the plan up to which the ledger has every message. A later session skips these rows.
Removing a message from the ledger clears the resume point in the same transaction; the sender then records a new one.
"""

import time
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.dml import UpdateBase

from runner.base.errors import BrokenLedgerError
from runner.base.messages import Message
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.tables import SENDING, abbreviated, messages, runs
from runner.ledger.trust import checksum

_CLAIMED = (
    "run_id", "message_id", "key", "destination", "country", "encoding", "segments", "status", "attempts", "claimed_at",
    "checksum",
)  # fmt: skip
_SETTLED = (
    "status", "reason", "detail", "sent_at", "answered_at", "settled_at", "umid", "http_status", "error_code",
    "error_id", "checksum",
)  # fmt: skip
_IN_STATUS = (
    messages.c.run_id == bindparam("of_run"),
    messages.c.message_id == bindparam("of_message"),
    messages.c.status == bindparam("of_status"),
)


class Proof(NamedTuple):
    """Proof that the provider received an unknown message: its umid, and what the provider's log says, if it is known.

    The umid comes from a delivery receipt or from a line of the log.
    """

    umid: str
    log_status: str | None = None
    log_segments: int | None = None
    log_price: str | None = None
    log_currency: str | None = None


def _compiled(statement: UpdateBase, *names: str) -> str:
    """The statement as SQL for SQLite, with a question mark for each of `names`, in that order."""
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="qmark"))
    assert list(names) == compiled.positiontup
    return str(compiled)


_CLAIM = _compiled(insert(messages).values({name: bindparam(name) for name in _CLAIMED}), *_CLAIMED)
_SETTLE = _compiled(
    update(messages).where(*_IN_STATUS).values({name: bindparam(name) for name in _SETTLED}),
    *_SETTLED, "of_run", "of_message", "of_status",
)  # fmt: skip
_RELEASE = _compiled(delete(messages).where(*_IN_STATUS), "of_run", "of_message", "of_status")
_ACCEPT = (
    update(messages)
    .where(*_IN_STATUS)
    .values(
        status=Status.ACCEPTED.value,
        **{name: bindparam(name) for name in ("reason", "detail", "settled_at", "checksum", *Proof._fields)},
    )
)
_DEAD = (
    update(messages)
    .where(*_IN_STATUS)
    .values(
        status=Status.UNKNOWN.value,
        reason=OutcomeReason.PROCESS_DIED.value,
        detail="the sending process ended before the answer was recorded",
        **{name: bindparam(name) for name in ("settled_at", "checksum")},
    )
)


def claim(connection: Connection, run_id: int, claims: Sequence[tuple[Message, int]], now: int) -> None:
    """Record messages, each with the number of its attempt, as `sending` since `now` (microseconds since the epoch)."""
    rows = [
        (
            run_id, message.message_id, message.key, message.destination, message.country, message.encoding.value,
            message.segments, SENDING, attempt, now, checksum(run_id, message.message_id, SENDING),
        )
        for message, attempt in claims
    ]  # fmt: skip
    connection.exec_driver_sql(_CLAIM, rows)


def settle(connection: Connection, run_id: int, settlements: Sequence[tuple[str, Outcome]]) -> None:
    """Write the outcomes of claimed messages. `unsent` removes the claim. Raises LedgerError if one isn't `sending`."""
    now = time.time_ns() // 1000
    # The driver needs plain strings. An empty detail is stored as null.
    settled: list[tuple[Any, ...]] = [
        (
            outcome.status.value, outcome.reason.value, abbreviated(outcome.detail or None), outcome.sent_at,
            outcome.answered_at, now, outcome.umid, outcome.http_status, outcome.error_code, outcome.error_id,
            checksum(run_id, message_id, outcome.status.value),
            run_id, message_id, SENDING,
        )
        for message_id, outcome in settlements
        if outcome.status is not Status.UNSENT
    ]  # fmt: skip
    changed = connection.exec_driver_sql(_SETTLE, settled).rowcount if settled else 0
    changed += release(connection, run_id, [each for each, outcome in settlements if outcome.status is Status.UNSENT])
    if gone := len(settlements) - changed:
        raise BrokenLedgerError(
            f"another program changed the ledger: {gone} of this process's claims are missing; make sure that only "
            "campaign-runner writes to it"
        )


def release(connection: Connection, run_id: int, message_ids: Collection[str], status: str = SENDING) -> int:
    """Remove messages with this status from the ledger, and clear the resume point. Returns how many it removed."""
    if not message_ids:
        return 0
    note_resume_point(connection, run_id, None, None)
    rows: list[tuple[Any, ...]] = [(run_id, message_id, status) for message_id in message_ids]
    return connection.exec_driver_sql(_RELEASE, rows).rowcount


def accept_unknown(
    connection: Connection, proven: Sequence[tuple[int, str, Proof]], reason: OutcomeReason, detail: str, now: int
) -> int:
    """Settle unknown messages (run id, message id, proof) as accepted at `now`. Returns how many were unknown."""
    common = {"of_status": Status.UNKNOWN.value, "reason": reason.value, "detail": detail, "settled_at": now}
    rows = [
        {
            "of_run": run_id,
            "of_message": message_id,
            "checksum": checksum(run_id, message_id, Status.ACCEPTED.value),
            **proof._asdict(),
            **common,
        }
        for run_id, message_id, proof in proven
    ]
    return connection.execute(_ACCEPT, rows).rowcount if rows else 0


def settle_dead(connection: Connection, run_id: int, died_by: int) -> int:
    """Settle every `sending` message of a run as unknown, since `died_by`. Returns how many there were."""
    dead = select(messages.c.message_id).where(messages.c.run_id == run_id, messages.c.status == SENDING)
    rows = [
        {
            "of_run": run_id,
            "of_message": message_id,
            "of_status": SENDING,
            "settled_at": died_by,
            "checksum": checksum(run_id, message_id, Status.UNKNOWN.value),
        }
        for message_id in connection.scalars(dead)
    ]
    return connection.execute(_DEAD, rows).rowcount if rows else 0


def note_resume_point(connection: Connection, run_id: int, plan: str | None, row: int | None) -> None:
    """Record that the ledger has every message up to this row of the plan.

    Call this in the same transaction as the claims that make it true. `plan` is the SHA-256 of the plan file, `row` is
    1-based. If both are None, the resume point is not known.
    """
    values = {"resume_plan": plan, "resume_row": row, "resume_checksum": checksum(run_id, plan, row)}
    connection.execute(update(runs).where(runs.c.id == run_id).values(values))
