"""The charts of the page that tell shares and sizes, as Altair draws them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from runner.report.departures import Durations
from runner.report.figures import Country, Reach

if TYPE_CHECKING:
    import altair as alt

REACH_COLOURS = {
    Reach.DELIVERED: "var(--accepted)", Reach.ON_ITS_WAY: "var(--waiting)", Reach.FAILED: "var(--rejected)",
    Reach.CANCELLED: "var(--unsent)", Reach.UNTOLD: "var(--excluded)",
}  # fmt: skip
_DURATIONS = ((86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes"), (1_000, "seconds"), (1, "milliseconds"))


def took(durations: Durations, what: str) -> "alt.TopLevelMixin":
    """The share that was done within a time after sending, up to the 99th percentile."""
    import altair as alt

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


def reach(countries: Sequence[tuple[str, Country]]) -> "alt.TopLevelMixin":
    """How far accepted messages got, in each country, as shares."""
    import altair as alt

    values = []
    for name, country in countries:
        total, low = sum(country.reach.values()), 0.0
        for group in Reach:
            if count := country.reach[group]:
                values.append({"c": name, "reach": group.value, "low": low, "high": low + count / total})
                low += count / total
    names = [name for name, _ in countries]
    present = [group for group in Reach if any(value["reach"] == group for value in values)]
    bars: alt.TopLevelMixin = (
        alt.Chart(data_of(values), height=alt.Step(26))
        .mark_bar(height=16)
        .encode(
            y=alt.Y("c:N", title=None, sort=names,
                    axis=alt.Axis(domain=False, ticks=False, labelColor="var(--ink)", minExtent=room(names))),
            x=alt.X("low:Q", title="of the accepted messages", scale=alt.Scale(domain=[0, 1]),
                    axis=alt.Axis(format=".0%", tickCount=5, domain=False)),
            x2=alt.X2("high"),
            color=alt.Color("reach:N", legend=None, scale=coloured(REACH_COLOURS, present)),
        )
    )  # fmt: skip
    return bars


def sizes(counts: Sequence[tuple[int, str, int]]) -> "alt.TopLevelMixin":
    """Messages by segments and encoding; the counts are (segments, encoding, messages)."""
    import altair as alt

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


def room(labels: Sequence[str]) -> int:
    """For labels in a font that is wider than the one that Vega measures them with."""
    return max(map(len, labels)) * 8 + 6


def coloured(colours: Any, present: Sequence[Any]) -> "alt.Scale":  # noqa: ANN401 (a colour for each of any enumeration)
    import altair as alt

    return alt.Scale(domain=[str(kind) for kind in present], range=[colours[kind] for kind in present])


def data_of(values: list[dict[str, Any]]) -> "alt.InlineData":
    """As JSON text: Altair copies a list of records again and again."""
    import altair as alt

    return alt.InlineData(values=orjson.dumps(values).decode(), format=alt.JsonDataFormat(type="json"))
