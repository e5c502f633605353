"""`notAfter`: from then on nothing leaves, whatever is being waited for, on a virtual clock."""

import asyncio
import math
import random
from pathlib import Path

import pytest

from runner.base.messages import Message
from runner.base.options import Outside, Rate, SendingHours
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.dispatch.pace import JITTER_S
from runner.dispatch.progress import Stop
from runner.dispatch.retry import Backoff
from runner.schedule.sending_hours import SendingHoursGate
from tests.dispatch import virtual
from tests.dispatch.stage import OK, Stage, answering, at, outcome, people

NOON = "2026-11-25T12:00+08:00"
HALF_PAST = at("2026-11-25T12:30+08:00")
LATE = Stop(OutcomeReason.TOO_LATE, "it is past notAfter (2026-11-25 04:30 UTC)")


class Timed(Stage):
    """Notes how many seconds the run took."""

    async def send(self, *args: object, **named: object) -> Stop | None:
        try:
            return await super().send(*args, **named)  # type: ignore[arg-type]
        finally:
            self.took_s = asyncio.get_running_loop().time() - virtual.BEGIN


AT_ONE_A_SECOND = math.ceil(1800 / (1 + JITTER_S))


@pytest.mark.parametrize(
    ("rate", "sent"), [(Rate(1, 60), 30), (Rate(1, 3600), 1), (Rate(1, 1), AT_ONE_A_SECOND)], ids=str
)
def test_nothing_leaves_from_then_on(tmp_path: Path, rate: Rate, sent: int) -> None:
    """And the run ends then: at 1/h it doesn't wait for a turn that is half an hour too late."""
    stage = Timed(tmp_path, answering(), rate, begin=NOON, not_after=HALF_PAST)

    assert stage.run_virtually(people(2000)) == LATE
    assert (list(range(sent)), {"accepted": sent}) == (stage.departed, stage.statuses)
    assert stage.departed_at[-1][1] < HALF_PAST
    assert 1800 == pytest.approx(stage.took_s, abs=1)


def test_a_run_that_begins_too_late_sends_nothing(tmp_path: Path) -> None:
    stage = Timed(tmp_path, answering(), begin="2026-11-25T12:30+08:00", not_after=HALF_PAST)

    assert stage.run_virtually(people(3)) == LATE
    assert ([], {}) == (stage.departed, stage.statuses)


def test_nothing_to_send_is_never_too_late(tmp_path: Path) -> None:
    assert Stage(tmp_path, answering(), begin="2026-11-25T13:00+08:00", not_after=HALF_PAST).run_virtually([]) is None


def test_the_last_answer_may_come_later(tmp_path: Path) -> None:
    async def script(stage: Stage, message: Message) -> Outcome:
        await asyncio.sleep(40)
        return OK

    stage = Timed(tmp_path, script, begin="2026-11-25T12:29:50+08:00", not_after=HALF_PAST)

    assert stage.run_virtually(people(3)) is None
    assert {"accepted": 3} == stage.statuses


def test_what_comes_back_later_is_not_sent_again(tmp_path: Path) -> None:
    async def script(stage: Stage, message: Message) -> Outcome:
        await asyncio.sleep(40)
        return outcome(
            Status.UNSENT, OutcomeReason.THROTTLED, Then.PAUSE, retry_after_s=1.0, sent_at=1, http_status=429
        )

    stage = Timed(tmp_path, script, begin="2026-11-25T12:29:50+08:00", not_after=HALF_PAST)

    assert stage.run_virtually(people(1)) == LATE
    assert ([0], {}) == (stage.departed, stage.statuses)


def test_a_pause_is_not_waited_for_any_longer(tmp_path: Path) -> None:
    throttled = outcome(
        Status.UNSENT, OutcomeReason.THROTTLED, Then.PAUSE, retry_after_s=7200.0, sent_at=1, http_status=429
    )
    patient = Backoff(random.Random(1), give_up_after_s=10_000)
    stage = Timed(tmp_path, answering(throttled), Rate(1, 1), begin=NOON, not_after=HALF_PAST, backoff=patient)

    assert stage.run_virtually(people(3)) == LATE
    assert 1800 == pytest.approx(stage.took_s, abs=1)


def test_a_connection_that_stands_too_late_is_not_used(tmp_path: Path) -> None:
    stage = Timed(tmp_path, answering(), begin="2026-11-25T12:29:55+08:00", not_after=HALF_PAST, connect_s=lambda: 10.0)

    assert stage.run_virtually(people(3)) == LATE
    assert ([], {}) == (stage.departed, stage.statuses)


@pytest.mark.parametrize(
    ("not_after", "ends_after_s"),
    [("2026-11-26T08:00+08:00", 0), ("2026-11-26T09:00+08:00", 0), ("2026-11-26T09:00:01+08:00", 13 * 3600 + 1)],
)
def test_hours_that_begin_too_late_are_not_waited_for(tmp_path: Path, not_after: str, ends_after_s: float) -> None:
    hours = SendingHoursGate(SendingHours(9 * 60, 20 * 60, frozenset(range(7)), "Asia/Singapore"))
    stage = Timed(
        tmp_path, answering(), Rate(2, 1), begin="2026-11-25T20:00+08:00", hours=hours, not_after=at(not_after)
    )

    stop = stage.run_virtually(people(10))

    assert stop is not None
    assert OutcomeReason.TOO_LATE == stop.reason
    assert ends_after_s == pytest.approx(stage.took_s, abs=1)
    if not ends_after_s:
        assert "the remaining messages wait for sending hours, until 2026-11-26 09:00 Asia/Singapore" in stop.detail


def test_nothing_is_scheduled_for_a_moment_that_is_too_late(tmp_path: Path) -> None:
    """It is not yet notAfter, but the provider would keep the message until it is."""
    not_after = at("2026-11-26T08:00+08:00")
    window = SendingHours(9 * 60, 20 * 60, frozenset(range(7)), "Asia/Singapore", Outside.SCHEDULE)
    hours = SendingHoursGate(window, not_after=not_after)
    stage = Timed(tmp_path, answering(), begin="2026-11-25T22:00+08:00", hours=hours, not_after=not_after)

    stop = stage.run_virtually(people(3))

    assert stop is not None
    assert OutcomeReason.TOO_LATE == stop.reason
    assert ([], {}) == (stage.departed, stage.statuses)


def test_a_clock_that_is_set_past_it_stops_the_next_request(tmp_path: Path) -> None:
    async def script(stage: Stage, message: Message) -> Outcome:
        if message.row == 4:
            stage.clock_set_by_s = 3600.0
        return OK

    stage = Timed(tmp_path, script, Rate(1, 1), begin=NOON, not_after=HALF_PAST)

    assert stage.run_virtually(people(10)) == LATE
    assert [0, 1, 2, 3, 4] == stage.departed
