"""What the provider reports after it accepted a message: delivery receipts and replies."""

from dataclasses import dataclass
from enum import StrEnum


class DeliveryState(StrEnum):
    """The delivery state of an accepted message, from receipts, the provider's log or a cancellation."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  # the provider reports this state, or one that this version doesn't know


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one receipt, or several merged receipts, say about a message.

    `message_id` is the clientMessageId, or None if the receipt doesn't have it. `at` is when the state was reached, and
    `delivered_at` when the phone first received the message, both by the provider's clock. `segments` and `price`
    (decimal text, for the whole message, in `currency`, ISO 4217) are what the provider bills, if known.
    """

    umid: str
    message_id: str | None
    state: DeliveryState
    at: int
    detail: str | None = None
    error_code: int | None = None
    error_message: str | None = None
    delivered_at: int | None = None
    segments: int | None = None
    price: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """A reply. `source` is the phone number as the provider writes it, `destination` is our sender ID."""

    umid: str
    source: str
    destination: str
    body: str
    at: int
