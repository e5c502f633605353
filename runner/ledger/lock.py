"""One process per run: a lock file beside the ledger, held through the operating system.

The system lets go of the lock when the process ends, however it ends, so a killed run can be continued at once. The
lock belongs to the ledger, not to the reports folder, because it is the ledger that keeps people from being texted
twice.
"""

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from runner.errors import LedgerError, RunLockedError

PATIENCE_S = 0.5


@contextlib.contextmanager
def run_lock(ledger: Path, name: str, run: str) -> Iterator[None]:
    """Hold the lock of `name`/`run` in this ledger.

    Raises RunLockedError, naming the holder, when another process has it.
    """
    path = _lock_path(ledger, name, run)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Opened for appending: truncating before the lock is ours would wipe the holder's name.
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise LedgerError(f"the lock file {path} could not be opened: {error.strerror}") from error
    with file:
        if not _lock_soon(file):
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise RunLockedError(f"{name}/{run} is being worked on by {holder}; wait for it, or stop it first")
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
        file.flush()
        yield


def _lock_soon(file: IO[str]) -> bool:
    """Lock it, trying for `PATIENCE_S`: `is_locked` holds it for a moment when it looks."""
    end = time.monotonic() + PATIENCE_S
    while not _try_lock(file):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def is_locked(ledger: Path, name: str, run: str) -> bool:
    """Whether some process holds the lock of `name`/`run`."""
    try:
        with _lock_path(ledger, name, run).open("a+", encoding="utf-8") as file:
            return not _try_lock(file)
    except OSError:  # never locked, or not ours to look at
        return False


def _lock_path(ledger: Path, name: str, run: str) -> Path:
    # A slash can't stand in either, so that no two runs share a file.
    # The file itself, or a link to it would be a way around the lock.
    real = ledger.resolve()
    return real.with_name(f"{real.name}.locks") / name / f"{run}.lock"


if sys.platform == "win32":
    import msvcrt

    # Windows locks bytes, and a locked byte cannot be read: lock one far behind the holder's name.
    _FAR = 1 << 20

    def _try_lock(file: IO[str]) -> bool:
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
