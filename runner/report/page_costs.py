"""The page on countries, segments and costs: what the provider bills, and the price list's estimate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from runner.base.outcomes import Status
from runner.base.text import shown
from runner.base.wording import counted, money, share
from runner.report.counts import DeliveryGroup
from runner.report.layout import HALF, Figure, KeyFigure, Section, bars, drawn, table
from runner.report.result_counts import CountryCounts, ResultCounts
from runner.report.run_settings import RunSettings

MOST_COUNTRIES = 15
MOST_CURRENCIES = 5
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Estimate:
    """By the dearest operator's price of each country, so it is the most that they should cost.

    `unpriced` are accepted messages to countries that the price list lacks.
    """

    currency: str | None
    by_country: Mapping[str | None, Decimal]
    unpriced: int


def estimate(countries: Sequence[CountryCounts], settings: RunSettings | None) -> Estimate | None:
    """None when the campaign has no prices, or none for any of these countries."""
    if settings is None or not settings.prices:
        return None
    costs: dict[str | None, Decimal] = {}
    unpriced = 0
    for country in countries:
        price = _price(settings.prices.get(country.country or ""))
        if price is None:
            unpriced += country.by_status[Status.ACCEPTED]
        else:
            costs[country.country] = price * country.segments
    return Estimate(settings.currency, costs, unpriced) if costs else None


def _price(text: str | None) -> Decimal | None:
    try:
        price = Decimal(text or "")
    except InvalidOperation:
        return None
    return price if price.is_finite() else None


def countries(counts: ResultCounts, estimated: Estimate | None) -> Section:
    """Where the messages went."""
    section = Section("countries", "Countries")
    rows: list[dict[str, str]] = []
    for name, country in listed_countries(counts.countries):
        by_status, delivered = country.by_status, country.by_group[DeliveryGroup.DELIVERED]
        row = {"country": name, "sent": f"{country.sent:,}"}
        row |= {status: f"{by_status[status]:,}" for status in (Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN)}
        if counts.totals.receipts > 0:
            row |= {"delivered": f"{delivered:,}", "of accepted": share(delivered, by_status[Status.ACCEPTED])}
        if counts.totals.conversions:
            row["converted"] = f"{country.conversions:,}"
        row["segments"] = f"{country.segments:,}"
        if estimated:
            row["estimated cost"] = _cost(name, country, counts.countries, estimated)
        rows.append(row)
    if rows:
        cells = [list(row.values()) for row in rows]
        section.tables.append(table("by-country", "Messages by country (ISO 3166 codes)", list(rows[0]), cells))
    else:
        section.words = "No message left."
    return section


def _cost(name: str, country: CountryCounts, every: Sequence[CountryCounts], estimated: Estimate) -> str:
    several = every[MOST_COUNTRIES - 1 :] if name == OTHERS else [country]
    known = [estimated.by_country[each.country] for each in several if each.country in estimated.by_country]
    return money(sum(known, Decimal(0)), estimated.currency) if known else "no price"


def listed_countries(found: Sequence[CountryCounts]) -> list[tuple[str, CountryCounts]]:
    """By name, those with the most messages; the rest added up as `OTHERS`."""
    most = found if len(found) <= MOST_COUNTRIES else found[: MOST_COUNTRIES - 1]
    listed = [(shown(country.country or "not known", 20), country) for country in most]
    if rest := found[len(most) :]:
        others = CountryCounts(None)
        for country in rest:
            others.by_status.update(country.by_status)
            others.by_group.update(country.by_group)
            others.segments += country.segments
            others.conversions += country.conversions
        listed.append((OTHERS, others))
    return listed


def segments(counts: ResultCounts, costs: Sequence[KeyFigure]) -> Section:
    """Segments and encodings of the accepted messages, and what they cost."""
    section = Section("segments", "Segments and cost", costs=costs)
    listed = sorted(((size or 0, encoding or "?", count) for (size, encoding), count in counts.sizes.items()))
    if not listed:
        section.words = "No message is accepted, so none costs anything."
        return section
    ucs2 = sum(count for _, encoding, count in listed if encoding == "UCS2")
    totals = counts.totals
    words = f"{counted(totals.accepted, 'accepted message')} in {counted(totals.segments_accepted, 'segment')}, "
    words += f"{ucs2:,} in UCS-2." if ucs2 else "all in GSM-7."
    if len(listed) == 1:
        section.words = words
    else:
        rows = [
            (f"{size} × UCS-2", count, f"{count:,}", "var(--unsent)")
            if encoding == "UCS2"
            else (f"{size} × GSM-7", count, f"{count:,}", "var(--accepted)")
            for size, encoding, count in listed
        ]
        title = "Segments of a message"
        drawings = drawn(bars(rows), "sizes", title=title, words=words, widths=HALF)
        section.figures.append(Figure(title, drawings, words))
    return section


def cost_lines(counts: ResultCounts, estimated: Estimate | None) -> list[KeyFigure]:
    """What the run cost, as far as anything is known."""
    lines = []
    if estimated:
        words = "by the price list as the run began, each country's dearest operator"
        if estimated.unpriced:
            words += f"; without {counted(estimated.unpriced, 'message')} to countries that the list lacks"
        total = sum(estimated.by_country.values(), Decimal(0))
        lines.append(KeyFigure("estimated", money(total, estimated.currency), words, is_total=True))
    bills = {currency: bill for currency, bill in counts.bills.items() if bill.amount}
    for currency, bill in list(bills.items())[:MOST_CURRENCIES]:
        words = f"as the provider tells, for {counted(bill.messages, 'message')}"
        lines.append(KeyFigure("billed", money(bill.amount, currency), words, is_total=True))
    if len(bills) == 1 and (delivered := counts.totals.delivered):
        ((currency, bill),) = bills.items()
        lines.append(KeyFigure("billed for each delivered message", money(bill.amount / Decimal(delivered), currency)))
    if counts.totals.billed_segments:
        lines.append(KeyFigure("billed segments", f"{counts.totals.billed_segments:,}"))
    return lines
