"""Up to which row the ledger has everything: whatever happens, no message that it lacks is below it."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.dispatch.resume_point import ResumePoint


def test_it_follows_what_is_claimed() -> None:
    frontier = ResumePoint()
    found = [frontier.row]
    for row in (2, 3, 7):
        frontier.read(row)
    for row in (2, 7, 3):
        frontier.claim(row)
        found.append(frontier.row)

    assert [0, 2, 2, 7] == found


def test_it_goes_back_with_what_comes_back() -> None:
    frontier = ResumePoint()
    for row in range(1, 10):
        frontier.read(row)
        frontier.claim(row)
    frontier.back(4)
    back = frontier.row
    frontier.claim(4)

    assert (3, 9) == (back, frontier.row)


@settings(max_examples=200)
@given(st.integers(0, 2**32))
def test_nothing_that_is_open_is_ever_below_it(seed: int) -> None:
    rng = random.Random(seed)
    frontier, open_rows, claimed, row = ResumePoint(), set[int](), set[int](), 0
    for _ in range(200):
        match rng.choice(["read", "claim", "back", "pass"]):
            case "read":
                row += rng.randint(1, 3)
                frontier.read(row)
                open_rows.add(row)
            case "claim" if open_rows:
                one = rng.choice(sorted(open_rows))
                frontier.claim(one)
                open_rows.discard(one)
                claimed.add(one)
            case "back" if claimed:
                one = rng.choice(sorted(claimed))
                frontier.back(one)
                claimed.discard(one)
                open_rows.add(one)
            case "pass":  # the source begins anew, and gives what is open again
                for one in sorted(open_rows):
                    frontier.read(one)
        assert (min(open_rows) - 1 if open_rows else row) == frontier.row
