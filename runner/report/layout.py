"""What a page is laid out from: sections with their words, figures and tables."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
from great_tables import GT
from markupsafe import Markup, escape

from runner.base.text import MOST_CHARACTERS, shown
from runner.report.charts import ACROSS

_CLASSES = re.compile(r' class="([^"]*)"(?: rowspan="1" colspan="1")?')


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole. `colour` is a CSS colour; `percent` words such as `2.4%`."""

    name: str
    count: int
    percent: str
    colour: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing (one, or one for wide and one for narrow screens) with what stands above and below it."""

    title: str
    drawings: Sequence[Markup]
    words: str = ""
    legend: Sequence[Share] = ()

    @property
    def is_across(self) -> bool:
        """Whether it has a drawing as wide as the page."""
        return len(self.drawings) == len(ACROSS)


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number or an amount with what it counts, and words below it. `is_total`: a cost of all messages."""

    what: str
    figure: str
    words: str = ""
    is_total: bool = False


@dataclass(slots=True)
class Section:
    """Part of the page under a heading of its own. `words` stand in the place of figures that aren't there yet."""

    name: str
    title: str
    words: str = ""
    figures: list[Figure] = field(default_factory=list)
    tables: list[Markup] = field(default_factory=list)
    costs: Sequence[KeyFigure] = ()


def table(
    name: str, caption: str, labels: Sequence[str], rows: Sequence[Sequence[str]], *, texts: Sequence[str] = ()
) -> Markup:
    """A table whose first column names its rows, in a region of its own that scrolls where it is too wide.

    `name` is an id, once in a page. Cells are escaped here, and cut where they are long. Columns stand to the right, as
    figures do; those whose label is among `texts` stand to the left.
    """
    by_name = {f"c{number}": label for number, label in enumerate(labels)}
    cells = [[str(escape(shown(cell, MOST_CHARACTERS))) for cell in row] for row in rows]
    frame = pl.DataFrame(cells, schema=dict.fromkeys(by_name, pl.String), orient="row")
    made = (
        GT(frame, id=name, rowname_col="c0")
        .tab_stubhead(labels[0])
        .cols_label(cases={key: label for key, label in by_name.items() if key != "c0"})
        .cols_align("left", [key for key, label in by_name.items() if label in texts])
        .cols_align("right", [key for key, label in by_name.items() if label not in texts])
        # Formatted cells stay as they are: else they would be escaped twice.
        .fmt(lambda cell: cell, columns=list(by_name))
    )
    html = made.as_raw_html(inline_css=False)
    start, end = html.index("<table"), html.rindex("</table>")
    body = _CLASSES.sub(_plain, html[html.index(">", start) + 1 : end])
    body = body.replace(f' id="{name}-{escape(labels[0])}"', "", 1)  # a label isn't an id, and nothing uses it
    return Markup(
        '<div class="scroll" role="region" aria-labelledby="{name}-caption" tabindex="0"><table>'
        '<caption><span id="{name}-caption">{caption}</span></caption>{body}</table></div>'
    ).format(name=name, caption=caption, body=Markup(body))  # noqa: S704 (its cells are escaped above)


def _plain(found: re.Match[str]) -> str:
    """Of Great Tables' classes only the one that the page's own style sheet knows; others come with each."""
    return ' class="number"' if "gt_right" in found[1] else ""
