"""What the page says at a glance, and what it says of the run itself. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from runner.ledger.ledger import RunRecord
from runner.models import ConversionOutcome, Status
from runner.report.facts import Facts
from runner.report.figures import Figures, Reach
from runner.report.layout import Bill
from runner.report.results import Tally
from runner.text import counted, moment, rate_in_words, seconds_in_words, share, shown

MOST_OF_TEXT = 4_000
"""Characters of the template and of the example that are shown."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A key figure."""

    what: str
    figure: str
    words: str


@dataclass(frozen=True, slots=True)
class Message:
    """The template and what it makes; `is_whole`: with the recipient's own words."""

    name: str
    template: str
    example: str
    is_whole: bool


def tiles(tally: Tally, figures: Figures, bills: Sequence[Bill]) -> list[Tile]:
    """The key figures; those that aren't known are left out."""
    accepted, messages = tally.by_status[Status.ACCEPTED], tally.rows - tally.by_status[Status.EXCLUDED]
    found = [
        Tile("rows in the file", f"{tally.rows:,}", f"{counted(messages, 'message')} planned"),
        Tile("accepted", f"{accepted:,}", f"{share(accepted, messages)} of the messages"),
    ]
    if figures.has_receipts:
        delivered = figures.reach[Reach.DELIVERED]
        found.append(Tile("delivered", share(delivered, accepted), f"{delivered:,} of {accepted:,}"))
    if figures.outcomes:
        successes = figures.outcomes[ConversionOutcome.SUCCESS]
        found.append(Tile("converted", share(successes, accepted), f"{successes:,} of {accepted:,}"))
    if left := figures.departures:
        mean = left.shown.mean_per_second
        words = "" if left.is_part or mean is None else f"{rate_in_words(mean)} on average"
        found.append(Tile("sent within", seconds_in_words(left.seconds), words))
        if left.took:
            found.append(Tile("answered within", seconds_in_words(left.took.percentile(95) / 1000), "95% of requests"))
    segments = sum((number or 0) * count for (number, _), count in figures.sizes.items())
    found.append(Tile("segments", f"{segments:,}", "of accepted messages"))
    cost = [bill for bill in bills if bill.is_total]
    if cost:
        others = ", ".join(f"{bill.amount} {bill.what}" for bill in cost[1:])
        found.append(Tile(f"cost, {cost[0].what}", cost[0].amount, others))
    return found


def subtitle(record: RunRecord, version: str) -> list[str]:
    """When, by which version, and which plan."""
    until = f" to {moment(record.ended_at)}" if record.ended_at is not None else ""
    return [f"{moment(record.created_at)}{until} UTC", f"plan {record.fingerprint[:12]}", f"campaign-runner {version}"]


def about(record: RunRecord, facts: Facts | None, version: str) -> list[tuple[str, str]]:
    """What was run, as (what, words)."""
    lines = [("campaign", record.name), ("run", record.run)]
    if facts:
        lines += [("campaign file", facts.file), ("recipients", facts.recipients), ("rate", facts.rate)]
        lines += [("sender", facts.source)] if facts.source else []
    lines += [("sub-account", record.sub_account_id), ("started", moment(record.created_at))]
    if record.started_at != record.created_at:
        lines.append(("continued", moment(record.started_at)))
    lines.append(("ended", moment(record.ended_at) if record.ended_at is not None else "not yet"))
    lines += [("plan's fingerprint", record.fingerprint), ("made by", f"campaign-runner {version}")]
    return [(what, shown(words, 300)) for what, words in lines]


def message(facts: Facts | None, *, unmask: bool) -> Message | None:
    """None where what was asked for isn't known."""
    if facts is None:
        return None
    whole = facts.example if unmask and not facts.mask else None
    return Message(
        name=shown(facts.template_name, 200),
        template=shown(facts.template, MOST_OF_TEXT),
        example=shown(whole or facts.example_masked or "", MOST_OF_TEXT),
        is_whole=whole is not None,
    )
