"""What the provider posts: delivery receipts and inbound messages. From bytes to records; pure.

Lenient in what isn't needed: a receipt that is refused because of a field that nobody reads would be posted four times
more, and then be lost.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from runner.models import DeliveryState, Inbound, Receipt
from runner.provider.delivery import delivered_at

RECEIPT = "outbound_message_status_changed"
INBOUND = "inbound_message_received"
NAMESPACE = "SMS"

MAX_BODY_TEXT = 2_000
"""Characters of a reply: ten segments are 1,530."""

_FRACTION = re.compile(r"(\.\d{1,6})\d*")
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_MOST_PRICE = Decimal(10) ** 9


class NotAnEventError(ValueError):
    """The body is no event; its words say why, and hold nothing of the body."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event of another kind, such as one of a chat app. `kind` is `namespace/eventType`, cut and printable."""

    kind: str


def read_event(body: bytes) -> Receipt | Inbound | Ignored:
    """The event in a request's body. Raises NotAnEventError when there is none, or when it lacks what counts."""
    try:
        event = json.loads(body, parse_float=Decimal, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise NotAnEventError("the body is not JSON") from None
    if not isinstance(event, dict):
        raise NotAnEventError("the body is not a JSON object")
    namespace, kind = event.get("namespace"), event.get("eventType")
    if not isinstance(kind, str):
        raise NotAnEventError("the body has no eventType")
    is_sms = not isinstance(namespace, str) or namespace.upper() == NAMESPACE
    if not is_sms or kind not in (RECEIPT, INBOUND):
        return Ignored(_text(f"{namespace}/{kind}", 60) or "")
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
    try:
        state = DeliveryState(said.lower())
    except ValueError:
        state = DeliveryState.UNKNOWN
    detail = _text(status.get("detail"), 40)
    price = payload.get("price")
    price = price if isinstance(price, dict) else {}
    total = _amount(price.get("total"))
    return Receipt(
        umid=umid,
        message_id=_text(payload.get("clientMessageId"), 350) or None,
        state=state,
        at=at,
        detail=detail.lower() if detail else None,
        error_code=_whole(status.get("errorCode")),
        error_message=_text(status.get("errorMessage"), 300) or None,
        delivered_at=delivered_at(state, detail.lower() if detail else None, at),
        segments=_whole(payload.get("smsCount"), most=1_000),
        price=total,
        currency=_text(price.get("currency"), 3) if total is not None else None,
    )


def _inbound(payload: Mapping[str, Any]) -> Inbound:
    at = _moment(payload.get("timestamp"))
    source, umid = _text(payload.get("source"), 40), _text(payload.get("umid"), 64)
    body = payload.get("body")
    if not source or not isinstance(body, str) or at is None:
        raise NotAnEventError("the inbound message lacks its source, body or timestamp")
    destination = _text(payload.get("destination"), 40)
    return Inbound(umid or "", source, destination or "", _clean(body)[:MAX_BODY_TEXT], at)


def _text(value: object, length: int) -> str | None:
    return _clean(value).strip()[:length] if isinstance(value, str) else None


def _clean(text: str) -> str:
    """Without what no database takes: lone surrogates, which JSON can hold, and NULs."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _whole(value: object, *, most: int = 2**31 - 1) -> int | None:
    """A whole number from 0, also written as a text or with a decimal point; None for everything else."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal() and len(value) <= 12:
        value = int(value)
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value() and value < most:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None


def _amount(value: object) -> str | None:
    """An amount of money as decimal text, exactly as it was written."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 <= value < _MOST_PRICE:
        return None
    text = f"{value.normalize():f}" if value else "0"
    return text if len(text) <= 24 else None


def _moment(value: object) -> int | None:
    """Microseconds since the epoch of an ISO 8601 time; without an offset it is UTC."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        # Up to seven digits come; Python reads six.
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", value.strip()))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if not _FIRST <= moment <= _LAST:
            return None
    except (ValueError, OverflowError):
        return None
    return math.floor(moment.timestamp()) * 1_000_000 + moment.microsecond
