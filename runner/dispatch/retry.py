"""The retry rule: what an answer means for the requests after it. It only decides; nothing here sleeps.

| `then` | what happens next |
|---|---|
| GO_ON | nothing: the item is done |
| PAUSE | the provider's rate limit: nothing leaves for `retry_after_s`, the pace slows down, the item is retried |
| BACK_OFF | the provider can't be reached: a wait, then one request at a time until one gets through |
| STOP | nothing more leaves |

PAUSE and BACK_OFF also stop the run after `give_up_after_s` without a request that the provider took. A Retry-After
that is longer than the rest of this time stops the run at once.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from runner.base.events import EventKind
from runner.base.outcomes import Outcome, Then
from runner.base.wording import clock_time, seconds_in_words
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop

BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 30.0

# A pause that is at least this long is shown with its end.
LONG_S = 5.0

# A run stops after this long without a request that the provider took. It can be resumed later.
GIVE_UP_AFTER_S = 600.0


@dataclass
class Backoff:
    """How long to wait while the provider can't be reached: exponential backoff with full jitter and a cap.

    Full jitter keeps many machines that lost the same provider from all coming back at the same moment. `tries` counts
    the failures and 429s since `failing_since`, the first one after a request that the provider took.
    """

    rng: random.Random
    give_up_after_s: float = GIVE_UP_AFTER_S
    failures: int = 0
    tries: int = 0
    failing_since: float | None = None

    def note_failure(self, now: float) -> float:
        """Count a failure or a 429. Returns how many seconds remain until sending gives up; 0 or less: give up now."""
        self.failing_since = now if self.failing_since is None else self.failing_since
        self.tries += 1
        return self.left_s(now)

    def next_wait_s(self) -> float:
        """Seconds to wait before the next attempt to reach the provider."""
        ceiling = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2**self.failures)
        self.failures = min(self.failures + 1, 16)
        return self.rng.uniform(0, ceiling)

    def left_s(self, now: float) -> float:
        """How many seconds remain until sending gives up; infinite if nothing has failed."""
        return math.inf if self.failing_since is None else self.failing_since + self.give_up_after_s - now

    def reached(self) -> None:
        """The provider took a request: the next failure starts with the shortest wait and the full time again."""
        self.failures = self.tries = 0
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
    _failure: Outcome | None = None  # the newest one

    def after(self, answer: Outcome, now: float) -> Stop | None:
        """Apply the rule to an answer that came at `now` (the event loop's time). Returns why to stop, or None."""
        if answer.then is Then.PAUSE:
            return self._pause(answer, now)
        if answer.then is Then.BACK_OFF:
            return self._back_off(answer, now)
        if answer.http_status or answer.sent_at:
            self.one_at_a_time, self.unreachable = False, ""
            self.backoff.reached()
        return Stop(answer.reason, answer.detail, answer) if answer.then is Then.STOP else None

    def patience_s(self, now: float) -> float:
        """How long a turn may be waited for: at a few requests per hour, each gets at least one retry."""
        return self.backoff.left_s(now) if self.backoff.tries > 1 else math.inf

    def given_up(self, now: float) -> Stop | None:
        """Why to stop, if the time is over while nothing was sent, or None."""
        return self._give_up(self._failure) if self._failure and self.patience_s(now) <= 0 else None

    def _pause(self, answer: Outcome, now: float) -> Stop | None:
        self.one_at_a_time, self.unreachable = False, ""  # the connection works
        self.backoff.failures = 0
        self._failure, seconds = answer, answer.retry_after_s or 0.0
        left_s = self.backoff.note_failure(now)
        if left_s <= 0:
            return self._give_up(answer)
        if seconds >= left_s:
            limit_s = self.backoff.give_up_after_s
            pause = f"a pause of {seconds_in_words(seconds)}, until {self._time_in(seconds)}"
            words = f"the provider asks for {pause}; the longest wait is {seconds_in_words(limit_s)}"
            if seconds < limit_s:
                words = f"no request got through for {seconds_in_words(limit_s - left_s)}, and {words} in all"
            return Stop(answer.reason, words, answer)
        # Many 429s at the same moment count as one. Otherwise the pace would drop to its minimum at once.
        if now >= self.until:
            self.pace.slow_down()
        until_s = max(self.until, now + seconds)
        self.progress.throttled_s += until_s - max(now, self.until)
        self.progress.note_pause(EventKind.THROTTLED, self.wall(), until_s - now)
        self.until = until_s
        until = f" until {self._time_in(until_s - now)}" if until_s - now >= LONG_S else ""
        self._show_waiting(f"the provider's rate limit{until}", left_s)
        return None

    def _back_off(self, answer: Outcome, now: float) -> Stop | None:
        self.one_at_a_time = True
        if now < self.until:
            return None  # one of many that failed at the same moment
        self._failure = answer
        left_s = self.backoff.note_failure(now)
        if left_s <= 0:
            return self._give_up(answer)
        wait_s = min(self.backoff.next_wait_s(), left_s)
        what = "a connection" if answer.http_status is None else "the provider"
        self.unreachable = f"{what} ({answer.detail})"
        self._show_waiting(what, left_s, answer.detail)
        self.progress.note_pause(EventKind.UNREACHABLE, self.wall(), wait_s, answer.detail)
        self.until = now + wait_s
        return None

    def _show_waiting(self, what: str, left_s: float, why: str = "") -> None:
        words = f"{what}; gives up at {self._time_in(left_s)}"
        self.progress.waiting_for = f"{words} ({why})" if why else words

    def _time_in(self, seconds: float) -> str:
        now = self.wall()
        return clock_time(now + seconds, now)

    def _give_up(self, answer: Outcome) -> Stop:
        limit = seconds_in_words(self.backoff.give_up_after_s)
        return Stop(answer.reason, f"gave up after {limit}: {answer.detail}", answer)
