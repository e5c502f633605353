"""A run in one line: how it ended, and how far its messages got. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from runner.ledger.ledger import RunRecord
from runner.models import ConversionOutcome, OutcomeReason, Status
from runner.report.figures import Figures, Reach
from runner.report.results import Tally
from runner.text import MOST_CHARACTERS, counted, share, shown


class Tone(StrEnum):
    """How a verdict looks, beside its words."""

    GOOD = "good"
    LOOK = "look"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`words` are one line, `more` what is known since."""

    tone: Tone
    words: str
    more: str = ""


def verdict_of(record: RunRecord, tally: Tally, figures: Figures, hide: Callable[[str], str]) -> Verdict:
    """What to say first. `hide` masks what may be a phone number."""
    tone, words = _ended(record, tally, hide)
    return Verdict(tone, words, _since(figures))


def _ended(record: RunRecord, tally: Tally, hide: Callable[[str], str]) -> tuple[Tone, str]:
    accepted, rejected, unknown, unsent = (
        tally.by_status[status] for status in (Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN, Status.UNSENT)
    )
    messages = accepted + rejected + unknown + unsent
    if record.ended_at is None:
        return Tone.LOOK, f"This run has not ended: {accepted:,} of {counted(messages, 'message')} accepted so far."
    trouble = " and ".join(
        f"{count:,} {word}" for count, word in ((rejected, "rejected"), (unknown, "unknown")) if count
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


def _since(figures: Figures) -> str:
    """Of delivery and conversion, as far as anything is known."""
    accepted, reach = figures.accepted, figures.reach
    if not accepted or not figures.has_receipts:
        return ""
    words = f"{share(reach[Reach.DELIVERED], accepted)} of the accepted messages are delivered"
    rest = {"not delivered": reach[Reach.FAILED], "still open": reach[Reach.ON_ITS_WAY] + reach[Reach.UNTOLD]}
    words += "".join(f", {count:,} {word}" for word, count in rest.items() if count)
    if successes := figures.outcomes[ConversionOutcome.SUCCESS]:
        words += f"; {share(successes, accepted)} converted"
    return words + "."
