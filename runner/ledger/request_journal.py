"""The journal of requests about accepted messages: conversions that are reported, messages that are cancelled.

A conversion is noted before its request leaves and settled after the answer; what is pending when a process dies is
reported again, which does no harm. A cancellation is noted after its answer; without one it is requested again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, Executable, Table, and_, bindparam, func, or_, select, text, update
from sqlalchemy.dialects.sqlite import insert

from runner.base.conversions import Conversion, ConversionOutcome
from runner.base.delivery import DeliveryState
from runner.base.outcomes import Status
from runner.ledger.ledger import Ledger, MessageRecord
from runner.ledger.tables import cancellations, feedback, messages, receipts


class FeedbackStatus(StrEnum):
    """How far one conversion is on its way to the provider."""

    PENDING = "pending"
    TOLD = "told"
    REFUSED = "refused"


class CancelStatus(StrEnum):
    """How the request to cancel one message ended."""

    CANCELLED = "cancelled"
    REFUSED = "refused"  # it was sent already, or the provider doesn't know it


@dataclass(frozen=True, slots=True)
class Pending:
    """A conversion that the provider doesn't know yet. `sent_at` is when its message left."""

    message_id: str
    umid: str
    conversion: Conversion
    sent_at: int | None = None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """An accepted message that the provider may still have to send."""

    message_id: str
    umid: str
    sent_at: int | None


@dataclass(frozen=True, slots=True)
class Settled:
    """How the request about one message ended; `settled_at` is microseconds since the epoch."""

    message_id: str
    status: FeedbackStatus | CancelStatus
    settled_at: int
    http_status: int | None = None
    detail: str | None = None


_SETTLED_NAMES = ("status", "http_status", "detail", "settled_at")


def status_counts(ledger: Ledger, run_id: int, journal: Table) -> dict[str, int]:
    """The requests of a run by status; `journal` is one of the tables `feedback` and `cancellations`."""
    query = select(journal.c.status, func.count()).where(journal.c.run_id == run_id).group_by(journal.c.status)
    return dict(ledger.rows(query))


def _write(ledger: Ledger, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> int:
    """Write some rows, all or nothing; returns how many changed. Raises LedgerError."""
    if not rows:
        return 0
    with ledger.writing() as connection:
        return connection.execute(statement, rows).rowcount


# Messages that conversions are about.

# Not among the tables: only the ledgers of those who report by umid pay for it at each settlement.
_UMID_INDEX = text("CREATE INDEX IF NOT EXISTS messages_by_umid ON messages (umid)")


def prepare_umids(ledger: Ledger) -> None:
    """Make the look-ups by umid fast. Once for a ledger; later calls find it done."""
    with ledger.writing() as connection:
        connection.execute(_UMID_INDEX)


def records_by_umid(ledger: Ledger, run_id: int, umids: Sequence[str]) -> dict[str, MessageRecord]:
    """What is known of the messages of a run with these umids, by umid; `prepare_umids` makes it fast."""
    # The run isn't in the query: SQLite would go through all of its messages instead of using the index.
    query = select(messages.c.run_id, *(messages.c[name] for name in MessageRecord._fields))
    found = ledger.rows_among(query, messages.c.umid, umids)
    records = (MessageRecord(*record) for of_run, *record in found if of_run == run_id)
    return {record.umid: record for record in records if record.umid}


# Conversions.

_PENDING = (
    select(feedback.c.message_id, messages.c.umid, feedback.c.outcome, feedback.c.converted_at, messages.c.sent_at)
    .join_from(
        feedback,
        messages,
        and_(messages.c.run_id == feedback.c.run_id, messages.c.message_id == feedback.c.message_id),
    )
    # A message that reconcile has released has no umid any more: its conversion waits until it has one again.
    .where(feedback.c.status == FeedbackStatus.PENDING.value, messages.c.umid.is_not(None))
)
_INSERT = insert(feedback)
_IS_TIMED = bindparam("is_timed", type_=Boolean)
_IS_NEWS = or_(
    feedback.c.outcome != _INSERT.excluded.outcome,
    _IS_TIMED & feedback.c.converted_at.is_distinct_from(_INSERT.excluded.converted_at),
)
_IS_NEWER = or_(~_IS_TIMED, feedback.c.converted_at.is_(None), feedback.c.converted_at <= _INSERT.excluded.converted_at)
_COUNTS = _IS_NEWS & or_(~bindparam("is_live", type_=Boolean), _IS_NEWER)
# Whatever was settled of an earlier conversion becomes null, as the inserted row has it.
_CHANGES = {column.name: _INSERT.excluded[column.name] for column in feedback.c if not column.primary_key}
_NOTE = _INSERT.on_conflict_do_update(index_elements=list(feedback.primary_key), set_=_CHANGES, where=_COUNTS)
_SETTLE = (
    update(feedback)
    .where(
        feedback.c.run_id == bindparam("of_run"),
        feedback.c.message_id == bindparam("of_message"),
        feedback.c.outcome == bindparam("of_outcome"),
        feedback.c.converted_at.is_not_distinct_from(bindparam("of_time")),
    )
    .values(attempts=feedback.c.attempts + 1, **{name: bindparam(name) for name in _SETTLED_NAMES})
)


def note_conversions(
    ledger: Ledger, run_id: int, conversions: Mapping[str, Conversion], *, now: int, is_live: bool = False
) -> int:
    """Note the conversions of some messages, by message id; returns how many are new or changed.

    One that was noted before with the same outcome and time keeps its status; anything else is pending again. A
    conversion without a time changes nothing of one with the same outcome. `is_live`: conversions are read as they
    happen, so that one from before the noted one changes nothing, and one without a time happens `now` (microseconds
    since the epoch). All or nothing; raises LedgerError.
    """
    rows = [
        {
            "run_id": run_id,
            "message_id": message_id,
            "outcome": conversion.outcome.value,
            "converted_at": now if is_live and conversion.at is None else conversion.at,
            "is_timed": conversion.at is not None,
            "is_live": is_live,
            "status": FeedbackStatus.PENDING.value,
            "attempts": 0,
            "noted_at": now,
        }
        for message_id, conversion in sorted(conversions.items())
    ]
    return _write(ledger, _NOTE, rows)


def pending_after(ledger: Ledger, run_id: int, message_id: str, *, limit: int) -> list[Pending]:
    """The next conversions that the provider doesn't know, by message id, after that one."""
    query = _PENDING.where(feedback.c.run_id == run_id, feedback.c.message_id > message_id)
    return [_pending(*row) for row in ledger.rows(query.order_by(feedback.c.message_id).limit(limit))]


def pending_among(ledger: Ledger, run_id: int, message_ids: Sequence[str]) -> list[Pending]:
    """Those of these messages' conversions that the provider doesn't know, in the order of the ids."""
    query = _PENDING.where(feedback.c.run_id == run_id)
    found = {row[0]: _pending(*row) for row in ledger.rows_among(query, feedback.c.message_id, message_ids)}
    return [found[message_id] for message_id in message_ids if message_id in found]


def pending_count(ledger: Ledger, run_id: int) -> int:
    """How many conversions of a run the provider doesn't know."""
    pending = _PENDING.where(feedback.c.run_id == run_id).subquery()
    return int(ledger.scalar(select(func.count()).select_from(pending)))


def settle_feedback(ledger: Ledger, run_id: int, answers: Sequence[tuple[Conversion, Settled]]) -> None:
    """Note the provider's answers. A conversion that has changed meanwhile stays pending. Raises LedgerError."""
    rows = [
        {
            "of_run": run_id,
            "of_message": settled.message_id,
            "of_outcome": conversion.outcome.value,
            "of_time": conversion.at,
            **{name: getattr(settled, name) for name in _SETTLED_NAMES},
        }
        for conversion, settled in answers
    ]
    _write(ledger, _SETTLE, rows)


def conversions_of(ledger: Ledger, run_id: int, message_ids: Sequence[str]) -> dict[str, Conversion]:
    """The conversions of some messages, whether the provider knows them or not; other messages are absent."""
    columns = (feedback.c.message_id, feedback.c.outcome, feedback.c.converted_at)
    query = select(*columns).where(feedback.c.run_id == run_id)
    rows = ledger.rows_among(query, feedback.c.message_id, message_ids)
    return {message_id: Conversion(ConversionOutcome(outcome), at) for message_id, outcome, at in rows}


def _pending(message_id: str, umid: str, outcome: str, converted_at: int | None, sent_at: int | None) -> Pending:
    return Pending(message_id, umid, Conversion(ConversionOutcome(outcome), converted_at), sent_at)


# Cancellations.

_CANCELLATION_OF_MESSAGE = and_(
    cancellations.c.run_id == messages.c.run_id, cancellations.c.message_id == messages.c.message_id
)
_CANCEL_ROW = insert(cancellations)
_CANCEL = _CANCEL_ROW.on_conflict_do_update(
    index_elements=list(cancellations.primary_key),
    set_={name: _CANCEL_ROW.excluded[name] for name in _SETTLED_NAMES},
    where=cancellations.c.status != CancelStatus.CANCELLED.value,
)


def scheduled_after(ledger: Ledger, run_id: int, message_id: str, *, limit: int) -> list[Scheduled]:
    """The next messages, by message id, after that one, that the provider may still have to send.

    Accepted, not cancelled, and without a receipt that they were sent. One that was refused before is among them: the
    wrong account may have been asked, and asking again does no harm.
    """
    # Found by its key, message for message: a list of all cancellations would be made for each batch, which took
    # minutes with half a million of them instead of seconds.
    cancelled = select(cancellations.c.message_id).where(
        _CANCELLATION_OF_MESSAGE, cancellations.c.status == CancelStatus.CANCELLED.value
    )
    only_queued = (DeliveryState.QUEUED.value, DeliveryState.UNKNOWN.value)
    sent = select(receipts.c.umid).where(receipts.c.umid == messages.c.umid, receipts.c.state.not_in(only_queued))
    query = select(messages.c.message_id, messages.c.umid, messages.c.sent_at).where(
        messages.c.run_id == run_id,
        messages.c.message_id > message_id,
        messages.c.status == Status.ACCEPTED.value,
        messages.c.umid.is_not(None),
        ~cancelled.exists(),
        ~sent.exists(),
    )
    return [Scheduled(*row) for row in ledger.rows(query.order_by(messages.c.message_id).limit(limit))]


def note_cancellations(ledger: Ledger, run_id: int, settled: Sequence[Settled]) -> None:
    """Note the provider's answers, all or nothing. What was cancelled stays cancelled. Raises LedgerError."""
    _write(ledger, _CANCEL, [{"run_id": run_id, **asdict(each)} for each in settled])


def refusals(ledger: Ledger, run_id: int, *, limit: int | None = None) -> list[tuple[str, str]]:
    """The messages of a run that could not be cancelled, and why, by key: (key, words)."""
    query = (
        select(messages.c.key, func.coalesce(cancellations.c.detail, ""))
        .join_from(cancellations, messages, _CANCELLATION_OF_MESSAGE)
        .where(cancellations.c.run_id == run_id, cancellations.c.status == CancelStatus.REFUSED.value)
        .order_by(messages.c.key, messages.c.message_id)
    )
    return [(key, words) for key, words in ledger.rows(query.limit(limit))]


def cancelled_of(ledger: Ledger, run_id: int, message_ids: Sequence[str]) -> dict[str, int]:
    """Which of some messages were cancelled, and when (microseconds since the epoch), by message id."""
    is_cancelled = (cancellations.c.run_id == run_id, cancellations.c.status == CancelStatus.CANCELLED.value)
    query = select(cancellations.c.message_id, cancellations.c.settled_at).where(*is_cancelled)
    return {row[0]: row[1] for row in ledger.rows_among(query, cancellations.c.message_id, message_ids)}
