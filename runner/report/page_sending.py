"""The report page's sending section: messages over time, the rate, response times, and events such as pauses."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import Any

import altair as alt
from markupsafe import Markup

from runner.base.events import Event, EventKind
from runner.base.outcomes import Status
from runner.base.wording import counted, moment, per_time, rate_in_words, seconds_in_words
from runner.ledger.sessions import Session
from runner.report.layout import (
    ACROSS,
    STATUS_COLOURS,
    TEXT,
    Figure,
    PageSection,
    colour_by,
    data_of,
    figure,
    shares_of,
    table,
)
from runner.report.run_settings import RunSettings
from runner.report.throughput import Throughput

MOST_MOMENTS = 40

# The words in the table of events, and beside the marks below the chart of sent messages.
_MOMENTS = {
    EventKind.STARTED: ("started", "resumed"),
    EventKind.THROTTLED: ("throttled by the provider", "throttled by the provider"),
    EventKind.UNREACHABLE: ("no connection", "no connection"),
    EventKind.RESTED: ("waited for the sending hours", "waiting for the sending hours"),
    EventKind.STOPPED: ("stopped", "stopped"),
    EventKind.ENDED: ("ended", ""),
    EventKind.PURGED: ("numbers and texts deleted (purge)", ""),
}
_LANE_HEIGHT = 38
_LATENCY_HEIGHT = 220


def sending(
    sent: Throughput | None,
    settings: RunSettings | None,
    events: Sequence[Event],
    sessions: Sequence[Session],
    hide: Callable[[str], str],
) -> PageSection:
    """Messages over time compared with the rate, and the provider's response times."""
    section = PageSection("sending", "Sending")
    moments = [*_sessions(sessions), *_moments(events, hide)]
    if sent is None:
        section.words = "No messages were sent, so there are no rates or response times."
        section.tables += moments
        return section
    per_second = settings.per_second if settings and settings.per_second > 0 else None
    span = sent.shown
    mean = f"; average {rate_in_words(span.mean_per_second)}" if span.mean_per_second else ""
    words = f"{counted(span.requests, 'message')} sent in {seconds_in_words(span.seconds)} "
    words += f"from {moment(span.first)}{mean}."
    if sent.is_part:
        words += " The run was idle most of the time, so this is only its busiest period."
    if len(sent.bins) > 2:
        by_status = sum((part.by_status for part in sent.bins), Counter[str]())
        legend = shares_of(by_status, STATUS_COLOURS, span.requests)
        title = "Sending rate" if per_second else "Messages over time"
        chart = sends(sent, per_second, events)
        section.figures.append(figure(chart, "sends", title, words, legend=legend, widths=ACROSS))
    else:
        section.words = words
    if sent.latencies:
        section.figures.append(_latency(sent))
    if sent.is_part:
        rows = [
            [moment(part.first), moment(part.last), f"{part.requests:,}",
             rate_in_words(part.mean_per_second) if part.mean_per_second else "–"]
            for part in sent.stretches[:MOST_MOMENTS]
        ]  # fmt: skip
        labels = ["from", "to", "messages", "average rate"]
        section.tables.append(table("stretches", "Sending periods", labels, rows))
    section.tables += moments
    return section


def _latency(sent: Throughput) -> Figure:
    words = "50% of answers arrived within {}, 95% within {}, 99% within {}.".format(
        *(seconds_in_words(sent.latencies.percentile(percent) / 1000) for percent in (50, 95, 99))
    )
    title = "Response time"
    if sum(bool(part.latencies) for part in sent.bins) < 3:
        return Figure(title, (), words)
    below = f"{words} The chart shows these percentiles (p50, p95, p99) over time."
    return figure(latency(sent), "latency", title, words, below=below, widths=ACROSS)


def _sessions(sessions: Sequence[Session]) -> list[Markup]:
    """The sessions as a table; no table for a single one."""
    if len(sessions) < 2:
        return []
    rows = [
        [
            moment(each.started_at),
            moment(each.ended_at) if each.ended_at is not None else "–",
            each.state.value.replace("_", " ") + (f": {each.reason.replace('_', ' ')}" if each.reason else ""),
            f"{each.sent:,}" if each.sent is not None else "not known",
        ]
        for each in sessions
    ]
    more = f" (latest {MOST_MOMENTS} of {len(rows):,})" if len(rows) > MOST_MOMENTS else ""
    labels = ["started", "ended", "state", "messages sent"]
    return [table("sessions", f"Sessions{more}", labels, rows[-MOST_MOMENTS:], texts=("ended", "state"))]


def _moments(events: Sequence[Event], hide: Callable[[str], str]) -> list[Markup]:
    """The run's events as a table; no table if there is only a start and an end.

    Consecutive events of one kind share a line, except starts: between two starts the process died.
    """
    if len(events) < 3 and all(event.kind in (EventKind.STARTED, EventKind.ENDED) for event in events):
        return []
    rows = []
    in_turn = sorted(events, key=lambda event: event.at)
    for (_, kind), group in groupby(
        in_turn, key=lambda event: (event.kind is EventKind.STARTED and event.at, event.kind)
    ):
        several = list(group)
        seconds = sum(event.seconds or 0 for event in several)
        times = f", {len(several):,} times" if len(several) > 1 else ""
        rows.append([
            moment(several[0].at), _MOMENTS[kind][0] + times, seconds_in_words(seconds) if seconds else "–",
            hide(several[-1].detail or ""),
        ])  # fmt: skip
    more = f" (latest {MOST_MOMENTS} of {len(rows):,})" if len(rows) > MOST_MOMENTS else ""
    labels = ["time", "event", "duration", "details"]
    return [table("moments", f"Events{more}", labels, rows[-MOST_MOMENTS:], texts=("event", "details"))]


def sends(sent: Throughput, per_second: float | None, events: Sequence[Event]) -> alt.TopLevelMixin:
    """A chart of the messages sent over time, by status, with the rate and the events that delayed sending."""
    times, unit = per_time(per_second or sent.shown.requests / max(sent.shown.seconds, 1))
    statuses = [status for status in Status if any(part.by_status[status] for part in sent.bins)]
    values = [
        {"x": _ms(at), "y": round(part.by_status[status] / part.seconds * times, 4), "status": status, "layer": layer}
        for layer, status in enumerate(statuses)
        # The last bin again at its end, so that its step is drawn.
        for at, part in [*((part.start, part) for part in sent.bins), (sent.bins[-1].end, sent.bins[-1])]
    ]
    highest = max(part.by_status.total() / part.seconds for part in sent.bins) * times
    ceiling = per_second * times if per_second else 0
    top = alt.Scale(domain=[0, max(highest, ceiling) * 1.18 or 1], nice=False)
    axis = alt.Axis(tickCount=5, domain=False, ticks=False)
    areas = alt.Chart(data_of(values), height=220).mark_area(interpolate="step-after")
    layers: list[Any] = [
        areas.encode(
            x=_time_axis(sent),
            y=alt.Y("y:Q", title=f"messages {unit}", scale=top, axis=axis, stack="zero"),
            order="layer:O",
            color=colour_by("status:N", STATUS_COLOURS, statuses),
        )
    ]
    if per_second:
        label = f"rate: {rate_in_words(per_second)}"
        rate = data_of([{"x": _ms(sent.bins[-1].end), "y": ceiling, "top": max(highest, ceiling), "words": label}])
        rule = alt.Chart(rate).mark_rule(stroke="var(--ink)", strokeDash=[5, 4], strokeWidth=1.5).encode(y="y:Q")
        text = alt.Chart(rate).mark_text(align="right", dy=-9).encode(x="x:T", y="top:Q", text="words:N")
        layers += [rule, text]
    charts: list[Any] = [alt.layer(*layers), *(_lane(words, marks, sent) for words, marks in lanes(sent, events))]
    whole: alt.TopLevelMixin = alt.vconcat(*charts).resolve_scale(x="shared", y="independent")
    return whole


def lanes(sent: Throughput, events: Sequence[Event]) -> list[tuple[str, list[tuple[int, int]]]]:
    """The times of each kind of event within the chart, wide enough to be seen; times that touch are joined."""
    first, last = sent.bins[0].start, sent.bins[-1].end
    least = max((last - first) // 150, 1)
    rows = []
    for kind, (_, words) in _MOMENTS.items():
        of_kind = sorted((event.at, int((event.seconds or 0) * 1e6)) for event in events if event.kind is kind)
        marks: list[tuple[int, int]] = []
        # No mark for the first start: the chart begins there.
        for at, duration in of_kind[1:] if kind is EventKind.STARTED else of_kind:
            begin, end = max(at, first), min(at + max(duration, least), last + least)
            if end <= first or begin > last:
                continue
            if marks and begin <= marks[-1][1]:
                begin, previous_end = marks.pop()
                end = max(end, previous_end)
            marks.append((begin, end))
        if marks and words:
            rows.append((words, marks))
    return rows


def _lane(words: str, marks: Sequence[tuple[int, int]], sent: Throughput) -> alt.TopLevelMixin:
    x = alt.X("x:T", axis=None, scale=_time_scale(sent))
    data = data_of([{"x": _ms(begin), "x2": _ms(end)} for begin, end in marks])
    bars = alt.Chart(data, height=_LANE_HEIGHT).mark_bar(fill="var(--ink)", y=24, height=8)
    whole = alt.Chart(data_of([{"x": _ms(sent.bins[0].start), "x2": _ms(sent.bins[-1].end), "words": words}]))
    text = whole.mark_text(align="left", baseline="top", y=4, fill="var(--soft)")
    line = whole.mark_rule(stroke="var(--line)", y=28)
    return alt.layer(line.encode(x=x, x2="x2"), bars.encode(x=x, x2="x2"), text.encode(x=x, text="words:N"))


def latency(sent: Throughput) -> alt.TopLevelMixin:
    """A chart of three percentiles of the response time over time."""
    dashes = {"p50": [1, 0], "p95": [6, 3], "p99": [2, 3]}
    values: list[dict[str, Any]] = [
        {"x": _ms((part.start + part.end) // 2), "which": name,
         "y": part.latencies.percentile(float(name[1:])) if part.latencies else None}
        for name in dashes for part in sent.bins
    ]  # fmt: skip
    highest = max(value["y"] for value in values if value["y"] is not None) * 1.1
    scale = alt.Scale(domain=[0, highest], nice=False)
    y = alt.Y("y:Q", title="milliseconds", scale=scale, axis=alt.Axis(tickCount=5, domain=False, ticks=False))
    dash = alt.Scale(domain=list(dashes), range=list(dashes.values()))
    lines = (
        alt.Chart(data_of(values), height=_LATENCY_HEIGHT)
        .mark_line(strokeWidth=2, stroke="var(--accent)", point=alt.OverlayMarkDef(size=14, fill="var(--accent)"))
        .encode(x=_time_axis(sent), y=y, strokeDash=alt.StrokeDash("which:N", legend=None, scale=dash))
    )
    # A label at the end of each line; labels don't overlap.
    labels: list[dict[str, Any]] = [
        {"x": _ms(sent.bins[-1].end), "which": name,
         "y": [value["y"] for value in values if value["which"] == name and value["y"] is not None][-1]}
        for name in dashes
    ]  # fmt: skip
    for below, above in pairwise(labels):
        above["y"] = max(above["y"], below["y"] + highest * (TEXT + 2) / _LATENCY_HEIGHT)
    text = alt.Chart(data_of(labels)).mark_text(align="left", dx=6).encode(x="x:T", y="y:Q", text="which:N")
    return alt.layer(lines, text)


def _time_axis(sent: Throughput) -> alt.X:
    seconds = (sent.bins[-1].end - sent.bins[0].start) / 1e6
    form = "%H:%M:%S" if seconds < 600 else "%H:%M" if seconds < 129_600 else "%-d %b, %H:%M"
    axis = alt.Axis(grid=False, format=form, tickCount=4, labelOverlap=True, labelSeparation=12, labelFlush=True)
    return alt.X("x:T", title=None, scale=_time_scale(sent), axis=axis)


def _time_scale(sent: Throughput) -> alt.Scale:
    return alt.Scale(type="utc", domain=[_ms(sent.bins[0].start), _ms(sent.bins[-1].end)], nice=False)


def _ms(microseconds: int) -> int:
    return microseconds // 1_000
