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

from runner.base.errors import LedgerError, RunLockedError

# How long a lock is tried: who only looks whether a run is locked (`is_locked`) holds it for a moment.
PATIENCE_S = 0.5

# How long another process may take to make the ledger.
MAKING_S = 10.0


@contextlib.contextmanager
def run_lock(ledger: Path, name: str, run: str) -> Iterator[None]:
    """Hold the lock of `name`/`run` in this ledger.

    Raises RunLockedError, naming the holder, when another process has it.
    """
    with _lock_file(_lock_path(ledger, name, run)) as file:
        if not _lock_soon(file):
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise RunLockedError(f"{name}/{run} is being worked on by {holder}; wait for it, or stop it first")
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
        file.flush()
        yield


@contextlib.contextmanager
def making_lock(ledger: Path) -> Iterator[None]:
    """Hold the lock that keeps two processes from making this ledger at the same time; SQLite alone doesn't.

    One of two first commands that start together may see half the tables, or switch to write-ahead logging while the
    other does, for which SQLite doesn't wait.
    """
    with _lock_file(_locks(ledger) / ".making.lock") as file:
        if not _lock_soon(file, MAKING_S):
            raise LedgerError(f"the ledger {ledger} is being made by another process, which doesn't end")
        yield


def _lock_file(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Opened for appending: truncating before the lock is ours would wipe the holder's name.
        return path.open("a+", encoding="utf-8")
    except OSError as error:
        raise LedgerError(f"the lock file {path} could not be opened: {error.strerror}") from error


def _lock_soon(file: IO[str], patience_s: float = PATIENCE_S) -> bool:
    end = time.monotonic() + patience_s
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
    return _locks(ledger) / name / f"{run}.lock"


def _locks(ledger: Path) -> Path:
    # The file itself, or a link to it would be a way around the lock.
    real = ledger.resolve()
    return real.with_name(f"{real.name}.locks")


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
