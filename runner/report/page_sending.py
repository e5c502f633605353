"""The page on sending: when messages left, against the rate, how long the answers took, and what held them up."""

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import Any

import altair as alt
from markupsafe import Markup

from runner.base.events import Event, EventKind
from runner.base.outcomes import Status
from runner.base.text import MOST_CHARACTERS, shown
from runner.base.wording import counted, moment, per_time, rate_in_words, seconds_in_words, share
from runner.report.aggregation import Durations
from runner.report.charts import ACROSS, STATUS_COLOURS, TEXT, coloured, data_of, drawn
from runner.report.departures import Bin, Departures, Stretch
from runner.report.layout import Figure, Section, Share, table
from runner.report.run_settings import RunSettings

MOST_MOMENTS = 40

# Moments that are marked under the chart of sends, in words.
LANES = {
    EventKind.STARTED: "started again",
    EventKind.THROTTLED: "held up, on and off, by the rate limit",
    EventKind.UNREACHABLE: "no connection",
    EventKind.RESTED: "resting until sending hours",
    EventKind.STOPPED: "stopped",
}
_LANE_HEIGHT = 38


def sending(
    found: Departures | None, settings: RunSettings | None, events: Sequence[Event], hide: Callable[[str], str]
) -> Section:
    """When messages left, against the rate, and how long the provider's answers took."""
    section = Section("sending", "Sending")
    moments = _moments(events, hide)
    if found is None:
        section.words = "No request left, so there is nothing to show of rate and latency."
        section.tables += [moments] if moments else []
        return section
    per_second = settings.per_second if settings and settings.per_second > 0 else None
    span, requests = found.shown, counted(found.shown.requests, "message")
    mean = f"; on average {rate_in_words(span.mean_per_second)}" if span.mean_per_second else ""
    words = f"{requests} left within {seconds_in_words(span.seconds)}, from {moment(span.first)} on{mean}."
    if found.is_part:
        words += " The run rested for most of its time, so this shows its busiest stretch only."
    statuses = [status for status in Status if any(part.by_status[status] for part in found.bins)]
    legend = [
        Share(status, count, share(count, span.requests), STATUS_COLOURS[status])
        for status in statuses
        if (count := sum(part.by_status[status] for part in found.bins))
    ]
    if len(found.bins) > 2:
        title = "Messages against the rate" if per_second else "Messages over time"
        drawings = drawn(sends(found, per_second, events), "sends", title=title, words=words, widths=ACROSS)
        section.figures.append(Figure(title, drawings, words, legend))
    else:
        section.words = words
    if found.took:
        section.figures += _latency(found, found.took)
    if found.is_part:
        section.tables.append(_stretches(found.stretches))
    section.tables += [moments] if moments else []
    return section


def _latency(found: Departures, all_took: Durations) -> list[Figure]:
    words = "Half of all answers came within {}, 95% within {}, 99% within {}.".format(
        *(seconds_in_words(all_took.percentile(percent) / 1000) for percent in (50, 95, 99))
    )
    title = "How long answers took"
    if sum(part.took is not None for part in found.bins) < 3:
        return [Figure(title, (), words)]
    drawings = drawn(latency(found), "latency", title=title, words=words, widths=ACROSS)
    return [Figure(title, drawings, f"{words} Below: the same as p50, p95 and p99 over time.")]


def _stretches(stretches: Sequence[Stretch]) -> Markup:
    labels = ["from", "until", "messages", "on average"]
    rows = [
        [moment(part.first), moment(part.last), f"{part.requests:,}",
         rate_in_words(part.mean_per_second) if part.mean_per_second else "–"]
        for part in stretches
    ]  # fmt: skip
    return table("stretches", "When messages left", labels, rows[:MOST_MOMENTS])


_MOMENTS = {
    EventKind.STARTED: "started", EventKind.THROTTLED: "held up, on and off, by the provider's rate limit",
    EventKind.UNREACHABLE: "no connection", EventKind.RESTED: "rested until sending hours",
    EventKind.STOPPED: "stopped", EventKind.ENDED: "ended", EventKind.PURGED: "purged of numbers and texts",
}  # fmt: skip


def _moments(events: Sequence[Event], hide: Callable[[str], str]) -> Markup | None:
    """The run's life as a table; None for one start and its end.

    The same thing several times in a row is one line, but for starts: between two of them the process died.
    """
    rows = []
    in_turn = sorted(events, key=lambda event: event.at)
    for (_, kind), group in groupby(
        in_turn, key=lambda event: (event.kind is EventKind.STARTED and event.at, event.kind)
    ):
        several = list(group)
        long = sum(event.seconds or 0 for event in several)
        times = f", {len(several):,} times" if len(several) > 1 else ""
        rows.append([
            moment(several[0].at), _MOMENTS[kind] + times, seconds_in_words(long) if long else "–",
            shown(hide(several[-1].detail or ""), MOST_CHARACTERS),
        ])  # fmt: skip
    if all(event.kind in (EventKind.STARTED, EventKind.ENDED) for event in events) and len(events) < 3:
        return None
    more = f" (the newest {MOST_MOMENTS} of {len(rows):,})" if len(rows) > MOST_MOMENTS else ""
    labels = ["when", "what", "how long", "more"]
    return table("moments", f"Moments of the run{more}", labels, rows[-MOST_MOMENTS:], texts=("what", "more"))


def sends(found: Departures, per_second: float | None, events: Sequence[Event]) -> alt.TopLevelMixin:
    """Messages that left, by what became of them, against the rate; and what held them up."""
    times, unit = per_time(per_second or found.shown.requests / max(found.shown.seconds, 1))
    statuses = [status for status in Status if any(part.by_status[status] for part in found.bins)]
    values, highest = _stacked(found.bins, statuses, times)
    ceiling = per_second * times if per_second else 0
    top = alt.Scale(domain=[0, max(highest, ceiling) * 1.18 or 1], nice=False)
    x = _time_axis(found)
    layers: list[Any] = [
        alt.Chart(data_of(values), height=220)
        .mark_area(interpolate="step-after")
        .encode(
            x=x,
            y=alt.Y(
                "low:Q", title=f"messages {unit}", scale=top, axis=alt.Axis(tickCount=5, domain=False, ticks=False)
            ),
            y2=alt.Y2("high"),
            color=alt.Color("status:N", legend=None, scale=coloured(STATUS_COLOURS, statuses)),
        )
    ]
    if per_second:
        words = f"the rate, {rate_in_words(per_second)}"
        one = data_of([{"x": _ms(found.bins[-1].end), "y": ceiling, "top": max(highest, ceiling), "words": words}])
        rule = alt.Chart(one).mark_rule(stroke="var(--ink)", strokeDash=[5, 4], strokeWidth=1.5).encode(y=alt.Y("y:Q"))
        label = (
            alt.Chart(one)
            .mark_text(align="right", dy=-9)
            .encode(x=alt.X("x:T"), y=alt.Y("top:Q"), text=alt.Text("words:N"))
        )
        layers += [rule, label]
    charts: list[Any] = [alt.layer(*layers)]
    charts += [_lane(words, marks, found) for words, marks in lanes(found, events)]
    whole: alt.TopLevelMixin = alt.vconcat(*charts).resolve_scale(x="shared", y="independent")
    return whole


def lanes(found: Departures, events: Sequence[Event]) -> list[tuple[str, list[tuple[int, int]]]]:
    """For each kind of moment its times within the chart, those that touch as one: a mark is wide enough to be seen."""
    first, last = found.bins[0].start, found.bins[-1].end
    least = max((last - first) // 150, 1)
    rows = []
    for kind, words in LANES.items():
        of_kind = sorted((event.at, int((event.seconds or 0) * 1e6)) for event in events if event.kind is kind)
        marks: list[tuple[int, int]] = []
        # The first start is where the chart begins, and says nothing.
        for at, long in of_kind[1:] if kind is EventKind.STARTED else of_kind:
            begin, end = max(at, first), min(max(at + long, at + least), last + least)
            if end <= first or begin > last:
                continue
            if marks and begin <= marks[-1][1]:
                marks[-1] = (marks[-1][0], max(end, marks[-1][1]))
            else:
                marks.append((begin, end))
        if marks:
            rows.append((words, marks))
    return rows


def latency(found: Departures) -> alt.TopLevelMixin:
    """How long answers took: three percentiles in time."""
    dashes = {"p50": [1, 0], "p95": [6, 3], "p99": [2, 3]}
    values: list[dict[str, Any]] = [
        {"x": _ms((part.start + part.end) // 2), "y": part.took.percentile(float(name[1:])) if part.took else None,
         "which": name}
        for name in dashes for part in found.bins
    ]  # fmt: skip
    known = [value["y"] for value in values if value["y"] is not None]
    highest, height = max(known), 220
    y = alt.Y(
        "y:Q", title="milliseconds", scale=alt.Scale(domain=[0, highest * 1.1], nice=False),
        axis=alt.Axis(tickCount=5, domain=False, ticks=False),
    )  # fmt: skip
    lines = (
        alt.Chart(data_of(values), height=height)
        .mark_line(strokeWidth=2, stroke="var(--accent)", point=alt.OverlayMarkDef(size=14, fill="var(--accent)"))
        .encode(
            x=_time_axis(found),
            y=y,
            strokeDash=alt.StrokeDash(
                "which:N", legend=None, scale=alt.Scale(domain=list(dashes), range=list(dashes.values()))
            ),
        )
    )
    ends = [[v for v in values if v["which"] == name and v["y"] is not None][-1] for name in dashes]
    apart = highest * 1.1 * (TEXT + 2) / height
    for below, above in pairwise(ends):
        above["at"] = max(above["y"], below.get("at", below["y"]) + apart)
    labels = [{"x": _ms(found.bins[-1].end), "y": end.get("at", end["y"]), "which": end["which"]} for end in ends]
    text = (
        alt.Chart(data_of(labels))
        .mark_text(align="left", dx=6)
        .encode(x=alt.X("x:T"), y=alt.Y("y:Q"), text=alt.Text("which:N"))
    )
    return alt.layer(lines, text)


def _stacked(bins: Sequence[Bin], statuses: Sequence[Status], times: float) -> tuple[list[dict[str, Any]], float]:
    """Steps of each status above those before it, as messages per unit of time; and how high they get."""
    low = [0.0] * len(bins)
    values: list[dict[str, Any]] = []
    for status in statuses:
        high = [below + part.by_status[status] / part.seconds * times for below, part in zip(low, bins, strict=True)]
        steps = [*zip([part.start for part in bins], low, high, strict=True), (bins[-1].end, low[-1], high[-1])]
        values += [
            {"x": _ms(at), "low": round(lower, 4), "high": round(upper, 4), "status": status.value}
            for at, lower, upper in steps
        ]
        low = high
    return values, max(low)


def _lane(words: str, marks: Sequence[tuple[int, int]], found: Departures) -> alt.TopLevelMixin:
    x = alt.X("x:T", axis=None, scale=_time_scale(found))
    data = data_of([{"x": _ms(begin), "x2": _ms(end)} for begin, end in marks])
    bars = alt.Chart(data, height=_LANE_HEIGHT).mark_bar(fill="var(--ink)", y=24, height=8)
    one = alt.Chart(data_of([{"x": _ms(found.bins[0].start), "x2": _ms(found.bins[-1].end), "words": words}]))
    text = one.mark_text(align="left", baseline="top", y=4, fill="var(--soft)")
    line = one.mark_rule(stroke="var(--line)", y=28).encode(x=x, x2=alt.X2("x2"))
    return alt.layer(line, bars.encode(x=x, x2=alt.X2("x2")), text.encode(x=x, text=alt.Text("words:N")))


def _time_axis(found: Departures) -> alt.X:
    seconds = (found.bins[-1].end - found.bins[0].start) / 1e6
    form = "%H:%M:%S" if seconds < 600 else "%H:%M" if seconds < 129_600 else "%-d %b, %H:%M"
    axis = alt.Axis(grid=False, format=form, tickCount=4, labelOverlap=True, labelSeparation=12, labelFlush=True)
    return alt.X("x:T", title=None, scale=_time_scale(found), axis=axis)


def _time_scale(found: Departures) -> alt.Scale:
    return alt.Scale(type="utc", domain=[_ms(found.bins[0].start), _ms(found.bins[-1].end)], nice=False)


def _ms(microseconds: int) -> int:
    return microseconds // 1_000
