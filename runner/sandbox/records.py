"""What the provider's log says about a message of the book: as a row of the log export, and as message details.

Nothing is delivered by a stand-in, so it claims what it was asked for: what was queued is delivered at once, but for a
share that isn't, what was rejected or cancelled has failed, and what is scheduled waits for its time. The receipts come
to the same end. Numbers and texts are masked, as the provider masks them.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any

from runner.sandbox.answers import QUEUED
from runner.sandbox.checks import moment_of
from runner.sandbox.encoding import encoding_of, segments_of
from runner.sandbox.fate import FAILED, Entry, Fate, Fates
from runner.sandbox.fate import QUEUED as WAITING

# The log export's, in the order of the provider's document.
COLUMNS = (
    "umid", "subaccountid", "direction", "country", "operator", "mcc", "mnc", "status_value", "status_details",
    "status_errorcode", "status_errormessage", "status_timestamp", "msisdn", "source", "encoding", "createdat",
    "smscount", "price_currency", "price_persms", "price_total", "clientmessageid", "clientbatchid", "batchid", "body",
)  # fmt: skip

MASKED = "**MASKED**"
OUTBOUND = "1"  # in the export; the details have the word
PRICE_PER_SMS = 0.01
CURRENCY = "USD"


def details_of(entry: Entry, *, cancelled: AbstractSet[str], fates: Fates, now: datetime) -> dict[str, Any]:
    """The document's answer to a question for one message. `cancelled` holds the umids of those that were."""
    encoding = encoding_of(entry["text"], entry.get("encoding"))
    segments = segments_of(entry["text"], encoding)
    fate = _fate_of(entry, cancelled=cancelled, fates=fates, now=now)
    created_at = timestamp(entry["time"])
    known = {
        "umid": entry["umid"],
        "subAccountId": entry["subAccountId"],
        "direction": "outbound",
        "country": entry.get("country"),
        "status": fate.as_status(created_at),
        "msisdn": _masked(entry["destination"]),
        "source": entry.get("source") or "",
        "body": MASKED,
        "encoding": encoding.value,
        "createdAt": created_at,
        "smsCount": segments,
        "price": price_of(fate, segments),
        "clientMessageId": entry.get("clientMessageId"),
    }
    return {name: value for name, value in known.items() if value is not None}


def price_of(fate: Fate, segments: int) -> dict[str, Any]:
    """The document's price of a message, in segments."""
    price = PRICE_PER_SMS if fate.is_billed else 0.0
    return {"total": round(price * segments, 6), "perSms": price, "currency": CURRENCY}


def csv_of(entries: Iterable[Entry], *, cancelled: AbstractSet[str], fates: Fates, now: datetime) -> bytes:
    """A file of the log export, with its header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    for entry in entries:
        writer.writerow(_row_of(details_of(entry, cancelled=cancelled, fates=fates, now=now)))
    return text.getvalue().encode()


def timestamp(microseconds: int) -> str:
    """As the provider writes times: UTC, with a Z."""
    moment = datetime.fromtimestamp(microseconds / 1e6, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _row_of(details: Mapping[str, Any]) -> dict[str, object]:
    status, price = details["status"], details["price"]
    return {
        "umid": details["umid"],
        "subaccountid": details["subAccountId"],
        "direction": OUTBOUND,
        "country": details.get("country", ""),
        "status_value": status["state"],
        "status_details": status.get("detail", ""),
        "status_errorcode": status.get("errorCode", ""),
        "status_errormessage": status.get("errorMessage", ""),
        "status_timestamp": status["timestamp"],
        "msisdn": details["msisdn"],
        "source": details["source"],
        "encoding": details["encoding"],
        "createdat": details["createdAt"],
        "smscount": details["smsCount"],
        "price_currency": price["currency"],
        "price_persms": price["perSms"],
        "price_total": price["total"],
        "clientmessageid": details.get("clientMessageId", ""),
        "body": details["body"],
    }


def _fate_of(entry: Entry, *, cancelled: AbstractSet[str], fates: Fates, now: datetime) -> Fate:
    if entry["umid"] in cancelled or entry["status"] != QUEUED:
        return FAILED
    return WAITING if is_waiting(entry, now) else fates.of(entry)


def is_waiting(entry: Entry, now: datetime) -> bool:
    """Whether the message is scheduled for later."""
    moment = moment_of(entry.get("scheduled"))
    return entry["status"] == QUEUED and moment is not None and moment > now


def _masked(destination: str) -> str:
    digits = destination.removeprefix("+")
    return f"+{digits[:-4]}xxxx"
