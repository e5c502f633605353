"""report.html: the outcome of a run, on one self-contained page.

The page has no scripts and loads nothing from the network. The same ledger always gives the same bytes. Phone numbers
are masked by default. The page modules load the chart libraries, so import them late.
"""

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from runner.base.events import Event
from runner.base.files import write_atomically
from runner.base.outcomes import DIFFERING, OutcomeReason, Status
from runner.base.text import sanitized
from runner.base.wording import counted, moment, rate_in_words, seconds_in_words, share
from runner.ledger.audit import RecordedEntry
from runner.ledger.ledger import RunRecord
from runner.ledger.sessions import Session
from runner.message.redact import REDACTED
from runner.report.audit_words import details, what, who
from runner.report.counts import Counts, DeliveryGroup
from runner.report.layout import MOST_CHARACTERS, STATUS_COLOURS, KeyFigure, PageSection, shares_of, table
from runner.report.masking import masked
from runner.report.page_outcomes import conversion, cost_lines, countries, delivery, estimated_costs, segments
from runner.report.page_reasons import STATUS_WORDS, advice_for, reasons
from runner.report.page_sending import sending
from runner.report.result_counts import ResultCounts, parts_of
from runner.report.run_settings import RunSettings
from runner.report.thresholds import Judged, has_news
from runner.report.throughput import Throughput, throughput

# The most characters shown of the template and of the example.
MOST_OF_TEXT = 4_000

# The most entries of the audit trail on the page. `campaign audit` shows all.
MOST_ENTRIES = 20

_COMMAND = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Page:
    """The content of a page. `results` is the run's results.parquet, `counts` its counts, `version` this program's.

    `trail` has the run's entries in the audit trail. `unmask` shows full phone numbers and a full text. `notice` says
    that the messages were not sent to the provider: a keyword, a colon, and words; or it is empty. `to_review`
    says that the run has replies that may be opt-outs, or is empty.
    """

    record: RunRecord
    counts: ResultCounts
    settings: RunSettings | None
    events: Sequence[Event]
    results: Path
    version: str
    thresholds: Sequence[Judged] = ()
    sessions: Sequence[Session] = ()
    trail: Sequence[RecordedEntry] = ()
    unmask: bool = False
    notice: str = ""
    to_review: str = ""


def write_page(path: Path, content: Page) -> None:
    """Write the page atomically. Raises StoppedError if it can't be written."""
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
        _thresholds(content.thresholds),
        sending(sent, settings, content.events, content.sessions, hide),
        delivery(counts, settings),
        conversion(counts, settings, name),
        countries(counts, estimated, currency),
        segments(counts, costs),
        _trail(content.trail),
    ]
    tone, headline = _headline(record, counts.totals, hide)
    warnings = [*_warnings(counts), *([f"Warning: {content.to_review}."] if content.to_review else [])]
    tone = "look" if warnings and tone == "good" else tone
    return rendered(
        "page.html.j2",
        name=name,
        subtitle=[f"{moment(record.created_at)}{until} UTC", f"plan {record.fingerprint[:12]}", version],
        tone=tone,
        headline=headline,
        more=[*_stop_answer(record), *warnings, *_delivery_so_far(counts.totals)],
        key_figures=_key_figures(counts.totals, sent, costs),
        rows=counts.totals.rows,
        statuses=shares_of(counts.totals.by_status, STATUS_COLOURS, counts.totals.rows),
        means=STATUS_WORDS,
        reasons=reasons(counts, hide),
        sections=[section for section in sections if section],
        message=_message_example(settings, unmask=content.unmask),
        about=_about(record, settings, version),
        masked=not content.unmask,
        notice=content.notice.partition(": "),
    )


def rendered(template: str, **values: object) -> str:
    """A page with its style sheet inlined. Unsafe characters in the values are replaced."""
    style = Markup((Path(__file__).parent / "page.css").read_text(encoding="utf-8"))  # noqa: S704 (our own file)
    return _environment().get_template(template).render(style=style, **values)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("runner.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: sanitized(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.filters["commands"] = _commands
    return environment


def _commands(words: str) -> Markup:
    """Words with `commands` in backticks, as HTML."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(sanitized(words)))))  # noqa: S704 (escaped before)


def _headline(record: RunRecord, counts: Counts, hide: Callable[[str], str]) -> tuple[str, str]:
    """How the run ended, as (CSS class: good, look or stopped; headline)."""
    accepted, unsent, messages = counts.accepted, counts.unsent, counts.messages
    if record.ended_at is None:
        return "look", f"Not finished: {accepted:,} of {counted(messages, 'message')} accepted so far."
    trouble = ", ".join(
        f"{count:,} {word}" for count, word in ((counts.rejected, "rejected"), (counts.unknown, "unknown")) if count
    )
    if record.stop_reason not in (None, OutcomeReason.OPTED_OUT):
        # Its first clause: the examples after it are in the table of events.
        why = (record.stop_detail or (record.stop_reason or "").replace("_", " ")).partition("; ")[0]
        why = sanitized(hide(why), MOST_CHARACTERS).rstrip(".")
        left = f"{unsent:,} of {counted(messages, 'message')} not sent" if unsent else "No messages left to send"
        return "stopped", f"Stopped early: {why}. {left}{f', {trouble}' if trouble else ''}."
    if not messages:
        return "look", "Nothing was sent: the plan excluded every row."
    if trouble or unsent:
        not_sent = "opted out during the run" if record.stop_reason is not None else "not sent"
        rest = ", ".join(filter(None, [trouble, f"{unsent:,} {not_sent}" if unsent else ""]))
        return "look", f"Finished: {accepted:,} of {counted(messages, 'message')} accepted, {rest}."
    return "good", "The only message is accepted." if accepted == 1 else f"All {accepted:,} messages are accepted."


def _stop_answer(record: RunRecord) -> Iterator[str]:
    """The answer that stopped the run, if one did."""
    if record.stop_message_id is None:
        return
    code = f", error code {record.stop_error_code}" if record.stop_error_code is not None else ""
    at = f" at {moment(record.stop_answered_at)}" if record.stop_answered_at is not None else ""
    quote = f" Quote error ID {record.stop_error_id} to the provider's support." if record.stop_error_id else ""
    yield sanitized(f"The provider answered HTTP {record.stop_http_status}{code}{at}.{quote}", MOST_CHARACTERS)


def _warnings(counts: ResultCounts) -> Iterator[str]:
    for reason in sorted(DIFFERING):
        if count := counts.by_reason[Status.ACCEPTED, reason]:
            yield f"Warning: {counted(count, 'message')} {advice_for(Status.ACCEPTED, reason)[0]}."


def _delivery_so_far(counts: Counts) -> Iterator[str]:
    """Delivery and conversion in one line; nothing without receipts."""
    if not counts.receipts:
        return
    groups = counts.by_group
    words = f"{share(counts.delivered, counts.accepted)} of accepted messages delivered"
    pending = groups[DeliveryGroup.IN_TRANSIT] + groups[DeliveryGroup.NO_RECEIPT]
    rest = {"not delivered": counts.undelivered, "pending": pending}
    words += "".join(f", {count:,} {word}" for word, count in rest.items() if count)
    if counts.converted:
        words += f"; {share(counts.converted, counts.accepted)} converted"
    yield words + "."


def _key_figures(counts: Counts, sent: Throughput | None, costs: Sequence[KeyFigure]) -> list[KeyFigure]:
    """The figures on top of the page, without those that aren't known."""
    accepted = counts.accepted
    found = [
        KeyFigure("rows in the file", f"{counts.rows:,}", f"{counted(counts.messages, 'message')} planned"),
        KeyFigure("accepted", f"{accepted:,}", f"{share(accepted, counts.messages)} of messages"),
    ]
    if counts.receipts:
        found.append(KeyFigure("delivered", share(counts.delivered, accepted), f"{counts.delivered:,} of {accepted:,}"))
    if counts.conversions:
        found.append(KeyFigure("converted", share(counts.converted, accepted), f"{counts.converted:,} of {accepted:,}"))
    if sent:
        mean = sent.shown.mean_per_second
        words = "" if sent.is_part or mean is None else f"average {rate_in_words(mean)}"
        found.append(KeyFigure("sending time", seconds_in_words(sent.seconds), words))
        if sent.latencies:
            within = seconds_in_words(sent.latencies.percentile(95) / 1000)
            found.append(KeyFigure("response time", within, "or less for 95% of requests"))
    found.append(KeyFigure("segments", f"{counts.segments_accepted:,}", "in accepted messages"))
    if totals := [cost for cost in costs if cost.is_total]:
        first, *rest = totals
        found.append(KeyFigure(first.what, first.figure, ", ".join(f"{cost.figure} {cost.what}" for cost in rest)))
    return found


def _thresholds(judged: Sequence[Judged]) -> PageSection | None:
    """What makes the run fail, with figures; None if nothing does, and the campaign file sets no threshold."""
    if not has_news(judged):
        return None
    rows = [[each.name, each.limit, each.figures, each.words] for each in judged]
    made = table(
        "thresholds-table",
        "Limits for a finished run",
        ["messages", "limit", "value", "result"],
        rows,
        texts=["value", "result"],
    )
    return PageSection("thresholds", "Thresholds", tables=[made])


def _about(record: RunRecord, settings: RunSettings | None, version: str) -> list[tuple[str, str]]:
    """The settings and times of the run, as (name, value)."""
    lines = [("campaign", record.name), ("run", record.run)]
    if settings:
        lines += [("campaign file", settings.file), ("recipients", settings.recipients), ("rate", settings.rate)]
        lines += [("sender", settings.source)] if settings.source else []
    lines += [("sub-account", record.sub_account_id), ("started", moment(record.created_at))]
    if record.started_at != record.created_at:
        lines.append(("resumed", moment(record.started_at)))
    lines.append(("ended", moment(record.ended_at) if record.ended_at is not None else "not finished"))
    lines += [("plan fingerprint", record.fingerprint), ("version", version)]
    return [(what, sanitized(words, 300)) for what, words in lines]


def _trail(entries: Sequence[RecordedEntry]) -> PageSection | None:
    """Who did what with the run; None if the ledger doesn't say it. Numbers are never shown."""
    if not entries:
        return None
    shown = entries[-MOST_ENTRIES:]
    rows = [[moment(entry.at), what(entry), who(entry), details(entry, lambda _: REDACTED)] for entry in shown]
    labels = ["time", "what", "who", "details"]
    more = f"Latest {len(shown)} of {len(entries):,} entries" if len(entries) > len(shown) else "Entries"
    return PageSection("trail", "Audit trail", tables=[table("entries", more, labels, rows, texts=labels)])


def _message_example(settings: RunSettings | None, *, unmask: bool) -> dict[str, Any] | None:
    """The template and an example text; `is_whole`: with recipient data. None if the settings aren't known."""
    if settings is None:
        return None
    whole = settings.example if unmask and not settings.mask else None
    return {
        "name": sanitized(settings.template_name, 200),
        "template": sanitized(settings.template, MOST_OF_TEXT),
        "example": sanitized(whole or settings.example_masked or "", MOST_OF_TEXT),
        "is_whole": whole is not None,
    }
