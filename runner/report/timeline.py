"""The charts of the page that run along the time of sending, as Altair draws them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from runner.models import Event, EventKind, Status
from runner.report.charts import coloured, data_of
from runner.report.departures import Bin, Departures
from runner.report.drawing import TEXT
from runner.text import per_time, rate_in_words

if TYPE_CHECKING:
    import altair as alt

STATUS_COLOURS = {
    Status.ACCEPTED: "var(--accepted)", Status.REJECTED: "var(--rejected)", Status.UNKNOWN: "var(--unknown)",
    Status.UNSENT: "var(--unsent)", Status.EXCLUDED: "var(--excluded)",
}  # fmt: skip
LANES = {
    EventKind.STARTED: "started again",
    EventKind.THROTTLED: "held up, on and off, by the rate limit",
    EventKind.UNREACHABLE: "no connection",
    EventKind.RESTED: "resting until sending hours",
    EventKind.STOPPED: "stopped",
}
"""Moments that are marked under the sends, in words."""

_LANE_HEIGHT = 38


def sends(found: Departures, per_second: float | None, events: Sequence[Event]) -> "alt.TopLevelMixin":
    """Messages that left, by what became of them, against the rate; and what held them up."""
    import altair as alt

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
        one = data_of(
            [
                {
                    "x": _ms(found.bins[-1].end),
                    "y": ceiling,
                    "top": max(highest, ceiling),
                    "words": f"the rate, {rate_in_words(per_second)}",
                }
            ]
        )
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


def latency(found: Departures) -> "alt.TopLevelMixin":
    """How long answers took: three percentiles in time."""
    import altair as alt

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


def _lane(words: str, marks: Sequence[tuple[int, int]], found: Departures) -> "alt.TopLevelMixin":
    import altair as alt

    x = alt.X("x:T", axis=None, scale=_time_scale(found))
    data = data_of([{"x": _ms(begin), "x2": _ms(end)} for begin, end in marks])
    bars = alt.Chart(data, height=_LANE_HEIGHT).mark_bar(fill="var(--ink)", y=24, height=8)
    one = alt.Chart(data_of([{"x": _ms(found.bins[0].start), "x2": _ms(found.bins[-1].end), "words": words}]))
    text = one.mark_text(align="left", baseline="top", y=4, fill="var(--soft)")
    line = one.mark_rule(stroke="var(--line)", y=28).encode(x=x, x2=alt.X2("x2"))
    return alt.layer(line, bars.encode(x=x, x2=alt.X2("x2")), text.encode(x=x, text=alt.Text("words:N")))


def _time_axis(found: Departures) -> "alt.X":
    import altair as alt

    seconds = (found.bins[-1].end - found.bins[0].start) / 1e6
    form = "%H:%M:%S" if seconds < 600 else "%H:%M" if seconds < 129_600 else "%-d %b, %H:%M"
    axis = alt.Axis(grid=False, format=form, tickCount=4, labelOverlap=True, labelSeparation=12, labelFlush=True)
    return alt.X("x:T", title=None, scale=_time_scale(found), axis=axis)


def _time_scale(found: Departures) -> "alt.Scale":
    import altair as alt

    return alt.Scale(type="utc", domain=[_ms(found.bins[0].start), _ms(found.bins[-1].end)], nice=False)


def _ms(microseconds: int) -> int:
    return microseconds // 1_000
