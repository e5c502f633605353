"""report.html: what became of a run, on one page that needs nothing but itself.

No script, no network, nothing that depends on when or where it is made: the same ledger gives the same bytes. Numbers
are masked unless somebody asks for them. This and the other page modules load what draws, so import them late.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from runner.base.events import Event
from runner.base.files import write_atomically
from runner.base.text import shown
from runner.ledger.ledger import RunRecord
from runner.report.aggregation import parts_of
from runner.report.departures import departures
from runner.report.masking import masked
from runner.report.page_costs import cost_lines, countries, estimate, segments
from runner.report.page_delivery import conversion, delivery
from runner.report.page_reasons import reasons, rows_by_status
from runner.report.page_sending import sending
from runner.report.page_summary import about, headline, key_figures, message_example, subtitle
from runner.report.result_counts import ResultCounts
from runner.report.run_settings import RunSettings

_COMMAND = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Page:
    """What a page is made from. `results` is the run's results.parquet, `counts` what it comes to, `version` this
    program's. `unmask` shows whole numbers and a whole text.
    """

    record: RunRecord
    counts: ResultCounts
    settings: RunSettings | None
    events: Sequence[Event]
    results: Path
    version: str
    unmask: bool = False


def write_page(path: Path, content: Page) -> None:
    """Write the page; it appears when it is whole. Raises StoppedError when it can't be written."""
    write_atomically(path, page_of(content).encode())


def page_of(content: Page) -> str:
    """The page as HTML."""
    record, counts, settings = content.record, content.counts, content.settings
    left = departures(parts_of(content.results), settings.per_second if settings else None)
    estimated = estimate(counts.countries, settings)
    costs = cost_lines(counts, estimated)
    hide = _as_is if content.unmask else masked
    name = f"{record.name}/{record.run}"
    sections = [
        sending(left, settings, content.events, hide),
        delivery(counts, settings),
        conversion(counts, settings, name),
        countries(counts, estimated),
        segments(counts, costs),
    ]
    return rendered(
        "page.html.j2",
        name=name,
        headline=headline(record, counts.totals, hide),
        key_figures=key_figures(counts.totals, left, costs),
        rows=counts.totals.rows,
        statuses=rows_by_status(counts.totals),
        reasons=reasons(counts, hide),
        sections=[section for section in sections if section],
        message=message_example(settings, unmask=content.unmask),
        about=about(record, settings, content.version),
        subtitle=subtitle(record, content.version),
        masked=not content.unmask,
    )


def rendered(template: str, **values: object) -> str:
    """A page of this room with its style sheet inside. Nothing that the template prints steers the text around it."""
    environment = Environment(
        loader=PackageLoader("runner.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_steady,
    )
    environment.filters["commands"] = _commands
    style = Markup((Path(__file__).parent / "page.css").read_text(encoding="utf-8"))  # noqa: S704 (our own file)
    return environment.get_template(template).render(style=style, **values)


def _steady(value: object) -> object:
    """What the template prints, without what would steer the text around it."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _commands(words: str) -> Markup:
    """Our own words with `commands` in them, as HTML."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(shown(words)))))  # noqa: S704 (escaped before)


def _as_is(text: str) -> str:
    return text
