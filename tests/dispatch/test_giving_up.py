"""A provider that throttles for ever: a run ends within `giveUpAfter`, on a virtual clock."""

import asyncio
import random
from pathlib import Path

import pytest

from runner.base.messages import Message
from runner.base.options import Rate
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.dispatch.retry import Backoff
from tests.dispatch import virtual
from tests.dispatch.stage import OK, Script, Stage, people

NOON = "2026-11-25T12:00+00:00"
YEAR_S = 365 * 86_400.0


def throttled(retry_after_s: float) -> Outcome:
    return Outcome(
        Status.UNSENT, OutcomeReason.THROTTLED, "slow down", Then.PAUSE, retry_after_s=retry_after_s, http_status=429
    )


class Watched(Stage):
    """Knows how long the run took, and what `campaign status` was told."""

    def __init__(self, tmp_path: Path, script: Script, rate: Rate, give_up_after_s: float) -> None:
        self.told: list[str | None] = []
        backoff = Backoff(random.Random(1), give_up_after_s=give_up_after_s)
        super().__init__(tmp_path, script, rate, begin=NOON, backoff=backoff, resting=self.told.append)
        self.took_s = 0.0

    async def send(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        try:
            return await super().send(*args, **kwargs)  # type: ignore[arg-type]
        finally:
            self.took_s = asyncio.get_running_loop().time() - virtual.BEGIN


def always(answer: Outcome) -> Script:
    async def script(stage: Stage, message: Message) -> Outcome:
        return answer

    return script


@pytest.mark.parametrize("rate", [Rate(20, 1), Rate(1, 1), Rate(1, 10)], ids=str)
@pytest.mark.parametrize(
    ("retry_after_s", "earliest_s"),
    [(0.0, 60.0), (1.0, 50.0), (9.0, 40.0), (59.0, 0.0), (60.0, 0.0), (3600.0, 0.0), (YEAR_S, 0.0)],
)
def test_429_for_ever_ends_the_run_in_time(tmp_path: Path, rate: Rate, retry_after_s: float, earliest_s: float) -> None:
    stage = Watched(tmp_path, always(throttled(retry_after_s)), rate, 60.0)

    stop = stage.run_virtually(people(5))

    assert stop is not None
    assert OutcomeReason.THROTTLED == stop.reason
    assert earliest_s <= stage.took_s <= 60.2  # the ledger's writer ends a moment later
    assert {} == stage.statuses


def test_a_run_of_one_an_hour_tries_twice(tmp_path: Path) -> None:
    stage = Watched(tmp_path, always(throttled(1.0)), Rate(1, 3600), 600.0)

    assert stage.run_virtually(people(5)) is not None
    assert 3600 == pytest.approx(stage.departed_at[1][1] - stage.departed_at[0][1], abs=10)
    assert 2 == len(stage.departed_at)


def test_a_provider_that_takes_one_now_and_then_is_not_given_up(tmp_path: Path) -> None:
    """Ten minutes of 429s in a row never happen, but ten minutes of them in all."""

    async def script(stage: Stage, message: Message) -> Outcome:
        return throttled(50.0) if len(stage.departed) % 10 else OK

    stage = Watched(tmp_path, script, Rate(1, 1), 600.0)

    assert stage.run_virtually(people(5)) is None
    assert {"accepted": 5} == stage.statuses
    assert stage.took_s > 1_000


def test_status_is_told_what_a_long_pause_waits_for(tmp_path: Path) -> None:
    async def script(stage: Stage, message: Message) -> Outcome:
        answers = {1: throttled(1.0), 2: throttled(90.0)}
        return answers.get(len(stage.departed), OK)

    stage = Watched(tmp_path, script, Rate(1, 1), 600.0)

    assert stage.run_virtually(people(3)) is None
    until = "the provider's rate limit until 12:01:31 UTC; gives up at 12:10:00 UTC"
    assert [until, None] == stage.told
