"""Decisions after trouble: what an answer means for all others, how long to rest, when to give up."""

import math
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

    rests = [backoff.next_wait_s() for _ in range(9)]

    assert [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0] == rests
    assert (BACKOFF_BASE_S, BACKOFF_CAP_S) == (rests[0], rests[-1])


def test_jitter_takes_anything_down_to_nothing() -> None:
    rests = [Backoff(random.Random(seed)).next_wait_s() for seed in range(200)]

    assert min(rests) < 0.05
    assert 0.45 < max(rests) <= BACKOFF_BASE_S


def test_a_success_begins_anew() -> None:
    backoff = Backoff(Longest())
    for _ in range(5):
        backoff.note_failure(0.0)
        backoff.next_wait_s()
    backoff.reached()

    assert GIVE_UP_AFTER_S == backoff.note_failure(GIVE_UP_AFTER_S * 2)
    assert BACKOFF_BASE_S == backoff.next_wait_s()


def test_the_time_without_success_counts_from_the_first_failure() -> None:
    backoff = Backoff(random.Random(1))
    backoff.note_failure(100.0)

    assert 1 == backoff.note_failure(100.0 + GIVE_UP_AFTER_S - 1)
    assert 0 == backoff.note_failure(100.0 + GIVE_UP_AFTER_S)


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
        pytest.param(
            PAUSED,
            107.0,
            False,
            True,
            "the provider's rate limit until 00:00:07 UTC; gives up at 00:09:59 UTC",
            None,
            id="a 429",
        ),
        pytest.param(
            REFUSED, 101.0, True, False, "a connection; gives up at 00:09:59 UTC (because)", None, id="no connection"
        ),
        pytest.param(
            FATAL, 0.0, False, False, "", Stop(OutcomeReason.UNAUTHORIZED, "because", FATAL), id="a fatal answer"
        ),
        pytest.param(TOLD, 0.0, False, False, "", None, id="a conversion that is told"),
        pytest.param(
            BUSY, 101.0, True, False, "the provider; gives up at 00:09:59 UTC (because)", None, id="a busy provider"
        ),
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


def throttled(retry_after_s: float) -> Outcome:
    return an_outcome(Status.UNSENT, OutcomeReason.THROTTLED, Then.PAUSE, http_status=429, retry_after_s=retry_after_s)


@pytest.mark.parametrize("retry_after_s", [0.0, 1.0])
def test_429s_for_long_stop_all(retry_after_s: float) -> None:
    retry = Retry(Pace(Rate(10, 1), clock=lambda: NOW), Backoff(Longest()), Progress(), wall=lambda: 0.0)
    answer = throttled(retry_after_s)

    assert retry.after(answer, NOW) is None
    assert retry.after(answer, NOW + GIVE_UP_AFTER_S - 2) is None
    stop = retry.after(answer, NOW + GIVE_UP_AFTER_S)

    assert Stop(OutcomeReason.THROTTLED, "gave up after 10 min: because", answer) == stop


@pytest.mark.parametrize("between", [TOLD, LOST], ids=["taken", "no answer, but it left"])
def test_a_request_that_the_provider_took_gives_the_full_time_again(between: Outcome) -> None:
    retry = Retry(Pace(Rate(10, 1), clock=lambda: NOW), Backoff(Longest()), Progress(), wall=lambda: 0.0)
    retry.after(throttled(1.0), NOW)
    retry.after(between, NOW + GIVE_UP_AFTER_S - 1)

    assert retry.after(throttled(1.0), NOW + GIVE_UP_AFTER_S) is None
    assert retry.after(throttled(1.0), NOW + 2 * GIVE_UP_AFTER_S - 2) is None
    assert retry.after(throttled(1.0), NOW + 2 * GIVE_UP_AFTER_S) is not None


def test_429s_and_failed_connections_in_turn_are_no_success() -> None:
    retry = Retry(Pace(Rate(10, 1), clock=lambda: NOW), Backoff(Longest()), Progress(), wall=lambda: 0.0)

    stops = [
        retry.after(answer, NOW + second)
        for second in range(0, 601, 50)
        for answer in (REFUSED if second % 100 else throttled(1.0),)
    ]

    assert [None] * 12 == stops[:-1]
    assert stops[-1] is not None


@pytest.mark.parametrize(
    ("retry_after_s", "pause"),
    [
        (600.0, "10 min, until 00:10:00 UTC"),
        (3600.0, "1 h, until 01:00:00 UTC"),
        (365 * 86_400.0, "365 days, until 1971-01-01 00:00 UTC"),
    ],
)
def test_a_pause_that_is_too_long_stops_at_once_and_says_until_when(retry_after_s: float, pause: str) -> None:
    retry = Retry(Pace(Rate(10, 1), clock=lambda: NOW), Backoff(Longest()), Progress(), wall=lambda: 0.0)
    answer = throttled(retry_after_s)

    words = f"the provider asks for a pause of {pause}; the longest wait is 10 min"
    assert Stop(OutcomeReason.THROTTLED, words, answer) == retry.after(answer, NOW)


def test_it_also_says_how_long_nothing_got_through() -> None:
    retry = Retry(Pace(Rate(10, 1), clock=lambda: NOW), Backoff(Longest()), Progress(), wall=lambda: 0.0)

    assert retry.after(throttled(60.0), NOW) is None
    stop = retry.after(throttled(540.0), NOW + 120)

    assert stop is not None
    assert (
        "no request got through for 2 min, and the provider asks for a pause of 9 min, until 00:09:00 UTC; the longest "
        "wait is 10 min in all" == stop.detail
    )


def test_a_connection_is_waited_for_no_longer_than_it_counts() -> None:
    retry = Retry(
        Pace(Rate(10, 1), clock=lambda: NOW), Backoff(Longest(), give_up_after_s=0.7), Progress(), wall=lambda: 0.0
    )

    assert retry.after(REFUSED, NOW) is None
    assert retry.after(REFUSED, NOW + 0.5) is None
    assert NOW + 0.7 == retry.until
    assert retry.given_up(NOW + 0.69) is None
    assert Stop(OutcomeReason.NO_CONNECTION, "gave up after 700 ms: because", REFUSED) == retry.given_up(NOW + 0.7)


def test_each_request_gets_a_retry_however_slow_the_rate() -> None:
    """At 1/h, the second request leaves long after the time is over."""
    retry = Retry(Pace(Rate(1, 3600), clock=lambda: NOW), Backoff(Longest()), Progress(), wall=lambda: 0.0)

    retry.after(throttled(1.0), NOW)
    assert (None, math.inf) == (retry.given_up(NOW + 3_000.0), retry.patience_s(NOW + 3_000.0))
    assert retry.after(throttled(1.0), NOW + 3_600.0) is not None


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
