"""A plan in words: the lines that a terminal and a pull request show alike."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from runner.base.messages import RemarkKind
from runner.base.options import Outside
from runner.base.wording import listed_counts

if TYPE_CHECKING:
    from runner.plan.summary import Noted
    from runner.prices.costs import CostRow, Costs
    from runner.run.review import Review
    from runner.schedule.timetable import Slot

MOST_COUNTRIES = 40
MOST_OPENINGS = 12
MOST_CHARACTERS = 6


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plan: what it counts, the number, and words. `is_part`: it belongs to the line above.

    `detail` goes on with the words, and may quote cells: a phone number stands in it.
    """

    label: str
    number: str = ""
    words: str = ""
    is_part: bool = False
    detail: str = ""


def lines_of(review: "Review") -> Iterator[Line]:
    """What a plan comes to, from top to bottom."""
    summary, rate = review.run.summary, review.run.campaign.rate
    yield Line("rows", f"{summary.rows:,}", str(review.run.inputs.audience.source.path))
    for words in summary.reading:
        yield Line("", "", words, is_part=True)
    yield Line("to send", f"{summary.to_send:,}", "" if summary.costs.prices else _countries(summary.costs.rows()))
    if summary.repaired:
        words = "of them with a repaired number (see detail in the plan)"
        yield Line("", f"{summary.repaired:,}", words, is_part=True)
    if summary.to_send:
        encodings = listed_counts(sorted(summary.by_encoding.items()))
        sizes = listed_counts((f"of {in_segments(n)}", count) for n, count in sorted(summary.by_segments.items()))
        yield Line("segments", f"{summary.segments:,}", f"{encodings} · {sizes}")
        yield from _characters(review)
        yield Line("takes", duration(summary.seconds_at(rate)), f"at {rate}")
        yield from _hours(review)
        yield from _costs(summary.costs)
    yield Line("excluded", f"{summary.excluded.total():,}")
    for reason, count in summary.excluded.most_common():
        label, number = reason.value, f"{count:,}"
        shown = summary.examples[reason]
        for detail, alike in itertools.groupby(shown, lambda example: example[1]):
            rows = [row for row, _ in alike]
            more = ", …" if len(rows) == len(shown) < count else ""
            yield Line(label, number, f"{_rows(rows)}{more}: ", is_part=True, detail=detail)
            label = number = ""


def _rows(rows: Sequence[int]) -> str:
    return f"row {rows[0]}" if len(rows) == 1 else f"rows {', '.join(map(str, rows))}"


def _countries(rows: "Iterable[CostRow]") -> str:
    """Every country with its messages: a strange one must stand out, and has the fewest."""
    return listed_counts((row.country, row.messages) for row in rows)


def _costs(costs: "Costs") -> Iterator[Line]:
    if not costs.prices:
        return
    from runner.prices.costs import at_most, exact

    currency = costs.prices.currency
    yield Line("cost", "", f"at most {at_most(costs.total, currency)} by {costs.prices.path}")
    rows = sorted(costs.rows(), key=lambda row: row.price is not None)
    for row in rows[:MOST_COUNTRIES]:
        if row.price is None or row.amount is None:
            words = f"{in_segments(row.segments)}, NO PRICE"
        else:
            words = f"{in_segments(row.segments)} × {exact(row.price.high, currency)} = {at_most(row.amount, currency)}"
        yield Line(row.country, f"{row.messages:,}", words, is_part=True)
    if others := rows[MOST_COUNTRIES:]:
        yield Line("", f"{sum(row.messages for row in others):,}", f"in others: {_countries(others)}", is_part=True)


def _hours(review: "Review") -> Iterator[Line]:
    """When each group of time zones would be sent; those that begin together on one line."""
    window, zone = review.run.campaign.window, review.run.campaign.timezone
    if window is None:
        return
    from runner.schedule.timetable import local

    now = review.run.now
    until = local(review.ends, zone) if review.ends else "more than a year from now"
    yield Line("hours", "", f"the last message leaves {until}")
    rings = window.outside is Outside.SCHEDULE
    fixed = window.hours(zone).zone
    openings = [list(slots) for _, slots in itertools.groupby(review.slots, lambda slot: max(slot.begins, now))]
    for slots in openings[:MOST_OPENINGS]:
        zones = list(dict.fromkeys(name for slot in slots for name in slot.zones))
        own = fixed or (zones[0] if len(zones) == 1 else zone)
        opens = local(slots[0].begins, own)
        begins = "now" if slots[0].begins <= now else f"{'scheduled for' if rings else 'from'} {opens}"
        last = None if rings else _last_end(slots)
        ends = f", until {local(last, own)}" if last and local(last, own) != opens else ""
        where = "" if fixed else f" ({_some(zones)})"
        yield Line("", f"{_count(slots):,}", f"{begins}{ends}{where}", is_part=True)
    if left := list(itertools.chain.from_iterable(openings[MOST_OPENINGS:])):
        yield Line("", f"{_count(left):,}", "later; --json lists them all", is_part=True)


def _count(slots: "Sequence[Slot]") -> int:
    return sum(slot.count for slot in slots)


def _last_end(slots: "Sequence[Slot]") -> datetime | None:
    """None when one of them has none."""
    ends = [slot.ends for slot in slots if slot.ends]
    return max(ends) if len(ends) == len(slots) else None


def _some(zones: Sequence[str]) -> str:
    """`Asia/Kolkata, Asia/Tokyo and 5 more`; a single one more is named."""
    shown = zones if len(zones) <= 4 else zones[:3]
    return ", ".join(shown) + (f" and {len(zones) - 3} more" if len(zones) > 4 else "")


def _characters(review: "Review") -> Iterator[Line]:
    """What smart encoding replaced, or would replace, and what else forces UCS-2."""
    summary = review.run.summary
    replaced, replaceable, forcing = (
        summary.remarks_of(kind) for kind in (RemarkKind.REPLACED, RemarkKind.REPLACEABLE, RemarkKind.FORCES_UCS2)
    )
    if replaced:
        yield Line("", "", f"smart encoding saved {_saved(summary.saved)} by replacing:", is_part=True)
    if replaceable:
        yield Line("", "", f"smartEncoding: true would save {_saved(summary.saved)} by replacing:", is_part=True)
    yield from _sources(replaced or replaceable)
    if forcing:
        yield Line("", "", "no smart encoding helps against:", is_part=True)
        yield from _sources(forcing)


def _saved(count: int) -> str:
    return in_segments(count) if count else "no segment"


def _sources(remarks: list[tuple[str, str, "Noted"]]) -> Iterator[Line]:
    for subject, source, noted in remarks[:MOST_CHARACTERS]:
        rows = "1 row" if noted.rows == 1 else f"{noted.rows:,} rows"
        examples = ", ".join(map(str, noted.examples)) + (", …" if noted.rows > len(noted.examples) else "")
        origin = f" from {source}" if source else ""
        yield Line("", f"{noted.times:,}", f"{subject} in {rows}{origin}: row {examples}", is_part=True)
    if (more := len(remarks) - MOST_CHARACTERS) > 0:
        yield Line("", "", f"and {more} more", is_part=True)


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`: as exact as a person needs."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def in_segments(count: int) -> str:
    """`1 segment`, `1,234 segments`."""
    return "1 segment" if count == 1 else f"{count:,} segments"
