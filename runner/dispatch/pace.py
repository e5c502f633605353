"""The pace: when the next request may start.

Two things keep it. A leaky bucket (aiolimiter) spreads the requests evenly; an exact sliding window holds the ceiling.

**The bucket's capacity and period.** A bucket of capacity `c` that leaks at the campaign's rate `N/T` lets `c`
requests start at once, and at most `c - 1 + N` in a window of `T`. A large capacity is a burst, above all at the start,
where the bucket is empty: `AsyncLimiter(20, 1)` starts 39 requests in its first second. A capacity of 1 never makes up
for a timer that fires late: at 1,000/s a lateness of 1 ms would halve the rate. So the capacity is what the rate brings
in `CATCH_UP_S` (20 ms, more than a busy event loop is late), plus the one that is due: `c = 1 + ceil(N/T * 0.02 s)`,
that is 2 at 10/s and 37 at 1,800/s, and the period is `c * T/N`, so that the leak is exactly the rate. All but one
place of a fresh bucket is filled, so that a start is as smooth as the rest. Who has to wait waits for `TICK_S` at
least, and finds the places of that time free together: at 3,000/s the event loop wakes 250 times a second, not 1,000.

**The window.** The bucket alone may exceed the ceiling by `c - 1`, and its permits become requests only after a
connection stands, which takes some longer than others. So each request, with its connection ready, asks the window
whether `N` others started within the last `T`, and waits if so. At most `N` requests start in any half-open window of
length `T`, exactly, at every rate; lateness costs each place in the window at most one timer's delay per `T`.
"""

import asyncio
import math
from array import array
from collections.abc import Callable

from aiolimiter import AsyncLimiter

from runner.base.options import Rate

# How much lateness of the event loop is made up for.
CATCH_UP_S = 0.02

# The shortest wait for a turn; well below `CATCH_UP_S`, so that nothing of the rate is lost to it.
TICK_S = 0.004

# So much longer than its `T` is the window, because requests don't travel equally fast: those of one second may come
# within a little less. It costs a five-hundredth of a rate per second, and next to nothing of others.
JITTER_S = 0.002

# The most start times that are remembered; a larger window remembers every second, third, … one.
WINDOW_PLACES = 4096

# A throttled pace falls no lower than this share of the campaign's rate.
SLOWEST_SHARE = 0.05

RECOVERY_STEP_S = 1.0
# A throttled pace climbs by this share of the campaign's rate in every such time.
RECOVERY_STEP_SHARE = 0.05


class SlidingWindow:
    """The times of the last starts; says from when on the next one keeps the ceiling. No clock of its own.

    Remembering every start of a large window would cost memory without need: the starts are taken in strides of `s`,
    and a stride may begin `T` after the end of the one that lies `N // s` strides back. That is exact for `s = 1`, and
    gives away less than one `WINDOW_PLACES`th of the rate above.
    """

    def __init__(self, rate: Rate) -> None:
        self._period_s = rate.period_s + JITTER_S
        self._stride = math.ceil(rate.count / WINDOW_PLACES)
        self._ends = array("d", [-math.inf]) * (rate.count // self._stride)
        self._count = 0

    def free_at(self) -> float:
        """The earliest time at which one more may start."""
        stride, begun = divmod(self._count, self._stride)
        if begun:
            return -math.inf
        return self._ends[stride % len(self._ends)] + self._period_s

    def note_start(self, at: float) -> None:
        self._ends[self._count // self._stride % len(self._ends)] = at
        self._count += 1


class Pace:
    """Gives one sender its turns at `rate`. All times are of the running event loop's clock, in seconds.

    :param clock: what the window reads; the event loop's own time by default. uvloop's is only as fine as a
        millisecond, so that a real run passes `time.monotonic`.
    """

    def __init__(self, rate: Rate, *, clock: Callable[[], float] | None = None) -> None:
        self._rate = rate
        self._clock = clock or asyncio.get_running_loop().time
        self._window = SlidingWindow(rate)
        self._at_the_window = asyncio.Lock()
        self._share = 1.0
        self._share_since = 0.0
        self._bucket: AsyncLimiter | None = None
        self._is_fast = False

    @property
    def throttled(self) -> bool:
        """Whether the pace is below the campaign's rate for now."""
        return self._share < 1.0

    async def turn(self) -> None:
        """Wait until the next request is due. For one caller at a time."""
        self._recover()
        bucket = self._bucket = self._bucket or await self._new_bucket()
        if self._is_fast and not bucket.has_capacity():
            await asyncio.sleep(TICK_S)
        await bucket.acquire()
        # At a few per hour the window may be shut for long: that is waited for here, and not with a connection in hand.
        if (wait_s := self._window.free_at() - self._clock()) > 0:
            await asyncio.sleep(wait_s)

    async def start(self) -> None:
        """Wait, with the request's connection ready, until the ceiling allows its start, and note the start."""
        async with self._at_the_window:  # first come, first served
            while (wait_s := self._window.free_at() - self._clock()) > 0:  # noqa: ASYNC110 (a time, not an event)
                await asyncio.sleep(wait_s)
            self._window.note_start(self._clock())

    def slow_down(self) -> None:
        """Halve the pace, because the provider said that it is too much; it climbs back by itself, step by step."""
        self._set_share(max(self._share / 2, SLOWEST_SHARE))

    def _recover(self) -> None:
        if not self.throttled:
            return
        steps = int((self._clock() - self._share_since) / RECOVERY_STEP_S)
        if steps:
            self._set_share(min(self._share + steps * RECOVERY_STEP_SHARE, 1.0))

    def _set_share(self, share: float) -> None:
        self._share, self._share_since = share, self._clock()
        self._bucket = None

    async def _new_bucket(self) -> AsyncLimiter:
        per_second = self._rate.per_second * self._share
        self._is_fast = per_second > 1 / TICK_S
        capacity = 1 + math.ceil(per_second * CATCH_UP_S)
        bucket = AsyncLimiter(capacity, capacity / per_second)
        await bucket.acquire(capacity - 1)
        return bucket
