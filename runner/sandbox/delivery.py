"""Simulates the delivery of a message, the recipient's reply, and the entry in the provider's log. Pure.

The results depend only on the seed and the message. So receipts, details and log exports agree, and every run of the
same campaign gets the same results. The log masks numbers and texts, as the provider does.
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

# The columns of the log export, in the order of the provider's document.
COLUMNS = (
    "umid", "subaccountid", "direction", "country", "operator", "mcc", "mnc", "status_value", "status_details",
    "status_errorcode", "status_errormessage", "status_timestamp", "msisdn", "source", "encoding", "createdat",
    "smscount", "price_currency", "price_persms", "price_total", "clientmessageid", "clientbatchid", "batchid", "body",
)  # fmt: skip
# Columns whose names are not the lower-case names of the fields.
RENAMED = {"status_state": "status_value", "status_detail": "status_details"}

# 3GPP TS 23.038, section 6.2.1: the default alphabet, and its extension table. ESC itself is not a character.
DEFAULT_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"
GSM7_TEXT = re.compile(f"[{re.escape(DEFAULT_ALPHABET + EXTENSION)}]*")
SEGMENT_LIMIT = 10


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """A delivery state as the provider reports it, with its detail. Failure states also have an error."""

    state: str
    detail: str | None = None
    error_code: int | None = None
    error_message: str | None = None

    def as_json(self, timestamp: str) -> dict[str, Any]:
        """The document's status object, without the fields that have no value."""
        status = {"state": self.state, "detail": self.detail, "timestamp": timestamp}
        return without_nulls(status | {"errorCode": self.error_code, "errorMessage": self.error_message})


WAITING = DeliveryStatus("queued")
SENT = DeliveryStatus("sent")
AT_OPERATOR = DeliveryStatus("delivered", "delivered_to_operator")
DELIVERED = DeliveryStatus("delivered", "delivered_to_recipient")
# Rejected by the API, or cancelled before it was sent.
FAILED = DeliveryStatus("failed")


def _undelivered(code: int, words: str, detail: str = "undelivered_to_recipient") -> DeliveryStatus:
    return DeliveryStatus("undelivered", detail, code, words)


# Why messages don't arrive, in percent: 30 for invalid numbers, 10 for barred ones, 60 for temporary causes.
UNDELIVERED: Mapping[DeliveryStatus, int] = {
    _undelivered(59, "unknown subscriber"): 20,
    _undelivered(15, "invalid destination", "rejected_by_operator"): 10,
    _undelivered(13, "illegal subscriber or handset"): 10,
    _undelivered(1, "absent subscriber"): 25,
    _undelivered(46, "unreachable subscriber"): 15,
    _undelivered(36, "message expired"): 12,
    _undelivered(21, "memory of the phone is full"): 8,
}
# Replies, in percent: most opt out, in several ways; some opt in again, some mean something else.
REPLIES: Mapping[tuple[str, ...], int] = {
    ("STOP",): 40,
    ("Stop. Thank you",): 20,
    ("stop",): 10,
    ("STOP", "START"): 10,
    ("don't stop",): 10,
    ("Ok, thanks!",): 10,
}


def final_status(entry: Entry, options: SandboxOptions) -> DeliveryStatus:
    """The last status of a message that is sent. The same seed always gives the same status."""
    if chance(options.seed, "undelivered", *identity_of(entry)) >= options.undelivered_share:
        return DELIVERED
    return _weighted_choice(UNDELIVERED, chance(options.seed, "why", *identity_of(entry)))


def replies_to(entry: Entry, options: SandboxOptions) -> tuple[str, ...]:
    """What the recipient replies if the message arrives. A number gives the same reply to every message."""
    number = entry["destination"].removeprefix("+")
    if chance(options.seed, "reply", number) >= options.stop_share:
        return ()
    return _weighted_choice(REPLIES, chance(options.seed, "words", number))


def chance(*about: object) -> float:
    """A pseudo-random number from 0 (included) to 1 (excluded), always the same for the same arguments."""
    digest = hashlib.blake2b(" ".join(map(str, about)).encode(), digest_size=8).digest()
    # A float has 53 bits: with all 64, the largest numbers would be rounded to 1.
    return (int.from_bytes(digest) >> 11) / 2**53


def identity_of(entry: Entry) -> tuple[str, str]:
    """What identifies a message, whenever and through whichever account it is sent."""
    return entry.get("clientMessageId") or "", entry["destination"]


def _weighted_choice(weights: Mapping[T, int], share: float) -> T:
    place = share * sum(weights.values())
    return next(each for each, end in zip(weights, accumulate(weights.values()), strict=True) if place < end)


def encoding_of(text: str, asked: str | None) -> str:
    """The encoding of the text: the requested one or, for AUTO, the one that it needs."""
    # GSM7 is used even for a text with other characters: what the provider does with them is not documented.
    if asked in ("GSM7", "UCS2"):
        return str(asked)
    return "GSM7" if GSM7_TEXT.fullmatch(text) else "UCS2"


def segments_of(text: str, encoding: str) -> int:
    """The segments that the provider counts, at most ten. A segment never splits a pair of septets or surrogates."""
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
    """The document's price of a message. A message costs money as soon as an operator accepted it."""
    is_free = status.state == "failed" or status.detail == "rejected_by_operator"
    price = 0.0 if is_free else PRICE_PER_SMS
    return {"total": round(price * segments, 6), "perSms": price, "currency": CURRENCY}


def created_at(entry: Entry) -> datetime:
    """When the sandbox received a message of the book."""
    return datetime.fromtimestamp(entry["time"] / 1e6, UTC)


def is_scheduled(entry: Entry, now: datetime) -> bool:
    """Whether the message is still waiting for its scheduled time."""
    moment = moment_of(entry.get("scheduled"))
    return entry["status"] == QUEUED and moment is not None and moment > now


def details_of(entry: Entry, options: SandboxOptions, *, cancelled: Collection[str], now: datetime) -> dict[str, Any]:
    """The document's answer to a request for one message. `cancelled` contains the umids of cancelled messages.

    A queued message counts as arrived at once, except the undelivered share. A scheduled one waits for its time.
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
    """A CSV file of the log export, with its header, from results of `details_of`."""
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
    """A time as the provider writes it: UTC, with a Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value. The provider leaves out the others."""
    return {name: value for name, value in fields.items() if value is not None}
