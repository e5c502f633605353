from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from runner.sandbox.state import SlidingWindow


def test_a_full_window_says_how_long_it_stays_full() -> None:
    window = SlidingWindow(2)
    assert [0.0, 0.0, 0.5, 0.0, 0.25] == [window.wait_s(now) for now in (10.0, 10.25, 10.5, 11.0, 11.0)]


@given(limit=st.integers(1, 5), steps=st.lists(st.integers(0, 700), max_size=60))
def test_never_more_than_the_limit_in_any_window(limit: int, steps: list[int]) -> None:
    window, now, admitted = SlidingWindow(limit, period_s=1000), 0, []
    for step in steps:
        now += step
        if not window.wait_s(now):
            admitted.append(now)
    spans = [later - earlier for earlier, later in zip(admitted, admitted[limit:], strict=False)]
    assert all(span >= 1000 for span in spans)
    assert all(later >= earlier for earlier, later in pairwise(admitted))


@given(steps=st.lists(st.integers(0, 700), max_size=60))
def test_the_busiest_window(steps: list[int]) -> None:
    window, times, now, most = SlidingWindow(period_s=1000), [], 0, 0
    for step in steps:
        now += step
        assert 0 == window.wait_s(now)
        most = max(most, len(window.admitted))
        times.append(now)
    expected = max((sum(begin <= time < begin + 1000 for time in times) for begin in times), default=0)
    assert expected == most
