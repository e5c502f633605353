"""Reads what the provider posts: delivery receipts and inbound messages. Pure.

Fields that aren't needed may be wrong. If a receipt were refused because of such a field, the provider would post it
four more times, and then it would be lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from runner.base.delivery import DeliveryState, Inbound, Receipt
from runner.provider.answer import amount_of, exact_json
from runner.provider.delivery import delivered_at

RECEIPT = "outbound_message_status_changed"
INBOUND = "inbound_message_received"
NAMESPACE = "SMS"

# The most characters of a reply to keep; ten segments are 1,530.
MAX_BODY_TEXT = 2_000

# The years 2000 and 2100, in microseconds since the epoch. A time outside this range can't be right.
EARLIEST, LATEST = 946_684_800_000_000, 4_102_444_800_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotAnEventError(ValueError):
    """The body is not an event. The error's text says why, without quoting the body."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event of another kind, for example of a chat app. `kind` is `namespace/eventType`, cut to 60 characters."""

    kind: str


def read_event(body: bytes) -> Receipt | Inbound | Ignored:
    """The event in a request's body: one JSON object, as the provider posts it.

    A receipt needs a umid, state and timestamp; an inbound message needs a source and body. Raises NotAnEventError if
    one of these is missing or the body is not an event.
    """
    try:
        event = exact_json(body)
    except ValueError:
        raise NotAnEventError("the body is not JSON") from None
    if not isinstance(event, dict):
        raise NotAnEventError("the body is not a JSON object")
    namespace, kind = event.get("namespace"), event.get("eventType")
    if not isinstance(kind, str):
        raise NotAnEventError("the body has no eventType")
    is_sms = not isinstance(namespace, str) or namespace.upper() == NAMESPACE
    if not is_sms or kind not in (RECEIPT, INBOUND):
        whose = namespace if isinstance(namespace, str) else ""
        return Ignored("".join(c if c.isprintable() else "?" for c in f"{whose}/{kind}"[:60]))
    payload = event.get("payload")
    if not isinstance(payload, dict):
        raise NotAnEventError("the event has no payload")
    return _receipt(payload) if kind == RECEIPT else _inbound(payload)


def _receipt(payload: Mapping[str, Any]) -> Receipt:
    status = payload.get("status")
    status = status if isinstance(status, dict) else {}
    at = _moment(status.get("timestamp"))
    umid = _text(payload.get("umid"), 64)
    said = _text(status.get("state"), 40)
    if not umid or said is None or at is None:
        raise NotAnEventError("the receipt lacks its umid, state or timestamp")
    state = next((state for state in DeliveryState if state == said.lower()), DeliveryState.UNKNOWN)
    detail = (_text(status.get("detail"), 40) or "").lower() or None
    price = payload.get("price")
    price = price if isinstance(price, dict) else {}
    total = _price(price.get("total"))
    return Receipt(
        umid=umid,
        message_id=_text(payload.get("clientMessageId"), 350) or None,
        state=state,
        at=min(max(at, EARLIEST), LATEST),
        detail=detail,
        error_code=_whole(status.get("errorCode")),
        error_message=_text(status.get("errorMessage"), 300) or None,
        # A time that can't be right is only good for ordering receipts, not for computing durations.
        delivered_at=delivered_at(state, detail, at) if EARLIEST <= at <= LATEST else None,
        segments=_whole(payload.get("smsCount"), most=1_000),
        price=total,
        currency=_text(price.get("currency"), 3) if total is not None else None,
    )


def _inbound(payload: Mapping[str, Any]) -> Inbound:
    source, umid = _text(payload.get("source"), 40), _text(payload.get("umid"), 64)
    body = payload.get("body")
    if not source or not isinstance(body, str):
        raise NotAnEventError("the inbound message lacks its source or body")
    at = _moment(payload.get("timestamp"))
    # A STOP must count even if its time is wrong. With the latest time, it is the newest reply.
    at = at if at is not None and EARLIEST <= at <= LATEST else LATEST
    destination = _text(payload.get("destination"), 40)
    return Inbound(umid or "", source, destination or "", _clean(body)[:MAX_BODY_TEXT], at)


def _text(value: object, length: int) -> str | None:
    return _clean(value).strip()[:length] if isinstance(value, str) else None


def _clean(text: str) -> str:
    """The text without characters that databases refuse: NULs, and lone surrogates, which JSON can contain."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _whole(value: object, *, most: int = 2**31 - 1) -> int | None:
    """A whole number from 0 up, also if it is in quotes or has a decimal point; None for everything else."""
    number = amount_of(value)
    return int(number) if number is not None and 0 <= number <= most and number == int(number) else None


def _price(value: object) -> str | None:
    """A price as exact decimal text; None if it isn't a number or has too many digits."""
    amount = amount_of(value)
    if amount is None or not 0 <= amount < 10**9:
        return None
    text = f"{amount.normalize():f}"
    return text if len(text) <= 24 else None  # the size of the ledger's column


def _moment(value: object) -> int | None:
    """An ISO 8601 time in microseconds since the epoch. A time without an offset is UTC."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        # The provider writes up to seven digits after the second. Python drops those after the sixth.
        moment = datetime.fromisoformat(value.strip().upper())
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
