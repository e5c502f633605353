"""Thresholds: exact at the limit, with figures, and what they are a share of."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.campaign.values import InvalidValue, threshold
from runner.report.counts import Counts
from runner.report.run_settings import DEFAULT_THRESHOLDS
from runner.report.thresholds import has_news, judge


def counts(accepted: int = 0, rejected: int = 0, unknown: int = 0, *, in_flight: int = 0, failed: int = 0) -> Counts:
    statuses = Counter(accepted=accepted, rejected=rejected, unknown=unknown, excluded=1_000, unsent=1_000)
    return Counts(statuses, in_flight=in_flight, delivery=Counter(undelivered=failed, delivered=accepted - failed))


@pytest.mark.parametrize(
    ("limits", "found", "crossed"),
    [
        pytest.param({"rejected": "0"}, counts(9), [False], id="none"),
        pytest.param({"rejected": "0"}, counts(9, 1), [True], id="one is more than none"),
        pytest.param({"rejected": "1"}, counts(9, 1), [False], id="as many as allowed"),
        pytest.param({"rejected": "10%"}, counts(9, 1), [False], id="exactly the share"),
        pytest.param({"rejected": "9.999%"}, counts(9, 1), [True], id="slightly more than the share"),
        pytest.param({"rejected": "29%"}, counts(71, 29), [False], id="29%, which is no exact float"),
        pytest.param({"unknown": "25%"}, counts(2, 1, 1), [False], id="of all that were sent"),
        pytest.param({"unknown": "0"}, counts(2, 0, 1, in_flight=1), [False], id="one that is being sent"),
        pytest.param({"undelivered": "50%"}, counts(4, 96, failed=2), [False], id="of the accepted"),
        pytest.param({"undelivered": "50%"}, counts(4, 96, failed=3), [True], id="more of the accepted"),
        pytest.param({"unknown": "0%", "undelivered": "0%"}, counts(), [False] * 2, id="nothing sent"),
    ],
)
def test_what_crosses_a_threshold(limits: dict[str, str], found: Counts, crossed: list[bool]) -> None:
    assert crossed == [each.crossed for each in judge(limits, found)]


@given(thousandths=st.integers(0, 100_000), rejected=st.integers(0, 500), accepted=st.integers(0, 500))
def test_shares_are_exact(thousandths: int, rejected: int, accepted: int) -> None:
    limit = f"{thousandths // 1000}.{thousandths % 1000:03}%"
    [judged] = judge({"rejected": limit}, counts(accepted, rejected))
    sent = accepted + rejected
    assert (sent > 0 and Fraction(rejected, sent) > Fraction(thousandths, 100_000)) == judged.crossed


def test_figures() -> None:
    share, number = judge({"rejected": "2%", "undelivered": "10"}, counts(1_000, 250, failed=11))
    assert ("250 of 1,250 sent (20.0%)", "crossed") == (share.figures, share.words)
    assert {"name": "rejected", "limit": "2%", "value": 250, "share": 0.2, "crossed": True} == share.as_json()
    assert {"name": "undelivered", "limit": 10, "value": 11, "share": 0.011, "crossed": True} == number.as_json()
    assert judge({"rejected": "2%"}, counts())[0].as_json()["share"] is None


def test_thresholds_are_shown_if_there_is_something_to_see() -> None:
    assert not has_news(judge(DEFAULT_THRESHOLDS, counts(3)))
    assert has_news(judge(DEFAULT_THRESHOLDS, counts(3, 1)))
    assert has_news(judge({"rejected": "2%", "unknown": "0"}, counts(3)))


@pytest.mark.parametrize("text", ["2%", "0%", "100%", "0.125%", "0", "17"])
def test_a_threshold_is_read_as_written(text: str) -> None:
    assert text == str(threshold(text))


@pytest.mark.parametrize("text", ["", "2 %", "101%", "-1", "2.5", "many", "1e3", "%"])
def test_others_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        threshold(text)
