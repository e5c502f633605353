"""report.html: what became of a run, on one page that needs no other file.

No script, no network, nothing that depends on when or where it is made: the same ledger gives the same bytes. Numbers
are masked unless asked for. This and the other page modules load what draws, so import them late.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from runner.base.events import Event
from runner.base.files import write_atomically
from runner.base.outcomes import OutcomeReason
from runner.base.text import sanitized
from runner.base.wording import counted, moment, rate_in_words, seconds_in_words, share
from runner.ledger.ledger import RunRecord
from runner.report.counts import Counts, DeliveryGroup
from runner.report.layout import MOST_CHARACTERS, STATUS_COLOURS, KeyFigure, shares_of
from runner.report.masking import masked
from runner.report.page_outcomes import conversion, cost_lines, countries, delivery, estimated_costs, segments
from runner.report.page_reasons import STATUS_WORDS, reasons
from runner.report.page_sending import sending
from runner.report.result_counts import ResultCounts, parts_of
from runner.report.run_settings import RunSettings
from runner.report.throughput import Throughput, throughput

# Characters of the template and of the example that are shown.
MOST_OF_TEXT = 4_000

_COMMAND = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Page:
    """What a page is made from. `results` is the run's results.parquet, `counts` its counts, `version` this program's.
    `unmask` shows whole numbers and a whole text.
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
    sent = throughput(parts_of(content.results), settings.per_second if settings else None)
    estimated, currency = estimated_costs(counts.countries, settings), settings.currency if settings else None
    costs = cost_lines(counts, estimated, currency)
    hide: Callable[[str], str] = str if content.unmask else masked
    name = f"{record.name}/{record.run}"
    until = f" to {moment(record.ended_at)}" if record.ended_at is not None else ""
    version = f"campaign-runner {content.version}"
    sections = [
        sending(sent, settings, content.events, hide),
        delivery(counts, settings),
        conversion(counts, settings, name),
        countries(counts, estimated, currency),
        segments(counts, costs),
    ]
    tone, headline = _headline(record, counts.totals, hide)
    return rendered(
        "page.html.j2",
        name=name,
        subtitle=[f"{moment(record.created_at)}{until} UTC", f"plan {record.fingerprint[:12]}", version],
        tone=tone,
        headline=headline,
        delivery=_delivery_so_far(counts.totals),
        key_figures=_key_figures(counts.totals, sent, costs),
        rows=counts.totals.rows,
        statuses=shares_of(counts.totals.by_status, STATUS_COLOURS, counts.totals.rows),
        means=STATUS_WORDS,
        reasons=reasons(counts, hide),
        sections=[section for section in sections if section],
        message=_message_example(settings, unmask=content.unmask),
        about=_about(record, settings, version),
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
        finalize=lambda value: sanitized(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.filters["commands"] = _commands
    style = Markup((Path(__file__).parent / "page.css").read_text(encoding="utf-8"))  # noqa: S704 (our own file)
    return environment.get_template(template).render(style=style, **values)


def _commands(words: str) -> Markup:
    """Our own words with `commands` in them, as HTML."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(sanitized(words)))))  # noqa: S704 (escaped before)


def _headline(record: RunRecord, counts: Counts, hide: Callable[[str], str]) -> tuple[str, str]:
    """How the run ended, as (a CSS class: good, look or stopped; words)."""
    accepted, unsent, messages = counts.accepted, counts.unsent, counts.messages
    if record.ended_at is None:
        return "look", f"This run has not ended: {accepted:,} of {counted(messages, 'message')} accepted so far."
    trouble = " and ".join(
        f"{count:,} {word}" for count, word in ((counts.rejected, "rejected"), (counts.unknown, "unknown")) if count
    )
    if record.stop_reason not in (None, OutcomeReason.OPTED_OUT):
        # Its first clause: the examples that follow it are among the moments of the run.
        why = (record.stop_detail or (record.stop_reason or "").replace("_", " ")).partition("; ")[0]
        why = sanitized(hide(why), MOST_CHARACTERS).rstrip(".")
        left = f"{counted(unsent, 'message')} of {messages:,} not sent" if unsent else "nothing is left to send"
        return "stopped", f"Stopped early: {why}; {left}{f', {trouble}' if trouble else ''}."
    if not messages:
        return "look", "Nothing was sent: the plan left every row out."
    if trouble or unsent:
        not_sent = "opted out meanwhile" if record.stop_reason is not None else "not sent"
        rest = " and ".join(filter(None, [trouble, f"{unsent:,} {not_sent}" if unsent else ""]))
        return "look", f"Finished: {accepted:,} of {counted(messages, 'message')} accepted, {rest}."
    return "good", "The one message is accepted." if accepted == 1 else f"All {accepted:,} messages are accepted."


def _delivery_so_far(counts: Counts) -> str:
    """Delivery and conversion in a line; "" where nothing is known."""
    if not counts.receipts:
        return ""
    groups = counts.by_group
    words = f"{share(counts.delivered, counts.accepted)} of the accepted messages are delivered"
    still_open = groups[DeliveryGroup.IN_TRANSIT] + groups[DeliveryGroup.NO_RECEIPT]
    rest = {"not delivered": counts.undelivered, "still open": still_open}
    words += "".join(f", {count:,} {word}" for word, count in rest.items() if count)
    if counts.converted:
        words += f"; {share(counts.converted, counts.accepted)} converted"
    return words + "."


def _key_figures(counts: Counts, sent: Throughput | None, costs: Sequence[KeyFigure]) -> list[KeyFigure]:
    """Those that are known."""
    accepted = counts.accepted
    found = [
        KeyFigure("rows in the file", f"{counts.rows:,}", f"{counted(counts.messages, 'message')} planned"),
        KeyFigure("accepted", f"{accepted:,}", f"{share(accepted, counts.messages)} of the messages"),
    ]
    if counts.receipts:
        found.append(KeyFigure("delivered", share(counts.delivered, accepted), f"{counts.delivered:,} of {accepted:,}"))
    if counts.conversions:
        found.append(KeyFigure("converted", share(counts.converted, accepted), f"{counts.converted:,} of {accepted:,}"))
    if sent:
        mean = sent.shown.mean_per_second
        words = "" if sent.is_part or mean is None else f"{rate_in_words(mean)} on average"
        found.append(KeyFigure("sent within", seconds_in_words(sent.seconds), words))
        if sent.latencies:
            within = seconds_in_words(sent.latencies.percentile(95) / 1000)
            found.append(KeyFigure("answered within", within, "95% of requests"))
    found.append(KeyFigure("segments", f"{counts.segments_accepted:,}", "of accepted messages"))
    if totals := [cost for cost in costs if cost.is_total]:
        first, *rest = totals
        found.append(
            KeyFigure(f"cost, {first.what}", first.figure, ", ".join(f"{cost.figure} {cost.what}" for cost in rest))
        )
    return found


def _about(record: RunRecord, settings: RunSettings | None, version: str) -> list[tuple[str, str]]:
    """What was run, as (what, words)."""
    lines = [("campaign", record.name), ("run", record.run)]
    if settings:
        lines += [("campaign file", settings.file), ("recipients", settings.recipients), ("rate", settings.rate)]
        lines += [("sender", settings.source)] if settings.source else []
    lines += [("sub-account", record.sub_account_id), ("started", moment(record.created_at))]
    if record.started_at != record.created_at:
        lines.append(("continued", moment(record.started_at)))
    lines.append(("ended", moment(record.ended_at) if record.ended_at is not None else "not yet"))
    lines += [("plan's fingerprint", record.fingerprint), ("made by", version)]
    return [(what, sanitized(words, 300)) for what, words in lines]


def _message_example(settings: RunSettings | None, *, unmask: bool) -> dict[str, Any] | None:
    """The template and a text made from it; `is_whole`: with the recipient's own words. None where it isn't known."""
    if settings is None:
        return None
    whole = settings.example if unmask and not settings.mask else None
    return {
        "name": sanitized(settings.template_name, 200),
        "template": sanitized(settings.template, MOST_OF_TEXT),
        "example": sanitized(whole or settings.example_masked or "", MOST_OF_TEXT),
        "is_whole": whole is not None,
    }
