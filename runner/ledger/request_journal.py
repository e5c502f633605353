"""The journal of requests about accepted messages: reported conversions and cancelled messages.

A conversion is recorded before its request leaves, and settled after the answer. If the process dies in between, the
conversion is reported again, which does no harm. A cancellation is recorded after its answer; without an answer it is
requested again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, Executable, Table, and_, bindparam, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from runner.base.conversions import Conversion, ConversionOutcome
from runner.base.delivery import DeliveryState
from runner.base.outcomes import Status
from runner.ledger.ledger import Ledger, MessageRecord
from runner.ledger.tables import cancellations, feedback, messages, receipts


class FeedbackStatus(StrEnum):
    """Whether a conversion was reported to the provider. `told`: the provider accepted it."""

    PENDING = "pending"
    TOLD = "told"
    REFUSED = "refused"


class CancelStatus(StrEnum):
    """How the request to cancel one message ended."""

    CANCELLED = "cancelled"
    REFUSED = "refused"  # it was already sent, or the provider doesn't know it


@dataclass(frozen=True, slots=True)
class Pending:
    """A conversion that is not reported yet. `sent_at` is when its message was sent."""

    message_id: str
    umid: str
    conversion: Conversion
    sent_at: int | None = None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """An accepted message that the provider may not have sent yet."""

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
    """The requests of a run, counted by status. `journal` is the table `feedback` or `cancellations`."""
    query = select(journal.c.status, func.count()).where(journal.c.run_id == run_id).group_by(journal.c.status)
    return dict(ledger.rows(query))


def _write(ledger: Ledger, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> int:
    """Write rows, all or none. Returns how many changed. Raises LedgerError."""
    if not rows:
        return 0
    with ledger.writing() as connection:
        return connection.execute(statement, rows).rowcount


# Finding messages by umid.


def records_by_umid(ledger: Ledger, run_id: int, umids: Sequence[str]) -> dict[str, MessageRecord]:
    """The records of a run's messages with these umids, by umid."""
    # The query doesn't name the run: SQLite would then scan all messages of the run instead of using the index.
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
    # A message that reconcile released has no umid. Its conversion waits until the message is sent again.
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
# The columns that a request settles become null again, because the inserted row has them as null.
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
    """Record conversions, by message id, all or none. Returns how many are new or changed. Raises LedgerError.

    A conversion that the ledger already has, with the same outcome and time, keeps its status; any other becomes
    pending again. A conversion without a time doesn't change one with the same outcome.

    `is_live`: conversions are read as they happen. Then a conversion older than the recorded one is ignored, and one
    without a time gets the time `now` (microseconds since the epoch).
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
    """The next conversions to report, sorted by message id, after `message_id`."""
    query = _PENDING.where(feedback.c.run_id == run_id, feedback.c.message_id > message_id)
    return [_pending(*row) for row in ledger.rows(query.order_by(feedback.c.message_id).limit(limit))]


def pending_among(ledger: Ledger, run_id: int, message_ids: Sequence[str]) -> list[Pending]:
    """The conversions to report for these messages, in the order of `message_ids`."""
    query = _PENDING.where(feedback.c.run_id == run_id)
    found = {row[0]: _pending(*row) for row in ledger.rows_among(query, feedback.c.message_id, message_ids)}
    return [found[message_id] for message_id in message_ids if message_id in found]


def pending_count(ledger: Ledger, run_id: int) -> int:
    """How many conversions of a run are still to be reported."""
    pending = _PENDING.where(feedback.c.run_id == run_id).subquery()
    return int(ledger.scalar(select(func.count()).select_from(pending)))


def settle_feedback(ledger: Ledger, run_id: int, answers: Sequence[tuple[Conversion, Settled]]) -> None:
    """Record the provider's answers. A conversion that changed in the meantime stays pending. Raises LedgerError."""
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
    """The conversions of these messages, reported or not. Messages without one are absent."""
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
    """The next messages that the provider may not have sent yet, sorted by message id, after `message_id`.

    These are accepted, not cancelled, and have no receipt that says they were sent. Messages whose cancellation was
    refused before are included: the request may have used the wrong account, and asking again does no harm.
    """
    # A subquery per message, which uses the primary key. A join would list all cancellations for each batch: with half
    # a million of them that took minutes instead of seconds.
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
    """Record the provider's answers, all or none. A cancelled message stays cancelled. Raises LedgerError."""
    _write(ledger, _CANCEL, [{"run_id": run_id, **asdict(each)} for each in settled])


def refusals(ledger: Ledger, run_id: int, *, limit: int | None = None) -> list[tuple[str, str]]:
    """The messages of a run that could not be cancelled, as (key, why), sorted by key."""
    query = (
        select(messages.c.key, func.coalesce(cancellations.c.detail, ""))
        .join_from(cancellations, messages, _CANCELLATION_OF_MESSAGE)
        .where(cancellations.c.run_id == run_id, cancellations.c.status == CancelStatus.REFUSED.value)
        .order_by(messages.c.key, messages.c.message_id)
    )
    return [(key, words) for key, words in ledger.rows(query.limit(limit))]


def cancelled_of(ledger: Ledger, run_id: int, message_ids: Sequence[str]) -> dict[str, int]:
    """When messages were cancelled (microseconds since the epoch), by message id. Others are absent."""
    is_cancelled = (cancellations.c.run_id == run_id, cancellations.c.status == CancelStatus.CANCELLED.value)
    query = select(cancellations.c.message_id, cancellations.c.settled_at).where(*is_cancelled)
    return {row[0]: row[1] for row in ledger.rows_among(query, cancellations.c.message_id, message_ids)}
