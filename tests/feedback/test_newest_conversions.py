"""The newest word on each message, whatever the order and the size of what is told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base.conversions import Conversion, ConversionOutcome
from runner.feedback.newest_conversions import NewestConversions

S, F = ConversionOutcome.SUCCESS, ConversionOutcome.FAILURE

CONVERSIONS = st.builds(Conversion, st.sampled_from(ConversionOutcome), st.none() | st.integers(0, 3))
ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), CONVERSIONS), max_size=12)


def newest_of(rows: list[tuple[str, Conversion]], part: int, size: int) -> list[tuple[str, Conversion]]:
    newest = NewestConversions()
    for first in range(0, len(rows), part):
        newest.add(rows[first : first + part])
    assert len(rows) == newest.added
    return [one for batch in newest.batches(size) for one in batch]


@settings(deadline=None)  # the first example loads polars
@given(ROWS, st.integers(1, 5), st.integers(1, 5))
def test_the_newest_time_counts_else_the_later_row(rows: list[tuple[str, Conversion]], part: int, size: int) -> None:
    expected: dict[str, Conversion] = {}
    for name, one in rows:
        known = expected.get(name)
        if known is None or known.at is None or (one.at is not None and one.at >= known.at):
            expected[name] = one

    assert sorted(expected.items()) == newest_of(rows, part, size)


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
    assert [("a", expected)] == newest_of([("a", one) for one in rows], 1, 1)


def test_messages_are_counted_by_outcome_and_rows_as_they_came() -> None:
    newest = NewestConversions()
    newest.add([("a", Conversion(S)), ("b", Conversion(S)), ("a", Conversion(F)), ("c", Conversion(S))])
    newest.add([])
    assert ({"success": 2, "failure": 1}, 4) == (newest.counts(), newest.added)


def test_nothing_added_is_nothing() -> None:
    newest = NewestConversions()
    newest.add([])
    assert ({}, [], 0) == (newest.counts(), list(newest.batches(5)), newest.added)
    assert ({}, []) == (NewestConversions().counts(), list(NewestConversions().batches(5)))
