"""Requests that may be repeated: paced, asked again, and stopped, on a clock that jumps."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from runner.dispatch.errands import Errands
from runner.models import Rate
from runner.provider.afterwards import Ended, Ending
from tests.dispatch.virtual import run

DONE = Ended(Ending.DONE, http_status=200)


class Provider:
    """Answers as `script` says for each thing in turn, and done after that; remembers when it was asked."""

    def __init__(self, script: dict[int, list[Ended]] | None = None) -> None:
        self.script = script or {}
        self.asked: list[tuple[int, float]] = []

    async def ask(self, thing: int) -> Ended:
        self.asked.append((thing, asyncio.get_running_loop().time()))
        await asyncio.sleep(0.05)
        answers = self.script.get(thing, [])
        return answers.pop(0) if answers else DONE


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


def worked_off(
    provider: Provider, count: int, rate: Rate, *, stop_after: int | None = None, give_up_after_s: float = 600.0
) -> tuple[str | None, dict[int, Ending]]:
    ends: dict[int, Ending] = {}

    async def main() -> str | None:
        def ended(thing: int, found: Ended) -> None:
            ends[thing] = found.ending
            if stop_after is not None and len(ends) == stop_after:
                errands.stop("stopped by Ctrl-C")

        errands = Errands[int](
            ask=provider.ask, ended=ended, rate=rate, rng=random.Random(1), give_up_after_s=give_up_after_s
        )
        return await errands.run(numbers(count))

    return run(main()), ends


def test_each_is_asked_once_inside_of_the_rate() -> None:
    provider = Provider()
    stopped, ends = worked_off(provider, 100, Rate(20, 1))

    assert stopped is None
    assert dict.fromkeys(range(100), Ending.DONE) == ends
    assert {1} == set(Counter(thing for thing, _ in provider.asked).values())
    times = [at for _, at in provider.asked]
    assert all(late - early >= 1.0 for early, late in zip(times, times[20:], strict=False))
    assert times[-1] - times[0] == pytest.approx(99 / 20, rel=0.02)


def test_what_had_no_answer_is_asked_again_and_what_is_refused_is_not() -> None:
    refused = Ended(Ending.REFUSED, "no", 400)
    provider = Provider({3: [Ended(Ending.AGAIN, "timeout"), Ended(Ending.AGAIN, "timeout")], 5: [refused]})
    stopped, ends = worked_off(provider, 10, Rate(50, 1))

    assert stopped is None
    assert {**dict.fromkeys(range(10), Ending.DONE), 5: Ending.REFUSED} == ends
    assert {3: 3} == {thing: times for thing, times in Counter(t for t, _ in provider.asked).items() if times > 1}


def test_all_rest_for_as_long_as_the_provider_says() -> None:
    provider = Provider({0: [Ended(Ending.AGAIN, "", 429, 5.0)]})
    stopped, ends = worked_off(provider, 40, Rate(10, 1))

    assert stopped is None
    assert 40 == len(ends)
    answered = provider.asked[0][1] + 0.05
    assert not [at for _, at in provider.asked if answered + 0.001 < at < answered + 5.0]


def test_a_fatal_answer_stops_all() -> None:
    provider = Provider({2: [Ended(Ending.STOP, "HTTP 401; check EIGHTXEIGHT_API_KEY", 401)]})
    stopped, ends = worked_off(provider, 1_000, Rate(100, 1))

    assert "HTTP 401; check EIGHTXEIGHT_API_KEY" == stopped
    assert 2 not in ends
    assert len(provider.asked) < 20


def test_it_gives_up_on_a_provider_that_is_not_there() -> None:
    provider = Provider({n: [Ended(Ending.AGAIN, "connection refused")] * 1_000 for n in range(300)})
    stopped, ends = worked_off(provider, 300, Rate(100, 1), give_up_after_s=60.0)

    assert "the provider could not be reached for long: connection refused" == stopped
    assert {} == ends


def test_stopping_waits_for_the_answers_in_flight_and_begins_nothing_more() -> None:
    provider = Provider()
    stopped, ends = worked_off(provider, 1_000, Rate(100, 1), stop_after=10)

    assert "stopped by Ctrl-C" == stopped
    assert {thing for thing, _ in provider.asked} == set(ends)
    assert len(ends) < 30


def test_a_source_that_waits_for_ever_can_be_stopped() -> None:
    provider = Provider()

    async def main() -> str | None:
        async def things() -> AsyncIterator[int]:
            yield 1
            await asyncio.sleep(10**9)
            yield 2

        def ended(_thing: int, _found: Ended) -> None:
            asyncio.get_running_loop().call_later(1.0, errands.stop, "stopped")

        errands = Errands[int](ask=provider.ask, ended=ended, rate=Rate(10, 1), rng=random.Random(1))
        return await errands.run(things())

    assert "stopped" == run(main())


def test_a_bug_is_not_swallowed() -> None:
    async def main() -> None:
        async def ask(_: int) -> Ended:
            raise ZeroDivisionError

        errands = Errands[int](ask=ask, ended=lambda *_: None, rate=Rate(10, 1), rng=random.Random(1))
        await errands.run(numbers(3))

    with pytest.raises(ZeroDivisionError):
        run(main())
