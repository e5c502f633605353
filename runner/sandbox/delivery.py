"""What becomes of a message, what its recipient replies, and what the provider's log says about it. Pure.

It depends on the seed and the message alone, so that receipts, details and log exports agree, and every run of the same
campaign shows the same. Numbers and texts are masked in the log, as the provider masks them.
"""

import csv
import hashlib
import io
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, TypeVar

from runner.sandbox.answers import QUEUED
from runner.sandbox.book import Entry
from runner.sandbox.checks import moment_of
from runner.sandbox.options import SandboxOptions

T = TypeVar("T")

MASKED = "**MASKED**"
PRICE_PER_SMS = 0.01
CURRENCY = "USD"

# The log export's, in the order of the provider's document.
COLUMNS = (
    "umid", "subaccountid", "direction", "country", "operator", "mcc", "mnc", "status_value", "status_details",
    "status_errorcode", "status_errormessage", "status_timestamp", "msisdn", "source", "encoding", "createdat",
    "smscount", "price_currency", "price_persms", "price_total", "clientmessageid", "clientbatchid", "batchid", "body",
)  # fmt: skip
# Columns whose name isn't that of the field in small letters.
RENAMED = {"status_state": "status_value", "status_detail": "status_details"}

# 3GPP TS 23.038, section 6.2.1: the default alphabet, then its extension table (ESC itself is not a character).
DEFAULT_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"
GSM7_TEXT = re.compile(f"[{re.escape(DEFAULT_ALPHABET + EXTENSION)}]*")
SEGMENT_LIMIT = 10


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """A state of the provider's, with its detail. The error is for states of failure."""

    state: str
    detail: str | None = None
    error_code: int | None = None
    error_message: str | None = None

    def as_json(self, timestamp: str) -> dict[str, Any]:
        """The document's status object; what is not known is absent."""
        status = {"state": self.state, "detail": self.detail, "timestamp": timestamp}
        return without_nulls(status | {"errorCode": self.error_code, "errorMessage": self.error_message})


WAITING = DeliveryStatus("queued")
SENT = DeliveryStatus("sent")
AT_OPERATOR = DeliveryStatus("delivered", "delivered_to_operator")
DELIVERED = DeliveryStatus("delivered", "delivered_to_recipient")
# Rejected by the API, or cancelled before its time.
FAILED = DeliveryStatus("failed")


def _undelivered(code: int, words: str, detail: str = "undelivered_to_recipient") -> DeliveryStatus:
    return DeliveryStatus("undelivered", detail, code, words)


# Of a hundred messages that don't arrive: about as many numbers that are dead as phones that are off, full or away.
UNDELIVERED: Mapping[DeliveryStatus, int] = {
    _undelivered(59, "the subscriber is unknown"): 20,
    _undelivered(15, "the destination is invalid", "rejected_by_operator"): 10,
    _undelivered(13, "the subscriber or the phone may not receive"): 10,
    _undelivered(1, "the subscriber is absent"): 25,
    _undelivered(46, "the subscriber cannot be reached"): 15,
    _undelivered(36, "the message expired"): 12,
    _undelivered(21, "the phone's memory is full"): 8,
}
# Of a hundred who reply: most opt out, in several ways; some change their mind, some mean something else.
REPLIES: Mapping[tuple[str, ...], int] = {
    ("STOP",): 40,
    ("Stop. Thank you",): 20,
    ("stop",): 10,
    ("STOP", "START"): 10,
    ("don't stop",): 10,
    ("Ok, thanks!",): 10,
}


def final_status(entry: Entry, options: SandboxOptions) -> DeliveryStatus:
    """How a message ends that is sent, the same each time for the same seed."""
    if chance(options.seed, "undelivered", *identity_of(entry)) >= options.undelivered_share:
        return DELIVERED
    return _weighted_choice(UNDELIVERED, chance(options.seed, "why", *identity_of(entry)))


def replies_to(entry: Entry, options: SandboxOptions) -> tuple[str, ...]:
    """What the recipient writes back, if the message arrives: the same to every message."""
    number = entry["destination"].removeprefix("+")
    if chance(options.seed, "reply", number) >= options.stop_share:
        return ()
    return _weighted_choice(REPLIES, chance(options.seed, "words", number))


def chance(*about: object) -> float:
    """From 0 (included) to 1 (excluded), evenly spread, the same each time for the same words."""
    digest = hashlib.blake2b(" ".join(map(str, about)).encode(), digest_size=8).digest()
    # 53 bits are what a float holds: with all 64 the largest would be rounded to 1.
    return (int.from_bytes(digest) >> 11) / 2**53


def identity_of(entry: Entry) -> tuple[str, str]:
    """What tells one message from another, wherever and whenever it is sent."""
    return entry.get("clientMessageId") or "", entry["destination"]


def _weighted_choice(weights: Mapping[T, int], share: float) -> T:
    place = share * sum(weights.values())
    return next(each for each, end in zip(weights, accumulate(weights.values()), strict=True) if place < end)


def encoding_of(text: str, asked: str | None) -> str:
    """The encoding that the text travels in: the one asked for, or else (AUTO) the one it needs."""
    # GSM7 also for a text that it cannot hold: what the provider does to its characters is not documented.
    if asked in ("GSM7", "UCS2"):
        return str(asked)
    return "GSM7" if GSM7_TEXT.fullmatch(text) else "UCS2"


def segments_of(text: str, encoding: str) -> int:
    """How many segments the provider counts, ten at most. None ends within a pair of septets or surrogates."""
    if encoding == "GSM7":
        alone, joined, sizes = 160, 153, [2 if character in EXTENSION else 1 for character in text]
    else:
        alone, joined, sizes = 70, 67, [2 if character > "\uffff" else 1 for character in text]
    if sum(sizes) <= alone:
        return 1
    segments, left = 1, joined
    for size in sizes:
        if size > left:
            segments, left = segments + 1, joined
        left -= size
    return min(segments, SEGMENT_LIMIT)


def price_of(status: DeliveryStatus, segments: int) -> dict[str, Any]:
    """The document's price of a message. Whatever an operator has taken costs money, wherever it ended."""
    is_free = status.state == "failed" or status.detail == "rejected_by_operator"
    price = 0.0 if is_free else PRICE_PER_SMS
    return {"total": round(price * segments, 6), "perSms": price, "currency": CURRENCY}


def created_at(entry: Entry) -> datetime:
    """When the sandbox took a message of the book."""
    return datetime.fromtimestamp(entry["time"] / 1e6, UTC)


def is_scheduled(entry: Entry, now: datetime) -> bool:
    """Whether the message still waits for its time."""
    moment = moment_of(entry.get("scheduled"))
    return entry["status"] == QUEUED and moment is not None and moment > now


def details_of(entry: Entry, options: SandboxOptions, *, cancelled: Collection[str], now: datetime) -> dict[str, Any]:
    """The document's answer to a question for one message. `cancelled` holds the umids of those that were.

    What was queued has arrived at once, but for the undelivered share. What is scheduled waits for its time.
    """
    encoding = encoding_of(entry["text"], entry.get("encoding"))
    segments = segments_of(entry["text"], encoding)
    if entry["umid"] in cancelled or entry["status"] != QUEUED:
        status = FAILED
    else:
        status = WAITING if is_scheduled(entry, now) else final_status(entry, options)
    created = timestamp(created_at(entry))
    details = {
        "umid": entry["umid"],
        "subAccountId": entry["subAccountId"],
        "direction": "outbound",
        "country": entry.get("country"),
        "status": status.as_json(created),
        "msisdn": f"+{entry['destination'].removeprefix('+')[:-4]}xxxx",
        "source": entry.get("source") or "",
        "body": MASKED,
        "encoding": encoding,
        "createdAt": created,
        "smsCount": segments,
        "price": price_of(status, segments),
        "clientMessageId": entry.get("clientMessageId"),
    }
    return without_nulls(details)


def csv_of(details: Iterable[Mapping[str, Any]]) -> bytes:
    """A file of the log export, with its header: of messages as `details_of` shows them."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore")
    writer.writeheader()
    for each in details:
        flat = dict(each) | {"direction": "1"}  # outbound
        flat |= {f"status_{name}": value for name, value in each["status"].items()}
        flat |= {f"price_{name}": value for name, value in each["price"].items()}
        writer.writerow({RENAMED.get(name, name.lower()): value for name, value in flat.items()})
    return text.getvalue().encode()


def timestamp(moment: datetime) -> str:
    """As the provider writes times: UTC, with a Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value: the provider leaves the others out."""
    return {name: value for name, value in fields.items() if value is not None}
