"""What the accepted messages cost: their segments, by the price list as the run began, and as the provider bills."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from runner.models import Status
from runner.report import charts
from runner.report.drawing import drawn
from runner.report.facts import Facts
from runner.report.figures import Country, Figures, Reach
from runner.report.layout import HALF, Bill, Figure, Section
from runner.text import counted, money

MOST_CURRENCIES = 5


@dataclass(frozen=True, slots=True)
class Estimate:
    """By the dearest operator's price of each country, so it is the most that they should cost.

    `unpriced` are accepted messages to countries that the price list lacks.
    """

    currency: str | None
    by_country: Mapping[str | None, Decimal]
    unpriced: int

    @property
    def total(self) -> Decimal:
        return sum(self.by_country.values(), Decimal(0))


def estimate(countries: Sequence[Country], facts: Facts | None) -> Estimate | None:
    """None when the campaign has no prices, or none for any of these countries."""
    if facts is None or not facts.prices:
        return None
    costs: dict[str | None, Decimal] = {}
    unpriced = 0
    for country in countries:
        price = _price(facts.prices.get(country.country or ""))
        if price is None:
            unpriced += country.by_status[Status.ACCEPTED]
        else:
            costs[country.country] = price * country.segments
    return Estimate(facts.currency, costs, unpriced) if costs else None


def _price(text: str | None) -> Decimal | None:
    try:
        price = Decimal(text) if text is not None else None
    except InvalidOperation:
        return None
    return price if price is not None and price.is_finite() else None


def segments(figures: Figures, costs: Sequence[Bill]) -> Section:
    """Segments and encodings of the accepted messages, and what they cost."""
    section = Section("segments", "Segments and cost", bills=costs)
    counts = sorted(figures.sizes.items(), key=lambda item: (item[0][0] or 0, item[0][1] or ""))
    total = sum((segments or 0) * count for (segments, _), count in counts)
    if not counts:
        section.words = "No message is accepted, so none costs anything."
        return section
    ucs2 = sum(count for (_, encoding), count in counts if encoding == "UCS2")
    words = f"{counted(figures.accepted, 'accepted message')} in {counted(total, 'segment')}, "
    words += f"{ucs2:,} in UCS-2." if ucs2 else "all in GSM-7."
    if len(counts) == 1:
        section.words = words
    else:
        listed = [(segments or 0, encoding or "?", count) for (segments, encoding), count in counts]
        title = "Segments of a message"
        drawings = drawn(charts.sizes(listed), "sizes", title=title, words=words, widths=HALF)
        section.figures.append(Figure(title, drawings, words))
    return section


def bills(figures: Figures, estimated: Estimate | None) -> list[Bill]:
    """What the run cost, as far as anything is known."""
    lines = []
    delivered = figures.reach[Reach.DELIVERED]
    if estimated is not None:
        words = "by the price list as the run began, each country's dearest operator"
        if estimated.unpriced:
            words += f"; without {counted(estimated.unpriced, 'message')} to countries that the list lacks"
        lines.append(Bill("estimated", money(estimated.total, estimated.currency), words, is_total=True))
    for currency, amount in list(figures.billed.items())[:MOST_CURRENCIES]:
        told = f"as the provider tells, for {counted(figures.billed_messages[currency], 'message')}"
        lines.append(Bill("billed", money(amount, currency), told, is_total=True))
    if len(figures.billed) == 1 and delivered:
        ((currency, amount),) = figures.billed.items()
        lines.append(Bill("billed for each delivered message", money(amount / Decimal(delivered), currency)))
    if figures.billed_segments:
        lines.append(Bill("billed segments", f"{figures.billed_segments:,}"))
    return lines
