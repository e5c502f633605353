"""When requests left: bins that don't claim more than the rate, rests that don't hide the sending, percentiles."""

from collections import Counter
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.events import Event, EventKind
from runner.report.page_sending import lanes
from runner.report.result_counts import Durations, bucket_of
from runner.report.throughput import MOST_BINS, Throughput, bin_width, throughput
from tests.report.sample import SCHEMA, START, START_US, accepted


def parts(rows: list[dict[str, Any]]) -> list[pl.LazyFrame]:
    """In two parts, of which the second is the larger."""
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return [frame[: len(rows) // 3].lazy(), frame[len(rows) // 3 :].lazy()]


def left(seconds: list[float], per_second: float | None = None) -> Throughput:
    """Of requests that left so many seconds after the start."""
    rows = [accepted(n, START + timedelta(seconds=at)) for n, at in enumerate(seconds)]
    found = throughput(parts(rows), per_second)
    assert found is not None
    return found


@pytest.mark.parametrize(("requests", "per_second"), [(100, 10), (1_000, 40), (999, 200), (35, 0.5), (20_000, 100)])
def test_even_sending_at_the_rate_shows_the_rate(requests: int, per_second: float) -> None:
    found = left([n / per_second for n in range(requests)], per_second)
    assert requests == sum(part.by_status.total() for part in found.bins)
    assert MOST_BINS >= len(found.bins)
    for part in found.bins:
        assert part.by_status.total() / part.seconds == pytest.approx(per_second, rel=0.1)


@pytest.mark.parametrize(("seconds", "per_second", "width"), [
    (10, 40, 1), (10, None, 1), (10, 0.5, 20), (600, 100, 5), (3_600 * 11, 200, 600), (86_400 * 400, 1, 86_400 * 4),
])  # fmt: skip
def test_bins_are_round(seconds: float, per_second: float | None, width: int) -> None:
    assert width == bin_width(seconds, per_second)


def test_one_request_is_a_departure() -> None:
    found = left([0])
    assert 1 == found.requests
    assert 1 == len(found.bins)
    assert found.shown.mean_per_second is None


def test_nothing_that_left_is_none() -> None:
    assert throughput(parts([accepted(1, sent_at=None)]), 10) is None
    assert throughput(parts([]), 10) is None


def test_a_try_the_day_before_does_not_flatten_the_run() -> None:
    found = left([0, 0.1, *(86_400 + n / 40 for n in range(2_400))], 40)
    assert found.is_part
    assert [2, 2_400] == [part.requests for part in found.stretches]
    assert 2_400 == found.shown.requests
    assert 59 <= found.shown.seconds <= 61
    assert [40] * 58 == [part.by_status.total() for part in found.bins[1:59]]


def test_sending_hours_of_several_days_are_shown_whole() -> None:
    found = left([day * 86_400 + n * 60 for day in range(3) for n in range(660)], 1)
    assert 3 == len(found.stretches)
    assert not found.is_part


@given(st.lists(st.floats(1, 1e8), min_size=1, max_size=200), st.integers(1, 100))
def test_percentiles_are_right_to_within_a_hundredth(took: list[float], percent: int) -> None:
    buckets = pl.DataFrame({"ms": took}).select(bucket_of(pl.col("ms")))["bucket"].to_list()
    exact = sorted(took)[max(-(-len(took) * percent // 100), 1) - 1]
    assert Durations(Counter(buckets)).percentile(percent) == pytest.approx(exact, rel=0.0101)


def test_a_curve_rises_to_all() -> None:
    curve = Durations({10: 1, 300: 2, 20: 1}).curve()
    assert [0.25, 0.5, 1.0] == [done for _, done in curve]
    assert sorted(curve) == curve


def test_durations_before_zero_are_none_at_all() -> None:
    buckets = pl.DataFrame({"ms": [-5.0, 0.0, 0.3]}).select(bucket_of(pl.col("ms")))["bucket"].to_list()
    assert [0, 0, 0] == buckets


def test_moments_that_touch_are_one_mark() -> None:
    found = left([n / 10 for n in range(1_000)], 10)
    at = [START_US + second * 1_000_000 for second in (10, 11, 50, 500)]
    events = [Event(EventKind.STARTED, START_US), *(Event(EventKind.THROTTLED, moment, 1.5) for moment in at)]
    ((words, marks),) = lanes(found, events)
    assert "throttled by the provider" == words
    assert [(at[0], at[1] + 1_500_000), (at[2], at[2] + 1_500_000)] == marks
