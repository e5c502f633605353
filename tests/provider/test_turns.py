"""Who waits gets what comes, in their order, whoever gives up meanwhile."""

import asyncio

import pytest

from runner.provider.turns import Turns


def test_first_come_first_served_and_who_gave_up_is_passed_over() -> None:
    async def scenario() -> None:
        back: list[str] = []
        turns = Turns[str](back.append)
        waiting = [asyncio.ensure_future(turns.get(turns.begin())) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)

        assert 2 == len(turns)
        assert [True, True, False] == [turns.hand(thing) for thing in "abc"]
        assert (["a", "b"], []) == (await asyncio.gather(*waiting[1:]), back)

    asyncio.run(scenario())


def test_what_comes_to_somebody_who_gives_up_in_that_moment_is_given_back() -> None:
    async def scenario() -> None:
        back: list[str] = []
        turns = Turns[str](back.append)
        waiting = asyncio.ensure_future(turns.get(turns.begin()))
        await asyncio.sleep(0)
        assert turns.hand("a")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert ["a"] == back

    asyncio.run(scenario())


def test_when_nothing_comes_all_are_told() -> None:
    async def scenario() -> None:
        turns = Turns[str](print)
        waiting = [asyncio.ensure_future(turns.get(turns.begin())) for _ in range(2)]
        await asyncio.sleep(0)
        turns.fail(ConnectionError("none"))
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert (["none", "none"], 0) == ([str(error) for error in found], len(turns))

    asyncio.run(scenario())
