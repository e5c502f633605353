"""Sending against a real ledger, with a provider that is scripted: what leaves, what comes back, what is noted."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from runner.base.errors import LedgerError
from runner.base.messages import Message
from runner.base.options import FuseLimits, Rate
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.dispatch.dispatcher import Departure
from runner.dispatch.feed import CLAIM_AHEAD_S
from runner.dispatch.fuse import Fuses
from runner.dispatch.progress import Stop
from runner.dispatch.retry import Backoff
from runner.ledger.ledger import open_ledger
from runner.ledger.writer import Claim, merge_spill, spill_path
from tests.deadline import DEADLINE_S
from tests.dispatch.stage import OK, Stage, answering, at, outcome, people


class Quick(random.Random):
    """A backoff that hardly rests."""

    def uniform(self, a: float, b: float) -> float:
        return min(0.01, b)


def test_every_message_is_sent_once_in_order(tmp_path: Path) -> None:
    stage = Stage(tmp_path, answering())

    assert stage.run(500) is None
    assert list(range(500)) == stage.departed
    assert {"accepted": 500} == stage.statuses
    assert (500, 500) == (stage.progress.started, stage.progress.settled[Status.ACCEPTED])


def test_a_claim_is_in_the_ledger_before_its_request_leaves(tmp_path: Path) -> None:
    async def script(stage: Stage, message: Message) -> Outcome:
        found = stage.ledger.records(stage.record.id, [message.message_id])
        assert "sending" == found[message.message_id].status
        return OK

    stage = Stage(tmp_path, script)

    assert stage.run(50) is None
    assert {"accepted": 50} == stage.statuses


@pytest.mark.parametrize("rate", [Rate(10, 1), Rate(50, 1), Rate(400, 1), Rate(5000, 1)], ids=str)
def test_a_kill_would_leave_few_unknown(tmp_path: Path, rate: Rate) -> None:
    """What is claimed and has not left is at most a tenth of a second of the rate."""
    ahead: list[int] = []

    async def script(stage: Stage, message: Message) -> Outcome:
        ahead.append(stage.sending() - 1)
        return OK

    Stage(tmp_path, script, rate).run(max(4, rate.count // 20))

    assert max(ahead) <= rate.per_second * 0.1 + rate.per_second * CLAIM_AHEAD_S


def test_a_throttled_message_goes_again_after_the_pause(tmp_path: Path) -> None:
    throttled = outcome(
        Status.UNSENT, OutcomeReason.THROTTLED, Then.PAUSE, retry_after_s=0.05, sent_at=1, http_status=429
    )
    stage = Stage(tmp_path, answering(throttled))

    assert stage.run(20) is None
    assert {"accepted": 20} == stage.statuses
    assert [0, *range(20)] == sorted(stage.departed)
    assert 0.049 < stage.progress.throttled_s < 0.2
    with open_ledger(str(tmp_path / "l.sqlite3"), create=False) as ledger:
        records = ledger.records(1, ["a.b.0", "a.b.1"])
        assert (2, 1) == (records["a.b.0"].attempts, records["a.b.1"].attempts)


def test_a_fatal_answer_stops_everything_and_costs_nothing(tmp_path: Path) -> None:
    fatal = outcome(Status.UNSENT, OutcomeReason.UNAUTHORIZED, Then.STOP, error_id="e-1", http_status=401, sent_at=1)
    stage = Stage(tmp_path, answering(*[fatal] * 1000))

    stop = stage.run(1000)

    assert stop is not None
    assert (OutcomeReason.UNAUTHORIZED, fatal) == (stop.reason, stop.outcome)
    assert len(stage.departed) < 50
    assert {} == stage.statuses


def test_of_several_fatal_answers_the_first_counts_with_its_message(tmp_path: Path) -> None:
    """Three are in flight; the second one is answered first, after it was throttled once."""
    throttled = outcome(Status.UNSENT, OutcomeReason.THROTTLED, Then.PAUSE, retry_after_s=0.0, sent_at=1)
    answered: list[int] = []

    async def script(stage: Stage, message: Message) -> Outcome:
        if len(stage.departed) == 2:
            return throttled
        while len(stage.departed) < 4 or (message.row != 1 and not answered):  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.001)
        answered.append(message.row)
        return outcome(Status.UNSENT, OutcomeReason.FORBIDDEN, Then.STOP, error_id=f"e-{message.row}", sent_at=1)

    stage = Stage(tmp_path, script)
    stop = stage.run(3)

    assert stop is not None
    assert stop.fatal is not None
    assert ("a.b.1", 2, "e-1") == (stop.fatal.message_id, stop.fatal.attempts, stop.fatal.outcome.error_id)
    assert {} == stage.statuses


def test_without_a_connection_it_tries_one_at_a_time_until_one_gets_through(tmp_path: Path) -> None:
    refused = outcome(Status.UNSENT, OutcomeReason.NO_CONNECTION, Then.BACK_OFF)
    stage = Stage(tmp_path, answering(*[refused] * 60), backoff=Backoff(Quick()))

    assert stage.run(100) is None
    assert {"accepted": 100} == stage.statuses


def test_without_a_connection_for_too_long_it_gives_up(tmp_path: Path) -> None:
    refused = outcome(Status.UNSENT, OutcomeReason.NO_CONNECTION, Then.BACK_OFF)
    stage = Stage(tmp_path, answering(*[refused] * 1000), backoff=Backoff(random.Random(1), give_up_after_s=0.0))

    stop = stage.run(100)

    assert stop is not None
    assert OutcomeReason.NO_CONNECTION == stop.reason
    assert {} == stage.statuses


def test_too_many_unknown_in_a_row_blow_the_fuse(tmp_path: Path) -> None:
    lost = outcome(Status.UNKNOWN, OutcomeReason.SERVER_ERROR, sent_at=1)
    stage = Stage(tmp_path, answering(*[lost] * 1000), Rate(200, 1), fuses=Fuses(FuseLimits(unknown_in_a_row=5)))

    stop = stage.run(1000)

    assert stop is not None
    assert OutcomeReason.FUSE == stop.reason
    assert 5 <= stage.statuses["unknown"] == len(stage.departed) < 20


class SlowEnd(Stage):
    """The last message comes back while the reading thread still finds out that it was the last."""

    came_back: asyncio.Event

    async def left(self, messages: Sequence[Message]) -> AsyncIterator[Message]:
        async for message in super().left(messages):
            yield message
        await self.came_back.wait()


def test_what_comes_back_while_the_plan_ends_is_sent_all_the_same(tmp_path: Path) -> None:
    async def script(stage: Stage, message: Message) -> Outcome:
        assert isinstance(stage, SlowEnd)
        if len(stage.departed) > 1:
            return OK
        asyncio.get_running_loop().call_later(0.01, stage.came_back.set)
        return outcome(Status.UNSENT, OutcomeReason.HELD_BACK)

    stage = SlowEnd(tmp_path, script, Rate(10, 1))  # claimed one at a time
    stage.came_back = asyncio.Event()

    assert stage.run(1) is None
    assert ([0, 0], {"accepted": 1}) == (stage.departed, stage.statuses)


def test_unknown_ones_are_not_tried_again(tmp_path: Path) -> None:
    lost = outcome(Status.UNKNOWN, OutcomeReason.TIMEOUT, sent_at=1)
    stage = Stage(tmp_path, answering(lost, OK, lost))

    assert stage.run(10) is None
    assert {"accepted": 8, "unknown": 2} == stage.statuses
    assert list(range(10)) == stage.departed


def test_stopping_lets_nothing_leave_and_settles_what_is_in_flight(tmp_path: Path) -> None:
    answers = asyncio.Event()

    async def script(stage: Stage, message: Message) -> Outcome:
        if len(stage.departed) == 10:
            stage.dispatcher.stop(Stop(OutcomeReason.INTERRUPTED, "Ctrl-C"))
            asyncio.get_running_loop().call_later(0.05, answers.set)
        await answers.wait()
        return OK

    stage = Stage(tmp_path, script, Rate(1000, 1))
    stop = stage.run(1000)

    assert stop == Stop(OutcomeReason.INTERRUPTED, "Ctrl-C")
    assert 10 == len(stage.departed)
    assert {"accepted": 10} == stage.statuses


def test_a_second_ctrl_c_no_longer_waits(tmp_path: Path) -> None:
    async def script(stage: Stage, message: Message) -> Outcome:
        if len(stage.departed) == 3:
            stage.dispatcher.stop(Stop(OutcomeReason.INTERRUPTED, "Ctrl-C"))
            stage.dispatcher.abandon()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return outcome(Status.UNKNOWN, OutcomeReason.ABANDONED, sent_at=1)
        return OK

    stage = Stage(tmp_path, script, Rate(1000, 1))
    stage.run(1000)

    assert {"unknown": 3} == stage.statuses


def test_stopping_does_not_wait_for_a_turn_that_is_an_hour_away(tmp_path: Path) -> None:
    async def script(stage: Stage, message: Message) -> Outcome:
        asyncio.get_running_loop().call_later(0.02, stage.dispatcher.stop, Stop(OutcomeReason.INTERRUPTED, "Ctrl-C"))
        return OK

    async def send_and_look(stage: Stage) -> tuple[Stop | None, int]:
        task = asyncio.current_task()
        assert task is not None
        return await stage.send(people(5)), task.cancelling()

    stage = Stage(tmp_path, script, Rate(1, 3600))

    # It interrupts the wait by cancelling it; whoever called `run` must not look cancelled afterwards.
    assert (Stop(OutcomeReason.INTERRUPTED, "Ctrl-C"), 0) == asyncio.run(send_and_look(stage))
    stage.close()
    assert {"accepted": 1} == stage.statuses
    assert stage.progress.stopping


def test_the_last_message_is_the_end(tmp_path: Path) -> None:
    """No turn is waited for that nobody will use: at 1/h it is an hour away."""
    stage = Stage(tmp_path, answering(), Rate(1, 3600))

    assert asyncio.run(asyncio.wait_for(stage.send(people(1)), timeout=DEADLINE_S)) is None
    stage.close()
    assert [0] == stage.departed


def test_requests_in_flight_have_a_limit(tmp_path: Path) -> None:
    in_flight: list[int] = []

    async def script(stage: Stage, message: Message) -> Outcome:
        in_flight.append(stage.progress.in_flight)
        await asyncio.sleep(0.005)
        return OK

    assert Stage(tmp_path, script, in_flight_limit=5).run(60) is None
    assert 5 == max(in_flight)


def test_a_bug_stops_the_run_and_its_message_stays_claimed(tmp_path: Path) -> None:
    async def script(stage: Stage, message: Message) -> Outcome:
        if message.row == 3:
            raise KeyError("a bug")
        return OK

    stage = Stage(tmp_path, script, Rate(200, 1))

    with pytest.raises(KeyError):
        stage.run(1000)
    assert 1 == stage.statuses["sending"]
    assert len(stage.departed) < 50


def test_nothing_leaves_once_the_ledger_cannot_be_written(tmp_path: Path) -> None:
    async def script(stage: Stage, message: Message) -> Outcome:
        if len(stage.departed) == 10:
            with stage.ledger.engine.begin() as connection:
                connection.exec_driver_sql("alter table messages rename to elsewhere")
        return OK

    stage = Stage(tmp_path, script, Rate(200, 1))

    with pytest.raises(LedgerError):
        asyncio.run(stage.send(people(1000)))
    assert len(stage.departed) < 10 + 200 * 0.3

    # The answers that came meanwhile are kept beside the ledger, and the next start has them.
    with stage.ledger.engine.begin() as connection:
        connection.exec_driver_sql("alter table elsewhere rename to messages")
    merge_spill(stage.ledger, stage.record.id)
    assert {"accepted": len(stage.departed)} == stage.ledger.counts(stage.record.id)
    assert not spill_path(stage.ledger.path, stage.record.id).exists()
    stage.ledger.close()


def test_a_pause_that_begins_while_a_connection_is_opened_holds_its_request_back(tmp_path: Path) -> None:
    throttled = outcome(
        Status.UNSENT, OutcomeReason.THROTTLED, Then.PAUSE, retry_after_s=60.0, sent_at=1, http_status=429
    )
    connecting = iter([0.0, 10.0])

    async def script(stage: Stage, message: Message) -> Outcome:
        if len(stage.departed) == 1:
            await asyncio.sleep(5)
            return throttled
        return OK

    stage = Stage(tmp_path, script, Rate(10, 1), connect_s=lambda: next(connecting, 0.0))

    assert stage.run_virtually(people(2)) is None
    (_, began), *others = stage.departed_at
    assert [0, 1] == sorted(row for row, _ in others)
    assert min(moment for _, moment in others) >= began + 65
    assert 3 == stage.progress.started


def test_a_lease_that_runs_out_while_a_connection_is_opened_holds_its_request_back(tmp_path: Path) -> None:
    class Lease:
        """It runs out after five seconds, and five seconds after its renewal."""

        until = at("2026-11-25T12:00:05+08:00")

        def is_valid(self) -> bool:
            return stage.wall() < self.until

        def renew(self) -> bool:
            self.until = stage.wall() + 5.0
            return True

    class Leased(Stage):
        async def _send(self, claim: Claim, departure: Departure) -> Outcome:
            found = await super()._send(claim, departure)
            held_back.append(found.reason is OutcomeReason.HELD_BACK)
            return found

    held_back: list[bool] = []
    connecting = iter([10.0])
    stage = Leased(
        tmp_path,
        answering(),
        Rate(10, 1),
        begin="2026-11-25T12:00+08:00",
        connect_s=lambda: next(connecting, 0.0),
        lease=Lease(),
    )

    assert stage.run_virtually(people(1)) is None
    assert ([True, False], [0]) == (held_back, stage.departed)
