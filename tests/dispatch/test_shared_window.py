"""The rate is a ceiling over restarts and over several runs: what one noted, the next one knows."""

import time
from pathlib import Path

import pytest

from runner.base.errors import BrokenLedgerError
from runner.base.options import Rate
from runner.dispatch.shared_window import SharedWindow, shared_window
from runner.ledger.lock import briefly_locked

# So slow that no place becomes free during a test.
SLOW, SLOWER = Rate(4, 3600), Rate(3, 3600)


def started(window: SharedWindow, most: int = 9) -> int:
    """How many of `most` requests may start now; they do."""
    for count in range(most):
        with window.held() as is_held:
            assert is_held
            if window.free_at() > time.monotonic():
                return count
            window.note_start(time.monotonic())
    return most


def test_a_session_begins_with_the_starts_of_the_one_before(tmp_path: Path) -> None:
    counts = []
    for _ in range(3):
        with shared_window(tmp_path / "l", "acme", None, SLOW, "sale/main") as window:
            counts.append(started(window, most=3))
    assert [3, 1, 0] == counts


@pytest.mark.parametrize(
    ("account", "counts"),
    [(None, [4, 0, 4]), (SLOWER, [3, 0, 3]), (Rate(6, 3600), [4, 2, 4]), (Rate(20, 3600), [4, 4, 4])],
)
def test_two_runs_share_the_rate_of_their_sub_account(tmp_path: Path, account: Rate | None, counts: list[int]) -> None:
    with (
        shared_window(tmp_path / "l", "acme", account, SLOW, "sale/main") as sale,
        shared_window(tmp_path / "l", "acme", account, SLOW, "news/main") as news,
        shared_window(tmp_path / "l", "other", account, SLOW, "other/main") as other,
    ):
        assert counts == [started(sale), started(news), started(other)]


def test_without_a_rate_of_the_account_the_fastest_run_sets_it(tmp_path: Path) -> None:
    with (
        shared_window(tmp_path / "l", "acme", None, SLOWER, "slow/main") as slow,
        shared_window(tmp_path / "l", "acme", None, Rate(8, 3600), "fast/main") as fast,
    ):
        assert [3, 5] == [started(slow), started(fast)]


def test_test_messages_count_for_the_account_only(tmp_path: Path) -> None:
    with shared_window(tmp_path / "l", "acme", None, SLOW, None) as test:
        assert 1 == started(test, most=1)
    with shared_window(tmp_path / "l", "acme", None, SLOW, "sale/main") as sale:
        assert 3 == started(sale)


def test_a_start_that_is_being_noted_elsewhere_is_waited_for(tmp_path: Path) -> None:
    with shared_window(tmp_path / "l", "acme", None, SLOW, "sale/main") as window:
        file = tmp_path / "l.locks/.accounts/acme.starts"
        with file.open("r+b") as other, briefly_locked(other), window.held() as is_held:
            assert not is_held
        assert 4 == started(window)


def test_a_file_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    file = tmp_path / "l.locks/.accounts/acme.starts"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half")
    with shared_window(tmp_path / "l", "acme", None, SLOW, "sale/main") as window:
        assert 4 == started(window)


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "l.locks").write_text("in the way")
    with (
        pytest.raises(BrokenLedgerError, match="could not be opened"),
        shared_window(tmp_path / "l", "acme", None, SLOW, "sale/main"),
    ):
        pass
