"""Moments of a run's life."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base.errors import LedgerError
from runner.base.events import Event, EventKind
from tests.ledger.filled import Filled


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    with Filled(tmp_path / "l.sqlite3") as made:
        yield made


def test_every_kind_is_kept_as_it_was_noted(filled: Filled) -> None:
    run = filled.run()
    noted = [Event(kind, number, number / 8, f"é {kind}") for number, kind in enumerate(EventKind)]
    filled.ledger.note_events(run, noted)
    assert noted == filled.ledger.events(run)


def test_they_are_read_in_the_order_of_time_and_then_of_noting(filled: Filled) -> None:
    run = filled.run()
    throttled, ended, unreachable = (Event(EventKind(kind), 5) for kind in ("throttled", "ended", "unreachable"))
    started = Event(EventKind.STARTED, 1)
    filled.ledger.note_events(run, [throttled, ended])
    filled.ledger.note_events(run, [started, unreachable])
    assert [started, throttled, ended, unreachable] == filled.ledger.events(run)


def test_each_run_has_its_own(filled: Filled) -> None:
    runs = [filled.run(), filled.run("other")]
    for number, run in enumerate(runs):
        filled.ledger.note_events(run, [Event(EventKind.STARTED, number)])
    assert [[0], [1]] == [[event.at for event in filled.ledger.events(run)] for run in runs]


def test_none_at_all(filled: Filled) -> None:
    run = filled.run()
    filled.ledger.note_events(run, [])
    assert [] == filled.ledger.events(run)


def test_all_or_nothing_and_no_run_no_events(filled: Filled) -> None:
    with pytest.raises(LedgerError, match="could not be written"):
        filled.ledger.note_events(99, [Event(EventKind.STARTED, 1)])
    assert [] == filled.ledger.events(99)
