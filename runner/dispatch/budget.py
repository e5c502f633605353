"""The campaign's `limits` while a run is sent: a message that would exceed one is held back.

Every message that leaves counts, whatever its answer: an unknown message may have reached a phone, and the provider
doesn't say what a rejected one costs. So a run never exceeds its limits, but may end slightly below them.
"""

from decimal import Decimal

from runner.base.errors import InputError
from runner.base.messages import Message
from runner.base.options import Limits
from runner.prices.costs import UNKNOWN_COUNTRY, Costs, at_most, cost_limit_problem, exact


class Budget:
    """What remains of `limits`. Not thread-safe: use it only in the dispatcher's event loop.

    :param spent: the messages that earlier sessions of the run sent, and the prices to use.

    Raises InputError if a cost limit can't be checked, for example because a message that was sent has no price.
    """

    def __init__(self, limits: Limits, spent: Costs) -> None:
        if problem := cost_limit_problem(limits, spent):
            raise InputError([problem])
        self._limits = limits
        self._prices = spent.prices if limits.cost is not None else None
        self._messages = spent.messages
        self._segments = spent.segments
        self._cost = spent.total if self._prices else Decimal(0)

    def take(self, message: Message) -> str | None:
        """Count a message that is about to leave. Returns None, or, without counting it, the limit it would exceed."""
        limits = self._limits
        if limits.messages is not None and self._messages >= limits.messages:
            return f"limits.messages: {self._messages:,} sent, and the limit is {limits.messages:,}"
        segments = self._segments + message.segments
        if limits.segments is not None and segments > limits.segments:
            if self._segments >= limits.segments:
                return f"limits.segments: {self._segments:,} sent, and the limit is {limits.segments:,}"
            return (
                f"limits.segments: {self._segments:,} of {limits.segments:,} sent, and the next message has "
                f"{message.segments}"
            )
        cost = self._cost_of(message)
        if cost is None:
            country = message.country or UNKNOWN_COUNTRY
            return f"limits.cost: the price list has no price for {country}, so the cost can't be checked"
        if limits.cost is not None and self._cost + cost > limits.cost:
            assert limits.currency is not None  # the currency of the prices: `cost_limit_problem` compared them
            return (
                f"limits.cost: up to {at_most(self._cost, limits.currency)} of {exact(limits.cost, limits.currency)} "
                f"is spent, and the next message costs up to {at_most(cost, limits.currency)}"
            )
        self._messages += 1
        self._segments = segments
        self._cost += cost
        return None

    def give_back(self, message: Message) -> None:
        """Undo `take`: the provider certainly didn't receive the message."""
        self._messages -= 1
        self._segments -= message.segments
        self._cost -= self._cost_of(message) or 0

    def _cost_of(self, message: Message) -> Decimal | None:
        """The highest price of a message; 0 without a cost limit, None if it has no price."""
        if self._prices is None:
            return Decimal(0)
        price = self._prices.of(message.country)
        return price.high * message.segments if price else None
