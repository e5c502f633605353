"""The rate is a ceiling over restarts and over several runs: what one noted, the next one knows."""

import math
import os
import threading
import time
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.base.errors import BrokenLedgerError
from runner.base.messages import Encoding, Message
from runner.base.options import Rate
from runner.dispatch.pace import HEADER, WINDOW_PLACES, SlidingWindow
from runner.dispatch.shared_window import SharedWindow, shared_window
from runner.ledger.ledger import open_ledger
from runner.ledger.lock import briefly_locked
from runner.ledger.transitions import claim

# So slow that no place becomes free during a test.
SLOW, SLOWER = Rate(4, 3600), Rate(3, 3600)
SIZE = 8 * (HEADER + WINDOW_PLACES)  # of a file


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


@pytest.mark.parametrize(
    "content",
    [
        b"half",
        bytes(SIZE),
        b"\xff" * SIZE,
        b"x" * SIZE,
        bytes(2 * SIZE),
        array("d", [4, 3600, 1, math.nan]).tobytes() + bytes(SIZE - 32),
        array("d", [math.inf, 3600, 1]).tobytes() + bytes(SIZE - 24),
        array("d", [0, 3600, 1]).tobytes() + bytes(SIZE - 24),
    ],
)
@pytest.mark.parametrize("account", [None, SLOW])
def test_a_damaged_file_counts_as_a_full_window(tmp_path: Path, content: bytes, account: Rate | None) -> None:
    file = tmp_path / "l.locks/.accounts/acme.starts"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    for _ in range(2):  # it stays full
        with shared_window(tmp_path / "l", "acme", account, SLOW, "sale/main") as window:
            assert 0 == started(window)


def in_the_way(tmp_path: Path) -> None:
    (tmp_path / "l.locks").write_text("in the way")


def a_folder(tmp_path: Path) -> None:
    (tmp_path / "l.locks/.accounts/acme.starts").mkdir(parents=True)


@pytest.mark.parametrize(("prepare", "words"), [(in_the_way, "File exists"), (a_folder, "Is a directory")])
def test_a_file_that_cannot_be_opened(tmp_path: Path, prepare: Callable[[Path], None], words: str) -> None:
    prepare(tmp_path)
    with (
        pytest.raises(BrokenLedgerError, match=f"could not be opened: {words}; check its permissions"),
        shared_window(tmp_path / "l", "acme", None, SLOW, "sale/main"),
    ):
        pass


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_a_full_disk(tmp_path: Path) -> None:
    """What was written in part is not taken for a window afterwards."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, limit[1]))
    try:
        with (
            pytest.raises(BrokenLedgerError, match="could not be opened: No space left on device; free some space"),
            shared_window(tmp_path / "l", "acme", None, SLOW, "sale/main"),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    with shared_window(tmp_path / "l", "acme", None, SLOW, "sale/main") as window:
        assert 4 == started(window)


def test_several_make_the_file_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def session(number: int) -> int:
        together.wait()
        with shared_window(tmp_path / "l", "acme", None, SLOW, f"sale/{number}") as window:
            count = 0
            while count < 4:
                with window.held() as is_held:
                    if is_held and window.free_at() > time.monotonic():
                        break
                    if is_held:
                        window.note_start(time.monotonic())
                        count += 1
            together.wait()
            return count

    with ThreadPoolExecutor(8) as pool:
        assert 4 == sum(pool.map(session, range(8)))


@pytest.mark.parametrize("content", [b"", b"\0", b"\1"])
def test_a_file_that_is_overwritten_while_it_is_used(tmp_path: Path, content: bytes) -> None:
    """To touch memory without a file behind it would kill the process."""
    with shared_window(tmp_path / "l", "acme", None, SLOW, "sale/main") as window:
        path = tmp_path / "l.locks/sale/main.starts"
        path.write_bytes(content * path.stat().st_size)
        assert window.free_at() < 0
        assert 0 == started(window)


@pytest.mark.parametrize(("minutes_ago", "counts"), [(1, [1, 1, 4]), (59, [1, 1, 4]), (61, [4, 1, 4])])
def test_a_run_without_its_files_begins_with_the_claims_of_the_ledger(
    tmp_path: Path, minutes_ago: int, counts: list[int]
) -> None:
    """As one that continues on another computer."""
    with open_ledger(str(tmp_path / "l"), create=True) as ledger:
        ledger.begin_run(
            name="sale", run="main", now=1, sub_account_id="acme", options="{}", fingerprint="f", rows=9, to_send=9
        )
        sent = [Message(n, str(n), "+12025550142", "US", "", Encoding.GSM7, 1, str(n)) for n in range(3)]
        with ledger.writing() as connection:
            claim(connection, 1, [(message, 1) for message in sent], time.time_ns() // 1000 - minutes_ago * 60_000_000)
        found = []
        for name, account in (("sale/main", "acme"), ("news/main", "acme"), ("other/main", "other")):
            with shared_window(ledger.path, account, Rate(5, 3600), SLOW, name, ledger) as window:
                found.append(started(window))
        assert counts == found


def test_starts_that_the_window_has_already_count_once() -> None:
    window = SlidingWindow(SLOW)
    for at in (5, 7):
        window.note_start(at)
    window.include([8, 6])
    assert -math.inf == window.free_at()
    for at in (9, 9):
        window.note_start(at)
    assert 6 + SLOW.period_s <= window.free_at() < 7 + SLOW.period_s
