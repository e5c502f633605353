"""Every row by its status, and why: what each reason means, what to do about it, and example rows. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from runner.models import Status
from runner.report.advice import Advice, advice_for
from runner.report.figures import Figures
from runner.report.layout import Part
from runner.report.results import Tally
from runner.report.timeline import STATUS_COLOURS
from runner.text import MOST_CHARACTERS, share, shown

_STATUS_WORDS = {
    Status.ACCEPTED: "the provider took the message",
    Status.REJECTED: "the provider refused it",
    Status.UNKNOWN: "perhaps received: no proof came back",
    Status.UNSENT: "certainly not received",
    Status.EXCLUDED: "left out by the plan",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Rows that ended for one reason: what that means, what to do, and examples as (where, words)."""

    code: str
    count: int
    advice: Advice
    codes: str
    examples: Sequence[tuple[str, str]]


def rows_by_status(tally: Tally) -> list[Part]:
    """Every row of the file, by its status."""
    return [
        Part(status, count, share(count, tally.rows), STATUS_COLOURS[status], _STATUS_WORDS[status])
        for status in Status
        if (count := tally.by_status[status])
    ]


def reasons(tally: Tally, figures: Figures, hide: Callable[[str], str]) -> list[tuple[Part, list[Reason]]]:
    """What to look at, by status: the reasons of all rows that weren't simply accepted, the most frequent first."""
    found: list[tuple[Part, list[Reason]]] = []
    for part in rows_by_status(tally):
        if part.name == Status.ACCEPTED:
            continue
        of_status = [(reason, count) for (status, reason), count in tally.by_reason.items() if status == part.name]
        of_status.sort(key=lambda item: (-item[1], item[0] or ""))
        listed = [
            Reason(
                code=shown(reason or "", 40),
                count=count,
                advice=advice_for(part.name, reason),
                codes=_answer_codes(figures, reason) if part.name == Status.REJECTED else "",
                examples=_examples(tally.examples.get((part.name, reason), ()), hide),
            )
            for reason, count in of_status
        ]
        found.append((part, listed))
    return found


def _answer_codes(figures: Figures, reason: str | None) -> str:
    codes = sorted((code, count) for (of, code), count in figures.codes.items() if of == reason)
    words = ", ".join(f"{code} ({count:,})" for code, count in codes[:8])
    return f"the provider's error codes: {words}" if words else ""


def _examples(examples: Iterable[tuple[int, str | None, str]], hide: Callable[[str], str]) -> list[tuple[str, str]]:
    return [
        (
            f"row {row}" + (f", key {shown(hide(key), 60)}" if key else ""),
            shown(hide(detail), MOST_CHARACTERS) if detail else "",
        )
        for row, key, detail in examples
    ]
