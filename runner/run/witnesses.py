"""Witnesses: log lines that show which times an export of the provider's log covers.

A message that an export lacks was not received only if the export covers the moment at which it would have been. The
accepted messages of the run show how far the provider's clock, by which the log is ordered, was from this computer's
while they were sent. All times are microseconds since the epoch.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

_MISSING = -1
_WITHOUT_TIME = -2
_SECOND_US = 1_000_000
_MILLISECOND_US = 1_000


class Accepted(NamedTuple):
    """A message that the provider had accepted in an answer, so that the log must have it. Times of this computer."""

    message_id: str
    sent_at: int
    answered_at: int


class Witnesses:
    """What one export shows about its own span. Give it every line, call `close`, then ask `after`.

    A million accepted messages take about 200 MB.
    """

    def __init__(self, accepted: Iterable[Accepted]) -> None:
        self._places: dict[str, int] = {}
        self._sent, self._answered, self._logged = array("q"), array("q"), array("q")
        for message_id, sent_at, answered_at in accepted:
            self._places[message_id] = len(self._sent)
            self._sent.append(sent_at)
            self._answered.append(max(answered_at, sent_at))
            self._logged.append(_MISSING)
        self._others = array("q")
        self._times: list[int] = []
        self._holes_begin: list[int] = []
        self._holes_end: list[int] = []
        self._offsets: tuple[int, int] | None = None

    def see(self, message_id: str, at: int | None, *, is_own: bool) -> None:
        """A line of the log, with the provider's time; None if it can't be read.

        `is_own`: the message is a test message, or belongs to any run that was sent at this place.
        """
        place = self._places.get(message_id)
        if place is None:
            if is_own and at is not None:
                self._others.append(at)
        elif at is None or self._logged[place] not in (_MISSING, at):
            self._logged[place] = _WITHOUT_TIME  # two lines with different times are no evidence about times
        else:
            self._logged[place] = at

    def close(self) -> None:
        """Work out the offset of the clocks, and the holes, when all lines have been seen."""
        seen = [place for place, at in enumerate(self._logged) if at >= 0]
        times = array("q", (self._logged[place] for place in seen))
        self._times = sorted([*times, *self._others])
        if not seen:
            return
        is_fine = any(at % _SECOND_US for at in self._times)
        self._offsets = self._clock_offsets(seen, _MILLISECOND_US if is_fine else _SECOND_US)
        low, high = self._offsets
        missing = [place for place, at in enumerate(self._logged) if at == _MISSING]
        self._holes_begin = sorted(self._sent[place] + low for place in missing)
        self._holes_end = sorted(self._answered[place] + high for place in missing)

    def lacks_all_before(self, moment: int) -> str | None:
        """A message that was accepted by then, if the log lacks all accepted messages of the run; else None."""
        if any(at != _MISSING for at in self._logged):
            return None
        return next((each for each, place in self._places.items() if self._answered[place] <= moment), None)

    @property
    def newest(self) -> int | None:
        """The provider's newest time in the export."""
        return self._times[-1] if self._times else None

    def after(self, begin: int, end: int) -> int | None:
        """Whether the export covers what left between `begin` and `end`, by this computer's clock.

        Returns the provider's time of a message that it received after that, or None. It covers the span if it has a
        message from before it and one from after it, and every accepted message between these two.
        """
        if self._offsets is None:
            return None
        low, high = self._offsets
        before = bisect_left(self._times, begin + low) - 1
        after = bisect_right(self._times, end + high)
        if before < 0 or after == len(self._times):
            return None
        first, last = self._times[before], self._times[after]
        holes = bisect_right(self._holes_begin, last) - bisect_left(self._holes_end, first)
        return None if holes else last

    def _clock_offsets(self, seen: list[int], resolution: int) -> tuple[int, int]:
        """How far the provider's clock was ahead of this computer's, at least and at most.

        A message was received between its departure and its answer. So each one limits the offset at its time. The
        quickest one limits it best; those that contradict it show that a clock was changed.
        """
        quickest = min(seen, key=lambda place: self._answered[place] - self._sent[place])
        low = self._logged[quickest] - self._answered[quickest]
        high = self._logged[quickest] + resolution - self._sent[quickest]
        quick_low, quick_high = low, high
        for place in seen:
            least = self._logged[place] - self._answered[place]
            most = self._logged[place] + resolution - self._sent[place]
            if most < quick_low:
                low = min(low, least)
            elif least > quick_high:
                high = max(high, most)
        return low, high
