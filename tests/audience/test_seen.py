"""Numbers that were seen before."""

import random

from hypothesis import given
from hypothesis import strategies as st

from runner.audience.seen import SeenNumbers


@given(st.lists(st.integers(10**6, 10**6 + 40) | st.integers(10**6, 10**15 - 1) | st.sampled_from([65_535, 65_536])))
def test_answers_as_a_set_does(numbers: list[int]) -> None:
    seen = SeenNumbers()
    assert [number in numbers[:place] for place, number in enumerate(numbers)] == [
        seen.add(f"+{number}") for number in numbers
    ]


def test_many_that_lie_close_together() -> None:
    """In one block of numbers more than are kept sorted, and in its neighbours a few."""
    chance = random.Random(3)
    numbers = [6_590_000_000 + chance.randrange(70_000) for _ in range(60_000)]
    seen = SeenNumbers()
    known: set[int] = set()
    for number in numbers:
        assert (number in known) == seen.add(f"+{number}")
        known.add(number)
    assert len(known) < len(numbers)
