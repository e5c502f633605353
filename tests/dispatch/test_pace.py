"""The rate is a ceiling, in any window, at the start too; and it is used."""

import asyncio
import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.base.options import Rate
from runner.dispatch.pace import (
    CATCH_UP_S,
    JITTER_S,
    RECOVERY_STEP_S,
    SLOWEST_SHARE,
    TICK_S,
    WINDOW_PLACES,
    Pace,
    SlidingWindow,
)
from tests.dispatch import virtual

TINY = 1e-6
"""Floating-point times of some thousand seconds are exact to less than this."""

rates = st.one_of(
    st.builds(Rate, st.integers(1, 20_000), st.just(1)),
    st.builds(Rate, st.integers(1, 3000), st.just(60)),
    st.builds(Rate, st.integers(1, 3000), st.just(3600)),
)


def starts_of(rate: Rate, count: int, *, lateness: Callable[[], float], connecting: Callable[[], float]) -> list[float]:
    """When `count` requests start, if timers fire `lateness` late and a connection takes `connecting` to stand."""
    starts: list[float] = []

    async def scenario() -> None:
        pace = Pace(rate)

        async def request() -> None:
            await asyncio.sleep(connecting())
            await pace.start()
            starts.append(asyncio.get_running_loop().time())

        async with asyncio.TaskGroup() as requests:
            for _ in range(count):
                await pace.turn()
                requests.create_task(request())

    virtual.run(scenario(), lateness)
    return starts


def most_in_any_window(starts: list[float], window_s: float) -> int:
    most = first = 0
    for last, start in enumerate(starts):
        while start - starts[first] >= window_s - TINY:
            first += 1
        most = max(most, last - first + 1)
    return most


@settings(max_examples=12)
@given(rates, st.integers(0, 2**32), st.sampled_from([0.0, 0.001, 0.03]), st.sampled_from([0.0, 0.15]))
@example(Rate(1, 3600), 0, 0.03, 0.15)
@example(Rate(20, 1), 0, 0.0, 0.0)  # where a bucket of 20 would let 39 start
@example(Rate(5000, 1), 0, 0.001, 0.15)
def test_no_window_ever_holds_more_than_the_rate(rate: Rate, seed: int, late_s: float, connect_s: float) -> None:
    rng = random.Random(seed)
    slow = lambda: connect_s if rng.random() < 0.2 else 0.0  # noqa: E731 (one in five needs a new connection)

    starts = starts_of(
        rate, min(rate.count * 3, rate.count + 2000), lateness=lambda: rng.uniform(0, late_s), connecting=slow
    )

    assert most_in_any_window(starts, rate.period_s) <= rate.count


@settings(max_examples=5)
@given(rates, st.integers(0, 2**32))
@example(Rate(10, 1), 0)
@example(Rate(100, 1), 0)
@example(Rate(1800, 1), 0)
@example(Rate(5000, 1), 0)
def test_the_rate_is_used(rate: Rate, seed: int) -> None:
    rng = random.Random(seed)
    count = max(min(rate.count * 5, 5_000), int(rate.per_second), 20)  # at least a second, so that 1 ms doesn't matter

    starts = starts_of(rate, count, lateness=lambda: rng.uniform(0, 0.001), connecting=lambda: 0.0)

    assert (count - 1) / (starts[-1] - starts[0]) >= 0.99 * rate.per_second


@settings(max_examples=10)
@given(rates)
@example(Rate(1800, 1))
def test_a_start_is_as_smooth_as_the_rest(rate: Rate) -> None:
    starts = starts_of(rate, min(rate.count, 500) + 1, lateness=lambda: 0.0, connecting=lambda: 0.0)
    gaps = [after - before for before, after in pairwise(starts)]

    assert pytest.approx(1000.0) == starts[0]
    assert max(gaps) <= max(1 / rate.per_second + JITTER_S, TICK_S) * 1.0001
    assert most_in_any_window(starts, TICK_S) <= 2 * math.ceil(rate.per_second * TICK_S)


@settings(max_examples=20)
@given(st.integers(1, 5_000_000), st.sampled_from([1, 60, 3600]), st.integers(0, 2**32))
@example(5_000_000, 3600, 1)
@example(WINDOW_PLACES, 1, 1)
@example(WINDOW_PLACES + 1, 1, 1)
def test_a_window_is_a_ceiling_whatever_is_asked_of_it(count: int, period_s: int, seed: int) -> None:
    """Requests come at random, in bursts too, each as early as the window lets it."""
    rng = random.Random(seed)
    window = SlidingWindow(Rate(count, period_s))
    now, starts = 0.0, []
    for _ in range(6000):
        if rng.random() < 0.01:
            now += rng.uniform(0, period_s / 4)
        now = max(now, window.free_at())
        window.note_start(now)
        starts.append(now)

    assert most_in_any_window(starts, period_s) <= count


def test_a_large_window_gives_little_away() -> None:
    rate = Rate(200_000, 3600)
    window = SlidingWindow(rate)
    starts = 0
    while window.free_at() <= 0.0:
        window.note_start(0.0)
        starts += 1

    assert rate.count * (1 - 1 / WINDOW_PLACES) - rate.count / WINDOW_PLACES <= starts <= rate.count


def test_a_throttled_pace_halves_and_climbs_back_to_the_rate_and_no_further() -> None:
    rate = Rate(100, 1)

    async def speed(pace: Pace, count: int = 50) -> float:
        loop = asyncio.get_running_loop()
        await pace.turn()
        before = loop.time()
        for _ in range(count):
            await pace.turn()
        return count / (loop.time() - before)

    async def scenario() -> None:
        pace = Pace(rate)
        pace.slow_down()
        assert pace.throttled
        assert await speed(pace, 20) == pytest.approx(50, rel=0.05)
        for _ in range(20):
            pace.slow_down()
        assert await speed(pace, 2) == pytest.approx(100 * SLOWEST_SHARE, rel=0.05)
        await asyncio.sleep(RECOVERY_STEP_S * 25)
        assert await speed(pace) == pytest.approx(100, rel=0.01)
        assert not pace.throttled

    virtual.run(scenario())


def test_only_a_little_lateness_is_made_up_for() -> None:
    """After a pause, 100/s goes on with three at once, and not with all that had their turn meanwhile."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        pace = Pace(Rate(100, 1))
        await pace.turn()
        await asyncio.sleep(10)
        before, at_once = loop.time(), 0
        while loop.time() - before < 1 / 1000:
            await pace.turn()
            at_once += 1
        assert 1 + math.ceil(100 * CATCH_UP_S) == at_once - 1  # the last one had to wait

    virtual.run(scenario())


def test_at_a_few_per_hour_the_wait_is_before_the_connection() -> None:
    """A connection that is held for an hour is closed by the server, and the request would be unknown."""
    held: list[float] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        pace = Pace(Rate(2, 3600))
        await pace.turn()
        await asyncio.sleep(20_000)  # the provider was away, the bucket is empty
        for _ in range(6):
            await pace.turn()
            before = loop.time()
            await pace.start()
            held.append(loop.time() - before)

    virtual.run(scenario())

    assert max(held) < 0.001


@settings(max_examples=30)
@given(rates, rates, st.integers(0, 60), st.floats(0.01, 4000))
def test_another_rate_keeps_the_starts(before: Rate, after: Rate, count: int, gap_s: float) -> None:
    """A start of the new rate leaves no more than that in its window, the starts at the old rate included."""
    window = SlidingWindow(before)
    starts: list[float] = []
    for rate in (before, after):
        window.set_rate(rate)
        for _ in range(count):
            starts.append(max(starts[-1] + gap_s / count if starts else 0.0, window.free_at()))
            window.note_start(starts[-1])
            if rate is after:
                began = [start for start in starts if start > starts[-1] - rate.period_s]
                assert len(began) <= rate.count


def test_starts_before_the_computer_started_again_count_as_now() -> None:
    window = SlidingWindow(Rate(2, 3600))
    for at in (90_000.0, 90_001.0):
        window.note_start(at)

    window.clamp(10.0)

    assert 10.0 + 3600 + JITTER_S == window.free_at()
