"""The retry rule: what an answer means for everything that is sent after it. Decides only; nothing here sleeps.

| `then` | what follows |
|---|---|
| GO_ON | nothing: the item is done |
| PAUSE | the provider's rate limit: nothing leaves for `retry_after_s`, the pace falls, the item goes again |
| BACK_OFF | the provider isn't reached: nothing leaves for a while, then one request at a time until one gets through |
| STOP | nothing more leaves |

After `give_up_after_s` without one answer BACK_OFF ends in a stop, too.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from runner.base.events import EventKind
from runner.base.outcomes import Outcome, Then
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop

BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 30.0

# Without a single answer for so long, a run stops. It can be continued once the network is back.
GIVE_UP_AFTER_S = 600.0


@dataclass
class Backoff:
    """How long to rest while the provider can't be reached: full jitter, doubling, capped.

    Full jitter, because many machines that lost the same provider must not come back in step.
    """

    rng: random.Random
    give_up_after_s: float = GIVE_UP_AFTER_S
    failures: int = 0
    failing_since: float | None = None

    def failed(self, now: float) -> float | None:
        """Seconds to rest before the next attempt, or None when it is time to give up."""
        if self.failing_since is None:
            self.failing_since = now
        if now - self.failing_since >= self.give_up_after_s:
            return None
        ceiling = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2**self.failures)
        self.failures = min(self.failures + 1, 16)
        return self.rng.uniform(0, ceiling)

    def reached(self) -> None:
        """The provider was reached: the next failure starts from the beginning."""
        self.failures = 0
        self.failing_since = None


@dataclass(eq=False)
class Retry:
    """Applies the rule. `until` is the time of the event loop up to which nothing leaves.

    :param wall: the time of day, in seconds since the Unix epoch, for what is noted of pauses.
    """

    pace: Pace
    backoff: Backoff
    progress: Progress
    wall: Callable[[], float]
    until: float = 0.0
    # After a failed connection, until a request gets through.
    one_at_a_time: bool = False

    def after(self, answer: Outcome, now: float) -> Stop | None:
        """Apply the rule to an answer that came at `now` (the event loop's time). Returns why all must stop, if so."""
        if answer.then is Then.BACK_OFF:
            return self._back_off(answer, now)
        if answer.http_status or answer.sent_at:
            self.one_at_a_time = False
            self.backoff.reached()
        if answer.then is Then.PAUSE:
            self._pause(now, answer.retry_after_s or 0.0)
        return Stop(answer.reason, answer.detail, answer) if answer.then is Then.STOP else None

    def _pause(self, now: float, seconds: float) -> None:
        # The many 429s of one moment count as one, or the pace would fall to nothing.
        if now >= self.until:
            self.pace.slow_down()
        until = max(self.until, now + seconds)
        self.progress.throttled_s += until - max(now, self.until)
        self.progress.note_pause(EventKind.THROTTLED, self.wall(), until - now)
        self.progress.waiting_for = "the provider's rate limit"
        self.until = until

    def _back_off(self, answer: Outcome, now: float) -> Stop | None:
        self.one_at_a_time = True
        if now < self.until:
            return None  # one of many that failed in the same moment
        wait_s = self.backoff.failed(now)
        if wait_s is None:
            return Stop(answer.reason, f"the provider could not be reached for long: {answer.detail}", answer)
        what = "a connection" if answer.http_status is None else "the provider"
        self.progress.waiting_for = f"{what} ({answer.detail})"
        self.progress.note_pause(EventKind.UNREACHABLE, self.wall(), wait_s, answer.detail)
        self.until = now + wait_s
        return None
