"""Sending inside of sending hours, on a virtual clock: what leaves when, what is waited for, and what is not lost."""

import asyncio
import itertools
import random
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base.errors import LedgerError
from runner.base.events import EventKind
from runner.base.messages import Message
from runner.base.options import Outside, Rate, SendingHours
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.dispatch.progress import Stop
from runner.dispatch.retry import Backoff
from runner.schedule.sending_hours import SendingHoursGate
from tests.dispatch.stage import OK, Stage, answering, at, outcome, people

ALL_DAYS = frozenset(range(7))
EVERY_SECOND = Rate(1, 1)
SINGAPORE, LONDON = "Asia/Singapore", "Europe/London"

REFUSED = outcome(Status.UNSENT, OutcomeReason.NO_CONNECTION, Then.BACK_OFF)


def throttled(retry_after_s: float) -> Outcome:
    return outcome(
        Status.UNSENT, OutcomeReason.THROTTLED, Then.PAUSE, retry_after_s=retry_after_s, sent_at=1, http_status=429
    )


def nine_to_eight(zone: str | None = SINGAPORE, outside: Outside = Outside.WAIT) -> SendingHoursGate:
    return SendingHoursGate(SendingHours(9 * 60, 20 * 60, ALL_DAYS, zone, outside))


def times(stage: Stage, zone: str = SINGAPORE) -> list[str]:
    return [f"{datetime.fromtimestamp(when, ZoneInfo(zone)):%d %H:%M:%S}" for _, when in stage.departed_at]


def test_a_run_that_begins_at_night_sleeps_until_the_morning(tmp_path: Path) -> None:
    stage = Stage(tmp_path, answering(), begin="2026-11-25T22:00+08:00", hours=nine_to_eight())
    seen: list[tuple[str, float | None, int]] = []
    look = stage.wall

    def wall() -> float:
        if stage.progress.sleeps_until and not seen:
            seen.append((stage.progress.waiting_for, stage.progress.sleeps_until, stage.progress.in_flight))
        return look()

    stage.wall = wall  # type: ignore[method-assign]

    assert stage.run_virtually(people(50)) is None
    assert list(range(50)) == stage.departed
    assert "26 09:00:00" == times(stage)[0]
    assert [("sending hours, until 2026-11-26 09:00 Asia/Singapore", at("2026-11-26T09:00+08:00"), 0)] == seen
    assert ("", None) == (stage.progress.waiting_for, stage.progress.sleeps_until)
    assert [at("2026-11-25T22:00+08:00"), at("2026-11-26T09:00+08:00")] == pytest.approx(stage.passes, abs=1)


def test_a_night_is_told_and_noted_as_one_rest(tmp_path: Path) -> None:
    told: list[str | None] = []
    stage = Stage(tmp_path, answering(), begin="2026-11-25T22:00+08:00", hours=nine_to_eight(), resting=told.append)

    assert stage.run_virtually(people(1)) is None
    words = "sending hours, until 2026-11-26 09:00 Asia/Singapore"
    assert [words, None] == told
    [rest] = stage.progress.events
    assert (EventKind.RESTED, words) == (rest.kind, rest.detail)
    assert (at("2026-11-25T22:00+08:00"), 11 * 3600) == pytest.approx((rest.at / 1e6, rest.seconds), abs=1)


def test_what_is_not_sent_in_the_evening_is_sent_in_the_morning(tmp_path: Path) -> None:
    stage = Stage(tmp_path, answering(), EVERY_SECOND, begin="2026-11-25T19:59:50+08:00", hours=nine_to_eight())

    assert stage.run_virtually(people(20)) is None
    assert list(range(20)) == stage.departed
    assert ("25 19:59:50", "25 19:59:59", "26 09:00:00") == (times(stage)[0], times(stage)[9], times(stage)[10])
    assert {"accepted": 20} == stage.statuses


def test_each_is_sent_in_the_hours_of_its_own_zone_in_the_order_of_the_file(tmp_path: Path) -> None:
    """In London it is 19:00 when the run begins, in Singapore 03:00."""
    stage = Stage(tmp_path, answering(), Rate(1, 60), begin="2026-11-25T19:00+00:00", hours=nine_to_eight(zone=None))
    people_there = [*people(10, SINGAPORE), *people(100, LONDON, first=10)]

    assert stage.run_virtually(people_there) is None
    # London until 20:00 there, Singapore from 09:00 there (01:00 in London), London's rest from 09:00 on.
    assert [*range(10, 70), *range(10), *range(70, 110)] == stage.departed
    assert ("25 19:59:00", "26 01:00:00", "26 09:00:00") == tuple(times(stage, LONDON)[n] for n in (59, 60, 70))
    assert 3 == len(stage.passes)


def test_those_that_open_meanwhile_go_first_if_they_come_first_in_the_file(tmp_path: Path) -> None:
    """Singapore opens while London, further down in the file, is sent to."""
    hours = SendingHoursGate(SendingHours(9 * 60, 20 * 60, ALL_DAYS, None))
    stage = Stage(tmp_path, answering(), Rate(1, 60), begin="2026-11-26T08:30+08:00", hours=hours)

    assert stage.run_virtually([*people(5, SINGAPORE), *people(60, "Australia/Sydney", first=5)]) is None
    # At 09:00 one more leaves that was looked at before.
    assert [*range(5, 36), *range(5), *range(36, 65)] == stage.departed
    assert {"accepted": 65} == stage.statuses
    assert 2 == len(stage.passes)


def test_a_message_must_be_inside_in_all_of_its_zones(tmp_path: Path) -> None:
    stage = Stage(tmp_path, answering(), begin="2026-11-25T09:00-05:00", hours=nine_to_eight(zone=None))

    assert stage.run_virtually(people(2, "America/New_York", "Pacific/Honolulu")) is None
    assert ["25 14:00:00"] * 2 == times(stage, "America/New_York")


def test_what_was_claimed_before_the_end_does_not_leave_after_it(tmp_path: Path) -> None:
    """The connection takes ten seconds, and the hours end meanwhile."""
    slow = iter([10.0])
    claimed_at_night: list[int] = []
    stage = Stage(
        tmp_path,
        answering(),
        begin="2026-11-25T19:59:55+08:00",
        hours=nine_to_eight(),
        connect_s=lambda: next(slow, 0.0),
    )

    async def script(stage: Stage, message: Message) -> Outcome:
        if message.row == 1:
            stage.later("2026-11-25T23:00+08:00", lambda: claimed_at_night.append(stage.sending()))
        return OK

    stage.script = script

    assert stage.run_virtually(people(3)) is None
    assert [1, 2, 0] == stage.departed
    assert "26 09:00:00" == times(stage)[-1]
    assert [0] == claimed_at_night
    assert {"accepted": 3} == stage.statuses


@pytest.mark.parametrize(
    "answer",
    [throttled(3600), throttled(20 * 3600), REFUSED],
    ids=["a pause", "a pause past the morning", "no network"],
)
def test_what_came_back_waits_for_the_morning(tmp_path: Path, answer: Outcome) -> None:
    stage = Stage(
        tmp_path,
        answering(answer),
        EVERY_SECOND,
        begin="2026-11-25T19:59:59.5+08:00",
        hours=nine_to_eight(),
        backoff=Backoff(random.Random(1), give_up_after_s=86_400),
    )

    assert stage.run_virtually(people(5)) is None
    assert [0, 0, 1, 2, 3, 4] == stage.departed
    paused_past_the_morning = answer.retry_after_s is not None and answer.retry_after_s > 13 * 3600
    assert ("26 15:59:59" if paused_past_the_morning else "26 09:00:00") == times(stage)[1]
    assert {"accepted": 5} == stage.statuses


def test_the_night_does_not_count_as_time_without_a_connection(tmp_path: Path) -> None:
    """Else the first failure of the morning, 13 hours after the one of the evening, would end the run."""
    stage = Stage(
        tmp_path,
        answering(REFUSED, REFUSED),
        begin="2026-11-25T19:59:59.99+08:00",
        hours=nine_to_eight(),
        backoff=Backoff(random.Random(3), give_up_after_s=600),
    )

    assert stage.run_virtually(people(3)) is None
    assert {"accepted": 3} == stage.statuses
    assert ["25", "26"] == sorted({when[:2] for when in times(stage)})


def test_one_an_hour_sends_as_many_as_fit_into_the_hours(tmp_path: Path) -> None:
    stage = Stage(tmp_path, answering(), Rate(1, 3600), begin="2026-11-25T17:30+08:00", hours=nine_to_eight())

    assert stage.run_virtually(people(6)) is None
    assert ["25 17:30:00", "25 18:30:00", "25 19:30:00", "26 09:00:00", "26 10:00:00", "26 11:00:00"] == times(stage)


def test_skipped_messages_are_not_waited_for(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        answering(),
        begin="2026-11-25T19:00+00:00",
        hours=nine_to_eight(None, Outside.SKIP),
        skip=True,
    )

    stop = stage.run_virtually([*people(2, SINGAPORE), *people(3, LONDON, first=2)])

    words = "2 messages were skipped outside the sending hours; run the campaign again during them"
    assert Stop(OutcomeReason.OUTSIDE_WINDOW, words) == stop
    assert [2, 3, 4] == stage.departed
    assert {"accepted": 3} == stage.statuses


def test_what_came_back_after_the_end_is_skipped_too(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        answering(throttled(60)),
        begin="2026-11-25T19:59:59.5+08:00",
        hours=nine_to_eight(outside=Outside.SKIP),
        skip=True,
    )

    stop = stage.run_virtually(people(1))

    words = "1 message was skipped outside the sending hours; run the campaign again during them"
    assert Stop(OutcomeReason.OUTSIDE_WINDOW, words) == stop
    assert {} == stage.statuses


@pytest.mark.parametrize("skip", [False, True])
def test_what_never_opens_is_not_waited_for(tmp_path: Path, skip: bool) -> None:
    stage = Stage(tmp_path, answering(), hours=SendingHoursGate(SendingHours(540, 1020, ALL_DAYS, None)), skip=skip)

    stop = stage.run_virtually(
        [*people(1), *people(1, LONDON, "Pacific/Auckland", first=1), *people(2, SINGAPORE, first=2)]
    )

    assert stop is not None
    assert OutcomeReason.OUTSIDE_WINDOW == stop.reason
    assert stop.detail.startswith("2 messages have no time in the next week")
    assert [2, 3] == stage.departed


def test_all_that_can_be_sent_is_before_it_tells_of_what_cannot(tmp_path: Path) -> None:
    stage = Stage(tmp_path, answering(), begin="2026-11-25T22:00+08:00", hours=nine_to_eight(zone=None))

    stop = stage.run_virtually([*people(1), *people(2, SINGAPORE, first=1)])

    assert stop is not None
    assert stop.detail.startswith("1 message has no time")
    assert {"accepted": 2} == stage.statuses


def test_stopping_does_not_wait_for_the_morning(tmp_path: Path) -> None:
    stage = Stage(tmp_path, answering(), EVERY_SECOND, begin="2026-11-25T19:59:59+08:00", hours=nine_to_eight())
    stop = Stop(OutcomeReason.INTERRUPTED, "Ctrl-C")
    stopped_at: list[float] = []

    def interrupt() -> None:
        stopped_at.append(stage.wall())
        stage.dispatcher.stop(stop)
        stage.dispatcher.abandon()  # a second Ctrl-C finds nothing in flight

    async def script(stage: Stage, message: Message) -> Outcome:
        stage.later("2026-11-26T02:00+08:00", interrupt)
        return OK

    stage.script = script

    assert stop == stage.run_virtually(people(5))
    assert [at("2026-11-26T02:00+08:00")] == pytest.approx(stopped_at, abs=1)
    assert ([0], {"accepted": 1}, 1) == (stage.departed, stage.statuses, len(stage.passes))
    assert ("", None) == (stage.progress.waiting_for, stage.progress.sleeps_until)


def test_a_ledger_that_fails_at_night_ends_the_run(tmp_path: Path) -> None:
    stage = Stage(tmp_path, answering(), EVERY_SECOND, begin="2026-11-25T19:59:59+08:00", hours=nine_to_eight())
    ends: list[float] = []

    def fail() -> None:
        ends.append(stage.wall())
        stage.writer._failed([], LedgerError("the ledger could not be written: disk full"))

    async def script(stage: Stage, message: Message) -> Outcome:
        stage.later("2026-11-26T02:00+08:00", fail)
        return OK

    stage.script = script

    with pytest.raises(LedgerError, match="disk full"):
        stage.run_virtually(people(5))
    assert [0] == stage.departed
    assert [at("2026-11-26T02:00+08:00")] == pytest.approx(ends, abs=1)


@pytest.mark.parametrize(
    ("set_by", "first"),
    [
        # Slept until 09:00 by the clock as it was: 12 hours later it showed 09:00 of the day that was due.
        pytest.param(timedelta(hours=-3), "26 09:00:00", id="back"),
        # It showed 03:00, slept for less than a minute more, then it was open.
        pytest.param(timedelta(hours=8), "26 11:0", id="forward into the hours"),
        pytest.param(timedelta(hours=19), "27 09:00:00", id="forward past the hours: suspended for a day"),
        pytest.param(timedelta(days=-3), "23 09:00:00", id="back by days: an earlier opening is not missed"),
    ],
)
def test_a_clock_that_is_set_at_night_is_noticed(tmp_path: Path, set_by: timedelta, first: str) -> None:
    stage = Stage(tmp_path, answering(), EVERY_SECOND, begin="2026-11-25T19:59:59+08:00", hours=nine_to_eight())

    def set_clock() -> None:
        stage.clock_set_by_s += set_by.total_seconds()

    async def script(stage: Stage, message: Message) -> Outcome:
        if message.row == 0:
            stage.later("2026-11-26T03:00+08:00", set_clock)
        return OK

    stage.script = script

    assert stage.run_virtually(people(3)) is None
    assert times(stage)[1].startswith(first)
    assert {"accepted": 3} == stage.statuses


def test_a_lease_that_was_lost_at_night_is_noticed_before_anything_leaves(tmp_path: Path) -> None:
    class Lost:
        def is_valid(self) -> bool:
            return stage.wall() < at("2026-11-26T00:00+08:00")

        def renew(self) -> bool:
            return False

    stage = Stage(
        tmp_path, answering(), EVERY_SECOND, begin="2026-11-25T19:59:59+08:00", hours=nine_to_eight(), lease=Lost()
    )

    stop = stage.run_virtually(people(3))

    assert stop is not None
    assert OutcomeReason.LEASE_LOST == stop.reason
    assert [0] == stage.departed
    assert {"accepted": 1} == stage.statuses


def test_a_request_made_inside_does_not_leave_unscheduled_at_night(tmp_path: Path) -> None:
    """With `schedule` every moment will do, but not with a body that was made for another one."""
    slow = iter([10.0])
    hours = nine_to_eight(outside=Outside.SCHEDULE)
    stage = Stage(
        tmp_path, answering(), begin="2026-11-25T19:59:55+08:00", hours=hours, connect_s=lambda: next(slow, 0.0)
    )

    assert stage.run_virtually(people(2)) is None
    assert [1, 0] == stage.departed
    assert ["25 19:59:55", "25 20:00:05"] == times(stage)  # and the second was made anew, as scheduled


def test_scheduled_messages_leave_at_night_but_not_just_before_the_morning(tmp_path: Path) -> None:
    hours = nine_to_eight(outside=Outside.SCHEDULE)
    stage = Stage(tmp_path, answering(), Rate(1, 60), begin="2026-11-26T08:57:30+08:00", hours=hours)

    assert stage.run_virtually(people(4)) is None
    # The turn of 08:59:30 is let go.
    assert ["26 08:57:30", "26 08:58:30", "26 09:00:30", "26 09:01:30"] == times(stage)


answers = st.sampled_from(
    [OK] * 6
    + [
        throttled(5),
        throttled(1800),
        throttled(11 * 3600),
        REFUSED,
        outcome(Status.UNKNOWN, OutcomeReason.TIMEOUT, sent_at=1),
        outcome(Status.REJECTED, OutcomeReason.BAD_REQUEST, http_status=400, sent_at=1),
    ]
)
zone_sets = st.sampled_from(
    [(SINGAPORE,), (LONDON,), ("America/Phoenix",), ("Australia/Lord_Howe",), ("America/New_York", "Pacific/Honolulu")]
)


@settings(max_examples=30)
@given(
    zones=st.lists(zone_sets, min_size=1, max_size=25),
    opens=st.integers(0, 1439),
    length=st.integers(11 * 60, 23 * 60),
    days=st.frozensets(st.integers(0, 6), min_size=2),
    rate=st.sampled_from([Rate(1, 3600), Rate(7, 60), Rate(1, 1), Rate(200, 1)]),
    connect=st.lists(st.sampled_from([0.0, 0.0, 0.0, 2.0, 9.0, 700.0]), min_size=1, max_size=5),
    script=st.lists(answers, max_size=40),
    clock_sets=st.lists(st.tuples(st.integers(0, 200_000), st.integers(-50_000, 50_000)), max_size=2),
)
def test_whatever_happens_each_is_sent_once_and_inside(
    zones: list[tuple[str, ...]],
    opens: int,
    length: int,
    days: frozenset[int],
    rate: Rate,
    connect: list[float],
    script: list[Outcome],
    clock_sets: list[tuple[int, int]],
) -> None:
    window = SendingHours(opens, (opens + length) % 1440, days, None)
    connections = itertools.cycle(connect)
    scripted = answering(*script)

    def set_clock(by_s: int) -> Callable[[], None]:
        def move() -> None:
            stage.clock_set_by_s += by_s

        return move

    done: list[int] = []

    async def note(stage: Stage, message: Message) -> Outcome:
        answer = await scripted(stage, message)
        if answer.status is not Status.UNSENT:
            done.append(message.row)
        return answer

    async def first(stage: Stage, message: Message) -> Outcome:
        stage.script = note
        for after_s, by_s in clock_sets:
            asyncio.get_running_loop().call_later(after_s, set_clock(by_s))
        return await note(stage, message)

    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(
            Path(folder),
            first,
            rate,
            begin="2026-10-23T12:00+00:00",
            connect_s=lambda: next(connections),
            hours=SendingHoursGate(window),
            backoff=Backoff(random.Random(1), give_up_after_s=1e9),
        )
        messages = [message for row, own in enumerate(zones) for message in people(1, *own, first=row)]

        stop = stage.run_virtually(messages)

    assert stop is None
    assert list(range(len(zones))) == sorted(done)
    assert len(zones) == sum(stage.statuses.values())
    assert "sending" not in stage.statuses
    for row, when in stage.departed_at:
        assert is_inside(window, zones[row], when), f"row {row} left outside of its hours"


def is_inside(window: SendingHours, zones: tuple[str, ...], when: float) -> bool:
    """What the wall clocks show, and nothing else."""
    for zone in zones:
        wall = datetime.fromtimestamp(when, ZoneInfo(zone))
        minute, today = wall.hour * 60 + wall.minute, wall.weekday()
        if window.opens < window.closes:
            inside = today in window.days and window.opens <= minute < window.closes
        else:
            inside = (today in window.days and minute >= window.opens) or (
                (today - 1) % 7 in window.days and minute < window.closes
            )
        if not inside:
            return False
    return True
