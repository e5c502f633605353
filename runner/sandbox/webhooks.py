"""The bodies that the provider posts, delivery receipts and inbound messages, and the states that a message goes by.

Pure. Sources: the provider's pages "Delivery receipts for outbound SMS", "Inbound SMS" and "Message status reference".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, permutations
from math import factorial
from uuid import NAMESPACE_OID, uuid5

import orjson

from runner.sandbox.chance import chance
from runner.sandbox.encoding import encoding_of, segments_of
from runner.sandbox.fate import AT_OPERATOR, QUEUED, SENT, Entry, Fate, digits_of
from runner.sandbox.records import price_of

# A virtual number, from the United Kingdom's range for fiction, for replies to a message without a sender id.
OUR_NUMBER = "+447700900999"
# The reference shows two digits of a second, the examples three, and some platforms write seven.
FRACTION_DIGITS = (2, 7)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a recipient writes."""

    body: str


Step = Fate | Reply


@dataclass(frozen=True, slots=True)
class Sent:
    """What receipts say of a message in each of its states. Without the text: a hundred thousand of these may wait."""

    umid: str
    sub_account_id: str
    client_message_id: str | None
    source: str | None
    destination: str
    segments: int


def sent_of(entry: Entry, *, umid: str, sub_account_id: str) -> Sent:
    text = entry["text"]
    return Sent(
        umid=umid,
        sub_account_id=sub_account_id,
        client_message_id=entry.get("clientMessageId"),
        source=entry.get("source"),
        destination=f"+{digits_of(entry['destination'])}",
        segments=segments_of(text, encoding_of(text, entry.get("encoding"))),
    )


def way_to(fate: Fate) -> tuple[Fate, ...]:
    """The states that a message goes through, one receipt for each."""
    return (QUEUED, SENT, fate) if fate.detail == "rejected_by_operator" else (QUEUED, SENT, AT_OPERATOR, fate)


def disordered(steps: Sequence[Fate], share: float) -> tuple[Fate, ...]:
    """The steps in another order than theirs; `share` (0 to 1) chooses which."""
    others = factorial(len(steps)) - 1
    return next(islice(permutations(steps), 1 + int(share * others), None))


def receipt_of(sent: Sent, fate: Fate, at: int) -> bytes:
    """A delivery receipt. `at` is in microseconds since the epoch. Only the last state's is billed, and has a price."""
    payload = {
        "umid": sent.umid,
        "clientMessageId": sent.client_message_id,
        "subAccountId": sent.sub_account_id,
        "source": sent.source,
        "destination": sent.destination,
        "status": fate.as_status(timestamp_of(at, sent.umid, fate)),
        "price": None if fate in (QUEUED, SENT, AT_OPERATOR) else price_of(fate, sent.segments),
        "smsCount": sent.segments,
    }
    return _event("outbound_message_status_changed", "a delivery receipt of the sandbox", payload)


def reply_of(sent: Sent, reply: Reply, at: int) -> bytes:
    """An inbound message. `at` is in microseconds since the epoch."""
    encoding = encoding_of(reply.body, None)
    payload = {
        "umid": str(uuid5(NAMESPACE_OID, f"{sent.umid} {at} {reply.body}")),
        "subAccountId": sent.sub_account_id,
        "timestamp": timestamp_of(at, sent.umid, reply),
        "source": sent.destination,
        "destination": sent.source or OUR_NUMBER,
        "body": reply.body,
        "encoding": encoding.value,
        "smsCount": segments_of(reply.body, encoding),
    }
    return _event("inbound_message_received", "an inbound message of the sandbox", payload)


def timestamp_of(at: int, *about: object) -> str:
    """UTC with a Z, and as many digits of a second as chance will have it: no reader may count on a number of them."""
    least, most = FRACTION_DIGITS
    digits = least + int(chance(*about) * (most - least + 1))
    whole = datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{f'{at % 1_000_000:06}0'[:digits]}Z"


def _event(kind: str, description: str, payload: Mapping[str, object]) -> bytes:
    known = {name: value for name, value in payload.items() if value is not None}
    return orjson.dumps({"namespace": "SMS", "eventType": kind, "description": description, "payload": known})
