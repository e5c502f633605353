"""Charts as SVG inside of a page: no ids that clash, the page's own font, its colours by CSS variable.

What the charts of a page have in common stands here; each section of a page makes its own.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import orjson
import vl_convert
from markupsafe import Markup

from runner.base.outcomes import Status

# Size of a chart's text in CSS pixels, before the chart is fitted to its column.
TEXT = 13
# CSS pixels of a chart without its labels: across the page or a phone; or in half of the page, all of a phone.
ACROSS, HALF = {"wide": 850, "narrow": 310}, {"half": 360}

STATUS_COLOURS = {
    Status.ACCEPTED: "var(--accepted)", Status.REJECTED: "var(--rejected)", Status.UNKNOWN: "var(--unknown)",
    Status.UNSENT: "var(--unsent)", Status.EXCLUDED: "var(--excluded)",
}  # fmt: skip
_OPENING = re.compile(r"<svg [^>]*?width=\"([\d.]+)\" height=\"([\d.]+)\"[^>]*>")
_NEEDLESS = re.compile(
    r"<rect [^>]*fill=\"transparent\"/>"
    r"|<path class=\"background\"[^>]*d=\"M0,0h0v0h0Z\"[^>]*/>"
    r"| font-family=\"[^\"]*\"| pointer-events=\"none\"| aria-hidden=\"true\"| opacity=\"1\"| class=\"[^\"]*\""
)
_ID = re.compile(r"(id=\"|url\(#)([\w-]+)")


def drawn(chart: alt.TopLevelMixin, name: str, *, title: str, words: str, widths: Mapping[str, int]) -> list[Markup]:
    """The chart as `<svg>`, one for each of `widths` (CSS pixels, by the class that it gets), which say in `words` what
    they show. `name` is an id, once in a page.
    """
    # A test has Altair check what it made; here that would only cost time, once for every run.
    spec = {**chart.to_dict(validate=False), "config": _config()}
    return [_drawn(_widened(spec, width), f"{name}-{kind}", kind, title, words) for kind, width in widths.items()]


def draw_once() -> None:
    """The first drawing takes longer than all charts of a page; most of it is done outside of Python."""
    drawn(alt.Chart(alt.InlineData([])).mark_point(), "first", title="", words="", widths={"": 1})


def _widened(spec: Mapping[str, Any], width: int) -> dict[str, Any]:
    """With that width, which a chart above others has in each of them."""
    if "vconcat" in spec:
        return {**spec, "vconcat": [_widened(part, width) for part in spec["vconcat"]]}
    return {**spec, "width": width}


def _drawn(spec: Mapping[str, Any], prefix: str, kind: str, title: str, words: str) -> Markup:
    svg = vl_convert.vegalite_to_svg(dict(spec), allowed_base_urls=[])
    opening = _OPENING.search(svg)
    assert opening is not None
    inner = _ID.sub(rf"\g<1>{prefix}-\g<2>", _NEEDLESS.sub("", svg[opening.end() :]))
    # What Vega writes is escaped by Vega: only title and words still have to be.
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="drawing {kind}" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="{id}-title {id}-words"><title id="{id}-title">{title}</title>'
        '<desc id="{id}-words">{words}</desc>'
    ).format(kind=kind, width=opening[1], height=opening[2], id=prefix, title=title, words=words) + Markup(inner)  # noqa: S704 (Vega escapes the texts in it)


def _config() -> dict[str, Any]:
    soft, line = "var(--soft)", "var(--line)"
    return {
        "aria": False,  # a label on each mark would treble the size, and be read out one by one
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


def room(labels: Sequence[str]) -> int:
    """For labels in a font that is wider than the one that Vega measures them with."""
    return max(map(len, labels)) * 8 + 6


def coloured(colours: Any, present: Sequence[Any]) -> alt.Scale:  # noqa: ANN401 (a colour for each of any enumeration)
    return alt.Scale(domain=[str(kind) for kind in present], range=[colours[kind] for kind in present])


def data_of(values: list[dict[str, Any]]) -> alt.InlineData:
    """As JSON text: Altair copies a list of records again and again."""
    return alt.InlineData(values=orjson.dumps(values).decode(), format=alt.JsonDataFormat(type="json"))
