"""What the provider says after a message was accepted: delivery receipts and replies."""

from dataclasses import dataclass
from enum import StrEnum


class DeliveryState(StrEnum):
    """What became of an accepted message, as far as receipts, the provider's log or a cancelling tell."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  # the provider says so, or says something that this version doesn't know


@dataclass(frozen=True, slots=True)
class Receipt:
    """What receipts have told of one message so far: one of them, or several merged.

    `message_id` is the clientMessageId, None where the provider doesn't echo it. `at` is the provider's time of the
    state, `delivered_at` that of the first delivery to the phone. `segments` and `price` (decimal text, of the whole
    message, in `currency`, ISO 4217) are what the provider bills, where it tells.
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
    """A message that somebody wrote back. `source` is the phone as the provider writes it, `destination` our sender."""

    umid: str
    source: str
    destination: str
    body: str
    at: int
