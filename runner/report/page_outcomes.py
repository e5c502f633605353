"""The report page's outcomes: delivery, conversions, countries, segments and cost."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import altair as alt

from runner.base.delivery import DeliveryState
from runner.base.text import sanitized
from runner.base.wording import counted, money, seconds_in_words, share
from runner.ledger.counts import finite
from runner.provider.delivery import ADVICE, AT_OPERATOR, DeliveryErrorCode, Verdict, code_of
from runner.report.counts import Counts, DeliveryGroup, added_up
from runner.report.layout import Figure, KeyFigure, PageSection, bars, data_of, figure, shares_of, stacked_bars, table
from runner.report.result_counts import Durations, ResultCounts
from runner.report.run_settings import RunSettings

MOST_COUNTRIES = 15
MOST_CURRENCIES = 5
OTHERS = "others"
MOST_CODES = 20

GROUP_COLOURS = {
    DeliveryGroup.DELIVERED: "var(--accepted)", DeliveryGroup.IN_TRANSIT: "var(--waiting)",
    DeliveryGroup.FAILED: "var(--rejected)", DeliveryGroup.CANCELLED: "var(--unsent)",
    DeliveryGroup.NO_RECEIPT: "var(--excluded)",
}  # fmt: skip
_DURATIONS = ((86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes"), (1_000, "seconds"), (1, "milliseconds"))
_STATES: Mapping[str, str] = {
    DeliveryState.QUEUED: "queued by the provider", DeliveryState.SENT: "sent to the operator",
    DeliveryState.DELIVERED: "delivered to the phone", DeliveryState.READ: "read",
    DeliveryState.UNDELIVERED: "not delivered", DeliveryState.REJECTED: "rejected after acceptance",
    DeliveryState.FAILED: "failed", DeliveryState.CANCELLED: "cancelled before it was sent",
    DeliveryState.UNKNOWN: "unknown state",
}  # fmt: skip


def delivery(counts: ResultCounts, settings: RunSettings | None) -> PageSection:
    """How far accepted messages got, by their delivery receipts."""
    section = PageSection("delivery", "Delivery")
    totals = counts.totals
    if not totals.receipts:
        section.words = "No delivery receipts yet."
        if settings is None or not settings.with_receipts:
            section.words = "Delivery tracking is off; add a `receipts` section to the campaign file to turn it on."
        section.words += " Run `campaign receipts` to receive receipts, with `--load FILE` from a file."
        return section
    accepted = totals.accepted
    legend = shares_of(totals.by_group, GROUP_COLOURS, accepted)
    words = ", ".join(f"{part.name} {part.count:,} ({part.percent})" for part in legend) + "."
    listed = listed_countries(counts.countries)
    groups = {name: of_country.by_group for name, _, of_country in listed if of_country.accepted}
    chart = stacked_bars(groups, GROUP_COLOURS, "share of accepted messages")
    section.figures.append(figure(chart, "reach", "Delivery by country", words, below="", legend=legend))
    if counts.to_delivery:
        section.figures.append(_time_to("delivery", counts.to_delivery, "delivered"))
    states = sorted(counts.states.items(), key=lambda item: (-item[1], str(item[0])))
    rows = [[_state(*state), f"{count:,}", share(count, accepted)] for state, count in states[:MOST_CODES]]
    labels = ["state", "messages", "share"]
    section.tables.append(table("by-state", "Accepted messages by delivery state", labels, rows))
    if counts.failed_by_code:
        labels = ["code", "meaning", "kind", "messages", "share", "what to do"]
        caption, texts = "Messages not delivered, by error code", ("meaning", "kind", "what to do")
        section.tables.append(table("by-error", caption, labels, _error_rows(counts.failed_by_code), texts=texts))
    return section


def _state(state: str | None, detail: str | None) -> str:
    if state is None:
        return "no receipt yet"
    if state == DeliveryState.DELIVERED and detail == AT_OPERATOR:
        return "delivered to the operator"
    if state in _STATES and detail == "rejected_by_operator":
        return "rejected by the operator"
    return _STATES.get(state) or sanitized(state, 40)


def _error_rows(by_code: Mapping[int | None, int]) -> list[list[str]]:
    failed = sum(by_code.values())
    found = sorted(by_code.items(), key=lambda item: (-item[1], -1 if item[0] is None else item[0]))
    rows = []
    for number, count in found[:MOST_CODES]:
        code = code_of(number) if number is not None else DeliveryErrorCode("no error code", Verdict.UNSPECIFIED)
        rows.append([
            "–" if number is None else str(number), code.words, code.verdict.value, f"{count:,}",
            share(count, failed), ADVICE[code.verdict],
        ])  # fmt: skip
    if rest := sum(count for _, count in found[MOST_CODES:]):
        rows.append([OTHERS, "", "", f"{rest:,}", share(rest, failed), ""])
    return rows


def conversion(counts: ResultCounts, settings: RunSettings | None, run: str) -> PageSection | None:
    """Conversions from `campaign feedback`. None if the campaign doesn't track them."""
    totals = counts.totals
    if not totals.conversions and not (settings and settings.tracked):
        return None
    section = PageSection("conversion", "Conversion")
    if not totals.conversions:
        section.words = f"No conversions yet. `campaign feedback {run} FILE` reports them; the next report shows them."
        return section
    converted, failures = totals.converted, totals.not_converted
    rest = max(totals.accepted - converted - failures, 0)
    section.words = (
        f"{converted:,} converted: {share(converted, totals.accepted)} of accepted messages"
        + (f", {share(converted, totals.delivered)} of delivered messages" if totals.delivered else "")
        + f". {failures:,} did not convert; {rest:,} {'has' if rest == 1 else 'have'} no outcome yet."
    )
    if counts.to_conversion:
        section.figures.append(_time_to("conversion", counts.to_conversion, "converted"))
    return section


def _time_to(what: str, durations: Durations, done: str) -> Figure:
    half, most = (seconds_in_words(durations.percentile(percent) / 1000) for percent in (50, 95))
    words = f"{counted(durations.total(), f'{done} message')}: 50% within {half}, 95% within {most} after sending."
    return figure(done_within(durations, f"share of {done} messages"), f"to-{what}", f"Time to {what}", words)


def done_within(durations: Durations, what: str) -> alt.TopLevelMixin:
    """A chart of the share that was done by each time after sending, up to the 99th percentile."""
    longest = durations.percentile(99) * 1.02
    size, unit = next((size, unit) for size, unit in _DURATIONS if longest >= size * 2 or size == 1)
    values = [{"x": 0.0, "y": 0.0}]
    values += [{"x": at / size, "y": done} for at, done in durations.curve() if at <= longest]
    values.append({"x": longest / size, "y": values[-1]["y"]})
    base = alt.Chart(data_of(values), height=190).encode(
        x=alt.X("x:Q", title=f"{unit} after sending", scale=alt.Scale(domain=[0, longest / size], nice=False),
                axis=alt.Axis(grid=False, tickCount=5)),
        y=alt.Y("y:Q", title=what, scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format=".0%", tickCount=5, domain=False, ticks=False)),
    )  # fmt: skip
    area = base.mark_area(interpolate="step-after", fill="var(--accent)", fillOpacity=0.15)
    return alt.layer(area, base.mark_line(interpolate="step-after", stroke="var(--accent)", strokeWidth=2))


def estimated_costs(countries: Mapping[str | None, Counts], settings: RunSettings | None) -> dict[str | None, Decimal]:
    """The estimated cost by country, for the countries in the campaign's price list.

    The estimate uses the highest operator price of each country, so it is an upper bound.
    """
    prices = settings.prices if settings else {}
    found = {country: finite(prices.get(country or "")) for country in countries}
    return {name: price * countries[name].segments_accepted for name, price in found.items() if price is not None}


def countries(counts: ResultCounts, estimated: Mapping[str | None, Decimal], currency: str | None) -> PageSection:
    """Messages by country; `currency` is the currency of the estimated costs."""
    section = PageSection("countries", "Countries")
    rows: list[dict[str, str]] = []
    for name, codes, of_country in listed_countries(counts.countries):
        row = {"country": name, "sent": f"{of_country.sent:,}", "accepted": f"{of_country.accepted:,}"}
        row |= {"rejected": f"{of_country.rejected:,}", "unknown": f"{of_country.unknown:,}"}
        if counts.totals.receipts > 0:
            row["delivered"] = f"{of_country.delivered:,}"
            row["delivery rate"] = share(of_country.delivered, of_country.accepted)
        if counts.totals.conversions:
            row["converted"] = f"{of_country.converted:,}"
        row["segments"] = f"{of_country.segments_accepted:,}"
        if estimated:
            known = [estimated[code] for code in codes if code in estimated]
            row["estimated cost"] = money(sum(known, Decimal(0)), currency) if known else "no price"
        rows.append(row)
    if rows:
        cells = [list(row.values()) for row in rows]
        section.tables.append(table("by-country", "Messages by country (ISO 3166 codes)", list(rows[0]), cells))
    else:
        section.words = "No messages were sent."
    return section


def listed_countries(found: Mapping[str | None, Counts]) -> list[tuple[str, list[str | None], Counts]]:
    """The countries with the most messages, as (name, codes, counts); the others added up as `OTHERS`."""
    codes = list(found)
    most = codes if len(codes) <= MOST_COUNTRIES else codes[: MOST_COUNTRIES - 1]
    listed = [(sanitized(code or "unknown", 20), [code], found[code]) for code in most]
    if rest := codes[len(most) :]:
        listed.append((OTHERS, rest, added_up(found[code] for code in rest)))
    return listed


def segments(counts: ResultCounts, costs: Sequence[KeyFigure]) -> PageSection:
    """Segments, encodings and cost of the accepted messages."""
    section = PageSection("segments", "Segments and cost", costs=costs)
    listed = sorted(((size or 0, encoding or "?", count) for (size, encoding), count in counts.sizes.items()))
    if not listed:
        section.words = "No messages were accepted, so there is no cost."
        return section
    ucs2 = sum(count for _, encoding, count in listed if encoding == "UCS2")
    totals = counts.totals
    words = f"{counted(totals.accepted, 'accepted message')} with {counted(totals.segments_accepted, 'segment')}; "
    words += f"{counted(ucs2, 'message')} in UCS-2." if ucs2 else "all in GSM-7."
    if len(listed) == 1:
        section.words = words
    else:
        looks = {True: ("UCS-2", "var(--unsent)"), False: ("GSM-7", "var(--accepted)")}
        rows = []
        for size, encoding, count in listed:
            name, colour = looks[encoding == "UCS2"]
            rows.append((f"{size} × {name}", count, f"{count:,}", colour))
        section.figures.append(figure(bars(rows), "sizes", "Segments per message", words))
    return section


def cost_lines(counts: ResultCounts, estimated: Mapping[str | None, Decimal], currency: str | None) -> list[KeyFigure]:
    """What the run cost, as far as it is known; `currency` is the currency of the estimated costs."""
    lines, totals = [], counts.totals
    if estimated:
        words = "at the highest operator price of each country, from the price list at the start of the run"
        if unpriced := sum(each.accepted for code, each in counts.countries.items() if code not in estimated):
            words += f"; excludes {counted(unpriced, 'message')} to countries without a price"
        total = sum(estimated.values(), Decimal(0))
        lines.append(KeyFigure("estimated cost", money(total, currency), words, is_total=True))
    bills = {billed_in: amount for billed_in, amount in sorted(totals.bills.items()) if amount}
    for billed_in, amount in list(bills.items())[:MOST_CURRENCIES]:
        words = f"for {counted(counts.billed_messages[billed_in], 'message')}"
        lines.append(KeyFigure("billed", money(amount, billed_in), words, is_total=True))
    if len(bills) == 1 and totals.delivered:
        ((billed_in, amount),) = bills.items()
        lines.append(KeyFigure("billed per delivered message", money(amount / totals.delivered, billed_in)))
    if totals.billed_segments:
        lines.append(KeyFigure("billed segments", f"{totals.billed_segments:,}"))
    return lines
