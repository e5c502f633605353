"""The page on countries, segments and costs: what the provider bills, and what the price list says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import altair as alt

from runner.base.outcomes import Status
from runner.base.text import shown
from runner.base.wording import counted, money, share
from runner.report.charts import HALF, coloured, data_of, drawn, room
from runner.report.counts import DeliveryGroup
from runner.report.layout import Figure, KeyFigure, Section, table
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

    @property
    def total(self) -> Decimal:
        return sum(self.by_country.values(), Decimal(0))


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
        price = Decimal(text) if text is not None else None
    except InvalidOperation:
        return None
    return price if price is not None and price.is_finite() else None


def countries(counts: ResultCounts, estimated: Estimate | None) -> Section:
    """Where the messages went."""
    section = Section("countries", "Countries")
    listed = listed_countries(counts.countries)
    if not listed:
        section.words = "No message left."
        return section
    with_receipts, with_conversions = counts.totals.receipts > 0, bool(counts.totals.conversions)
    labels = ["country", "sent", "accepted", "rejected", "unknown"]
    labels += ["delivered", "of accepted"] if with_receipts else []
    labels += ["converted"] if with_conversions else []
    labels += ["segments"]
    labels += ["estimated cost"] if estimated else []
    rows = []
    for name, country in listed:
        accepted, reached = country.by_status[Status.ACCEPTED], country.by_group[DeliveryGroup.DELIVERED]
        row = [name, *(f"{n:,}" for n in (country.sent, accepted, country.by_status[Status.REJECTED],
                                          country.by_status[Status.UNKNOWN]))]  # fmt: skip
        row += [f"{reached:,}", share(reached, accepted)] if with_receipts else []
        row += [f"{country.conversions:,}"] if with_conversions else []
        row += [f"{country.segments:,}"]
        if estimated:
            row += [_cost(name, country, counts.countries, estimated)]
        rows.append(row)
    section.tables.append(table("by-country", "Messages by country (ISO 3166 codes)", labels, rows))
    return section


def _cost(name: str, country: CountryCounts, every: Sequence[CountryCounts], estimated: Estimate) -> str:
    several = every[MOST_COUNTRIES - 1 :] if name == OTHERS else [country]
    known = [estimated.by_country[one.country] for one in several if one.country in estimated.by_country]
    return money(sum(known, Decimal(0)), estimated.currency) if known else "no price"


def listed_countries(found: Sequence[CountryCounts]) -> list[tuple[str, CountryCounts]]:
    """By name, those with the most messages; the rest as one."""
    most = found if len(found) <= MOST_COUNTRIES else found[: MOST_COUNTRIES - 1]
    listed = [(shown(one.country or "not known", 20), one) for one in most]
    if rest := found[len(most) :]:
        others = CountryCounts(None)
        for one in rest:
            others.by_status.update(one.by_status)
            others.by_group.update(one.by_group)
            others.segments += one.segments
            others.conversions += one.conversions
        listed.append((OTHERS, others))
    return listed


def segments(counts: ResultCounts, costs: Sequence[KeyFigure]) -> Section:
    """Segments and encodings of the accepted messages, and what they cost."""
    section = Section("segments", "Segments and cost", costs=costs)
    by_size = sorted(counts.sizes.items(), key=lambda item: (item[0][0] or 0, item[0][1] or ""))
    listed = [(segments or 0, encoding or "?", count) for (segments, encoding), count in by_size]
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
        title = "Segments of a message"
        drawings = drawn(sizes(listed), "sizes", title=title, words=words, widths=HALF)
        section.figures.append(Figure(title, drawings, words))
    return section


def cost_lines(counts: ResultCounts, estimated: Estimate | None) -> list[KeyFigure]:
    """What the run cost, as far as anything is known."""
    lines = []
    if estimated is not None:
        words = "by the price list as the run began, each country's dearest operator"
        if estimated.unpriced:
            words += f"; without {counted(estimated.unpriced, 'message')} to countries that the list lacks"
        lines.append(KeyFigure("estimated", money(estimated.total, estimated.currency), words, is_total=True))
    bills = {currency: bill for currency, bill in counts.bills.items() if bill.amount}
    for currency, bill in list(bills.items())[:MOST_CURRENCIES]:
        told = f"as the provider tells, for {counted(bill.messages, 'message')}"
        lines.append(KeyFigure("billed", money(bill.amount, currency), told, is_total=True))
    if len(bills) == 1 and (delivered := counts.totals.delivered):
        ((currency, bill),) = bills.items()
        lines.append(KeyFigure("billed for each delivered message", money(bill.amount / Decimal(delivered), currency)))
    if counts.totals.billed_segments:
        lines.append(KeyFigure("billed segments", f"{counts.totals.billed_segments:,}"))
    return lines


def sizes(counts: Sequence[tuple[int, str, int]]) -> alt.TopLevelMixin:
    """Messages by segments and encoding; the counts are (segments, encoding, messages)."""
    names = [_size(segments, encoding) for segments, encoding, _ in counts]
    values: list[dict[str, Any]] = [
        {"size": name, "n": count, "words": f"{count:,}", "encoding": encoding}
        for name, (_, encoding, count) in zip(names, counts, strict=True)
    ]
    encodings = {"GSM7": "var(--accepted)", "UCS2": "var(--unsent)"}
    base = alt.Chart(data_of(values), height=alt.Step(28)).encode(
        y=alt.Y("size:N", title=None, sort=names,
                axis=alt.Axis(domain=False, ticks=False, labelColor="var(--ink)", minExtent=room(names))),
        x=alt.X("n:Q", axis=None, scale=alt.Scale(domain=[0, max(v["n"] for v in values) * 1.25], nice=False)),
    )  # fmt: skip
    bars = base.mark_bar(height=16).encode(
        color=alt.Color("encoding:N", legend=None, scale=coloured(encodings, list(encodings)))
    )
    return alt.layer(bars, base.mark_text(align="left", dx=6).encode(text=alt.Text("words:N")))


def _size(segments: int, encoding: str) -> str:
    return f"{segments} × {'UCS-2' if encoding == 'UCS2' else 'GSM-7'}"
