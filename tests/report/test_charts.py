"""Charts: what Altair makes of them is valid, and what stands in the page is ours."""

from collections import Counter
from collections.abc import Sequence

import pytest

from runner.base.events import Event
from runner.report.counts import Counts
from runner.report.layout import bars, figure, stacked_bars
from runner.report.page_outcomes import GROUP_COLOURS, done_within
from runner.report.page_sending import latency, sends
from runner.report.result_counts import Durations, parts_of
from runner.report.throughput import Throughput, throughput
from tests.report.sample import EVENTS, lively, page_for

SIZES = [("1 × GSM-7", 5, "5", "var(--accepted)"), ("2 × UCS-2", 1, "1", "var(--unsent)")]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Throughput:
    found = throughput(parts_of(page_for(tmp_path_factory.mktemp("charts"), lively(400)).results), 40)
    assert found is not None
    return found


@pytest.mark.parametrize("per_second", [40, 0.2, None])
@pytest.mark.parametrize("events", [EVENTS, ()])
def test_what_altair_makes_of_times_is_valid(
    left: Throughput, per_second: float | None, events: Sequence[Event]
) -> None:
    sends(left, per_second, events).to_dict(validate=True)
    latency(left).to_dict(validate=True)


@pytest.mark.parametrize("bucket", [0, 100, 500, 1_100])
def test_what_altair_makes_of_durations_is_valid(bucket: int) -> None:
    done_within(Durations({bucket: 3, bucket + 50: 2}), "of those delivered").to_dict(validate=True)


def test_what_altair_makes_of_shares_is_valid() -> None:
    groups = {"SG": Counts(delivery=Counter(delivered=3, failed=1)).by_group}
    stacked_bars(groups, GROUP_COLOURS, "of the accepted messages").to_dict(validate=True)
    bars(SIZES).to_dict(validate=True)


def test_a_drawing_is_named_escaped_and_has_no_id_of_vegas() -> None:
    chart = bars([("<b>&", 5, "<5>", "var(--accepted)")])
    one, two = figure(chart, "sizes", "A <b>", "5 & more", widths={"wide": 600, "narrow": 300}).drawings
    assert 'role="img" aria-labelledby="sizes-wide-title sizes-wide-words"' in one
    assert '<title id="sizes-narrow-title">A &lt;b&gt;</title><desc id="sizes-narrow-words">5 &amp; more</desc>' in two
    assert "&lt;b&gt;&amp;" in one
    assert "font-family" not in one
    assert "#fff" not in one
    assert "var(--accepted)" in figure(bars(SIZES), "x", "", "").drawings[0]
