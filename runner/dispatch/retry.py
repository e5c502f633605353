"""What to do after trouble that isn't about one message. Decisions only: nothing here sleeps."""

import random
from collections.abc import Callable

from runner.dispatch.pace import Pace
from runner.dispatch.parts import Progress
from runner.models import EventKind, Outcome

BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 30.0
GIVE_UP_AFTER_S = 600.0
"""Without a single answer for so long, a run stops; it can be continued once the network is back."""


class Backoff:
    """How long to rest while the provider can't be reached: full jitter, doubling, capped.

    Full jitter, because many machines that lost the same provider must not come back in step.
    """

    def __init__(self, rng: random.Random, *, give_up_after_s: float = GIVE_UP_AFTER_S) -> None:
        self._rng = rng
        self._give_up_after_s = give_up_after_s
        self._failures = 0
        self._failing_since: float | None = None

    def failed(self, now: float) -> float | None:
        """Seconds to rest before the next attempt, or None when it is time to give up."""
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since >= self._give_up_after_s:
            return None
        ceiling = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        return self._rng.uniform(0, ceiling)

    def reached(self) -> None:
        """The provider was reached: the next failure starts from the beginning."""
        self._failures = 0
        self._failing_since = None


class Pauses:
    """Until when all sending rests, because the provider says so or can't be reached. Times are of the event loop.

    :param wall: the time of day, in seconds since the Unix epoch, for what is noted of pauses.
    """

    def __init__(self, pace: Pace, backoff: Backoff, progress: Progress, wall: Callable[[], float]) -> None:
        self._pace = pace
        self._backoff = backoff
        self._progress = progress
        self._wall = wall
        self.until = 0.0
        self.one_at_a_time = False
        """After a failed connection, until a request gets through."""

    def reached(self) -> None:
        """The provider has read a request."""
        self.one_at_a_time = False
        self._backoff.reached()

    def slept(self) -> None:
        """Nothing was tried for long: that time doesn't count as time without a connection."""
        self._backoff.reached()

    def throttled(self, now: float, seconds: float) -> None:
        """All sending rests. The many 429s of one moment count as one, or the pace would fall to nothing."""
        if now >= self.until:
            self._pace.slow_down()
        until = max(self.until, now + seconds)
        self._progress.throttled_s += until - max(now, self.until)
        self._progress.note_pause(EventKind.THROTTLED, self._wall(), until - now)
        self._progress.waiting_for = "the provider's rate limit"
        self.until = until

    def unreachable(self, now: float, outcome: Outcome) -> bool:
        """A connection failed. False when it is time to give up."""
        self.one_at_a_time = True
        if now < self.until:
            return True  # one of many that failed in the same moment
        wait_s = self._backoff.failed(now)
        if wait_s is None:
            return False
        self._progress.waiting_for = f"a connection ({outcome.detail})"
        self._progress.note_pause(EventKind.UNREACHABLE, self._wall(), wait_s, outcome.detail)
        self.until = now + wait_s
        return True
