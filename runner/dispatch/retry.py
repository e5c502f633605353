"""The retry rule: what an answer means for the requests after it. It only decides; nothing here sleeps.

| `then` | what happens next |
|---|---|
| GO_ON | nothing: the item is done |
| PAUSE | the provider's rate limit: nothing leaves for `retry_after_s`, the pace slows down, the item is retried |
| BACK_OFF | the provider can't be reached: a wait, then one request at a time until one gets through |
| STOP | nothing more leaves |

BACK_OFF also stops the run after `give_up_after_s` without a single answer.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from runner.base.events import EventKind
from runner.base.outcomes import Outcome, Then
from runner.base.wording import seconds_in_words
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop

BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 30.0

# A run stops after this long without a single answer. It can be resumed once the network is back.
GIVE_UP_AFTER_S = 600.0


@dataclass
class Backoff:
    """How long to wait while the provider can't be reached: exponential backoff with full jitter and a cap.

    Full jitter keeps many machines that lost the same provider from all coming back at the same moment.
    """

    rng: random.Random
    give_up_after_s: float = GIVE_UP_AFTER_S
    failures: int = 0
    failing_since: float | None = None

    def failed(self, now: float) -> float | None:
        """Seconds to wait before the next attempt, or None to give up."""
        if self.failing_since is None:
            self.failing_since = now
        if now - self.failing_since >= self.give_up_after_s:
            return None
        ceiling = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2**self.failures)
        self.failures = min(self.failures + 1, 16)
        return self.rng.uniform(0, ceiling)

    def reached(self) -> None:
        """The provider was reached: the next failure starts with the shortest wait again."""
        self.failures = 0
        self.failing_since = None


@dataclass(eq=False)
class Retry:
    """Applies the rule. Nothing leaves before `until` (the event loop's time).

    :param wall: the time of day, in seconds since the Unix epoch, for the recorded pauses.
    """

    pace: Pace
    backoff: Backoff
    progress: Progress
    wall: Callable[[], float]
    until: float = 0.0
    # Set after a failed connection, until a request gets through.
    one_at_a_time: bool = False
    # What sending waits for and why, in words, until a request gets through.
    unreachable: str = ""

    def after(self, answer: Outcome, now: float) -> Stop | None:
        """Apply the rule to an answer that came at `now` (the event loop's time). Returns why to stop, or None."""
        if answer.then is Then.BACK_OFF:
            return self._back_off(answer, now)
        if answer.http_status or answer.sent_at:
            self.one_at_a_time, self.unreachable = False, ""
            self.backoff.reached()
        if answer.then is Then.PAUSE:
            self._pause(now, answer.retry_after_s or 0.0)
        return Stop(answer.reason, answer.detail, answer) if answer.then is Then.STOP else None

    def _pause(self, now: float, seconds: float) -> None:
        # Many 429s at the same moment count as one. Otherwise the pace would drop to its minimum at once.
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
            return None  # one of many that failed at the same moment
        limit = seconds_in_words(self.backoff.give_up_after_s)
        wait_s = self.backoff.failed(now)
        if wait_s is None:
            return Stop(answer.reason, f"gave up after {limit}: {answer.detail}", answer)
        what = "a connection" if answer.http_status is None else "the provider"
        self.unreachable = f"{what} ({answer.detail})"
        self.progress.waiting_for = f"{what} for up to {limit} ({answer.detail})"
        self.progress.note_pause(EventKind.UNREACHABLE, self.wall(), wait_s, answer.detail)
        self.until = now + wait_s
        return None
