"""Requests that may be repeated: the pace, pauses, giving up, stopping."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base.options import Rate
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.dispatch.dispatcher import Dispatcher
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop
from runner.dispatch.repeatable import IN_FLIGHT_LIMIT, MOST_TRIES, Attempt, RepeatableRequests
from runner.dispatch.retry import Backoff
from tests.dispatch import virtual

DONE = Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, http_status=200)
REFUSED = Outcome(Status.REJECTED, OutcomeReason.BAD_REQUEST, "no", http_status=400)
BUSY = Outcome(Status.UNKNOWN, OutcomeReason.SERVER_ERROR, "HTTP 503", Then.BACK_OFF, http_status=503)
FATAL = Outcome(Status.UNSENT, OutcomeReason.UNAUTHORIZED, "the key is wrong", Then.STOP, http_status=401)
Ask = Callable[[int], Awaitable[Outcome]]


def throttled(seconds: float) -> Outcome:
    return Outcome(Status.UNSENT, OutcomeReason.THROTTLED, "", Then.PAUSE, http_status=429, retry_after_s=seconds)


async def each(things: Iterable[int]) -> AsyncIterator[int]:
    for thing in things:
        yield thing


class Stage:
    """Repeatable requests on a virtual clock, and what became of each thing."""

    def __init__(self, ask: Ask, *, rate: Rate | None = None, give_up_after_s: float = 600) -> None:
        self.asked: list[tuple[float, int]] = []
        self.ended: dict[int, Outcome] = {}
        self.progress = Progress()
        self._began = asyncio.get_running_loop().time()
        self._ask_with = ask
        self._rate = rate or Rate(1000, 1)
        self._give_up_after_s = give_up_after_s
        self._dispatcher: Dispatcher[Attempt[int]]

    async def run(self, things: AsyncIterator[int]) -> str | None:
        """Why it stopped, in words."""
        requests = RepeatableRequests[int](
            things, ask=self._ask, answered=self.ended.__setitem__, on_failure=lambda: self.stop("a torn source")
        )
        self._dispatcher = Dispatcher(
            requests,
            send=requests.send,
            pace=Pace(self._rate),
            progress=self.progress,
            in_flight_limit=IN_FLIGHT_LIMIT,
            backoff=Backoff(random.Random(1), give_up_after_s=self._give_up_after_s),
        )
        stop = await self._dispatcher.run()
        return stop.detail if stop else None

    def stop(self, words: str) -> None:
        self._dispatcher.stop(Stop(OutcomeReason.INTERRUPTED, words))

    def abandon(self) -> None:
        self._dispatcher.abandon()

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    async def _ask(self, thing: int) -> Outcome:
        self.asked.append((self.now, thing))
        return await self._ask_with(thing)


async def always(found: Outcome, _thing: int) -> Outcome:
    await asyncio.sleep(0.1)
    return found


def answers(*found: Outcome) -> Ask:
    """Each thing gets these answers one after the other, and then the last of them again."""
    tries: Counter[int] = Counter()

    async def ask(thing: int) -> Outcome:
        await asyncio.sleep(0.1)
        tries[thing] += 1
        return found[min(tries[thing], len(found)) - 1]

    return ask


def test_all_are_asked_for_once() -> None:
    async def main() -> None:
        async def ask(thing: int) -> Outcome:
            return await always(REFUSED if thing % 3 == 0 else DONE, thing)

        stage = Stage(ask)
        assert await stage.run(each(range(30))) is None
        assert list(range(30)) == sorted(thing for _, thing in stage.asked)
        assert {thing: REFUSED if thing % 3 == 0 else DONE for thing in range(30)} == stage.ended

    virtual.run(main())


def test_none_are_done_at_once() -> None:
    async def main() -> None:
        assert await Stage(answers(DONE)).run(each([])) is None

    virtual.run(main())


@settings(max_examples=25)
@given(
    count=st.integers(1, 20),
    period_s=st.sampled_from([1, 60]),
    things=st.integers(1, 60),
    failures=st.lists(st.integers(0, 59), max_size=5),
)
def test_no_window_holds_more_starts_than_the_rate(count: int, period_s: int, things: int, failures: list[int]) -> None:
    async def main() -> None:
        left = Counter(failures)

        async def ask(thing: int) -> Outcome:
            left[thing] -= 1
            return BUSY if left[thing] >= 0 else DONE

        stage = Stage(ask, rate=Rate(count, period_s))
        assert await stage.run(each(range(things))) is None
        starts = sorted(at for at, _ in stage.asked)
        for first, beyond in zip(starts, starts[count:], strict=False):
            assert beyond - first >= period_s - 1e-3
        assert set(range(things)) == set(stage.ended)

    virtual.run(main())


def test_what_has_no_answer_is_asked_for_again() -> None:
    async def main() -> None:
        stage = Stage(answers(BUSY, BUSY, DONE))
        assert await stage.run(each([1, 2])) is None
        assert Counter({1: 3, 2: 3}) == Counter(thing for _, thing in stage.asked)
        assert {1: DONE, 2: DONE} == stage.ended
        assert "" == stage.progress.waiting_for

    virtual.run(main())


def test_what_goes_again_does_not_wait_for_the_next_item() -> None:
    async def main() -> None:
        async def things() -> AsyncIterator[int]:
            yield 1
            await asyncio.sleep(86_400)

        stage = Stage(answers(BUSY, DONE))
        assert await stage.run(things()) is None
        assert 2 == len(stage.asked)
        assert max(at for at, _ in stage.asked) < 60

    virtual.run(main())


def test_a_pause_is_for_all() -> None:
    async def main() -> None:
        busy = [throttled(30.0)]

        async def ask(_thing: int) -> Outcome:
            return busy.pop() if busy else DONE

        stage = Stage(ask, rate=Rate(10, 1))
        assert await stage.run(each(range(20))) is None
        first, *others = [at for at, _ in stage.asked]
        assert first < 1
        assert min(others) >= first + 30

    virtual.run(main())


def test_a_pause_that_begins_while_others_wait_for_their_turn_holds_them_too() -> None:
    async def main() -> None:
        async def ask(thing: int) -> Outcome:
            await asyncio.sleep(0.5)  # by now the next one waits for its turn
            return throttled(50.0) if thing == 0 and len(stage.asked) == 1 else DONE

        stage = Stage(ask, rate=Rate(1, 1))
        assert await stage.run(each(range(3))) is None
        assert min(at for at, _ in stage.asked[1:]) >= 50

    virtual.run(main())


def test_the_429s_of_one_moment_slow_the_pace_down_once() -> None:
    async def main() -> None:
        async def ask(_thing: int) -> Outcome:
            await asyncio.sleep(1)
            return throttled(1.0) if len(stage.asked) <= 100 and stage.now < 2 else DONE

        stage = Stage(ask, rate=Rate(100, 1))
        assert await stage.run(each(range(200))) is None
        # Halved a hundred times it would crawl at the lowest pace, 5/s, for seconds on end.
        assert stage.now < 12

    virtual.run(main())


def test_it_gives_up_when_nobody_answers() -> None:
    async def main() -> None:
        stage = Stage(answers(BUSY), give_up_after_s=60)
        words = await stage.run(each(range(5)))
        assert words is not None
        assert "HTTP 503" in words
        assert 60 <= stage.now < 120
        assert {} == stage.ended

    virtual.run(main())


@pytest.mark.parametrize(
    ("retry_after_s", "ends", "words"),
    [
        (0.0, 60.0, "gave up after 1 min"),
        (1.0, 60.0, "a pause of 1 s"),
        (40.0, 40.0, "a pause of 40 s"),
        (3600.0, 0.0, "a pause of 1 h"),
    ],
)
def test_it_gives_up_when_the_provider_throttles_for_ever(retry_after_s: float, ends: float, words: str) -> None:
    async def main() -> None:
        stage = Stage(answers(throttled(retry_after_s)), give_up_after_s=60)
        stop = await stage.run(each(range(5)))
        assert stop is not None
        assert words in stop
        assert ends == pytest.approx(stage.now, abs=3)
        assert stage.now <= 60.2
        assert {} == stage.ended

    virtual.run(main())


def test_a_rate_limit_that_ends_in_time_is_no_reason_to_give_up() -> None:
    async def main() -> None:
        stage = Stage(answers(BUSY, *[throttled(10.0)] * 4, BUSY, DONE), give_up_after_s=60)
        assert await stage.run(each([1])) is None
        assert {1: DONE} == stage.ended

    virtual.run(main())


def test_one_that_never_gets_an_answer_does_not_hold_up_the_others() -> None:
    async def main() -> None:
        async def ask(thing: int) -> Outcome:
            return BUSY if thing == 0 else DONE

        stage = Stage(ask, rate=Rate(5, 1), give_up_after_s=600)
        assert "the provider never answered 1 request; run the command again" == await stage.run(each(range(50)))
        assert set(range(1, 50)) == set(stage.ended)
        assert MOST_TRIES == sum(1 for _, thing in stage.asked if thing == 0)

    virtual.run(main())


def test_without_an_answer_it_tries_one_at_a_time_until_one_gets_through() -> None:
    async def main() -> None:
        in_flight: list[int] = []

        async def ask(_thing: int) -> Outcome:
            is_down = stage.now < 30
            if 1 < stage.now < 30:
                in_flight.append(stage.progress.in_flight)
            await asyncio.sleep(0.1)
            return BUSY if is_down else DONE

        stage = Stage(ask, rate=Rate(100, 1))
        assert await stage.run(each(range(500))) is None
        assert set(range(500)) == set(stage.ended)
        assert in_flight
        assert {1} == set(in_flight)

    virtual.run(main())


def test_those_that_go_again_and_new_ones_take_turns() -> None:
    """A provider that asks everybody to wait must not let a source of a million items fill the memory."""

    async def main() -> None:
        read: list[int] = []

        async def things() -> AsyncIterator[int]:
            for thing in range(5_000):
                read.append(thing)
                yield thing

        async def ask(thing: int) -> Outcome:
            return throttled(0.5) if stage.now < 1_000 else DONE

        stage = Stage(ask, give_up_after_s=2_000)
        assert await stage.run(each(range(5))) is None
        assert 5 == len({thing for _, thing in stage.asked[:10]})

        stage = Stage(ask, give_up_after_s=2_000)
        running = asyncio.ensure_future(stage.run(things()))
        await asyncio.sleep(900)
        assert len(read) <= 2 * IN_FLIGHT_LIMIT + 1
        assert await running is None
        assert 5_000 == len(stage.ended)

    virtual.run(main())


def test_a_fatal_answer_stops_all() -> None:
    async def main() -> None:
        async def ask(thing: int) -> Outcome:
            await asyncio.sleep(0.1)
            return FATAL if thing == 3 else DONE

        stage = Stage(ask, rate=Rate(10, 1))
        assert "the key is wrong" == await stage.run(each(range(1000)))
        assert len(stage.asked) < 10
        assert 3 not in stage.ended

    virtual.run(main())


def test_a_stop_waits_for_answers_and_ends_pauses() -> None:
    async def main() -> None:
        async def ask(thing: int) -> Outcome:
            await asyncio.sleep(5)
            return DONE if thing else throttled(500.0)

        stage = Stage(ask, rate=Rate(1, 1))
        running = asyncio.ensure_future(stage.run(each(range(100))))
        await asyncio.sleep(5.5)  # the pause has begun, and others are on their way
        stage.stop("stopped by Ctrl-C")
        stage.stop("too late a reason")
        assert "stopped by Ctrl-C" == await running
        assert {thing: DONE for _, thing in stage.asked if thing} == stage.ended
        assert stage.now < 12

    virtual.run(main())


def test_a_source_that_waits_for_ever_can_be_stopped() -> None:
    async def main() -> None:
        ends: list[str] = []

        async def things() -> AsyncIterator[int]:
            yield 1
            try:
                await asyncio.sleep(10**9)
            finally:
                ends.append("the source")

        stage = Stage(answers(DONE))
        running = asyncio.ensure_future(stage.run(things()))
        await asyncio.sleep(1)
        stage.stop("stopped by SIGTERM")
        assert "stopped by SIGTERM" == await running
        assert (["the source"], {1: DONE}) == (ends, stage.ended)

    virtual.run(main())


def test_abandoning_waits_for_nothing() -> None:
    async def main() -> None:
        async def ask(_thing: int) -> Outcome:
            await asyncio.sleep(3600)
            return DONE

        stage = Stage(ask, rate=Rate(10, 1))
        running = asyncio.ensure_future(stage.run(each(range(100))))
        await asyncio.sleep(1)
        stage.stop("stopped by Ctrl-C")
        stage.abandon()
        assert "stopped by Ctrl-C" == await running
        assert stage.now < 2
        assert {} == stage.ended

    virtual.run(main())


def test_only_so_many_are_in_flight() -> None:
    async def main() -> None:
        most = 0

        async def ask(_thing: int) -> Outcome:
            nonlocal most
            await asyncio.sleep(60)
            most = max(most, stage.progress.in_flight)
            return DONE

        stage = Stage(ask)
        assert await stage.run(each(range(3 * IN_FLIGHT_LIMIT))) is None
        assert IN_FLIGHT_LIMIT == most

    virtual.run(main())


def test_a_bug_comes_out() -> None:
    async def main() -> None:
        async def ask(thing: int) -> Outcome:
            if thing == 2:
                raise ZeroDivisionError
            return DONE

        with pytest.raises(ZeroDivisionError):
            await Stage(ask, rate=Rate(1, 1)).run(each(range(1000)))

    virtual.run(main())


def test_what_the_source_raises_comes_out_after_the_answers() -> None:
    async def main() -> None:
        async def broken() -> AsyncIterator[int]:
            yield 1
            raise ZeroDivisionError

        stage = Stage(answers(DONE))
        with pytest.raises(ZeroDivisionError):
            await stage.run(broken())
        assert {1: DONE} == stage.ended

    virtual.run(main())


def test_a_source_that_fails_does_not_wait_for_a_provider_that_is_not_there() -> None:
    """What has no answer is asked again for ten minutes; nobody waits for that to read what is wrong with a file."""

    async def main() -> None:
        async def things() -> AsyncIterator[int]:
            yield 0
            await asyncio.sleep(1.0)
            raise ZeroDivisionError

        for answer in (BUSY, throttled(500.0)):
            stage = Stage(answers(answer))
            with pytest.raises(ZeroDivisionError):
                await stage.run(things())
            assert stage.now < 2.0

    virtual.run(main())
