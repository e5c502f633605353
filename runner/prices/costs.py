"""The cost of messages (segments × price by country), compared with the campaign's limits and the balance. Pure.

The operators of a country have different prices, and the operator of a number isn't known before sending. All sums use
the highest price, so they are upper bounds, shown as "up to" or "at most".
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.base.errors import Problem
from runner.base.options import Limits

if TYPE_CHECKING:
    from runner.provider.prices import Balance  # takes 20 ms to load, which `--help` avoids

# Shown for a number without a country.
UNKNOWN_COUNTRY = "?"

# The share of the balance that should remain after a run, so that the next campaign doesn't run out of money.
LITTLE_LEFT = Decimal("0.1")

_CENT = Decimal("0.01")
_NAMED_COUNTRIES = 8


@dataclass(frozen=True, slots=True)
class Price:
    """The lowest and the highest price of one segment among the operators of a country."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Prices:
    """A price list for one sub-account, in one currency (ISO 4217). The keys of `by_country` are alpha-2 codes.

    `of_others`: the file has prices by sub-account but none for this one, so all of its prices are used.
    """

    path: Path
    currency: str
    by_country: Mapping[str, Price]
    of_others: bool = False

    def of(self, country: str | None) -> Price | None:
        """The price of a country; None if the list has none."""
        return self.by_country.get(country) if country else None


@dataclass(frozen=True, slots=True)
class CostRow:
    """The cost of one country. `price` and `amount` are None if the list has no price."""

    country: str
    messages: int
    segments: int
    price: Price | None
    amount: Decimal | None


@dataclass(slots=True)
class Costs:
    """Adds up messages. `sizes` counts messages by country (alpha-2; None: unknown) and number of segments.

    Without `prices` there are no amounts.
    """

    prices: Prices | None = None
    sizes: Counter[tuple[str | None, int]] = field(default_factory=Counter)

    def add(self, country: str | None, segments: int, times: int = 1) -> None:
        """Add `times` messages with `segments` segments each."""
        self.sizes[country, segments] += times

    def including(self, other: "Costs") -> "Costs":
        """The sum of both, with the prices of this one."""
        return Costs(self.prices, self.sizes + other.sizes)

    @property
    def messages(self) -> int:
        return self.sizes.total()

    @property
    def segments(self) -> int:
        return sum(segments * times for (_, segments), times in self.sizes.items())

    @property
    def total(self) -> Decimal:
        """The highest possible cost, without the messages that have no price."""
        return sum((row.amount for row in self.rows() if row.amount is not None), Decimal(0))

    @property
    def unpriced(self) -> list[str]:
        """The countries of messages without a price, the most frequent first."""
        return [row.country for row in self.rows() if row.price is None]

    def rows(self) -> list[CostRow]:
        """One row per country, the most frequent first."""
        sums: defaultdict[str | None, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for (country, size), times in self.sizes.items():
            messages, segments = sums[country]
            sums[country] = messages + times, segments + size * times
        rows = []
        for country, (messages, segments) in sorted(sums.items(), key=lambda item: (-item[1][0], item[0] or "")):
            price = self.prices.of(country) if self.prices else None
            amount = price.high * segments if price else None
            if messages:
                rows.append(CostRow(country or UNKNOWN_COUNTRY, messages, segments, price, amount))
        return rows

    def as_json(self) -> dict[str, Any]:
        """The costs for JSON. Amounts are decimal texts, because money isn't a float; null without a price."""
        return {
            "currency": self.prices.currency if self.prices else None,
            "at_most": plain(self.total) if self.prices else None,
            "without_price": self.unpriced,
            "by_country": {
                row.country: {
                    "messages": row.messages,
                    "segments": row.segments,
                    "price": plain(row.price.high) if row.price else None,
                    "lowest_price": plain(row.price.low) if row.price else None,
                    "at_most": plain(row.amount) if row.amount is not None else None,
                }
                for row in self.rows()
            },
        }


def over_limits(limits: Limits, costs: Costs) -> list[Problem]:
    """The limits that a plan exceeds or that can't be checked."""
    exceeded: list[tuple[str, str]] = []
    counts = ("messages", limits.messages, costs.messages), ("segments", limits.segments, costs.segments)
    for name, most, count in counts:
        if most is not None and count > most:
            what = f"the plan has {count:,} {name}, {count - most:,} over the limit of {most:,}"
            exceeded.append((f"limits.{name}", what))
    problem = cost_limit_problem(limits, costs)
    if problem is None and limits.cost is not None and costs.total > limits.cost and costs.prices:
        total, currency = costs.total, costs.prices.currency
        more = at_most(total - limits.cost, currency)
        allowed = f"{more} over the limit of {exact(limits.cost, currency)}"
        exceeded.append(("limits.cost", f"the plan costs up to {at_most(total, currency)}, {allowed}"))
    remedy = "raise the limit if this is intended, or send to fewer recipients"
    return [Problem(what, remedy, path) for path, what in exceeded] + ([problem] if problem else [])


def cost_limit_problem(limits: Limits, costs: Costs) -> Problem | None:
    """Why the cost limit can't be checked with these prices; None if it can, or if there is no limit."""
    if limits.cost is None:
        return None
    prices = costs.prices
    if prices is None:
        what = "a cost limit needs a price list"
        remedy = "add `prices: FILE` to the campaign; `campaign prices --account ID` saves the provider's list"
    elif limits.currency != prices.currency:
        what = f"the limit is in {limits.currency}, but the prices in {prices.path} are in {prices.currency}"
        remedy = f"write the limit in {prices.currency}"
    elif unpriced := costs.unpriced:
        note = f" ({UNKNOWN_COUNTRY} is a number without a country)" if UNKNOWN_COUNTRY in unpriced else ""
        what = f"the cost is not known: {prices.path} has no price for {named(unpriced)}{note}"
        remedy = "add these countries to the price list, or exclude them with recipients.countries"
    else:
        return None
    return Problem(what, remedy, "limits.cost")


@dataclass(frozen=True, slots=True)
class BalanceProblem:
    """A problem with the balance before a run. `refuses`: the balance is too small to start."""

    words: str
    refuses: bool


def balance_problem(balance: "Balance", costs: Costs) -> BalanceProblem | None:
    """Compare the prepaid balance with the messages left to send. None if it suffices, or if no messages are left."""
    if not costs.messages:
        return None
    has = f"the account's balance is {at_least(balance.amount, balance.currency)}"
    if balance.amount <= 0:
        return BalanceProblem(f"{has}; top it up", refuses=True)
    if costs.prices is None:
        return BalanceProblem(
            f"{has}; without a price list (`prices`) it is not known whether that is enough", refuses=False
        )
    currency, total = costs.prices.currency, costs.total
    cost = f"the messages cost up to {at_most(total, currency)}"
    if unpriced := costs.unpriced:
        cost += f", excluding messages to {named(unpriced)}, which have no price in {costs.prices.path}"
    if currency != balance.currency:
        return BalanceProblem(f"{cost}; {has}: it is not known whether that is enough", refuses=False)
    if total > balance.amount:
        short = at_most(total - balance.amount, currency)
        return BalanceProblem(f"{cost}; {has}, {short} too low: top it up, or send to fewer recipients", refuses=True)
    left = balance.amount - total
    if unpriced or left < balance.amount * LITTLE_LEFT:
        return BalanceProblem(f"{cost}; {has}; {at_least(left, currency)} would remain", refuses=False)
    return None


def at_most(amount: Decimal, currency: str) -> str:
    """`1,234.57 USD`, rounded up to the cent: an upper bound must not be shown too low."""
    return f"{amount.quantize(_CENT, ROUND_CEILING):,f} {currency}"


def at_least(amount: Decimal, currency: str) -> str:
    """`1,234.56 USD`, rounded down to the cent: a balance must not be shown too high."""
    return f"{amount.quantize(_CENT, ROUND_FLOOR):,f} {currency}"


def exact(amount: Decimal, currency: str) -> str:
    """`500 USD`, `0.0099171 USD`: all decimals, without trailing zeros."""
    return f"{amount.normalize():,f} {currency}"


def plain(amount: Decimal) -> str:
    """`1234.5678`: exact, for programs."""
    return f"{amount.normalize():f}"


def named(countries: Iterable[str]) -> str:
    """`FR, DE and 3 more`."""
    codes = list(countries)
    surplus = len(codes) - _NAMED_COUNTRIES
    return ", ".join(codes[:_NAMED_COUNTRIES]) + (f" and {surplus} more" if surplus > 0 else "")
