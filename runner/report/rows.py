"""One row of the results: what the plan has, what the ledger knows, and what came back, put together. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from runner.ledger.ledger import MessageRecord
from runner.ledger.tables import SENDING
from runner.models import Conversion, DeliveryState, ExclusionReason, OutcomeReason, Receipt, Status
from runner.plan.identity import MessageIds
from runner.plan.purged import MESSAGE_ID

PRICE = (18, 6)
"""Digits in all, and behind the point, of an amount of money: it is not a float."""


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that the ledger knows of one message. `cancelled_at` is when the provider took it back."""

    record: MessageRecord
    receipt: Receipt | None = None
    conversion: Conversion | None = None
    cancelled_at: int | None = None


@dataclass(frozen=True, slots=True)
class Unsent:
    """What to say of the messages that were not sent: why the run stopped, or that it didn't come to them."""

    reason: OutcomeReason
    detail: str


def row_of(planned: Mapping[str, Any], message_id: str | None, known: Known | None, unsent: Unsent) -> dict[str, Any]:
    row = {**planned, "client_message_id": message_id, "destination": planned["destination"] or None}
    if planned["reason"] and known is None:
        return row | {"client_message_id": None, "status": Status.EXCLUDED.value}
    if known is None:
        words = {"reason": unsent.reason.value, "detail": unsent.detail}
        return row | {"status": Status.UNSENT.value, "attempts": 0, **words}
    record = known.record
    # What was sent wins over what the plan would send now.
    row |= {name: getattr(record, name) for name in _FROM_LEDGER}
    row["destination"] = record.destination or None  # "": it was purged
    now = f"would be left out now: {planned['reason']}" if planned["reason"] else planned["detail"]
    row["detail"] = record.detail or now
    if record.status == SENDING:
        words = {"reason": OutcomeReason.IN_FLIGHT.value, "detail": "the answer has not come yet"}
        row |= {"status": Status.UNKNOWN.value, **words}
    if record.sent_at and record.answered_at:
        row["latency_ms"] = (record.answered_at - record.sent_at) / 1000
    return row | _delivery(known) | _conversion(known.conversion)


def _delivery(known: Known) -> dict[str, Any]:
    """What became of the message after it was accepted: by its receipts, else by the provider's log."""
    record, receipt = known.record, known.receipt
    state = receipt.state.value if receipt else _known_state(record.log_status)
    if known.cancelled_at is not None and state in _NOT_SENT:
        state = DeliveryState.CANCELLED.value
    price = receipt.price if receipt and receipt.price is not None else record.log_price
    from_receipt = receipt is not None and receipt.price is not None
    currency = receipt.currency if receipt and from_receipt else record.log_currency
    segments = receipt.segments if receipt and receipt.segments is not None else record.log_segments
    amount = _amount(price)
    return {
        "delivery_state": state,
        "delivery_detail": receipt.detail if receipt else None,
        "delivery_error": (receipt.error_code or None) if receipt else None,  # 0: there is none
        "delivered_at": receipt.delivered_at if receipt else None,
        "billed_segments": segments if segments is not None and segments < 2**15 else None,
        "billed_price": amount,
        "billed_currency": currency if amount is not None else None,
    }


def _known_state(text: str | None) -> str | None:
    """A state of the provider's log, where it is one of those that receipts have."""
    return text.lower() if text and text.lower() in _STATES else None


_NOT_SENT = (None, DeliveryState.QUEUED, DeliveryState.UNKNOWN)

_STATES = frozenset(state.value for state in DeliveryState)


def _amount(text: str | None) -> Decimal | None:
    """An amount as the results hold it; None for what is none."""
    try:
        amount = Decimal(text or "").quantize(_SMALLEST)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and abs(amount) < _TOO_MUCH else None


_SMALLEST = Decimal(1).scaleb(-PRICE[1])
_TOO_MUCH = Decimal(10) ** (PRICE[0] - PRICE[1])


def _conversion(conversion: Conversion | None) -> dict[str, Any]:
    if conversion is None:
        return {"outcome": None, "converted_at": None}
    return {"outcome": conversion.outcome.value, "converted_at": conversion.at}


def message_id_of(planned: Mapping[str, Any], ids: MessageIds) -> str | None:
    """The message id of a row that may have been sent; a plan that was purged has it instead of the key."""
    if planned["key"] is None and MESSAGE_ID in planned:
        message_id: str | None = planned[MESSAGE_ID]
        return message_id
    return ids.of(planned["key"]) if _may_be_sent(planned) else None


def _may_be_sent(planned: Mapping[str, Any]) -> bool:
    """Whether the ledger may know this row's message. A duplicate's key is another row's."""
    return planned["reason"] is None or (planned["reason"] != ExclusionReason.DUPLICATE and planned["key"] is not None)


_FROM_LEDGER = (
    "destination", "country", "encoding", "segments", "status", "reason", "attempts", "umid", "http_status",
    "error_code", "error_id", "sent_at", "answered_at",
)  # fmt: skip
