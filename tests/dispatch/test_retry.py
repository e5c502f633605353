"""Decisions after trouble: how long to rest, when to give up."""

import random

from runner.dispatch.retry import BACKOFF_BASE_S, BACKOFF_CAP_S, GIVE_UP_AFTER_S, Backoff


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
