"""Samples that stay the same, sending hours, cooldowns and limits, as a plan sees them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.exclusions import ExclusionReason
from runner.base.options import Cooldown, Outside, SendingHours
from runner.plan.restrictions import FrequencyCap, Sample, outside_hours

KEYS = [f"C-{number}" for number in range(20_000)]
WEEKDAYS = frozenset(range(5))
FRIDAY_NIGHT = datetime(2026, 11, 27, 22, tzinfo=UTC)


def test_a_sample_is_about_as_large_as_asked() -> None:
    taken = sum(map(Sample("sale", 0.1).takes, KEYS))

    assert 1_850 < taken < 2_150


@given(st.floats(0.0001, 1), st.floats(0.0001, 1), st.text(max_size=8))
def test_a_larger_sample_holds_the_smaller_one(one: float, other: float, key: str) -> None:
    small, large = sorted((one, other))

    assert not Sample("sale", small).takes(key) or Sample("sale", large).takes(key)


def test_a_sample_is_the_same_each_time_and_another_for_another_campaign() -> None:
    def taken(name: str) -> list[str]:
        return [key for key in KEYS if Sample(name, 0.01).takes(key)]

    assert taken("sale") == taken("sale")
    assert set(taken("sale")) != set(taken("welcome"))


def test_the_whole_is_everybody() -> None:
    assert all(map(Sample("sale", 1.0).takes, KEYS))


def test_the_words_say_the_share() -> None:
    assert "not in the sample of 1% (recipients.sample)" == Sample("sale", 0.01).exclusion.detail
    assert "not in the sample of 12.500% (recipients.sample)" == Sample("sale", 0.125).exclusion.detail


def test_who_is_outside_waits_or_is_left_out() -> None:
    def verdict(outside: Outside, now: datetime = FRIDAY_NIGHT) -> ExclusionReason | None:
        exclusion = outside_hours(SendingHours(9 * 60, 20 * 60, WEEKDAYS, "Europe/London", outside), now)(())
        return exclusion.reason if exclusion else None

    assert verdict(Outside.WAIT) is None
    assert verdict(Outside.SCHEDULE) is None
    assert verdict(Outside.SKIP) is ExclusionReason.OUTSIDE_WINDOW
    assert verdict(Outside.SKIP, FRIDAY_NIGHT.replace(hour=12)) is None


def test_zones_whose_hours_never_meet_are_left_out_and_named() -> None:
    judge = outside_hours(SendingHours(9 * 60, 12 * 60, WEEKDAYS, None), FRIDAY_NIGHT)
    exclusion = judge(("America/New_York", "Asia/Singapore"))

    assert exclusion
    assert exclusion.reason is ExclusionReason.OUTSIDE_WINDOW
    assert "America/New_York, Asia/Singapore" in exclusion.detail


def test_a_cooldown_counts_the_ledger_and_this_file() -> None:
    lately = {"+12025550142": 1, "+12025550143": 2}
    frequency_cap = FrequencyCap(Cooldown(2, 7 * 86_400), lambda _: lately)
    first = frequency_cap.exclusions([("+12025550142", 1), ("+12025550143", 2), ("+12025550144", 3)])
    second = frequency_cap.exclusions([("+12025550142", 4), ("+12025550144", 5), ("+12025550144", 6)])

    assert {2: "the number got 2 in the last 7d; recipients.cooldown allows 2"} == {
        row: exclusion.detail for row, exclusion in first.items()
    }
    assert {
        4: "the number got 1 in the last 7d and 1 earlier in this file; recipients.cooldown allows 2",
        6: "the number got 2 earlier in this file; recipients.cooldown allows 2",
    } == {row: exclusion.detail for row, exclusion in second.items()}


@pytest.mark.parametrize(
    ("per_s", "span"), [(604_800, "7d"), (129_600, "36h"), (86_460, "1441min"), (5_400, "90min"), (45, "45s")]
)
def test_the_words_of_a_cooldown_say_its_time(per_s: int, span: str) -> None:
    frequency_cap = FrequencyCap(Cooldown(1, per_s), lambda _: {"+12025550142": 1})
    exclusion = frequency_cap.exclusions([("+12025550142", 1)])[1]

    assert f"the number got 1 in the last {span}; recipients.cooldown allows 1" == exclusion.detail
