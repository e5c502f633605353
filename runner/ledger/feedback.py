"""What the user tells of each message's effect, and whether the provider knows it: the journal of `campaign feedback`.

Noted before its request leaves and settled after its answer. What is pending when a process dies is told again, which
does no harm. What was told of the same messages before is held against it here: see `note_conversions`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Row, bindparam, func, or_, select, text, update
from sqlalchemy.dialects.sqlite import insert

from runner.ledger.database import IDS_AT_A_TIME, ledger_errors
from runner.ledger.ledger import Ledger
from runner.ledger.tables import feedback, messages
from runner.models import Conversion, ConversionOutcome

# Not among the tables: only the ledgers of those who tell by umid pay for it at each settlement.
_INDEX = text("CREATE INDEX IF NOT EXISTS messages_by_umid ON messages (umid)")


class FeedbackStatus(StrEnum):
    """How far one conversion is on its way to the provider."""

    PENDING = "pending"
    TOLD = "told"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Message:
    """What feedback has to know of a message. `umid` is None for one that the provider didn't accept."""

    message_id: str
    status: str
    umid: str | None
    sent_at: int | None


@dataclass(frozen=True, slots=True)
class Pending:
    """A conversion that the provider doesn't know yet. `sent_at` is when its message left."""

    message_id: str
    umid: str
    conversion: Conversion
    sent_at: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """How telling one conversion ended; `settled_at` is microseconds since the epoch."""

    pending: Pending
    status: FeedbackStatus
    settled_at: int
    http_status: int | None = None
    detail: str | None = None


def prepare_umids(ledger: Ledger) -> None:
    """Make the look-ups by umid fast. Once for a ledger; later calls find it done."""
    with ledger_errors("written"), ledger.engine.begin() as connection:
        connection.execute(_INDEX)


def find_messages(ledger: Ledger, run_id: int, message_ids: Sequence[str]) -> dict[str, Message]:
    """Messages of a run by message id; those that were never claimed are absent."""
    of_run = (messages.c.run_id == run_id,)
    return {row[1]: Message(*row[1:]) for row in _find(ledger, messages.c.message_id, message_ids, *of_run)}


def find_by_umid(ledger: Ledger, run_id: int, umids: Sequence[str]) -> dict[str, Message]:
    """Messages of a run by umid; `prepare_umids` makes it fast."""
    # The run isn't asked for: SQLite would go through all of its messages instead of using the index, for each part.
    return {row[3]: Message(*row[1:]) for row in _find(ledger, messages.c.umid, umids) if row[0] == run_id}


def note_conversions(
    ledger: Ledger,
    run_id: int,
    told: Sequence[tuple[str, Conversion]],
    *,
    now: int,
    only_newer: bool = False,
    untimed_at: int | None = None,
) -> int:
    """Note what the user tells of some messages, by message id; returns for how many it is news.

    What was noted before, with the same outcome and time, stays as far as it is; anything else is pending again. A
    conversion without a time takes nothing back from one with the same outcome. Of a message that is told of twice here
    the later counts. With `only_newer`, what happened before the one that is known is no news. `untimed_at` becomes the
    time of conversions without one, where they are news. All or nothing; raises LedgerError.
    """
    rows = [
        {
            "run_id": run_id,
            "message_id": message_id,
            "outcome": conversion.outcome.value,
            "converted_at": conversion.at if conversion.at is not None else untimed_at,
            "is_timed": conversion.at is not None,
            "status": FeedbackStatus.PENDING.value,
            "attempts": 0,
            "noted_at": now,
        }
        for message_id, conversion in sorted(dict(told).items())
    ]
    if not rows:
        return 0
    with ledger_errors("written"), ledger.engine.begin() as connection:
        return connection.execute(_NOTE_NEWER if only_newer else _NOTE, rows).rowcount


def pending_after(ledger: Ledger, run_id: int, message_id: str, *, limit: int) -> list[Pending]:
    """The next conversions that the provider doesn't know, by message id, after that one."""
    query = _PENDING.where(feedback.c.run_id == run_id, feedback.c.message_id > message_id)
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return [_pending(row) for row in connection.execute(query.order_by(feedback.c.message_id).limit(limit))]


def pending_among(ledger: Ledger, run_id: int, message_ids: Sequence[str]) -> list[Pending]:
    """Those of these messages' conversions that the provider doesn't know, in the order of the ids."""
    found: dict[str, Pending] = {}
    with ledger_errors("read"), ledger.engine.connect() as connection:
        for first in range(0, len(message_ids), IDS_AT_A_TIME):
            some = feedback.c.message_id.in_(message_ids[first : first + IDS_AT_A_TIME])
            for row in connection.execute(_PENDING.where(feedback.c.run_id == run_id, some)):
                found[row[0]] = _pending(row)
    return [found[message_id] for message_id in message_ids if message_id in found]


def pending_count(ledger: Ledger, run_id: int) -> int:
    """How many conversions of a run the provider doesn't know."""
    query = select(func.count()).select_from(_PENDING.where(feedback.c.run_id == run_id).subquery())
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return connection.scalar(query) or 0


def settle_feedback(ledger: Ledger, run_id: int, told: Sequence[Told]) -> None:
    """Note how telling ended. What was told otherwise meanwhile stays pending. Raises LedgerError."""
    rows = [
        {
            "of_run": run_id,
            "of_message": one.pending.message_id,
            "of_outcome": one.pending.conversion.outcome.value,
            "of_time": one.pending.conversion.at,
            "status": one.status.value,
            "http_status": one.http_status,
            "detail": one.detail,
            "settled_at": one.settled_at,
        }
        for one in told
    ]
    if rows:
        with ledger_errors("written"), ledger.engine.begin() as connection:
            connection.execute(_SETTLE, rows)


def conversions_of(ledger: Ledger, run_id: int, message_ids: Sequence[str]) -> dict[str, Conversion]:
    """What the user told of some messages, whether the provider knows it or not; the others are absent."""
    columns = (feedback.c.message_id, feedback.c.outcome, feedback.c.converted_at)
    found: dict[str, Conversion] = {}
    with ledger_errors("read"), ledger.engine.connect() as connection:
        for first in range(0, len(message_ids), IDS_AT_A_TIME):
            some = feedback.c.message_id.in_(message_ids[first : first + IDS_AT_A_TIME])
            for message_id, outcome, at in connection.execute(
                select(*columns).where(feedback.c.run_id == run_id, some)
            ):
                found[message_id] = Conversion(ConversionOutcome(outcome), at)
    return found


def feedback_counts(ledger: Ledger, run_id: int) -> dict[str, int]:
    """The conversions of a run by how far they are."""
    query = select(feedback.c.status, func.count()).where(feedback.c.run_id == run_id).group_by(feedback.c.status)
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


_PENDING = (
    select(feedback.c.message_id, messages.c.umid, feedback.c.outcome, feedback.c.converted_at, messages.c.sent_at)
    .join_from(
        feedback,
        messages,
        (messages.c.run_id == feedback.c.run_id) & (messages.c.message_id == feedback.c.message_id),
    )
    # A message that reconcile has released has none any more: its conversion waits until it has one again.
    .where(feedback.c.status == FeedbackStatus.PENDING.value, messages.c.umid.is_not(None))
)


def _pending(row: Row[*tuple[Any, ...]]) -> Pending:
    return Pending(row[0], row[1], Conversion(ConversionOutcome(row[2]), row[3]), row[4])


_INSERT = insert(feedback)
_IS_TIMED = bindparam("is_timed", type_=Boolean)
_IS_NEWS = or_(
    feedback.c.outcome != _INSERT.excluded.outcome,
    _IS_TIMED & feedback.c.converted_at.is_distinct_from(_INSERT.excluded.converted_at),
)
_IS_NEWER = or_(~_IS_TIMED, feedback.c.converted_at.is_(None), feedback.c.converted_at <= _INSERT.excluded.converted_at)
_CHANGES: dict[str, Any] = {
    **{name: _INSERT.excluded[name] for name in ("outcome", "converted_at", "status", "attempts", "noted_at")},
    "http_status": None,
    "detail": None,
    "settled_at": None,
}
_KEY = [feedback.c.run_id, feedback.c.message_id]
_NOTE = _INSERT.on_conflict_do_update(index_elements=_KEY, set_=_CHANGES, where=_IS_NEWS)
_NOTE_NEWER = _INSERT.on_conflict_do_update(index_elements=_KEY, set_=_CHANGES, where=_IS_NEWS & _IS_NEWER)
_SETTLE = (
    update(feedback)
    .where(
        feedback.c.run_id == bindparam("of_run"),
        feedback.c.message_id == bindparam("of_message"),
        feedback.c.outcome == bindparam("of_outcome"),
        feedback.c.converted_at.is_not_distinct_from(bindparam("of_time")),
    )
    .values(
        attempts=feedback.c.attempts + 1,
        **{name: bindparam(name) for name in ("status", "http_status", "detail", "settled_at")},
    )
)


def _find(
    ledger: Ledger,
    column: ColumnElement[Any],
    values: Sequence[str],
    *conditions: ColumnElement[bool],
) -> Iterator[Row[*tuple[Any, ...]]]:
    columns = (messages.c.run_id, messages.c.message_id, messages.c.status, messages.c.umid, messages.c.sent_at)
    with ledger_errors("read"), ledger.engine.connect() as connection:
        for first in range(0, len(values), IDS_AT_A_TIME):
            some = column.in_(values[first : first + IDS_AT_A_TIME])
            yield from connection.execute(select(*columns).where(some, *conditions))
