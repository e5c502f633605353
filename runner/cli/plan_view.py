"""A plan as text: the lines that terminals and pull requests have in common, and the terminal's layout."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.base.messages import RemarkKind
from runner.base.options import Outside
from runner.base.wording import counted, listed_counts, seconds_in_words
from runner.cli.console import FOLD, LEFT, RIGHT, Console
from runner.cli.masking import masking
from runner.run.paths import SANDBOX_RUN

if TYPE_CHECKING:
    from runner.prices.costs import Costs
    from runner.run.open import Run
    from runner.run.plan import Remaining
    from runner.run.review import Review

MOST_COUNTRIES = 40
MOST_OPENINGS = 12
MOST_ZONES = 4
MOST_CHARACTERS = 6


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plan: a label, a number, and words. `is_part`: it belongs to the line above.

    `detail` continues `words`. It may quote cells, and so contain phone numbers.
    """

    label: str
    number: str = ""
    words: str = ""
    is_part: bool = False
    detail: str = ""


def show_plan(console: Console, review: "Review") -> None:
    """Show a plan's figures and its warnings; first of all, that it seems empty by mistake."""
    run, warnings = review.run, review.warnings
    masking.template = run.inputs.composer.template.origins.own_text
    if review.emptiness:
        console.warn(review.emptiness)
        warnings = warnings[1:]
    console.print(f"\n{run.name}/{run.run}  plan {review.plan.fingerprint[:12]}", style="bold")
    rows = [
        (f"  {line.label}" if line.is_part and line.label else line.label, line.number, line.words + line.detail)
        for line in lines_of(review)
    ]
    console.show_table({"": LEFT, "number": RIGHT, "words": FOLD}, rows, header=False)
    for warning in warnings:
        console.warn(warning)


def show_parts(console: Console, review: "Review") -> None:
    """Show what an approval of this plan covers."""
    console.print()
    rows = [("fingerprint", review.plan.fingerprint)]
    rows += [(f"  {part}", text) for part, text in review.plan.parts.items()]
    console.show_table({"": LEFT, "text": FOLD}, rows, header=False)


def show_remaining(console: Console, run: "Run", remaining: "Remaining") -> None:
    """Show the progress of a run that was started before, and with which runs it shares the rate.

    Warns if the ledger is new.
    """
    if run.run != SANDBOX_RUN and not run.ledger.runs():  # a sandbox run always has a new one
        console.warn(f"this is a new ledger with no send history: {run.ledger.path}")
    if others := run.sharing_the_rate():
        whose = f" ({run.account_rate})" if run.account_rate else ""
        are = "is" if len(others) == 1 else "are"
        console.wrap(
            f"{', '.join(others)} {are} using {run.campaign.account.sub_account_id} too; they share its rate{whose}"
        )
    if run.died:
        several = counted(run.died, "message was being sent", "messages were being sent")
        console.warn(
            f"{several} when the previous process died. The outcome is unknown, so they are not sent again. "
            f"`campaign reconcile {run.name}/{run.run}` checks the provider's log"
        )
    if remaining.settled:
        done = listed_counts(sorted(remaining.settled.items()))
        console.print(f"continuing: {done}; {remaining.left:,} left to send")
    if remaining.gone:
        several = counted(remaining.gone, "message was sent to a recipient", "messages were sent to recipients")
        console.wrap(
            f"{several} now excluded or missing in the file; the ledger keeps them, and so do the results if the row "
            "still exists"
        )


def lines_of(review: "Review") -> Iterator[Line]:
    """A plan's figures, from top to bottom."""
    summary, rate = review.run.summary, review.run.rate
    yield Line("rows", f"{summary.rows:,}", str(review.run.inputs.audience.source.path))
    for words in summary.reading:
        yield Line("", "", words, is_part=True)
    countries = [(row.country, row.messages) for row in summary.costs.rows()]
    # Every country with its messages: a wrong one must stand out, and usually has the fewest. With prices, the
    # countries follow below.
    yield Line("to send", f"{summary.to_send:,}", "" if summary.costs.prices else listed_counts(countries))
    if summary.by_phone:
        for column in review.run.inputs.audience.phones:
            yield Line("", f"{summary.by_phone[column]:,}", f"with the number in {column}", is_part=True)
    if summary.repaired:
        words = "with a repaired number; the column detail of the results says how"
        yield Line("", f"{summary.repaired:,}", words, is_part=True)
    if summary.to_send:
        encodings = listed_counts(sorted(summary.by_encoding.items()))
        sizes = ", ".join(f"{count:,} with {counted(n, 'segment')}" for n, count in sorted(summary.by_segments.items()))
        yield Line("segments", f"{summary.segments:,}", f"{encodings} · {sizes}")
        yield from _characters(review)
        seconds = summary.seconds_at(rate)
        whose = "" if rate == review.run.campaign.rate else ", the sub-account's rate"
        yield Line("duration", seconds_in_words(seconds) if seconds >= 1 else "under 1 s", f"at {rate}{whose}")
        yield from _hours(review)
        yield from _costs(summary.costs)
    yield Line("excluded", f"{summary.excluded.total():,}")
    for reason, count in summary.excluded.most_common():
        label, number = reason.value, f"{count:,}"
        examples = summary.examples[reason]
        for detail, alike in itertools.groupby(examples, lambda example: example[1]):
            rows = [str(summary.sheet_rows.of(row)) for row, _ in alike]
            more = ", …" if len(rows) == len(examples) < count else ""
            words = f"row{'s' if len(rows) > 1 else ''} {', '.join(rows)}{more}: "
            yield Line(label, number, words, is_part=True, detail=detail)
            label = number = ""
        if (more_rows := count - len(examples)) and len({detail for _, detail in examples}) > 1:
            yield Line("", "", f"and {counted(more_rows, 'more row')}", is_part=True)


def _costs(costs: "Costs") -> Iterator[Line]:
    if not costs.prices:
        return
    from runner.prices.costs import at_most, exact

    currency = costs.prices.currency
    yield Line("cost", "", f"at most {at_most(costs.total, currency)}, with the prices in {costs.prices.path}")
    rows = sorted(costs.rows(), key=lambda row: row.price is not None)
    for row in rows[:MOST_COUNTRIES]:
        words = counted(row.segments, "segment")
        if row.price is None or row.amount is None:
            words += ", NO PRICE"
        else:
            words += f" × {exact(row.price.high, currency)} = {at_most(row.amount, currency)}"
        yield Line(row.country, f"{row.messages:,}", words, is_part=True)
    if others := rows[MOST_COUNTRIES:]:
        words = f"other countries: {listed_counts((row.country, row.messages) for row in others)}"
        yield Line("", f"{sum(row.messages for row in others):,}", words, is_part=True)


def _hours(review: "Review") -> Iterator[Line]:
    """When each group of time zones would be sent; groups that start together share a line."""
    window, zone = review.run.campaign.window, review.run.campaign.timezone
    if window is None:
        return
    from runner.schedule.timetable import local

    now = review.run.now
    until = local(review.ends, zone) if review.ends else "more than a year from now"
    is_scheduled = window.outside is Outside.SCHEDULE
    yield Line("hours", "", f"the last {'request' if is_scheduled else 'message'} is sent {until}")
    fixed_zone = window.hours(zone).zone
    openings = [list(slots) for _, slots in itertools.groupby(review.slots, lambda slot: max(slot.begins, now))]
    for slots in openings[:MOST_OPENINGS]:
        zones = list(dict.fromkeys(name for slot in slots for name in slot.zones))
        shown_zone = fixed_zone or (zones[0] if len(zones) == 1 else zone)
        opens = local(slots[0].begins, shown_zone)
        begins = "now" if slots[0].begins <= now else f"{'scheduled for' if is_scheduled else 'from'} {opens}"
        ends = [slot.ends for slot in slots if slot.ends]
        # The end of a scheduled slot means nothing. A group has no end if one of its slots has none.
        last = local(max(ends), shown_zone) if not is_scheduled and len(ends) == len(slots) else opens
        words = begins if last == opens else f"{begins}, until {last}"
        count = sum(slot.count for slot in slots)
        more = f" and {len(zones) - MOST_ZONES} more" if len(zones) > MOST_ZONES else ""
        shown_zones = f"{', '.join(zones[:MOST_ZONES])}{more}"
        yield Line("", f"{count:,}", words if fixed_zone else f"{words} ({shown_zones})", is_part=True)
    if left := sum(slot.count for slots in openings[MOST_OPENINGS:] for slot in slots):
        yield Line("", f"{left:,}", "later; --json lists all of them", is_part=True)


def _characters(review: "Review") -> Iterator[Line]:
    """Which cells were mended, what smart encoding replaced or would replace, and what still forces UCS-2."""
    summary = review.run.summary
    saved = counted(summary.saved, "segment") if summary.saved else "no segment"
    for kind, words in (
        (RemarkKind.MENDED, "recipients.repair mended:"),
        (RemarkKind.REPLACED, f"smart encoding saved {saved} by replacing:"),
        (RemarkKind.REPLACEABLE, f"smartEncoding: true would save {saved} by replacing:"),
        (RemarkKind.FORCES_UCS2, "characters that still force UCS-2:"),
    ):
        if remarks := summary.remarks_of(kind):
            yield Line("", "", words, is_part=True)
        for subject, source, noted in remarks[:MOST_CHARACTERS]:
            rows = ", ".join(str(summary.sheet_rows.of(row)) for row in noted.examples) + (
                ", …" if noted.rows > len(noted.examples) else ""
            )
            origin = f" from {source}" if source else ""
            words_of_one = f"{subject} in {counted(noted.rows, 'row')}{origin}: row {rows}"
            yield Line("", f"{noted.times:,}", words_of_one, is_part=True)
        if (more := len(remarks) - MOST_CHARACTERS) > 0:
            yield Line("", "", f"and {more} more", is_part=True)
