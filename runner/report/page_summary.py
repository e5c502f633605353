"""The page at a glance: how the run ended, the key figures, the message, and what was run. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from runner.base.outcomes import OutcomeReason
from runner.base.text import MOST_CHARACTERS, shown
from runner.base.wording import counted, moment, rate_in_words, seconds_in_words, share
from runner.ledger.ledger import RunRecord
from runner.report.counts import Counts, DeliveryGroup
from runner.report.departures import Departures
from runner.report.layout import KeyFigure
from runner.report.run_settings import RunSettings

# Characters of the template and of the example that are shown.
MOST_OF_TEXT = 4_000


class Tone(StrEnum):
    """How a headline looks, beside its words."""

    GOOD = "good"
    LOOK = "look"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Headline:
    """A run in one line, and what is known since."""

    tone: Tone
    words: str
    more: str = ""


def headline(record: RunRecord, counts: Counts, hide: Callable[[str], str]) -> Headline:
    """What to say first. `hide` masks what may be a phone number."""
    tone, words = _ended(record, counts, hide)
    return Headline(tone, words, _since(counts))


def _ended(record: RunRecord, counts: Counts, hide: Callable[[str], str]) -> tuple[Tone, str]:
    accepted, unsent, messages = counts.accepted, counts.unsent, counts.messages
    if record.ended_at is None:
        return Tone.LOOK, f"This run has not ended: {accepted:,} of {counted(messages, 'message')} accepted so far."
    trouble = " and ".join(
        f"{count:,} {word}" for count, word in ((counts.rejected, "rejected"), (counts.unknown, "unknown")) if count
    )
    if record.stop_reason not in (None, OutcomeReason.OPTED_OUT):
        # Its first clause: the examples that follow it are among the moments of the run.
        why = (record.stop_detail or (record.stop_reason or "").replace("_", " ")).partition("; ")[0]
        why = shown(hide(why), MOST_CHARACTERS).rstrip(".")
        left = f"{counted(unsent, 'message')} of {messages:,} not sent" if unsent else "nothing is left to send"
        return Tone.STOPPED, f"Stopped early: {why}; {left}{f', {trouble}' if trouble else ''}."
    if not messages:
        return Tone.LOOK, "Nothing was sent: the plan left every row out."
    if trouble or unsent:
        not_sent = "opted out meanwhile" if record.stop_reason is not None else "not sent"
        rest = " and ".join(filter(None, [trouble, f"{unsent:,} {not_sent}" if unsent else ""]))
        return Tone.LOOK, f"Finished: {accepted:,} of {counted(messages, 'message')} accepted, {rest}."
    return Tone.GOOD, "The one message is accepted." if accepted == 1 else f"All {accepted:,} messages are accepted."


def _since(counts: Counts) -> str:
    """Of delivery and conversion, as far as anything is known."""
    groups = counts.by_group
    if not counts.receipts:
        return ""
    words = f"{share(counts.delivered, counts.accepted)} of the accepted messages are delivered"
    still_open = groups[DeliveryGroup.IN_TRANSIT] + groups[DeliveryGroup.NO_RECEIPT]
    rest = {"not delivered": counts.undelivered, "still open": still_open}
    words += "".join(f", {count:,} {word}" for word, count in rest.items() if count)
    if counts.converted:
        words += f"; {share(counts.converted, counts.accepted)} converted"
    return words + "."


@dataclass(frozen=True, slots=True)
class MessageExample:
    """The template and what it makes; `is_whole`: with the recipient's own words."""

    name: str
    template: str
    example: str
    is_whole: bool


def key_figures(counts: Counts, left: Departures | None, costs: Sequence[KeyFigure]) -> list[KeyFigure]:
    """Those that are known; `left` tells when requests left."""
    accepted = counts.accepted
    found = [
        KeyFigure("rows in the file", f"{counts.rows:,}", f"{counted(counts.messages, 'message')} planned"),
        KeyFigure("accepted", f"{accepted:,}", f"{share(accepted, counts.messages)} of the messages"),
    ]
    known = {"delivered": (counts.receipts, counts.delivered), "converted": (counts.conversions, counts.converted)}
    for what, (is_known, count) in known.items():
        if is_known:
            found.append(KeyFigure(what, share(count, accepted), f"{count:,} of {accepted:,}"))
    if left:
        mean = left.shown.mean_per_second
        words = "" if left.is_part or mean is None else f"{rate_in_words(mean)} on average"
        found.append(KeyFigure("sent within", seconds_in_words(left.seconds), words))
        if left.took:
            within = seconds_in_words(left.took.percentile(95) / 1000)
            found.append(KeyFigure("answered within", within, "95% of requests"))
    found.append(KeyFigure("segments", f"{counts.segments_accepted:,}", "of accepted messages"))
    if all_costs := [cost for cost in costs if cost.is_total]:
        first, *rest = all_costs
        others = ", ".join(f"{cost.figure} {cost.what}" for cost in rest)
        found.append(KeyFigure(f"cost, {first.what}", first.figure, others))
    return found


def subtitle(record: RunRecord, version: str) -> list[str]:
    """When, by which version, and which plan."""
    until = f" to {moment(record.ended_at)}" if record.ended_at is not None else ""
    return [f"{moment(record.created_at)}{until} UTC", f"plan {record.fingerprint[:12]}", f"campaign-runner {version}"]


def about(record: RunRecord, settings: RunSettings | None, version: str) -> list[tuple[str, str]]:
    """What was run, as (what, words)."""
    lines = [("campaign", record.name), ("run", record.run)]
    if settings:
        lines += [("campaign file", settings.file), ("recipients", settings.recipients), ("rate", settings.rate)]
        lines += [("sender", settings.source)] if settings.source else []
    lines += [("sub-account", record.sub_account_id), ("started", moment(record.created_at))]
    if record.started_at != record.created_at:
        lines.append(("continued", moment(record.started_at)))
    lines.append(("ended", moment(record.ended_at) if record.ended_at is not None else "not yet"))
    lines += [("plan's fingerprint", record.fingerprint), ("made by", f"campaign-runner {version}")]
    return [(what, shown(words, 300)) for what, words in lines]


def message_example(settings: RunSettings | None, *, unmask: bool) -> MessageExample | None:
    """None where what was asked for isn't known."""
    if settings is None:
        return None
    whole = settings.example if unmask and not settings.mask else None
    return MessageExample(
        name=shown(settings.template_name, 200),
        template=shown(settings.template, MOST_OF_TEXT),
        example=shown(whole or settings.example_masked or "", MOST_OF_TEXT),
        is_whole=whole is not None,
    )
