"""report.html: what became of a run, on one page that needs nothing but itself.

No script, no network, nothing that depends on when or where it is made: the same ledger gives the same bytes. Numbers
are masked unless somebody asks for them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from runner.atomic import replacing
from runner.ledger.ledger import RunRecord
from runner.models import Event
from runner.report.costs import bills, estimate, segments
from runner.report.countries import countries
from runner.report.facts import Facts
from runner.report.figures import count_figures
from runner.report.glance import about, message, subtitle, tiles
from runner.report.masking import masked
from runner.report.reaching import conversion, delivery
from runner.report.reasons import reasons, rows_by_status
from runner.report.results import Tally
from runner.report.sending import sending
from runner.report.verdict import verdict_of
from runner.text import shown

_COMMAND = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Page:
    """What a page is made from. `results` is the run's results.parquet, `version` this program's.

    `unmask` shows whole numbers and a whole text.
    """

    record: RunRecord
    tally: Tally
    facts: Facts | None
    events: Sequence[Event]
    results: Path
    version: str
    unmask: bool = False


def write_page(path: Path, content: Page) -> None:
    """Write the page; it appears when it is whole. Raises StoppedError when it can't be written."""
    html = page_of(content)
    with replacing(path) as file:
        file.write(html.encode())


def page_of(content: Page) -> str:
    """The page as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    record, tally, facts = content.record, content.tally, content.facts
    figures = count_figures(content.results, facts.per_second if facts else None)
    estimated = estimate(figures.countries, facts)
    hide = _as_is if content.unmask else masked
    costs = bills(figures, estimated)
    name = f"{record.name}/{record.run}"
    environment = Environment(
        loader=PackageLoader("runner.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_steady,
    )
    environment.filters["commands"] = _commands
    sections = [
        sending(figures.departures, facts, content.events, hide),
        delivery(figures, facts),
        conversion(figures, facts, name),
        countries(figures, estimated),
        segments(figures, costs),
    ]
    return environment.get_template("page.html.j2").render(
        name=name,
        style=Markup((Path(__file__).parent / "page.css").read_text(encoding="utf-8")),  # noqa: S704 (our own file)
        verdict=verdict_of(record, tally, figures, hide),
        tiles=tiles(tally, figures, costs),
        rows=tally.rows,
        statuses=rows_by_status(tally),
        reasons=reasons(tally, figures, hide),
        sections=[section for section in sections if section],
        message=message(facts, unmask=content.unmask),
        about=about(record, facts, content.version),
        subtitle=subtitle(record, content.version),
        masked=not content.unmask,
    )


def _steady(value: object) -> object:
    """What the template prints, without what would steer the text around it."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _commands(words: str) -> Markup:
    """Our own words with `commands` in them, as HTML."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(shown(words)))))  # noqa: S704 (escaped before)


def _as_is(text: str) -> str:
    return text
