"""Up to which row the ledger has everything: whatever happens, no message that it lacks is below it."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base.options import Rate
from runner.dispatch.feed import ResumePoint
from runner.ledger.writer import Claim, LedgerWriter, Refused
from tests.dispatch.stage import Stage, answering, people


def test_it_follows_what_is_claimed() -> None:
    resume_point = ResumePoint()
    found = [resume_point.row]
    for row in (2, 3, 7):
        resume_point.read(row)
    for row in (2, 7, 3):
        resume_point.claim(row)
        found.append(resume_point.row)

    assert [0, 2, 2, 7] == found


def test_it_goes_back_with_what_comes_back() -> None:
    resume_point = ResumePoint()
    for row in range(1, 10):
        resume_point.read(row)
        resume_point.claim(row)
    resume_point.read(4)
    back = resume_point.row
    resume_point.claim(4)

    assert (3, 9) == (back, resume_point.row)


@settings(max_examples=200)
@given(st.integers(0, 2**32))
def test_nothing_that_is_open_is_ever_below_it(seed: int) -> None:
    rng = random.Random(seed)
    resume_point, open_rows, claimed, row = ResumePoint(), set[int](), set[int](), 0
    for _ in range(200):
        match rng.choice(["read", "claim", "back", "pass"]):
            case "read":
                row += rng.randint(1, 3)
                resume_point.read(row)
                open_rows.add(row)
            case "claim" if open_rows:
                one = rng.choice(sorted(open_rows))
                resume_point.claim(one)
                open_rows.discard(one)
                claimed.add(one)
            case "back" if claimed:
                one = rng.choice(sorted(claimed))
                resume_point.read(one)
                claimed.discard(one)
                open_rows.add(one)
            case "pass":  # the source begins anew, and gives what is open again
                for one in sorted(open_rows):
                    resume_point.read(one)
        assert (min(open_rows) - 1 if open_rows else row) == resume_point.row


@pytest.mark.parametrize(
    ("cooling", "expected"),
    [
        pytest.param(None, [(1, 1), (2, 2), (3, 3), (4, 4)], id="it moves with the claims"),
        pytest.param([2], [(1, 1), (3, 1), (4, 1)], id="it stays below a message that was refused"),
    ],
)
def test_what_the_ledger_is_told(
    tmp_path: Path, cooling: list[int] | None, expected: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    claim = LedgerWriter.claim

    async def noted(writer: LedgerWriter, claims: Sequence[Claim], *, frontier: int = 0) -> Refused:
        told.extend((each.message.row, frontier) for each in claims)
        return await claim(writer, claims, frontier=frontier)

    monkeypatch.setattr(LedgerWriter, "claim", noted)
    Stage(tmp_path, answering(), Rate(10, 1), cooling=cooling).run_virtually(people(4, first=1))

    assert expected == told
