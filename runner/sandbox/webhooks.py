"""What the provider posts about a message: its delivery receipts, then what its recipient replies. Pure.

Sources: the provider's pages "Delivery receipts for outbound SMS", "Inbound SMS" and "Message status reference".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice, permutations
from math import factorial
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import orjson
from yarl import URL

from runner.base.net import is_loopback
from runner.sandbox.book import Entry
from runner.sandbox.delivery import (
    AT_OPERATOR,
    DELIVERED,
    SENT,
    WAITING,
    DeliverySimulator,
    DeliveryStatus,
    chance,
    encoding_of,
    identity_of,
    known,
    price_of,
    segments_of,
)
from runner.sandbox.options import SandboxOptions

# A virtual number, from the United Kingdom's range for fiction, for replies to a message without a sender id.
OUR_NUMBER = "+447700900999"
# The reference shows two digits of a second, the examples three, and some platforms write seven.
FRACTION_DIGITS = (2, 7)
PEOPLE_ARE_SLOWER = 3
INBOUND = "inbound"
# More than the coarsest timestamp cuts off: a START must not seem older than the STOP before it.
STEP_US = 20_000

# A receipt of a status, or the text of a reply.
Step = DeliveryStatus | str


@dataclass(frozen=True, slots=True)
class Post:
    """One body on its way. `label` is what it counts as."""

    url: URL
    body: bytes
    label: str


@dataclass(frozen=True, slots=True)
class PostPlan:
    """What is posted about a message, step by step."""

    sent: Mapping[str, Any]
    steps: tuple[Step, ...]
    receipts_to: URL | None
    replies_to: URL | None

    def post(self, position: int, at: int) -> Post:
        """The step, on its way at a time in microseconds since the epoch."""
        step = self.steps[position]
        if isinstance(step, str):
            assert self.replies_to is not None
            return Post(self.replies_to, reply_of(self.sent, step, at), INBOUND)
        assert self.receipts_to is not None
        # Of delivered, the detail says how far.
        label = step.detail if step.detail and step in (AT_OPERATOR, DELIVERED) else step.state
        return Post(self.receipts_to, receipt_of(self.sent, step, at), label)

    def comes_twice(self, position: int, options: SandboxOptions) -> bool:
        """Whether the step is a receipt that is posted twice."""
        is_receipt = isinstance(self.steps[position], DeliveryStatus)
        return is_receipt and self._chance("twice", position, options) < options.receipt_duplicates

    def delay_s(self, position: int, options: SandboxOptions) -> float:
        """How long after the step before it this one comes."""
        slower = PEOPLE_ARE_SLOWER if isinstance(self.steps[position], str) else 1
        return options.receipt_delay_s * slower * (0.5 + self._chance("delay", position, options))

    def _chance(self, what: str, position: int, options: SandboxOptions) -> float:
        return chance(options.seed, what, *identity_of(self.sent), position)


def plan_posts(
    message: Entry, options: SandboxOptions, delivery: DeliverySimulator, *, umid: str, sub_account_id: str
) -> tuple[PostPlan | None, int]:
    """What is posted about a message that was queued, None if nothing; and how many steps are left out because they
    would have gone beyond this computer.
    """
    callback = message.get("dlrCallbackUrl")
    inbound = options.inbound_url or callback
    if inbound is None:
        return None, 0
    status = delivery.final_status(message)
    receipts = statuses_to(status) if callback else ()
    replies = delivery.replies_to(message) if status is DELIVERED else ()
    receipts_to, replies_to = (_allowed(url, options) for url in (callback, inbound))
    if receipts and chance(options.seed, "disorder", *identity_of(message)) < options.receipt_disorder:
        receipts = disordered(receipts, chance(options.seed, "order", *identity_of(message)))
    steps: tuple[Step, ...] = (*(receipts if receipts_to else ()), *(replies if replies_to else ()))
    left_out = len(receipts) + len(replies) - len(steps)
    if not steps:
        return None, left_out
    return PostPlan(
        sent_of(message, umid=umid, sub_account_id=sub_account_id), steps, receipts_to, replies_to
    ), left_out


def _allowed(url: str | None, options: SandboxOptions) -> URL | None:
    """Where to post; None for nowhere."""
    target = _parsed(url) if url else None
    return target if target and (options.receipts_beyond_loopback or is_loopback(target.host)) else None


@lru_cache(maxsize=64)
def _parsed(url: str) -> URL | None:
    """An URL as the client reads it, which is the reading that counts; None for one that it cannot read."""
    try:
        return URL(url)
    except ValueError:
        return None


def sent_of(entry: Entry, *, umid: str, sub_account_id: str) -> dict[str, Any]:
    """What receipts say of a message in each of its states. Without the text: a hundred thousand of these may wait."""
    sent = {
        "umid": umid,
        "clientMessageId": entry.get("clientMessageId"),
        "subAccountId": sub_account_id,
        "source": entry.get("source"),
        "destination": f"+{entry['destination'].removeprefix('+')}",
        "smsCount": segments_of(entry["text"], encoding_of(entry["text"], entry.get("encoding"))),
    }
    return known(sent)


def statuses_to(final: DeliveryStatus) -> tuple[DeliveryStatus, ...]:
    """The statuses that a message goes through to its last one, with a receipt for each."""
    passed = (WAITING, SENT) if final.detail == "rejected_by_operator" else (WAITING, SENT, AT_OPERATOR)
    return (*passed, final)


def disordered(steps: Sequence[DeliveryStatus], share: float) -> tuple[DeliveryStatus, ...]:
    """The steps in another order than theirs; `share` (0 to 1) chooses which."""
    others = factorial(len(steps)) - 1
    return next(islice(permutations(steps), 1 + int(share * others), None))


def receipt_of(sent: Mapping[str, Any], status: DeliveryStatus, at: int) -> bytes:
    """A delivery receipt. `at` is in microseconds since the epoch. Only the last state's is billed, and has a price."""
    payload = {**sent, "status": status.as_json(timestamp_of(at, sent["umid"], status))}
    if status not in (WAITING, SENT, AT_OPERATOR):
        payload["price"] = price_of(status, sent["smsCount"])
    return _event("outbound_message_status_changed", "a delivery receipt of the sandbox", payload)


def reply_of(sent: Mapping[str, Any], text: str, at: int) -> bytes:
    """An inbound message. `at` is in microseconds since the epoch."""
    encoding = encoding_of(text, None)
    payload = {
        "umid": str(uuid5(NAMESPACE_OID, f"{sent['umid']} {at} {text}")),
        "subAccountId": sent["subAccountId"],
        "timestamp": timestamp_of(at, sent["umid"], text),
        "source": sent["destination"],
        "destination": sent.get("source") or OUR_NUMBER,
        "body": text,
        "encoding": encoding,
        "smsCount": segments_of(text, encoding),
    }
    return _event("inbound_message_received", "an inbound message of the sandbox", payload)


def timestamp_of(at: int, *about: object) -> str:
    """UTC with a Z, and as many digits of a second as chance will have it: no reader may count on a number of them."""
    least, most = FRACTION_DIGITS
    digits = least + int(chance(*about) * (most - least + 1))
    whole = datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{f'{at % 1_000_000:06}0'[:digits]}Z"


def _event(kind: str, description: str, payload: Mapping[str, Any]) -> bytes:
    event = {"namespace": "SMS", "eventType": kind, "description": description, "payload": payload}
    return orjson.dumps(event)
