"""When messages left, against the rate, how long the answers took, and what held them up."""

from collections.abc import Callable, Sequence
from itertools import groupby

from markupsafe import Markup

from runner.models import Event, EventKind, Status
from runner.report import timeline
from runner.report.departures import Departures, Durations, Stretch
from runner.report.drawing import drawn
from runner.report.facts import Facts
from runner.report.layout import ACROSS, Figure, Part, Section
from runner.report.tables import Column, table
from runner.report.timeline import STATUS_COLOURS
from runner.text import MOST_CHARACTERS, counted, moment, rate_in_words, seconds_in_words, share, shown

MOST_MOMENTS = 40


def sending(
    found: Departures | None, facts: Facts | None, events: Sequence[Event], hide: Callable[[str], str]
) -> Section:
    """When messages left, against the rate, and how long the provider's answers took."""
    section = Section("sending", "Sending")
    moments = _moments(events, hide)
    if found is None:
        section.words = "No request left, so there is nothing to show of rate and latency."
        section.tables += [moments] if moments else []
        return section
    per_second = facts.per_second if facts and facts.per_second > 0 else None
    span, requests = found.shown, counted(found.shown.requests, "message")
    mean = f"; on average {rate_in_words(span.mean_per_second)}" if span.mean_per_second else ""
    words = f"{requests} left within {seconds_in_words(span.seconds)}, from {moment(span.first)} on{mean}."
    if found.is_part:
        words += " The run rested for most of its time, so this shows its busiest stretch only."
    statuses = [status for status in Status if any(part.by_status[status] for part in found.bins)]
    legend = [
        Part(status, count, share(count, span.requests), STATUS_COLOURS[status])
        for status in statuses
        if (count := sum(part.by_status[status] for part in found.bins))
    ]
    if len(found.bins) > 2:
        title = "Messages against the rate" if per_second else "Messages over time"
        drawings = drawn(timeline.sends(found, per_second, events), "sends", title=title, words=words, widths=ACROSS)
        section.figures.append(Figure(title, drawings, words, legend))
    else:
        section.words = words
    if found.took:
        section.figures += _latency(found, found.took)
    if found.is_part:
        section.tables.append(_stretches(found.stretches))
    section.tables += [moments] if moments else []
    return section


def _latency(found: Departures, all_took: Durations) -> list[Figure]:
    words = "Half of all answers came within {}, 95% within {}, 99% within {}.".format(
        *(seconds_in_words(all_took.percentile(percent) / 1000) for percent in (50, 95, 99))
    )
    title = "How long answers took"
    if sum(part.took is not None for part in found.bins) < 3:
        return [Figure(title, (), words)]
    drawings = drawn(timeline.latency(found), "latency", title=title, words=words, widths=ACROSS)
    return [Figure(title, drawings, f"{words} Below: the same as p50, p95 and p99 over time.")]


def _stretches(stretches: Sequence[Stretch]) -> Markup:
    columns = [Column("from"), Column("until"), Column("messages"), Column("on average")]
    rows = [
        [moment(part.first), moment(part.last), f"{part.requests:,}",
         rate_in_words(part.mean_per_second) if part.mean_per_second else "–"]
        for part in stretches
    ]  # fmt: skip
    return table("stretches", "When messages left", columns, rows[:MOST_MOMENTS])


_MOMENTS = {
    EventKind.STARTED: "started", EventKind.THROTTLED: "held up, on and off, by the provider's rate limit",
    EventKind.UNREACHABLE: "no connection", EventKind.RESTED: "rested until sending hours",
    EventKind.STOPPED: "stopped", EventKind.ENDED: "ended", EventKind.PURGED: "purged of numbers and texts",
}  # fmt: skip


def _moments(events: Sequence[Event], hide: Callable[[str], str]) -> Markup | None:
    """The run's life as a table; None for one start and its end.

    The same thing several times in a row is one line, but for starts: between two of them the process died.
    """
    rows = []
    in_turn = sorted(events, key=lambda event: event.at)
    for (_, kind), group in groupby(
        in_turn, key=lambda event: (event.kind is EventKind.STARTED and event.at, event.kind)
    ):
        several = list(group)
        long = sum(event.seconds or 0 for event in several)
        times = f", {len(several):,} times" if len(several) > 1 else ""
        rows.append([
            moment(several[0].at), _MOMENTS[kind] + times, seconds_in_words(long) if long else "–",
            shown(hide(several[-1].detail or ""), MOST_CHARACTERS),
        ])  # fmt: skip
    if all(event.kind in (EventKind.STARTED, EventKind.ENDED) for event in events) and len(events) < 3:
        return None
    more = f" (the newest {MOST_MOMENTS} of {len(rows):,})" if len(rows) > MOST_MOMENTS else ""
    columns = [Column("when"), Column("what", is_number=False), Column("how long"), Column("more", is_number=False)]
    return table("moments", f"Moments of the run{more}", columns, rows[-MOST_MOMENTS:])
