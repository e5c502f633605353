"""Counts of a run's messages: by delivery state, by price, by conversion.

The database counts, in one grouped query over the run's messages, so memory use doesn't grow with the run.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, null, select, text

from runner.base.delivery import DeliveryState
from runner.base.outcomes import Status
from runner.ledger.ledger import Ledger
from runner.ledger.receipts import has_receipts
from runner.ledger.tables import cancellations, feedback, messages, receipts
from runner.provider.delivery import AT_OPERATOR

# An accepted message that has no receipt and no delivery state in the provider's log.
PENDING = "pending"

_MAY_BE_CANCELLED = (None, DeliveryState.QUEUED.value, DeliveryState.UNKNOWN.value)
_STATES = frozenset(state.value for state in DeliveryState)
_STATE_COLUMNS = (receipts.c.state, receipts.c.detail == AT_OPERATOR, messages.c.log_status, cancellations.c.status)


@dataclass(frozen=True, slots=True)
class MessageGroup:
    """Messages with the same status, delivery state and price. Segments and amount are totals of the group.

    `status` is the ledger's, so it can be `sending`; unsent messages aren't in the ledger. `delivery` is the delivery
    state of accepted messages, AT_OPERATOR or PENDING. `amount` is exact, in `currency` (ISO 4217, "" if not given), or
    None if no price is known. Prices come from receipts, or else from the provider's log.
    """

    status: str
    delivery: str
    count: int
    segments: int
    billed_segments: int
    currency: str
    amount: Decimal | None


def delivery_of(ledger: Ledger, run_id: int) -> Counter[str]:
    """The accepted messages of a run, by delivery state, AT_OPERATOR or PENDING.

    Looking up each message's receipt takes several times as long as counting by status, so a ledger without receipts
    skips it.
    """
    found: Counter[str] = Counter()
    cancelled = select(cancellations.c.message_id).where(cancellations.c.run_id == run_id)
    if has_receipts(ledger) or ledger.scalar(cancelled.limit(1)) is not None:
        query = _grouped(run_id, *_STATE_COLUMNS)
    else:
        log_only = select(null(), null(), messages.c.log_status, null(), func.count())
        query = log_only.where(messages.c.run_id == run_id).group_by(messages.c.log_status)
    for *states, count in ledger.rows(query.where(messages.c.status == Status.ACCEPTED.value)):
        found[_state(*states)] += count
    return found


def outcomes_of(ledger: Ledger, run_id: int) -> Counter[str]:
    """The conversions of a run by outcome, including those not reported to the provider yet."""
    query = select(feedback.c.outcome, func.count()).where(feedback.c.run_id == run_id).group_by(feedback.c.outcome)
    return Counter(dict(ledger.rows(query)))


def message_groups(ledger: Ledger, run_id: int) -> Iterator[MessageGroup]:
    """All messages of a run, in groups."""
    price = case((receipts.c.price.is_not(None), receipts.c.price), else_=messages.c.log_price)
    currency = case((receipts.c.price.is_not(None), receipts.c.currency), else_=messages.c.log_currency)
    query = _grouped(run_id, messages.c.status, price, currency, *_STATE_COLUMNS).add_columns(
        func.sum(messages.c.segments), func.sum(func.coalesce(receipts.c.segments, messages.c.log_segments))
    )
    for status, amount, money, *states, count, segments, billed_segments in ledger.rows(query):
        exact = finite(amount)
        total = None if exact is None else exact * count
        yield MessageGroup(status, _state(*states), count, segments, billed_segments or 0, money or "", total)


def _grouped(run_id: int, *columns: ColumnElement[Any]) -> Select[Any]:
    """A query that counts a run's messages by these columns, each joined with its receipt and cancellation.

    The umid is enough to find a receipt: a message that was settled by a receipt got its umid from it.
    """
    of_message = and_(cancellations.c.run_id == messages.c.run_id, cancellations.c.message_id == messages.c.message_id)
    joined = messages.outerjoin(receipts, receipts.c.umid == messages.c.umid).outerjoin(cancellations, of_message)
    # Grouped by position: SQLite treats a repeated expression that has a bound parameter as a different one.
    places = [text(str(place + 1)) for place in range(len(columns))]
    return select(*columns, func.count()).select_from(joined).where(messages.c.run_id == run_id).group_by(*places)


def _state(state: str | None, is_at_operator: bool | None, log_status: str | None, cancelling: str | None) -> str:
    """The delivery state of an accepted message, from its receipt or else from the provider's log."""
    if cancelling == DeliveryState.CANCELLED and state in _MAY_BE_CANCELLED:
        return DeliveryState.CANCELLED.value
    if state is None:
        return log_status if log_status in _STATES else PENDING
    return AT_OPERATOR if is_at_operator and state == DeliveryState.DELIVERED else state


def finite(amount: str | None) -> Decimal | None:
    """The exact amount in a text, or None if it isn't a finite number."""
    try:
        exact = Decimal(amount or "NaN")
    except InvalidOperation:
        return None
    return exact if exact.is_finite() else None
