"""Decisions after trouble: what an answer means for all others, how long to rest, when to give up."""

import random

import pytest

from runner.base.events import Event, EventKind
from runner.base.options import Rate
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop
from runner.dispatch.retry import BACKOFF_BASE_S, BACKOFF_CAP_S, GIVE_UP_AFTER_S, Backoff, Retry


class Longest(random.Random):
    """Always the end of the range."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_the_rest_doubles_up_to_a_cap() -> None:
    backoff = Backoff(Longest())

    rests = [backoff.failed(0.0) for _ in range(9)]

    assert [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0] == rests
    assert (BACKOFF_BASE_S, BACKOFF_CAP_S) == (rests[0], rests[-1])


def test_jitter_takes_anything_down_to_nothing() -> None:
    rests = [Backoff(random.Random(seed)).failed(0.0) or 0.0 for seed in range(200)]

    assert min(rests) < 0.05
    assert 0.45 < max(rests) <= BACKOFF_BASE_S


def test_a_success_begins_anew() -> None:
    backoff = Backoff(Longest())
    for _ in range(5):
        backoff.failed(0.0)
    backoff.reached()

    assert BACKOFF_BASE_S == backoff.failed(GIVE_UP_AFTER_S * 2)


def test_it_gives_up_after_long_enough_without_one_success() -> None:
    backoff = Backoff(random.Random(1))
    backoff.failed(100.0)

    assert backoff.failed(100.0 + GIVE_UP_AFTER_S - 1) is not None
    assert backoff.failed(100.0 + GIVE_UP_AFTER_S) is None


NOW = 100.0


def an_outcome(status: Status, reason: OutcomeReason, then: Then = Then.GO_ON, **facts: object) -> Outcome:
    return Outcome(status, reason, "because", then, **facts)  # type: ignore[arg-type]


FATAL = an_outcome(Status.UNSENT, OutcomeReason.UNAUTHORIZED, Then.STOP, http_status=401)
PAUSED = an_outcome(Status.UNSENT, OutcomeReason.THROTTLED, Then.PAUSE, http_status=429, retry_after_s=7.0)
LOST = an_outcome(Status.UNKNOWN, OutcomeReason.TIMEOUT, sent_at=1)
HELD_BACK = an_outcome(Status.UNSENT, OutcomeReason.HELD_BACK)
TOLD = an_outcome(Status.ACCEPTED, OutcomeReason.QUEUED, http_status=200)
BUSY = an_outcome(Status.UNKNOWN, OutcomeReason.SERVER_ERROR, Then.BACK_OFF, http_status=503)
REFUSED = an_outcome(Status.UNSENT, OutcomeReason.NO_CONNECTION, Then.BACK_OFF)


@pytest.mark.parametrize(
    ("answer", "until", "one_at_a_time", "throttled", "waiting_for", "stop"),
    [
        pytest.param(LOST, 0.0, False, False, "", None, id="a request that left has reached the provider"),
        pytest.param(HELD_BACK, 0.0, True, False, "", None, id="nothing left: it proves nothing"),
        pytest.param(PAUSED, 107.0, False, True, "the provider's rate limit", None, id="a 429"),
        pytest.param(REFUSED, 101.0, True, False, "a connection for up to 10 min (because)", None, id="no connection"),
        pytest.param(
            FATAL, 0.0, False, False, "", Stop(OutcomeReason.UNAUTHORIZED, "because", FATAL), id="a fatal answer"
        ),
        pytest.param(TOLD, 0.0, False, False, "", None, id="a conversion that is told"),
        pytest.param(BUSY, 101.0, True, False, "the provider for up to 10 min (because)", None, id="a busy provider"),
    ],
)
def test_what_an_answer_means_for_all_others(
    answer: Outcome,
    until: float,
    one_at_a_time: bool,
    throttled: bool,
    waiting_for: str,
    stop: Stop | None,
) -> None:
    """After one failed connection, which was half a second ago."""
    progress, pace = Progress(), Pace(Rate(10, 1), clock=lambda: NOW)
    retry = Retry(pace, Backoff(Longest()), progress, wall=lambda: 0.0)
    retry.after(REFUSED, NOW - 0.5)
    retry.until, progress.waiting_for = 0.0, ""

    assert stop == retry.after(answer, NOW)
    assert (until, one_at_a_time) == (retry.until, retry.one_at_a_time)
    assert (throttled, waiting_for) == (pace.throttled, progress.waiting_for)
    assert one_at_a_time == bool(retry.unreachable)


def test_without_any_answer_for_long_all_stops() -> None:
    retry = Retry(Pace(Rate(10, 1), clock=lambda: NOW), Backoff(Longest()), Progress(), wall=lambda: 0.0)

    assert retry.after(REFUSED, NOW) is None
    stop = retry.after(REFUSED, NOW + GIVE_UP_AFTER_S)

    words = "gave up after 10 min: because"
    assert Stop(OutcomeReason.NO_CONNECTION, words, REFUSED) == stop


def test_many_429s_of_one_moment_slow_down_once() -> None:
    pace = Pace(Rate(10, 1), clock=lambda: NOW)
    retry = Retry(pace, Backoff(Longest()), Progress(), wall=lambda: 0.0)

    for _ in range(10):
        retry.after(PAUSED, NOW)
    assert 0.5 == pace._share
    retry.after(PAUSED, NOW + 7.0)  # the pause is over: this one is news
    assert 0.25 == pace._share


def test_a_later_429_makes_a_pause_longer_and_its_time_counts_once() -> None:
    progress = Progress()
    retry = Retry(Pace(Rate(10, 1), clock=lambda: NOW), Backoff(Longest()), progress, wall=lambda: 0.0)

    retry.after(PAUSED, NOW)
    retry.after(PAUSED, NOW + 3.0)

    assert (NOW + 10.0, 10.0) == (retry.until, progress.throttled_s)


def test_a_shorter_pause_takes_nothing_from_a_longer_one() -> None:
    progress = Progress()
    retry = Retry(Pace(Rate(10, 1), clock=lambda: NOW), Backoff(Longest()), progress, wall=lambda: 0.0)
    short = an_outcome(Status.UNSENT, OutcomeReason.THROTTLED, Then.PAUSE, http_status=429, retry_after_s=1.0)

    retry.after(PAUSED, NOW)
    retry.after(short, NOW + 3.0)

    assert (NOW + 7.0, 7.0) == (retry.until, progress.throttled_s)


def test_the_time_between_two_pauses_is_no_pause() -> None:
    progress = Progress()
    retry = Retry(Pace(Rate(10, 1), clock=lambda: NOW), Backoff(Longest()), progress, wall=lambda: 0.0)

    retry.after(PAUSED, NOW)
    retry.after(PAUSED, NOW + 20.0)

    assert (NOW + 27.0, 14.0) == (retry.until, progress.throttled_s)


def test_connections_that_fail_in_one_moment_count_once() -> None:
    backoff = Backoff(Longest())
    retry = Retry(Pace(Rate(10, 1), clock=lambda: NOW), backoff, Progress(), wall=lambda: 0.0)

    for _ in range(10):
        retry.after(REFUSED, NOW)
    assert (NOW + 0.5, 1) == (retry.until, backoff.failures)
    retry.after(REFUSED, NOW + 0.5)  # the rest is over: this one is news
    assert (NOW + 1.5, 2) == (retry.until, backoff.failures)


def test_each_pause_is_noted_by_the_time_of_day() -> None:
    progress = Progress()
    retry = Retry(Pace(Rate(10, 1), clock=lambda: NOW), Backoff(Longest()), progress, wall=lambda: 5_000.0)

    retry.after(PAUSED, NOW)
    retry.after(REFUSED, NOW + 7.0)

    expected = [
        Event(EventKind.THROTTLED, 5_000_000_000, 7.0),
        Event(EventKind.UNREACHABLE, 5_000_000_000, 0.5, "because"),
    ]
    assert expected == progress.events
