"""Sending hours: when a message may be sent, by the local time of its phone. Pure: times are passed in.

A moment is inside a window if the local time is between `opens` and `closes`, on a day of the window, in **all** zones
in which the phone may be. This rule also applies on days when clocks change:

- If a time is skipped in spring, hours begin at the first moment after the gap: hours from 02:30 begin at 03:00.
- If a time occurs twice in autumn, both count. Hours from 01:30 begin at the first 01:30, end when the clock goes back
  from 02:00 to 01:00, and begin again at the second 01:30. Hours until 01:30 end at the first 01:30, and are open again
  for half an hour from the second 01:00.
"""

import functools
import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from runner.base.messages import Message
from runner.base.options import Outside, SendingHours
from runner.campaign.times import MAX_AHEAD

# How far ahead to search for an opening: a window on one day of the week opens again within 7 days and a clock change.
# If there is no opening until then, the hours of the zones never overlap.
AHEAD = timedelta(days=8)

# The provider accepts a message up to 7 days ahead, by a clock that may differ from this one by a few minutes.
MAX_SCHEDULED_S = MAX_AHEAD.total_seconds() - 300

# If hours begin within this time, wait for them instead of scheduling. With a slow request, or if the provider's clock
# is ahead, `scheduled` would be in the past, which the provider rejects (code 1011).
SOON_S = 60.0

DAY_S = 86_400
_AHEAD_S = AHEAD.total_seconds()
_LOOKED_AT_S = 17 * DAY_S  # 8 days to the opening, 8 to the closing, and the current day

# From (inclusive) to (exclusive), in seconds since the Unix epoch.
Stretch = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Span:
    """Valid from `since` to `until`: hours are open (`opening` has passed), open at `opening`, or never open."""

    since: float
    until: float
    opening: float | None
    closing: float | None


class Hours:
    """The openings and closings of one window.

    `zones` are IANA names; a window with its own zone ignores them. An unknown zone, or no zone, is never open: a
    message whose zone is unknown must not be sent at any time of day.
    """

    def __init__(self, window: SendingHours) -> None:
        self.window = window
        self._own = (window.zone,) if window.zone is not None else None
        self._spans: dict[tuple[str, ...], _Span] = {}  # at most a few hundred, for a million messages
        self._stretches = functools.lru_cache(maxsize=1024)(self._stretches_of)

    def opening(self, zones: tuple[str, ...], at: datetime) -> datetime | None:
        """`at` if it is inside the window in all zones, else the next moment that is (UTC).

        None if there is none within 8 days.
        """
        seconds = at.timestamp()
        opening = self.opens_at(zones, seconds)
        if opening is None:
            return None
        return at if opening <= seconds else datetime.fromtimestamp(opening, UTC)

    def closing(self, zones: tuple[str, ...], at: datetime) -> datetime | None:
        """The end of the hours that begin at or contain `opening(zones, at)` (UTC).

        None if there is no opening, or if the hours don't end within 8 days after it.
        """
        seconds = at.timestamp()
        if self.opens_at(zones, seconds) is None:
            return None
        closing = self._span(zones, seconds).closing
        return None if closing is None else datetime.fromtimestamp(closing, UTC)

    def opens_at(self, zones: tuple[str, ...], at: float) -> float | None:
        """`opening` in seconds since the epoch; at or before `at` if the window is open. Fast: usually one lookup."""
        opening = self._span(zones, at).opening
        return None if opening is None or opening - at > _AHEAD_S else opening

    def open_next(self, opening: float) -> str | None:
        """The zone in which hours begin at `opening`, if a message waits for it."""
        for zones, span in self._spans.items():
            if span.opening == opening:
                clocks = {zone: datetime.fromtimestamp(opening, ZoneInfo(zone)) for zone in zones}
                begins = (zone for zone, at in clocks.items() if at.hour * 60 + at.minute == self.window.opens)
                return next(begins, zones[0])
        return None

    def _span(self, zones: tuple[str, ...], at: float) -> _Span:
        key = self._own or zones
        span = self._spans.get(key)
        if span is None or not span.since <= at < span.until:
            span = self._spans[key] = self._span_of(key, at)
        return span

    def _span_of(self, zones: tuple[str, ...], at: float) -> _Span:
        first = int(at // DAY_S) * DAY_S
        end = first + _LOOKED_AT_S
        closed_since: float = first
        each = [self._stretches(zone, first) for zone in zones]
        for opens, closes in functools.reduce(_both, each) if each else ():
            if at < closes:
                closing = closes if closes < end else None  # open this long means always open
                since, until = (opens, closes) if opens <= at else (closed_since, opens)
                return _Span(since, until, opens, closing)
            closed_since = closes
        return _Span(first, first + DAY_S, None, None)

    def _stretches_of(self, zone: str, first: int) -> list[Stretch]:
        """The times when the window is open in `zone`, from `first` on, separate and in order."""
        try:
            clock = ZoneInfo(zone)
        except (KeyError, ValueError, OSError):  # unknown, malformed, or the name of a folder ("America")
            return []
        stretches: list[Stretch] = []
        for since, until, offset in _constant_offsets(clock, first, first + _LOOKED_AT_S):
            for opens, closes in self._on_the_wall(since + offset, until + offset):
                begin, end = float(max(opens - offset, since)), float(min(closes - offset, until))
                if begin >= end:
                    continue
                if stretches and stretches[-1][1] == begin:  # continues past midnight or a clock change
                    begin = stretches.pop()[0]
                stretches.append((begin, end))
        return stretches

    def _on_the_wall(self, since: int, until: int) -> Iterator[tuple[int, int]]:
        """The window's open times around `since` to `until`, in local seconds without clock changes."""
        opens, closes = self.window.opens, self.window.closes
        minutes = closes - opens if closes > opens else closes - opens + 24 * 60
        for day in range(since // DAY_S - 1, until // DAY_S + 1):
            if (day + 3) % 7 in self.window.days:  # the epoch's first day was a Thursday
                begin = day * DAY_S + opens * 60
                yield begin, begin + minutes * 60


def _constant_offsets(zone: ZoneInfo, first: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The time from `first` to `end`, split at clock changes: (since, until, UTC offset), in seconds.

    Checked once a day: no zone changes its clocks twice within a day.
    """
    since, offset = first, _offset(zone, first)
    for day in range(first, end, DAY_S):
        after = _offset(zone, day + DAY_S)
        if after != offset:
            seconds = range(day, day + DAY_S)
            until = day + bisect_left(seconds, True, key=lambda at: _offset(zone, at) == after)
            yield since, until, offset
            since, offset = until, after
    yield since, end, offset


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _both(one: list[Stretch], other: list[Stretch]) -> list[Stretch]:
    """The intersection of two ordered lists, in order."""
    common = ((max(a[0], b[0]), min(a[1], b[1])) for a in one for b in other)
    return [(begin, end) for begin, end in common if begin < end]


class SendingHoursGate:
    """Tells the dispatcher when a message may leave. All times are seconds since the Unix epoch.

    With `outside: schedule`, a message may leave at any time, because the provider delivers it when its hours begin.
    Messages wait only if their hours begin within a minute, or at `not_after` or later: the provider would deliver
    those after the campaign's deadline.
    """

    def __init__(self, window: SendingHours, *, not_after: float | None = None) -> None:
        self._hours = Hours(window)
        self._not_after = math.inf if not_after is None else not_after
        self._schedules = window.outside is Outside.SCHEDULE

    def opens_at(self, message: Message, now: float) -> float | None:
        """The time from which a message may leave: at or before `now` if immediately, None if never."""
        opening = self._hours.opens_at(message.zones, now)
        if opening is None or opening <= now or not self._schedules:
            return opening
        if opening - now > MAX_SCHEDULED_S:
            return None
        return opening if opening - now <= SOON_S or opening >= self._not_after else now

    def may_leave(self, message: Message, made: float, now: float) -> bool:
        """Whether a request whose body was made at `made` may leave at `now`.

        A body made inside the hours has no `scheduled`: if it waited past their end, it would be delivered at night.
        """
        opening = self.opens_at(message, now)
        if opening is None or opening > now:
            return False
        return not self._schedules or self._scheduled_for(message, made) == self._scheduled_for(message, now)

    def schedule_at(self, message: Message, now: datetime) -> datetime | None:
        """The value for `scheduled` (UTC). None: deliver immediately, as always without `outside: schedule`.

        A message whose hours never open gets a time further ahead than the provider accepts, because None would deliver
        it. `opens_at` and `may_leave` hold it back; if it did leave, the provider would reject it.
        """
        if not self._schedules:
            return None
        seconds = now.timestamp()
        at = self._scheduled_for(message, seconds)
        return None if at is None else datetime.fromtimestamp(min(at, seconds + _AHEAD_S), UTC)

    def words(self, opening: float) -> str:
        """What a run is waiting for: "sending hours, until 2026-11-26 09:00 Asia/Singapore"."""
        zone = self._hours.window.zone or self._hours.open_next(opening) or "UTC"
        return f"sending hours, until {datetime.fromtimestamp(opening, ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"

    def _scheduled_for(self, message: Message, at: float) -> float | None:
        """When the provider is to deliver a request sent at `at`: None for immediately, infinity for never."""
        opening = self._hours.opens_at(message.zones, at)
        if opening is None:
            return math.inf
        return None if opening <= at else opening
