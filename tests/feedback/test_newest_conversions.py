"""The newest word on each message, whatever the order and the size of what is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.conversions import Conversion, ConversionOutcome
from runner.feedback.newest_conversions import conversions_in, frame_of, newest_of

S, F = ConversionOutcome.SUCCESS, ConversionOutcome.FAILURE

CONVERSIONS = st.builds(Conversion, st.sampled_from(ConversionOutcome), st.none() | st.integers(0, 3))
ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), CONVERSIONS), max_size=12)


def newest(rows: list[tuple[str, Conversion]], part: int) -> list[tuple[str, Conversion]]:
    frames = [frame_of(rows[first : first + part]) for first in range(0, len(rows), part)]
    assert len(rows) == sum(map(len, frames))
    return list(conversions_in(newest_of(frames)).items())


@given(ROWS, st.integers(1, 5))
def test_the_newest_time_counts_else_the_later_row(rows: list[tuple[str, Conversion]], part: int) -> None:
    expected: dict[str, Conversion] = {}
    for name, one in rows:
        known = expected.get(name)
        if known is None or known.at is None or (one.at is not None and one.at >= known.at):
            expected[name] = one

    assert sorted(expected.items()) == newest(rows, part)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([Conversion(S), Conversion(F)], Conversion(F)),
        ([Conversion(S, 5), Conversion(F)], Conversion(S, 5)),
        ([Conversion(S), Conversion(F, 5)], Conversion(F, 5)),
        ([Conversion(S, 5), Conversion(F, 4)], Conversion(S, 5)),
        ([Conversion(S, 5), Conversion(F, 5)], Conversion(F, 5)),
    ],
)
def test_of_two(rows: list[Conversion], expected: Conversion) -> None:
    assert [("a", expected)] == newest([("a", one) for one in rows], 1)


def test_nothing_is_nothing() -> None:
    assert {} == conversions_in(newest_of([])) == conversions_in(newest_of([frame_of([])]))
