"""The building blocks of pages: sections, figures with charts, tables.

Charts are inline SVG with unique ids. They use the page's font, and its colours through CSS variables.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import orjson
import polars as pl
import vl_convert
from great_tables import GT
from markupsafe import Markup, escape

from runner.base.outcomes import Status
from runner.base.text import sanitized
from runner.base.wording import share

# The most characters of a cell or a detail on a page; the results contain all of it.
MOST_CHARACTERS = 280
# Size of a chart's text in CSS pixels, before the chart is fitted to its column.
TEXT = 13
# Width of a chart without its labels, in CSS pixels: over the whole page or a phone; or half a page.
ACROSS, HALF = {"wide": 850, "narrow": 310}, {"half": 360}

STATUS_COLOURS = {
    Status.ACCEPTED: "var(--accepted)", Status.REJECTED: "var(--rejected)", Status.UNKNOWN: "var(--unknown)",
    Status.UNSENT: "var(--unsent)", Status.EXCLUDED: "var(--excluded)",
}  # fmt: skip
# The most CSS pixels for the label of a bar.
_MOST_LABEL = 130
_SVG_START = re.compile(r"<svg [^>]*?width=\"([\d.]+)\" height=\"([\d.]+)\"[^>]*>")
_NEEDLESS = re.compile(
    r"<rect [^>]*fill=\"transparent\"/>"
    r"|<path class=\"background\"[^>]*d=\"M0,0h0v0h0Z\"[^>]*/>"
    r"| font-family=\"[^\"]*\"| pointer-events=\"none\"| aria-hidden=\"true\"| opacity=\"1\"| class=\"[^\"]*\""
)
_ID = re.compile(r"(id=\"|url\(#)([\w-]+)")
_CLASSES = re.compile(r' class="([^"]*)"(?: rowspan="1" colspan="1")?')


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole. `colour` is a CSS colour, `percent` a text such as `2.4%`."""

    name: str
    count: int
    percent: str
    colour: str


def shares_of(counts: Mapping[Any, int], colours: Mapping[Any, str], whole: int) -> list[Share]:
    """The kinds with a count, in the order of `colours`, as parts of `whole`."""
    return [
        Share(kind, count, share(count, whole), colour) for kind, colour in colours.items() if (count := counts[kind])
    ]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its title, words and legend. It is one SVG, or one for wide and one for narrow screens."""

    title: str
    drawings: Sequence[Markup]
    words: str = ""
    legend: Sequence[Share] = ()


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number or an amount with its label, and words below it. `is_total`: a cost of all messages."""

    what: str
    figure: str
    words: str = ""
    is_total: bool = False


@dataclass(slots=True)
class PageSection:
    """A section of the page. `words` explain why figures are missing, or describe them."""

    name: str
    title: str
    words: str = ""
    figures: list[Figure] = field(default_factory=list)
    tables: list[Markup] = field(default_factory=list)
    costs: Sequence[KeyFigure] = ()


def table(
    name: str, caption: str, labels: Sequence[str], rows: Sequence[Sequence[str]], *, texts: Sequence[str] = ()
) -> Markup:
    """A table whose first column is the row header, in a region that scrolls if the table is too wide.

    `name` is an id, unique in the page. Cells are escaped here, and long ones are cut. Columns are right-aligned, as
    numbers are; columns whose label is in `texts` are left-aligned.
    """
    by_name = {f"c{number}": label for number, label in enumerate(labels)}
    cells = [[str(escape(sanitized(cell, MOST_CHARACTERS))) for cell in row] for row in rows]
    frame = pl.DataFrame(cells, schema=dict.fromkeys(by_name, pl.String), orient="row")
    great_table = (
        GT(frame, id=name, rowname_col="c0")
        .tab_stubhead(labels[0])
        .cols_label(cases={key: label for key, label in by_name.items() if key != "c0"})
        .cols_align("right", [key for key, label in by_name.items() if label not in texts])
        # Cells with a format are not escaped again.
        .fmt(lambda cell: cell, columns=list(by_name))
    )
    html = great_table.as_raw_html(inline_css=False)
    # The style sheet needs only one of Great Tables' classes.
    body = _CLASSES.sub(
        lambda classes: ' class="number"' if "gt_right" in classes[1] else "",
        html[html.index(">", html.index("<table")) + 1 : html.rindex("</table>")],
    )
    body = body.replace(f' id="{name}-{escape(labels[0])}"', "", 1)  # a label isn't an id, and nothing uses it
    return Markup(
        '<div class="scroll" role="region" aria-labelledby="{name}-caption" tabindex="0"><table>'
        '<caption><span id="{name}-caption">{caption}</span></caption>{body}</table></div>'
    ).format(name=name, caption=caption, body=Markup(body))  # noqa: S704 (its cells are escaped above)


def figure(
    chart: alt.TopLevelMixin,
    name: str,
    title: str,
    words: str,
    *,
    below: str | None = None,
    legend: Sequence[Share] = (),
    widths: Mapping[str, int] = HALF,
) -> Figure:
    """A chart in each of `widths` (CSS pixels, by CSS class). `name` is an id, unique in the page.

    `words` describe the chart to screen readers. They are also shown above it, unless `below` gives other words.
    """
    # Altair's validation is slow and would run for every report; a test does it.
    spec = {**chart.to_dict(validate=False), "config": _config()}
    drawings = [_svg(_with_width(spec, px), f"{name}-{kind}", kind, title, words) for kind, px in widths.items()]
    return Figure(title, drawings, words if below is None else below, legend)


def _with_width(spec: Mapping[str, Any], width: int) -> dict[str, Any]:
    if "vconcat" in spec:  # each of the stacked charts has its own width
        return {**spec, "vconcat": [_with_width(part, width) for part in spec["vconcat"]]}
    return {**spec, "width": width}


def _svg(spec: Mapping[str, Any], prefix: str, kind: str, title: str, words: str) -> Markup:
    svg = vl_convert.vegalite_to_svg(dict(spec), allowed_base_urls=[])
    start = _SVG_START.search(svg)
    assert start is not None
    inner = _ID.sub(rf"\g<1>{prefix}-\g<2>", _NEEDLESS.sub("", svg[start.end() :]))
    # Vega escapes the texts in its SVG; title and words are escaped here.
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="drawing {kind}" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="{id}-title {id}-words"><title id="{id}-title">{title}</title>'
        '<desc id="{id}-words">{words}</desc>'
    ).format(kind=kind, width=start[1], height=start[2], id=prefix, title=title, words=words) + Markup(inner)  # noqa: S704 (Vega escapes the texts in it)


def _config() -> dict[str, Any]:
    soft, line = "var(--soft)", "var(--line)"
    return {
        "aria": False,  # a label for each mark would triple the size, and a screen reader would read them all
        "background": "transparent",
        "font": "sans-serif",
        "padding": {"left": 0, "right": 4, "top": 6, "bottom": 2},
        "view": {"stroke": None},
        "axis": {
            "labelColor": soft, "labelFontSize": TEXT, "titleColor": soft, "titleFontSize": TEXT,
            "titleFontWeight": "normal", "gridColor": line, "domainColor": line, "tickColor": line,
            "labelPadding": 6, "titlePadding": 10, "tickSize": 4,
        },
        "text": {"fontSize": TEXT, "fill": "var(--ink)"},
        "concat": {"spacing": 10},
    }  # fmt: skip


def _names_axis(names: Sequence[str]) -> alt.Y:
    """The axis of horizontal bars. The field `at` is a bar's index in `names`, because two names may be equal."""
    labels = orjson.dumps(list(names)).decode()  # JSON is a Vega expression too
    # The page's font is wider than the one that Vega measures with.
    extent = min(max(map(len, names)) * 8 + 6, _MOST_LABEL)
    axis = alt.Axis(domain=False, ticks=False, labelColor="var(--ink)", labelLimit=_MOST_LABEL, minExtent=extent,
                    labelExpr=f"{labels}[datum.value]")  # fmt: skip
    return alt.Y("at:O", title=None, axis=axis)


def bars(rows: Sequence[tuple[str, float, str, str]]) -> alt.TopLevelMixin:
    """Horizontal bars of (name, value, value as text, CSS colour)."""
    values = [
        {"at": at, "value": value, "words": words, "colour": colour}
        for at, (_, value, words, colour) in enumerate(rows)
    ]
    most = max(value for _, value, _, _ in rows) or 1.0
    base = alt.Chart(data_of(values), height=alt.Step(28)).encode(
        y=_names_axis([name for name, *_ in rows]),
        x=alt.X("value:Q", axis=None, scale=alt.Scale(domain=[0, most * 1.35], nice=False)),
    )
    words = base.mark_text(align="left", dx=6).encode(text="words:N")
    return alt.layer(base.mark_bar(height=16).encode(fill=alt.Fill("colour:N", scale=None)), words)


def stacked_bars(rows: Mapping[str, Mapping[Any, int]], colours: Mapping[Any, str], title: str) -> alt.TopLevelMixin:
    """Horizontal bars: the shares of the kinds in each row, in the order of `colours`."""
    values = []
    for at, counts in enumerate(rows.values()):
        low = 0.0
        for kind in colours:
            if part := counts[kind] / sum(counts.values()):
                values.append({"at": at, "kind": str(kind), "low": low, "high": low + part})
                low += part
    present = [kind for kind in colours if any(value["kind"] == kind for value in values)]
    axis = alt.Axis(format=".0%", tickCount=5, domain=False)
    base = alt.Chart(data_of(values), height=alt.Step(26)).mark_bar(height=16)
    chart: alt.TopLevelMixin = base.encode(
        y=_names_axis(list(rows)),
        x=alt.X("low:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=axis),
        x2=alt.X2("high"),
        color=colour_by("kind:N", colours, present),
    )
    return chart


def colour_by(field_name: str, colours: Mapping[Any, str], present: Sequence[Any]) -> alt.Color:
    """The colours of the kinds that are `present`, by a field with the name of the kind."""
    scale = alt.Scale(domain=[str(kind) for kind in present], range=[colours[kind] for kind in present])
    return alt.Color(field_name, legend=None, scale=scale)


def data_of(values: list[dict[str, Any]]) -> alt.InlineData:
    """The values as JSON text, because Altair copies a list of records several times."""
    return alt.InlineData(values=orjson.dumps(values).decode(), format=alt.JsonDataFormat(type="json"))
