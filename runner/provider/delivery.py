"""What a delivery receipt means: how far a message got, how to merge receipts, and what error codes mean. Pure.

The codes are the provider's ("SMS delivery receipt error codes" in its documentation). The descriptions and verdicts
are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from runner.base.delivery import DeliveryState, Receipt

# The detail of a message that only the operator has received, although its state says "delivered".
AT_OPERATOR = "delivered_to_operator"

# How far each state is. All failures have the same rank.
_RANKS = {
    DeliveryState.UNKNOWN: 0,
    DeliveryState.QUEUED: 1,
    DeliveryState.SENT: 2,
    AT_OPERATOR: 3,
    DeliveryState.DELIVERED: 5,
    DeliveryState.READ: 6,
}
_RANK_OF_FAILURES = 4


def rank(state: DeliveryState, detail: str | None) -> int:
    """How far a state is. Receipts arrive in any order; the one with the highest rank counts.

    Delivery to the phone outranks a failure: operators retry, so a message can arrive after a failure was reported.
    """
    is_at_operator = state is DeliveryState.DELIVERED and detail == AT_OPERATOR
    return _RANKS.get(AT_OPERATOR if is_at_operator else state, _RANK_OF_FAILURES)


def delivered_at(state: DeliveryState, detail: str | None, at: int) -> int | None:
    """The time of delivery to the phone, if a receipt with this state reports one."""
    return at if state is DeliveryState.DELIVERED and detail != AT_OPERATOR else None


def merge(one: Receipt, other: Receipt) -> Receipt:
    """Two receipts of one message (umid), merged. The result doesn't depend on their order or on repeats.

    The state with the highest rank wins, then the later one. The first delivery time and the billed amount are kept
    from either receipt. The larger amount wins, not that of the winning state: otherwise three receipts could lead to
    different amounts, depending on their order.
    """
    both = (one, other)
    priced = max(both, key=_billed)
    return replace(
        max(both, key=precedence),
        message_id=max((each.message_id for each in both), key=_none_first),
        delivered_at=min((each.delivered_at for each in both if each.delivered_at is not None), default=None),
        segments=max((each.segments for each in both), key=_none_first),
        price=priced.price,
        currency=priced.currency,
    )


def precedence(receipt: Receipt) -> tuple[Any, ...]:
    """The sort key that decides which receipt's state wins. Receipts with the same key have the same state."""
    facts = (receipt.detail, receipt.error_code, receipt.error_message)
    return (rank(receipt.state, receipt.detail), receipt.at, receipt.state.value, *map(_none_first, facts))


def _billed(receipt: Receipt) -> tuple[Any, ...]:
    amount = None if receipt.price is None else Decimal(receipt.price)
    return (_none_first(amount), _none_first(receipt.price), _none_first(receipt.currency))


def _none_first(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 (whatever can be compared)
    """A sort key that puts None first."""
    return (False,) if value is None else (True, value)


class Verdict(StrEnum):
    """What an error code means for the next message to this number."""

    TRANSIENT = "transient"  # a later message may arrive
    DEAD = "dead"  # the number can't receive SMS, now or later: remove it from the list
    BLOCKED = "blocked"  # the person or the operator refuses it
    CONTENT = "content"  # the text or the sender ID is the cause
    ROUTE = "route"  # the delivery path is the cause; only the provider can fix it
    UNSPECIFIED = "unspecified"


@dataclass(frozen=True, slots=True)
class DeliveryErrorCode:
    """An error code of a receipt. `words` describes what happened."""

    words: str
    verdict: Verdict


ADVICE: Mapping[Verdict, str] = {
    Verdict.TRANSIENT: "no action needed; a later message may arrive",
    Verdict.DEAD: "remove the number from your list",
    Verdict.BLOCKED: "before you send again, ask the person, or ask the provider to ask the operator",
    Verdict.CONTENT: "check the text and the sender ID; some countries require both to be registered",
    Verdict.ROUTE: "if it happens often, send the umid of an example to the provider's support",
    Verdict.UNSPECIFIED: "if it happens often, send the umid of an example to the provider's support",
}

_T, _D, _B, _C, _R, _U = Verdict

# A code is dead only if it says that the number itself can't receive SMS: removing a live customer from a list is a
# loss, too. Codes 13 and 55 come from the network around the phone (3GPP TS 29.002, MT-ForwardSM), after the operator's
# subscriber database has located the number. So the number is in use; the cause is a barred phone, or a network that
# lost its data. Codes 28 (a permanent fault of the phone) and 37 (no SMS service) aren't dead either, because people
# get new phones and new contracts.
CODES: Mapping[int, DeliveryErrorCode] = {
    0: DeliveryErrorCode("no reason given", _U),
    1: DeliveryErrorCode("the phone is off or out of coverage", _T),
    2: DeliveryErrorCode("problem with the text", _C),
    3: DeliveryErrorCode("data is missing from the message", _R),
    4: DeliveryErrorCode("delivery was postponed", _T),
    5: DeliveryErrorCode("waiting for another operator's answer", _T),
    7: DeliveryErrorCode("delivery failed", _U),
    8: DeliveryErrorCode("delivery was denied", _B),
    9: DeliveryErrorCode("protocol error between phone and network", _R),
    10: DeliveryErrorCode("a system on the delivery path failed", _R),
    11: DeliveryErrorCode("too many messages to this number in a short time", _T),
    12: DeliveryErrorCode("the operator's subscriber database failed", _R),
    13: DeliveryErrorCode("the subscriber or the phone is barred from the network", _B),
    14: DeliveryErrorCode("internal error on the delivery path", _R),
    15: DeliveryErrorCode("not a valid number", _D),
    16: DeliveryErrorCode("wrong message format", _R),
    17: DeliveryErrorCode("wrong message length", _C),
    18: DeliveryErrorCode("wrong message parameter", _R),
    19: DeliveryErrorCode("the sender ID is not accepted", _C),
    20: DeliveryErrorCode("cancelled during delivery", _R),
    21: DeliveryErrorCode("the phone's memory is full", _T),
    22: DeliveryErrorCode("delivery is being retried", _T),
    23: DeliveryErrorCode("network failure", _T),
    24: DeliveryErrorCode("the subscriber's age is not verified", _B),
    25: DeliveryErrorCode("aborted by the network or the subscriber", _T),
    26: DeliveryErrorCode("the subscriber's contract blocks messages of this kind", _B),
    27: DeliveryErrorCode("permanently refused by the operator", _R),
    28: DeliveryErrorCode("the phone can't receive it", _U),
    29: DeliveryErrorCode("problem with the phone", _T),
    30: DeliveryErrorCode("the number was ported, but the message was routed to its old operator", _R),
    31: DeliveryErrorCode("the number can't receive premium messages", _B),
    32: DeliveryErrorCode("the phone is roaming", _T),
    33: DeliveryErrorCode("no route to this operator", _R),
    34: DeliveryErrorCode("blocked by content screening", _C),
    35: DeliveryErrorCode("the operator's SMS centre is overloaded", _T),
    36: DeliveryErrorCode("expired before delivery", _T),
    37: DeliveryErrorCode("the subscriber has no SMS service", _U),
    38: DeliveryErrorCode("the message is malformed", _R),
    39: DeliveryErrorCode("the operator's SMS centre cancelled it", _R),
    40: DeliveryErrorCode("the operator's SMS centre failed", _R),
    41: DeliveryErrorCode("the operator's SMS centre rejected it", _B),
    42: DeliveryErrorCode("the sending account has no credit", _R),
    43: DeliveryErrorCode("blocked by a spam filter", _C),
    44: DeliveryErrorCode("problem with the subscriber's account at the operator", _T),
    45: DeliveryErrorCode("the phone was busy with another message", _T),
    46: DeliveryErrorCode("the phone can't be reached", _T),
    47: DeliveryErrorCode("the subscriber is temporarily absent", _T),
    48: DeliveryErrorCode("system failure", _R),
    49: DeliveryErrorCode("a transaction between operators failed", _R),
    50: DeliveryErrorCode("congestion on the delivery path", _T),
    51: DeliveryErrorCode("timeout on the delivery path", _T),
    52: DeliveryErrorCode("invalid answer on the delivery path", _R),
    53: DeliveryErrorCode("unexpected value on the delivery path", _R),
    54: DeliveryErrorCode("unexpected error", _R),
    55: DeliveryErrorCode("the subscriber can't be identified", _T),
    56: DeliveryErrorCode("outcome not known", _U),
    57: DeliveryErrorCode("unknown error", _U),
    58: DeliveryErrorCode("the operator's SMS centre is not known", _R),
    59: DeliveryErrorCode("the number is not assigned", _D),
    60: DeliveryErrorCode("the text was filtered out", _C),
    61: DeliveryErrorCode("the validity period ended", _T),
}


def code_of(error_code: int) -> DeliveryErrorCode:
    """What a code means. A code that this version doesn't know is unspecified."""
    unknown = DeliveryErrorCode(f"unknown code {error_code}", Verdict.UNSPECIFIED)
    return CODES.get(error_code, unknown)
