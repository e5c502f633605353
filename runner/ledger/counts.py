"""What became of a run's messages, counted by the database: statuses, delivery, bills, conversions.

One pass over the run's messages each, grouped, so memory stays flat whatever the size of the run.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, null, select, text

from runner.base.delivery import DeliveryState
from runner.base.outcomes import Status
from runner.ledger.ledger import Ledger
from runner.ledger.tables import cancellations, feedback, messages, receipts
from runner.provider.delivery import AT_OPERATOR

# Accepted, and neither a receipt nor the provider's log tells of it yet.
PENDING = "pending"

_NOT_SENT_YET = (None, DeliveryState.QUEUED.value, DeliveryState.UNKNOWN.value)
_DELIVERED = (DeliveryState.DELIVERED.value, DeliveryState.READ.value)
_KNOWN = frozenset(state.value for state in DeliveryState)
_FAILED = (DeliveryState.UNDELIVERED.value, DeliveryState.REJECTED.value, DeliveryState.FAILED.value)


class Delivery(Counter[str]):
    """Accepted messages by the provider's state, or AT_OPERATOR or PENDING."""

    @property
    def delivered(self) -> int:
        """Those that reached the phone, as far as receipts tell."""
        return sum(self[state] for state in _DELIVERED)

    @property
    def failed(self) -> int:
        """Those that will not reach it."""
        return sum(self[state] for state in _FAILED)

    @property
    def told(self) -> int:
        """Those of which the provider told anything; a cancelling is our own word."""
        return self.total() - self[PENDING] - self[DeliveryState.CANCELLED]


@dataclass(slots=True)
class Country:
    """What went to one country."""

    accepted: int = 0
    delivered: int = 0


@dataclass(slots=True)
class Figures:
    """A run in figures.

    `by_status` has the ledger's statuses, `sending` among them; the unsent are absent. `errors` are the messages that
    were not delivered, by the receipt's error code. `billed` is exact, by currency (ISO 4217, "" where none is told),
    and comes from receipts, or else from the provider's log. `countries` are alpha-2, None where it isn't known.
    """

    by_status: Counter[str] = field(default_factory=Counter)
    delivery: Delivery = field(default_factory=Delivery)
    errors: Counter[int | None] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    countries: dict[str | None, Country] = field(default_factory=dict)
    billed: dict[str, Decimal] = field(default_factory=dict)
    billed_messages: int = 0
    billed_segments: int = 0
    segments_accepted: int = 0


def counts_and_claims(ledger: Ledger, run_id: int, since: Sequence[int]) -> tuple[dict[str, int], list[int]]:
    """Messages by status, as `Ledger.counts`, and how many were claimed at or after each of these times, in one pass.

    It reads every message of the run: an index that would spare that would have to be kept by every claim.
    """
    claimed = [func.sum(case((messages.c.claimed_at >= time, 1), else_=0)) for time in since]
    query = select(messages.c.status, func.count(), *claimed)
    query = query.where(messages.c.run_id == run_id).group_by(messages.c.status)
    rows = list(_rows(ledger, query))
    return {row[0]: row[1] for row in rows}, [sum(row[2 + place] for row in rows) for place in range(len(since))]


def delivery_of(ledger: Ledger, run_id: int) -> Delivery:
    """How far the accepted messages of a run got.

    Finding each message's receipt takes several times as long as counting by status; a ledger that has none spares it.
    """
    found = Delivery()
    if _is_empty(ledger, select(receipts.c.umid)) and _is_empty(ledger, _of_run(run_id)):
        log_only = select(null(), null(), messages.c.log_status, null(), func.count())
        query = log_only.where(messages.c.run_id == run_id).group_by(messages.c.log_status)
    else:
        query = _grouped(run_id, *_STATES)
    for *states, count in _rows(ledger, query.where(messages.c.status == Status.ACCEPTED.value)):
        found[_state(*states)] += count
    return found


def outcomes_of(ledger: Ledger, run_id: int) -> Counter[str]:
    """Conversions of a run by outcome, as they were told."""
    query = select(feedback.c.outcome, func.count()).where(feedback.c.run_id == run_id).group_by(feedback.c.outcome)
    return Counter(dict(_rows(ledger, query)))


def figures_of(ledger: Ledger, run_id: int) -> Figures:
    """Everything that can be counted of a run."""
    found = Figures(outcomes=outcomes_of(ledger, run_id))
    price = case((receipts.c.price.is_not(None), receipts.c.price), else_=messages.c.log_price)
    currency = case((receipts.c.price.is_not(None), receipts.c.currency), else_=messages.c.log_currency)
    query = _grouped(
        run_id,
        messages.c.status,
        messages.c.country,
        receipts.c.error_code,
        price,
        currency,
        *_STATES,
    ).add_columns(
        func.sum(messages.c.segments),
        func.sum(func.coalesce(receipts.c.segments, messages.c.log_segments)),
    )
    for status, country, code, amount, money, *states, count, segments, billed_segments in _rows(ledger, query):
        found.by_status[status] += count
        found.billed_segments += billed_segments or 0
        if (exact := _decimal(amount)) is not None:
            found.billed[money or ""] = found.billed.get(money or "", Decimal(0)) + exact * count
            found.billed_messages += count
        if status != Status.ACCEPTED:
            continue
        state = _state(*states)
        found.segments_accepted += segments
        found.delivery[state] += count
        one = found.countries.setdefault(country, Country())
        one.accepted += count
        one.delivered += count if state in _DELIVERED else 0
        if state in _FAILED:
            found.errors[code] += count
    return found


_STATES = (
    receipts.c.state,
    receipts.c.detail == AT_OPERATOR,
    messages.c.log_status,
    cancellations.c.status,
)


def _grouped(run_id: int, *columns: ColumnElement[Any]) -> Select[Any]:
    """A run's messages beside what is told of each, counted by these columns.

    A receipt is found by its umid alone: one that came before its message's answer, or for an unknown one, has given
    that message its umid when it was settled.
    """
    of_message = and_(cancellations.c.run_id == messages.c.run_id, cancellations.c.message_id == messages.c.message_id)
    told = messages.outerjoin(receipts, receipts.c.umid == messages.c.umid).outerjoin(cancellations, of_message)
    # By position: with a bound parameter in it, a column said twice is two columns to the database.
    places = [text(str(place + 1)) for place in range(len(columns))]
    return select(*columns, func.count()).select_from(told).where(messages.c.run_id == run_id).group_by(*places)


def _of_run(run_id: int) -> Select[Any]:
    return select(cancellations.c.message_id).where(cancellations.c.run_id == run_id)


def _is_empty(ledger: Ledger, query: Select[Any]) -> bool:
    return not list(_rows(ledger, query.limit(1)))


def _state(state: str | None, is_at_operator: bool | None, log_status: str | None, cancelling: str | None) -> str:
    """The last word on one accepted message: the receipt's, or else that of the provider's log."""
    if cancelling == DeliveryState.CANCELLED and state in _NOT_SENT_YET:
        return DeliveryState.CANCELLED.value
    if state is None:
        return log_status if log_status in _KNOWN else PENDING
    return AT_OPERATOR if is_at_operator and state == DeliveryState.DELIVERED else state


def _decimal(amount: str | None) -> Decimal | None:
    try:
        exact = Decimal(amount) if amount is not None else None
    except InvalidOperation:
        return None
    return exact if exact is not None and exact.is_finite() else None


def _rows(ledger: Ledger, query: Select[Any]) -> Iterator[Any]:
    """Row by row: a run whose every price differs has as many groups as messages."""
    with ledger.reading() as connection:
        yield from connection.execute(query)
