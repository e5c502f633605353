"""What is claimed: never more than is allowed, and not what a cooldown refuses at the last moment."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runner.base.messages import Message
from runner.base.options import Rate, SendingHours
from runner.base.optouts import OptOut, OptOutSource
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.dispatch.feed import Feed
from runner.dispatch.progress import Stop
from runner.dispatch.retry import Backoff
from runner.ledger.optouts import note_optouts
from runner.schedule.sending_hours import SendingHoursGate
from tests.dispatch.stage import FAST, OK, Script, Stage, answering, outcome, people

THROTTLED = outcome(Status.UNSENT, OutcomeReason.THROTTLED, Then.PAUSE, retry_after_s=0.01, sent_at=1, http_status=429)
FULL = "10 messages are the most"


class Ten:
    """An allowance of ten messages."""

    most = 10

    def __init__(self) -> None:
        self.taken = 0

    def take(self, message: Message) -> str | None:
        if self.taken == self.most:
            return FULL
        self.taken += 1
        return None

    def give_back(self, message: Message) -> None:
        self.taken -= 1


class Forty(Ten):
    most = 40


def each_with_a_number(count: int, *zones: str, first: int = 0) -> list[Message]:
    return [replace(one, destination=f"+1202555{one.row:04}") for one in people(count, *zones, first=first)]


def opt_out(stage: Stage, *rows: int) -> None:
    note_optouts(stage.ledger, [OptOut(f"+1202555{row:04}", True, 1, OptOutSource.REPLY, "STOP") for row in rows])


def slowly(script: Script) -> Script:
    """Answers that come after a while, so that many are in flight."""

    async def slow(stage: Stage, message: Message) -> Outcome:
        await asyncio.sleep(0.3)
        return await script(stage, message)

    return slow


@pytest.mark.parametrize("rate", [Rate(1, 60), Rate(100, 1), FAST], ids=str)
@pytest.mark.parametrize("answers", [[], [THROTTLED], [THROTTLED] * 25], ids=["all well", "one again", "many again"])
def test_exactly_what_is_allowed_is_sent(tmp_path: Path, rate: Rate, answers: list[Outcome]) -> None:
    """The rest of a group that was refused is sent, and so is one more for each that came back unsent."""
    allowance = Ten()
    patient = Backoff(random.Random(1), give_up_after_s=86_400)
    stage = Stage(tmp_path, slowly(answering(*answers)), rate, budget=allowance, backoff=patient)

    assert stage.run_virtually(people(300)) == Stop(OutcomeReason.LIMIT_REACHED, FULL)
    assert {"accepted": 10} == stage.statuses
    assert 10 == allowance.taken


def test_an_allowance_that_suffices_is_not_noticed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, slowly(answering(THROTTLED, THROTTLED)), budget=Ten())

    assert stage.run_virtually(people(10)) is None
    assert {"accepted": 10} == stage.statuses


def test_what_is_unknown_has_used_its_allowance(tmp_path: Path) -> None:
    lost = outcome(Status.UNKNOWN, OutcomeReason.TIMEOUT, sent_at=1)
    stage = Stage(tmp_path, slowly(answering(lost, lost)), budget=Ten())

    assert stage.run_virtually(people(20)) == Stop(OutcomeReason.LIMIT_REACHED, FULL)
    assert {"accepted": 8, "unknown": 2} == stage.statuses


def test_what_was_taken_back_is_given_back(tmp_path: Path) -> None:
    """Stopped while claims are in hand: they count for the next start, not for this one."""
    allowance = Ten()

    async def script(stage: Stage, message: Message) -> Outcome:
        stage.dispatcher.stop(Stop(OutcomeReason.INTERRUPTED, "Ctrl-C"))
        return OK

    stage = Stage(tmp_path, script, Rate(400, 1), budget=allowance)
    stage.run_virtually(people(10))

    assert (1, {"accepted": 1}) == (allowance.taken, stage.statuses)


def test_a_limit_is_not_slept_on(tmp_path: Path) -> None:
    """Some wait for the morning, but the allowance is used up in the evening."""
    hours = SendingHoursGate(SendingHours(9 * 60, 20 * 60, frozenset(range(7)), None))
    stage = Stage(tmp_path, answering(), begin="2026-11-25T19:00+00:00", hours=hours, budget=Ten())

    stop = stage.run_virtually([*people(5, "Asia/Singapore"), *people(20, "Europe/London", first=5)])

    assert stop == Stop(OutcomeReason.LIMIT_REACHED, FULL)
    assert (list(range(5, 15)), 1) == (stage.departed, len(stage.passes))


@pytest.mark.parametrize("rate", [Rate(1, 3600), Rate(300, 1), FAST], ids=str)
def test_what_a_cooldown_refuses_is_left_out(tmp_path: Path, rate: Rate) -> None:
    allowance = Ten()
    stage = Stage(tmp_path, answering(), rate, cooling=[1, 2, 3, 12], budget=allowance)

    stop = stage.run_virtually(people(13))

    words = "4 recipients reached the frequency cap during the run; the next start leaves them out"
    assert Stop(OutcomeReason.COOLDOWN, words) == stop
    assert [0, *range(4, 12)] == stage.departed
    assert (9, {"accepted": 9}) == (allowance.taken, stage.statuses)


def test_a_refused_claim_costs_no_turn(tmp_path: Path) -> None:
    """At 1/h each turn that is let go is an hour."""
    stage = Stage(tmp_path, answering(), Rate(1, 3600), cooling=range(1, 9))
    stage.run_virtually(people(10))

    (_, first), (_, second) = stage.departed_at
    assert 3600 == pytest.approx(second - first, abs=1)


def test_a_cooldown_is_not_tried_again_after_the_night(tmp_path: Path) -> None:
    hours = SendingHoursGate(SendingHours(9 * 60, 20 * 60, frozenset(range(7)), "Asia/Singapore"))
    stage = Stage(tmp_path, answering(), Rate(1, 1), begin="2026-11-25T19:59:58+08:00", hours=hours, cooling=[0])

    stop = stage.run_virtually(people(5))

    words = "1 recipient reached the frequency cap during the run; the next start leaves them out"
    assert Stop(OutcomeReason.COOLDOWN, words) == stop
    assert ([1, 2, 3, 4], 2) == (stage.departed, len(stage.passes))
    assert [0, 1, 2, 3, 4] == stage.asked


def test_a_refused_one_that_came_back_unsent_is_left_out(tmp_path: Path) -> None:
    cooling: set[int] = set()

    async def script(stage: Stage, message: Message) -> Outcome:
        if stage.departed == [0]:
            cooling.add(0)
            return THROTTLED
        return OK

    stage = Stage(tmp_path, script, Rate(1, 1), cooling=cooling)
    stop = stage.run_virtually(people(3))

    assert stop is not None
    assert OutcomeReason.COOLDOWN == stop.reason
    assert ([0, 1, 2], {"accepted": 2}) == (stage.departed, stage.statuses)


def test_who_opts_out_while_it_is_sent_gets_nothing_more(tmp_path: Path) -> None:
    """The STOP comes with the answer to another message; what is claimed after it doesn't leave."""

    async def script(stage: Stage, message: Message) -> Outcome:
        if message.row == 1:
            opt_out(stage, 4, 5)
        return OK

    allowance = Ten()
    stage = Stage(tmp_path, script, Rate(1, 1), budget=allowance)
    stop = stage.run_virtually(each_with_a_number(8))

    words = "2 recipients opted out during the run; the next start leaves them out"
    assert Stop(OutcomeReason.OPTED_OUT, words) == stop
    assert [0, 1, 2, 3, 6, 7] == stage.departed
    assert (6, {"accepted": 6}) == (allowance.taken, stage.statuses)


def test_who_opts_out_while_their_message_waits_to_go_again_gets_nothing(tmp_path: Path) -> None:
    async def script(stage: Stage, message: Message) -> Outcome:
        if stage.departed == [0]:
            opt_out(stage, 0)
            return THROTTLED
        return OK

    stage = Stage(tmp_path, script, Rate(1, 1))
    stop = stage.run_virtually(each_with_a_number(3))

    assert stop is not None
    assert OutcomeReason.OPTED_OUT == stop.reason
    assert ([0, 1, 2], {"accepted": 2}) == (stage.departed, stage.statuses)


def test_who_opts_out_in_a_pause_gets_nothing_though_it_was_claimed_before(tmp_path: Path) -> None:
    """At 200/s up to ten are claimed ahead, and a Retry-After may keep them waiting for minutes."""
    held = outcome(Status.UNSENT, OutcomeReason.THROTTLED, Then.PAUSE, retry_after_s=60.0, sent_at=1, http_status=429)
    ahead: list[int] = []

    async def script(stage: Stage, message: Message) -> Outcome:
        if message.row == 3 and not ahead:
            ahead.append(stage.sending())
            opt_out(stage, *range(4, 40, 2))
            return held
        return OK

    allowance = Forty()
    stage = Stage(tmp_path, script, Rate(200, 1), budget=allowance)
    stop = stage.run_virtually(each_with_a_number(40))

    assert ahead > [1], "none was claimed ahead"
    assert stop is not None
    assert "18 recipients opted out during the run; the next start leaves them out" == stop.detail
    assert sorted([0, 1, 2, 3, 3, *range(5, 40, 2)]) == sorted(stage.departed)
    assert (22, {"accepted": 22}) == (allowance.taken, stage.statuses)


def test_an_opt_out_is_the_reason_only_when_it_is_the_only_one(tmp_path: Path) -> None:
    """So that a run in which everybody else got their message can be told from one that is to be run again."""
    hours = SendingHoursGate(SendingHours(9 * 60, 20 * 60, frozenset(range(7)), None))
    stage = Stage(tmp_path, answering(), begin="2026-11-25T12:00+08:00", hours=hours, skip=True)
    opt_out(stage, 1)

    stop = stage.run_virtually(
        [*each_with_a_number(2, "Asia/Singapore"), *each_with_a_number(1, "Europe/London", first=2)]
    )

    assert stop is not None
    assert OutcomeReason.OUTSIDE_WINDOW == stop.reason
    assert "1 recipient opted out during the run; the next start leaves them out" in stop.detail
    assert [0] == stage.departed


def test_several_causes_are_all_told(tmp_path: Path) -> None:
    hours = SendingHoursGate(SendingHours(9 * 60, 20 * 60, frozenset(range(7)), None))
    stage = Stage(tmp_path, answering(), begin="2026-11-25T12:00+08:00", hours=hours, skip=True, cooling=[2])
    zones = [(), ("Europe/London",), ("Asia/Singapore",), ("Asia/Singapore",)]

    stop = stage.run_virtually([m for row, own in enumerate(zones) for m in people(1, *own, first=row)])

    assert stop is not None
    assert OutcomeReason.OUTSIDE_WINDOW == stop.reason
    for words in ("1 message was skipped outside", "1 message has no time", "1 recipient reached"):
        assert words in stop.detail
    assert [3] == stage.departed


def test_a_source_that_fails_leaves_no_claim_behind(tmp_path: Path) -> None:
    """A plan that can't be read on is an error, but what was claimed for it and not sent isn't lost."""

    class Torn(Stage):
        async def left(self, messages: Sequence[Message]) -> AsyncIterator[Message]:
            for message in messages:
                if message.row == 200:
                    raise OSError("the plan is torn")
                yield message

    stage = Torn(tmp_path, answering(), Rate(2000, 1))

    with pytest.raises(OSError, match="torn"):
        stage.run_virtually(people(1000))
    assert {"accepted": len(stage.departed)} == stage.statuses


def test_a_pass_that_is_left_early_is_closed(tmp_path: Path) -> None:
    """It holds the plan's file open, and isn't left to the garbage collector."""
    passes: list[AsyncIterator[Message]] = []
    closed: list[bool] = []

    class Noting(Stage):
        def left(self, messages: Sequence[Message]) -> AsyncIterator[Message]:
            passes.append(self.read(messages))
            return passes[-1]

        async def read(self, messages: Sequence[Message]) -> AsyncIterator[Message]:
            try:
                for message in messages:
                    yield message
            finally:
                closed.append(True)

    async def script(stage: Stage, message: Message) -> Outcome:
        stage.dispatcher.stop(Stop(OutcomeReason.INTERRUPTED, "Ctrl-C"))
        return OK

    async def send_and_look(stage: Stage) -> list[bool]:
        await stage.send(people(10))
        return [*closed]

    stage = Noting(tmp_path, script, Rate(20, 1))

    assert [True] == asyncio.run(send_and_look(stage))
    stage.close()


def test_stopping_does_not_wait_until_all_are_passed_over(tmp_path: Path) -> None:
    """A million closed messages take seconds."""
    read: list[int] = []

    class Long(Stage):
        async def left(self, messages: Sequence[Message]) -> AsyncIterator[Message]:
            for message in messages:
                read.append(message.row)
                if message.row == 100:
                    self.dispatcher.stop(Stop(OutcomeReason.INTERRUPTED, "Ctrl-C"))
                yield message

    hours = SendingHoursGate(SendingHours(9 * 60, 20 * 60, frozenset(range(7)), "Asia/Singapore"))
    stage = Long(tmp_path, answering(), begin="2026-11-25T22:00+08:00", hours=hours)

    assert stage.run_virtually(people(5000)) == Stop(OutcomeReason.INTERRUPTED, "Ctrl-C")
    assert list(range(101)) == read


@pytest.mark.parametrize(("rate", "expected"), [(Rate(10, 1), False), (Rate(400, 1), True)], ids=str)
def test_at_a_high_rate_the_next_group_is_claimed_while_the_last_one_leaves(
    tmp_path: Path, rate: Rate, expected: bool
) -> None:
    """Else each group would wait for the disk."""
    ahead: list[bool] = []

    async def script(stage: Stage, message: Message) -> Outcome:
        feed = stage.dispatcher.source
        assert isinstance(feed, Feed)
        ahead.append(feed._refill is not None)
        return OK

    assert Stage(tmp_path, script, rate).run_virtually(people(40)) is None
    assert expected == any(ahead)
