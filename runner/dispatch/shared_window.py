"""The starts of a run and of its sub-account, in files that all processes of a ledger share.

A run must not exceed its rate because it is killed and started again, and neither must a sub-account because two runs
send at once. Counting claims isn't enough: a message that came back unsent leaves the ledger, but its request started.
So every start is noted in two small files beside the ledger's locks, one of the run and one of the sub-account, before
the request leaves. They are mapped into memory, so what a killed process noted is kept.

**Time.** The files have times of the monotonic clock, which all processes of a computer share and nobody sets. It
begins again when the computer starts. A time in the future is from before that, and counts as now; any other old time
looks newer than it is. So the rate is never exceeded, and a run waits no longer than one window.

**Other computers.** The files belong to one computer, and they may be deleted. So a run begins with the newest claims
of the ledger too. These lack the requests that came back unsent.

**Damage.** A damaged file counts as a full window, because what it said is lost. So does one that another program makes
shorter while it is mapped.

**The sub-account's rate.** If the project file has none, it is the highest rate of the runs that send at the same time.
"""

import contextlib
import math
import os
import time
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from runner.base.options import Rate
from runner.dispatch.pace import HEADER, WINDOW_PLACES, SlidingWindow
from runner.ledger.ledger import Ledger
from runner.ledger.lock import briefly_locked, open_starts_file, waiting_lock

_EMPTY = array("d", [0.0] * HEADER + [-math.inf] * WINDOW_PLACES).tobytes()


class SharedWindow:
    """Several windows, all of which must allow a start. Can be used like a `SlidingWindow`."""

    def __init__(self, files: Sequence[IO[bytes]], windows: Sequence[SlidingWindow]) -> None:
        self._files = files
        self._windows = windows
        self._rates = [window.rate for window in windows]

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Keep other processes from noting a start. False: one of them is doing so right now; try again."""
        with contextlib.ExitStack() as stack:
            is_held = all(stack.enter_context(briefly_locked(file)) for file in self._files)
            if is_held and not self._are_whole():
                self._mend()
            yield is_held

    def free_at(self) -> float:
        if not self._are_whole():
            return -math.inf  # `held` mends them
        return max(window.free_at() for window in self._windows)

    def note_start(self, at: float) -> None:
        for window in self._windows:
            window.note_start(at)

    def _are_whole(self) -> bool:
        """Whether no other program has overwritten the files or cut them off, which would kill this process."""
        are_long = all(os.fstat(file.fileno()).st_size == len(_EMPTY) for file in self._files)
        return are_long and all(window.has_sound_header() for window in self._windows)

    def _mend(self) -> None:
        for file, window, rate in zip(self._files, self._windows, self._rates, strict=True):
            os.ftruncate(file.fileno(), len(_EMPTY))
            window.fill(rate, time.monotonic())


@contextlib.contextmanager
def shared_window(
    ledger: Path,
    sub_account_id: str,
    account_rate: Rate | None,
    rate: Rate,
    run: str | None,
    claims: Ledger | None = None,
) -> Iterator[SharedWindow]:
    """The window of the sub-account and, unless `run` (NAME/RUN) is None, that of the run at its own `rate`.

    `account_rate` is the project's rate for the sub-account, None: the highest rate of the runs that send at the same
    time. `claims` is the open ledger whose claims count too. Raises LedgerError if a file can't be written.
    """
    with contextlib.ExitStack() as stack:
        files, windows = [], []
        places = [(f".accounts/{sub_account_id}", account_rate)]
        if run:
            places.append((run, rate))
        for place, fixed in places:
            file, memory = stack.enter_context(open_starts_file(ledger, place, _EMPTY))
            with waiting_lock(file):
                window, now = SlidingWindow(None, memoryview(memory).cast("d")), time.monotonic()
                window.clamp(now)
                if memory[:] != _EMPTY and not window.is_sound():
                    window.fill(fixed or rate, now)
                elif fixed:
                    window.set_rate(fixed)
                elif window.is_idle(now):
                    window.clear(rate)
                elif window.rate.per_second < rate.per_second:
                    window.set_rate(rate)
                if claims:
                    window.include(_claimed(claims, window.rate, sub_account_id, run if place == run else None))
            files.append(file)
            windows.append(window)
        yield SharedWindow(files, windows)


def _claimed(ledger: Ledger, rate: Rate, sub_account_id: str, run: str | None) -> list[float]:
    """When the messages of the last window started or, without an answer, were claimed, newest first."""
    now, now_us = time.monotonic(), time.time_ns() // 1000
    found = ledger.newest_starts(sub_account_id, run, since=now_us - rate.period_s * 1_000_000, most=rate.count)
    return [now - max(now_us - at, 0) / 1e6 for at in found]
