"""What a delivery receipt means: how far a message got, how two receipts are one, and what an error code says. Pure.

The codes are the provider's ("SMS delivery receipt error codes" in its documentation); words and verdicts are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from runner.base.delivery import DeliveryState, Receipt

# The detail of a delivery that is not one yet: the operator has the message, the phone hasn't.
AT_OPERATOR = "delivered_to_operator"

# How much a state tells; all failures tell as much as each other.
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
    """How much a state tells. Receipts come in any order; the one that tells most counts.

    A delivery to the phone outranks a failure: operators retry, and what has arrived has arrived.
    """
    is_at_operator = state is DeliveryState.DELIVERED and detail == AT_OPERATOR
    return _RANKS.get(AT_OPERATOR if is_at_operator else state, _RANK_OF_FAILURES)


def delivered_at(state: DeliveryState, detail: str | None, at: int) -> int | None:
    """The time of the delivery to the phone, if a receipt of this state tells of one."""
    return at if state is DeliveryState.DELIVERED and detail != AT_OPERATOR else None


def merge(one: Receipt, other: Receipt) -> Receipt:
    """What two receipts of one message (umid) tell together, whichever came first and however often.

    The state that tells most wins, then the later one. What the other knows besides is kept: the first delivery, and
    what is billed. Of two amounts the larger counts, and not the winner's: it may have it from a receipt before, and
    then three receipts would come to another amount in another order.
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
    """By what a state wins over another. Receipts that are alike by it tell the same of the state."""
    facts = (receipt.detail, receipt.error_code, receipt.error_message)
    return (rank(receipt.state, receipt.detail), receipt.at, receipt.state.value, *map(_none_first, facts))


def _billed(receipt: Receipt) -> tuple[Any, ...]:
    amount = None if receipt.price is None else Decimal(receipt.price)
    return (_none_first(amount), _none_first(receipt.price), _none_first(receipt.currency))


def _none_first(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 (whatever can be compared)
    """A key by which None comes before all else."""
    return (False,) if value is None else (True, value)


class Verdict(StrEnum):
    """What an error code says of the next message to this number."""

    TRANSIENT = "transient"  # another time it may arrive
    DEAD = "dead"  # this number takes no SMS, now or later: off the list
    BLOCKED = "blocked"  # the person or the operator doesn't want it
    CONTENT = "content"  # the text or the sender is the trouble
    ROUTE = "route"  # the way there is the trouble: the provider's to mend
    UNSPECIFIED = "unspecified"


@dataclass(frozen=True, slots=True)
class DeliveryErrorCode:
    """An error code of a receipt. `words` say what happened."""

    words: str
    verdict: Verdict


ADVICE: Mapping[Verdict, str] = {
    Verdict.TRANSIENT: "nothing: another time it may arrive",
    Verdict.DEAD: "take the number off your list",
    Verdict.BLOCKED: "ask the person, or the operator through the provider, before you send again",
    Verdict.CONTENT: "look at the text and the sender; some countries want them registered",
    Verdict.ROUTE: "if it happens often, give the provider's support the umid of an example",
    Verdict.UNSPECIFIED: "if it happens often, give the provider's support the umid of an example",
}

_T, _D, _B, _C, _R, _U = Verdict

# Dead is only what says that the number itself can't get an SMS: a live customer who is taken off a list is a loss too.
# 13 and 55 don't: it is the network around the phone that says so (3GPP TS 29.002, MT-ForwardSM), after the operator's
# register has said where the number is. So it is in use, and a barred phone or a network without its memory is behind
# it. Nor do 28 (a lasting fault of the phone) and 37 (no SMS service): people get another phone, or another contract.
CODES: Mapping[int, DeliveryErrorCode] = {
    0: DeliveryErrorCode("no reason is given", _U),
    1: DeliveryErrorCode("the phone is off or out of reach", _T),
    2: DeliveryErrorCode("something about the text", _C),
    3: DeliveryErrorCode("data is missing from the message", _R),
    4: DeliveryErrorCode("delivery was put off", _T),
    5: DeliveryErrorCode("an operator on the way has not answered yet", _T),
    7: DeliveryErrorCode("delivery failed", _U),
    8: DeliveryErrorCode("delivery was denied", _B),
    9: DeliveryErrorCode("the phone and the network did not understand each other", _R),
    10: DeliveryErrorCode("a system on the way failed", _R),
    11: DeliveryErrorCode("too many messages to this number in a short time", _T),
    12: DeliveryErrorCode("the operator's register of subscribers failed", _R),
    13: DeliveryErrorCode("the subscriber or the phone is not allowed in the network", _B),
    14: DeliveryErrorCode("an internal failure on the way", _R),
    15: DeliveryErrorCode("the destination is no valid number", _D),
    16: DeliveryErrorCode("the message has a wrong format", _R),
    17: DeliveryErrorCode("the message has a wrong length", _C),
    18: DeliveryErrorCode("a parameter of the message is wrong", _R),
    19: DeliveryErrorCode("the sender is not accepted", _C),
    20: DeliveryErrorCode("cancelled on the way", _R),
    21: DeliveryErrorCode("the phone's memory is full", _T),
    22: DeliveryErrorCode("delivery is being tried again", _T),
    23: DeliveryErrorCode("the network failed", _T),
    24: DeliveryErrorCode("the subscriber's age is not verified", _B),
    25: DeliveryErrorCode("the network or the person broke it off", _T),
    26: DeliveryErrorCode("the subscriber's contract bars such messages", _B),
    27: DeliveryErrorCode("the operator refuses it for good", _R),
    28: DeliveryErrorCode("the phone can't take it", _U),
    29: DeliveryErrorCode("something about the phone", _T),
    30: DeliveryErrorCode("the number moved to another operator, and was looked for at the old one", _R),
    31: DeliveryErrorCode("the number is not allowed for premium messages", _B),
    32: DeliveryErrorCode("the phone is abroad", _T),
    33: DeliveryErrorCode("there is no way to this operator", _R),
    34: DeliveryErrorCode("a screening on the way stopped it", _C),
    35: DeliveryErrorCode("the operator's message centre is overloaded", _T),
    36: DeliveryErrorCode("it expired before it could be delivered", _T),
    37: DeliveryErrorCode("the subscriber has no SMS service", _U),
    38: DeliveryErrorCode("the message is malformed", _R),
    39: DeliveryErrorCode("the operator's message centre cancelled it", _R),
    40: DeliveryErrorCode("the operator's message centre failed", _R),
    41: DeliveryErrorCode("the operator's message centre rejected it", _B),
    42: DeliveryErrorCode("the sending account lacks credit", _R),
    43: DeliveryErrorCode("a spam filter stopped it", _C),
    44: DeliveryErrorCode("the subscriber's account at the operator is not in order", _T),
    45: DeliveryErrorCode("the phone was busy with another message", _T),
    46: DeliveryErrorCode("the phone can't be reached", _T),
    47: DeliveryErrorCode("the subscriber is away for a while", _T),
    48: DeliveryErrorCode("a system failed", _R),
    49: DeliveryErrorCode("a transaction between operators failed", _R),
    50: DeliveryErrorCode("too many messages at once on the way", _T),
    51: DeliveryErrorCode("no answer in time on the way", _T),
    52: DeliveryErrorCode("an answer on the way could not be read", _R),
    53: DeliveryErrorCode("an unexpected value on the way", _R),
    54: DeliveryErrorCode("an unexpected failure", _R),
    55: DeliveryErrorCode("the subscriber can't be identified", _T),
    56: DeliveryErrorCode("what became of it isn't known", _U),
    57: DeliveryErrorCode("an unknown failure", _U),
    58: DeliveryErrorCode("the operator's message centre isn't known", _R),
    59: DeliveryErrorCode("the number belongs to nobody", _D),
    60: DeliveryErrorCode("the text was filtered", _C),
    61: DeliveryErrorCode("the time for it was over", _T),
}


def code_of(error_code: int) -> DeliveryErrorCode:
    """What a code says; one that this version doesn't know is unspecified."""
    unknown = DeliveryErrorCode(f"code {error_code}, which this version doesn't know", Verdict.UNSPECIFIED)
    return CODES.get(error_code, unknown)
