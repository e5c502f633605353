"""The pace: when the next request may start.

There are two limiters. A leaky bucket (aiolimiter) spreads the requests evenly. A sliding window guarantees that the
rate is never exceeded.

**The bucket's capacity and period.** A bucket with capacity `c` that leaks at the campaign's rate `N/T` lets `c`
requests start at once, and at most `c - 1 + N` in a window of `T`. So a large capacity allows a burst, mostly at the
start, when the bucket is empty: `AsyncLimiter(20, 1)` starts 39 requests in its first second. But a capacity of 1 can't
catch up after a timer that fires late: at 1,000/s, a delay of 1 ms would halve the rate.

So the capacity is what the rate allows in `CATCH_UP_S` (20 ms, more than the delays of a busy event loop), plus the
request that is due: `c = 1 + ceil(N/T * 0.02 s)`, which is 2 at 10/s and 37 at 1,800/s. The period is `c * T/N`, so
that the bucket leaks at exactly the rate. A new bucket is filled up to one free place, so that sending starts smoothly.
A caller that has to wait waits at least `TICK_S`, and several places are free afterwards: at 3,000/s the event loop
wakes up 250 times per second, not 1,000.

**The window.** The bucket alone may exceed the rate by `c - 1`. Also, a request may start some time after the bucket
has let it through, because it needs a connection first. So each request, with its connection ready, asks the window
whether `N` others started within the last `T`, and waits if so. This guarantees at every rate that at most `N` requests
start in any half-open window of length `T`. A late timer delays each place of the window at most once per `T`.
"""

import asyncio
import contextlib
import math
from array import array
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Protocol

from aiolimiter import AsyncLimiter

from runner.base.options import Rate

# How much delay of the event loop the bucket can catch up with.
CATCH_UP_S = 0.02

# The shortest wait for a turn. Well below `CATCH_UP_S`, so that waiting doesn't lower the rate.
TICK_S = 0.004

# The window is this much longer than `T`, because some requests travel faster than others: those that start within one
# second may arrive within slightly less. This costs 0.2% of a rate per second, and almost nothing of a slower one.
JITTER_S = 0.002

# The most start times to remember. A larger window remembers only every second, third, … one.
WINDOW_PLACES = 4096

# N, T and the number of starts come before the places of a window.
HEADER = 3

# Floats are exact up to here.
_MOST = 2.0**53

# How long to wait while another process notes a start in a shared window, which takes microseconds.
BUSY_S = 0.0005

# A throttled pace is never slower than this share of the campaign's rate.
SLOWEST_SHARE = 0.05

# How often a throttled pace gets faster.
RECOVERY_STEP_S = 1.0
# How much faster it gets each time, as a share of the campaign's rate.
RECOVERY_STEP_SHARE = 0.05


class SlidingWindow:
    """Remembers when the last requests started, and tells when the next one may start. Has no clock.

    Remembering every start of a large window would waste memory. So starts are grouped into strides of `s`, and a
    stride may begin `T` after the end of the stride that is `N // s` strides back. This is exact for `s = 1`; for
    larger `s`, it lowers the rate by less than `1 / WINDOW_PLACES`.

    :param rate: None: the memory has it already, or `set_rate` or `clear` follows.
    :param memory: `HEADER + WINDOW_PLACES` floats, perhaps shared with other processes: N, T, the number of starts, and
        the ends of the strides. None: its own.
    """

    def __init__(self, rate: Rate | None, memory: "memoryview[float] | None" = None) -> None:
        size = HEADER + WINDOW_PLACES
        self._memory = memoryview(bytearray(8 * size)).cast("d") if memory is None else memory
        if rate:
            self.clear(rate)

    @property
    def rate(self) -> Rate:
        return Rate(int(self._memory[0]), int(self._memory[1]))

    def held(self) -> contextlib.AbstractContextManager[bool]:
        """Keep others from noting a start while the block runs. False: not possible now."""
        return contextlib.nullcontext(True)

    def free_at(self) -> float:
        """The earliest time at which one more may start."""
        size, places = self._layout()
        stride, begun = divmod(int(self._memory[2]), size)
        if begun:
            return -math.inf
        # Longer by JITTER_S: see there.
        return self._memory[HEADER + stride % places] + self._memory[1] + JITTER_S

    def note_start(self, at: float) -> None:
        size, places = self._layout()
        count = int(self._memory[2])
        # In this order: if the process is killed in between, a place is lost for one window, but no start is forgotten.
        self._memory[HEADER + count // size % places] = at
        self._memory[2] = count + 1

    def clear(self, rate: Rate) -> None:
        """Begin at this rate, without any start."""
        self._lay_out(rate, [])

    def fill(self, rate: Rate, now: float) -> None:
        """Begin at this rate as if as many as it allows had started `now`."""
        self._lay_out(rate, [now] * (rate.count // math.ceil(rate.count / WINDOW_PLACES)))

    def is_sound(self) -> bool:
        """Whether the memory can be that of a window: False if it was damaged."""
        return self.has_sound_header() and not any(map(math.isnan, self._memory[HEADER:]))

    def has_sound_header(self) -> bool:
        """The same, as far as the rate and the number of starts show it."""
        header = self._memory[:HEADER]
        return all(0 <= value <= _MOST and value == int(value) for value in header) and min(header[:2]) >= 1

    def clamp(self, now: float) -> None:
        """Count starts in the future as of `now`: they are from before the computer's clock began again."""
        for place in range(HEADER, HEADER + WINDOW_PLACES):
            self._memory[place] = min(self._memory[place], now)

    def is_idle(self, now: float) -> bool:
        """Whether nothing started within the last window."""
        return not self._memory[0] or self._newest_ends()[0] + self._memory[1] + JITTER_S <= now

    def set_rate(self, rate: Rate) -> None:
        """Change the rate, and keep the starts. Starts that are not remembered count as old as the oldest one."""
        if not self._memory[0]:
            self.clear(rate)
        elif rate != self.rate:
            size, places = self._layout()
            ends = self._newest_ends()
            if len(ends) < places or rate.period_s <= self._memory[1]:
                ends += [-math.inf]  # older starts: there are none, or they are out of the window
            new_size = math.ceil(rate.count / WINDOW_PLACES)
            kept = [ends[min(n * new_size // size, len(ends) - 1)] for n in range(rate.count // new_size)]
            self._lay_out(rate, kept[::-1])

    def include(self, starts: Sequence[float]) -> None:
        """Count these starts too, newest first. Which of them the window has already isn't known.

        So the n-th newest start is the later one of the window's and of these: neither list is exceeded.
        """
        if starts:
            size, places = self._layout()
            both = zip_longest(self._newest_ends(), starts[::size], fillvalue=-math.inf)
            self._lay_out(self.rate, [max(pair) for pair in both][:places][::-1])

    def _layout(self) -> tuple[int, int]:
        """The size of a stride, and the number of strides to remember."""
        count = int(self._memory[0])
        size = -(-count // WINDOW_PLACES)
        return size, count // size

    def _newest_ends(self) -> list[float]:
        """The ends of the strides that are remembered, newest first; one that has only begun counts as whole."""
        size, places = self._layout()
        strides = -(-int(self._memory[2]) // size)
        ends = [self._memory[HEADER + n % places] for n in range(strides - 1, max(strides - places, 0) - 1, -1)]
        return ends or [-math.inf]

    def _lay_out(self, rate: Rate, ends: Sequence[float]) -> None:
        """Begin at this rate with full strides that have these ends, oldest first."""
        places = [*ends, *[-math.inf] * (WINDOW_PLACES - len(ends))]
        size = math.ceil(rate.count / WINDOW_PLACES)
        self._memory[:] = memoryview(array("d", [rate.count, rate.period_s, len(ends) * size, *places]))


class Window(Protocol):
    """A window as the pace needs it: a `SlidingWindow`, or several that other processes share."""

    def held(self) -> contextlib.AbstractContextManager[bool]: ...

    def free_at(self) -> float: ...

    def note_start(self, at: float) -> None: ...


class Pace:
    """Gives one sender its turns at `rate`. All times are in seconds, by the clock of the event loop.

    :param clock: the clock for the window; by default the event loop's. A real run passes `time.monotonic`, because the
        clock of uvloop has a resolution of only one millisecond.
    :param window: the window, if other processes share it; its times are those of `time.monotonic`.
    """

    def __init__(self, rate: Rate, *, clock: Callable[[], float] | None = None, window: Window | None = None) -> None:
        self._rate = rate
        self._clock = clock or asyncio.get_running_loop().time
        self._window = window or SlidingWindow(rate)
        self._at_the_window = asyncio.Lock()
        self._share = 1.0
        self._share_since = 0.0
        self._bucket: AsyncLimiter | None = None
        self._is_fast = False

    @property
    def throttled(self) -> bool:
        """Whether the pace is below the campaign's rate for now."""
        return self._share < 1.0

    def full_for_s(self) -> float:
        """Seconds until the window has a place; 0 or less: it has one."""
        return self._window.free_at() - self._clock()

    async def turn(self) -> None:
        """Wait until the next request is due. Only one caller may wait at a time."""
        self._recover()
        bucket = self._bucket = self._bucket or await self._new_bucket()
        if self._is_fast and not bucket.has_capacity():
            await asyncio.sleep(TICK_S)
        await bucket.acquire()
        # At a few requests per hour, the window may be full for long. Wait here, before a connection is taken.
        # Another process may take the place meanwhile. So wait behind those that have a connection, to keep them few.
        async with self._at_the_window:
            while (wait_s := self.full_for_s()) > 0:  # noqa: ASYNC110 (a time, not an event)
                await asyncio.sleep(wait_s)

    async def start(self) -> None:
        """Wait until the rate allows the request to start, and record the start. Call this with a connection ready."""
        async with self._at_the_window:  # first come, first served
            while True:
                with self._window.held() as is_held:
                    now = self._clock()
                    wait_s = self._window.free_at() - now if is_held else BUSY_S
                    if wait_s <= 0:
                        self._window.note_start(now)
                        return
                await asyncio.sleep(wait_s)

    def slow_down(self) -> None:
        """Halve the pace, because the provider reported too many requests. The pace recovers step by step."""
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
