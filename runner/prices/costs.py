"""What messages cost: segments × price by country, and whether that fits the campaign's limits and the balance. Pure.

A country's operators have different prices, and which one a number belongs to isn't known before it is sent to. Every
sum here takes the highest, so it is the most that the messages can cost, and people are told "at most".
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
    from runner.provider.prices import Balance  # takes 20 ms to load, which `--help` does without

# How a number without a country is shown.
UNKNOWN_COUNTRY = "?"

# The share of the balance that should be left after a run: the next campaign finds out else.
LITTLE_LEFT = Decimal("0.1")

_CENT = Decimal("0.01")
_NAMED_COUNTRIES = 8


@dataclass(frozen=True, slots=True)
class Price:
    """What one segment costs: with the country's cheapest operator, and with its dearest."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Prices:
    """A price list for one sub-account, in one currency (ISO 4217). `by_country` has alpha-2 codes.

    `of_others` is set when the file has prices by sub-account and none for this one, so that those of all hold.
    """

    path: Path
    currency: str
    by_country: Mapping[str, Price]
    of_others: bool = False

    def of(self, country: str | None) -> Price | None:
        """The price of a country, None where the list has none."""
        return self.by_country.get(country) if country else None


@dataclass(frozen=True, slots=True)
class CostRow:
    """One country's part. `price` and `amount` are None where the list has no price for it."""

    country: str
    messages: int
    segments: int
    price: Price | None
    amount: Decimal | None


@dataclass(slots=True)
class Costs:
    """Adds messages up: `sizes` are how many went to a country (alpha-2, None where unknown) in so many segments.

    Without `prices` no amounts are known.
    """

    prices: Prices | None = None
    sizes: Counter[tuple[str | None, int]] = field(default_factory=Counter)

    def add(self, country: str | None, segments: int, times: int = 1) -> None:
        """Add `times` messages of `segments` segments."""
        self.sizes[country, segments] += times

    def including(self, other: "Costs") -> "Costs":
        """Both together, with these prices."""
        return Costs(self.prices, self.sizes + other.sizes)

    @property
    def messages(self) -> int:
        return self.sizes.total()

    @property
    def segments(self) -> int:
        return sum(segments * times for (_, segments), times in self.sizes.items())

    @property
    def total(self) -> Decimal:
        """The most that the messages cost, those without a price left out."""
        return sum((row.amount for row in self.rows() if row.amount is not None), Decimal(0))

    @property
    def unpriced(self) -> list[str]:
        """The countries that occur and have no price, the most frequent first."""
        return [row.country for row in self.rows() if row.price is None]

    def rows(self) -> list[CostRow]:
        """One for each country that occurs, the most frequent first."""
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
        """For programs. Amounts are decimal text, because money is not a float; null where there is no price."""
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
    """Where a plan goes beyond the campaign's limits, or can't be held against them."""
    exceeded: list[tuple[str, str]] = []
    counts = ("messages", limits.messages, costs.messages), ("segments", limits.segments, costs.segments)
    for name, most, count in counts:
        if most is not None and count > most:
            what = f"the plan has {count:,} {name}, {count - most:,} more than the {most:,} that are allowed"
            exceeded.append((f"limits.{name}", what))
    problem = cost_limit_problem(limits, costs)
    if problem is None and limits.cost is not None and costs.total > limits.cost and costs.prices:
        total, currency = costs.total, costs.prices.currency
        more = at_most(total - limits.cost, currency)
        allowed = f"{more} more than the {exact(limits.cost, currency)} that are allowed"
        exceeded.append(("limits.cost", f"the plan costs up to {at_most(total, currency)}, {allowed}"))
    remedy = "raise the limit if that is meant, or send to fewer recipients"
    return [Problem(what, remedy, path) for path, what in exceeded] + ([problem] if problem else [])


def cost_limit_problem(limits: Limits, costs: Costs) -> Problem | None:
    """Why the cost limit cannot be held with these prices; None when it can, or when there is no such limit."""
    if limits.cost is None:
        return None
    prices = costs.prices
    if prices is None:
        what = "a cost can't be limited without prices"
        remedy = "name a price list in `prices:`; `campaign prices --account ID` saves the provider's"
    elif limits.currency != prices.currency:
        what = f"the limit is in {limits.currency}, and the prices of {prices.path} are in {prices.currency}"
        remedy = f"write the limit in {prices.currency}"
    elif unpriced := costs.unpriced:
        note = f" ({UNKNOWN_COUNTRY} is a number without a country)" if UNKNOWN_COUNTRY in unpriced else ""
        what = f"the cost can't be told: {prices.path} has no price for {named(unpriced)}{note}"
        remedy = "add them to the price list, or leave these recipients out with recipients.countries"
    else:
        return None
    return Problem(what, remedy, "limits.cost")


@dataclass(frozen=True, slots=True)
class BalanceProblem:
    """What a person should know of the balance before a run. `refuses`: it is too small to begin."""

    words: str
    refuses: bool


def balance_problem(balance: "Balance", costs: Costs) -> BalanceProblem | None:
    """Hold the prepaid balance against the messages that are left to send. None when it is enough, or none are left."""
    if not costs.messages:
        return None
    has = f"the account's balance is {at_least(balance.amount, balance.currency)}"
    if balance.amount <= 0:
        return BalanceProblem(f"{has}; top it up", refuses=True)
    if costs.prices is None:
        return BalanceProblem(f"{has}; without `prices:` it can't be told whether that is enough", refuses=False)
    currency, total = costs.prices.currency, costs.total
    cost = f"the messages cost up to {at_most(total, currency)}"
    if unpriced := costs.unpriced:
        cost += f", without those to {named(unpriced)}, which have no price in {costs.prices.path}"
    if currency != balance.currency:
        return BalanceProblem(f"{cost}; {has}: whether that is enough can't be told", refuses=False)
    if total > balance.amount:
        short = at_most(total - balance.amount, currency)
        return BalanceProblem(f"{cost}; {has}, {short} too little: top it up, or send to fewer", refuses=True)
    left = balance.amount - total
    if unpriced or left < balance.amount * LITTLE_LEFT:
        return BalanceProblem(f"{cost}; {has}, of which {at_least(left, currency)} would be left", refuses=False)
    return None


def at_most(amount: Decimal, currency: str) -> str:
    """`1,234.57 USD`, rounded up to the cent: what is shown as the most is never less than it may be."""
    return f"{amount.quantize(_CENT, ROUND_CEILING):,f} {currency}"


def at_least(amount: Decimal, currency: str) -> str:
    """`1,234.56 USD`, rounded down to the cent: what is there is never shown as more."""
    return f"{amount.quantize(_CENT, ROUND_FLOOR):,f} {currency}"


def exact(amount: Decimal, currency: str) -> str:
    """`500 USD`, `0.0099171 USD`: as it was written, without zeros at the end."""
    return f"{amount.normalize():,f} {currency}"


def plain(amount: Decimal) -> str:
    """`1234.5678`: exact, for programs."""
    return f"{amount.normalize():f}"


def named(countries: Iterable[str]) -> str:
    """`FR, DE and 3 more`."""
    codes = list(countries)
    surplus = len(codes) - _NAMED_COUNTRIES
    return ", ".join(codes[:_NAMED_COUNTRIES]) + (f" and {surplus} more" if surplus > 0 else "")
