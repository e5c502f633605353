"""Who may send a run: one process on this machine, by a file lock, and one machine, by a lease in the ledger.

The system releases a file lock when its process ends, however that happens, so a killed run can be continued at once.
The locks lie beside the ledger, not in the reports folder, because the ledger keeps people from being texted twice.

A file lock means nothing to another machine; the lease does. Its holder renews it long before its end, and stops
sending at the end by itself. Another machine may take it only `GRACE_S` after the end, because clocks differ. A machine
that slept through the end asks the ledger before it sends: if no other machine has taken the run, it goes on.
"""

import contextlib
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from sqlalchemy import Engine, select, update

from runner.base.errors import LedgerError, RunLockedError
from runner.ledger.database import ledger_errors
from runner.ledger.tables import runs

# How long to try to get a run's lock: `is_locked` holds it for a moment too.
LOCK_TIMEOUT_S = 0.5

# How long another process may take to create the ledger.
CREATION_TIMEOUT_S = 10.0

# How long a lease is, how often it is renewed, and how long after its end another machine waits: clocks may differ by
# as much.
LEASE_S = 30.0
RENEW_S = 5.0
GRACE_S = 15.0


@contextlib.contextmanager
def run_lock(ledger: Path, name: str, run: str) -> Iterator[None]:
    """Hold the lock of `name`/`run` in this ledger. Raises RunLockedError, naming the holder, when it is taken."""
    with _lock_file(_lock_path(ledger, name, run)) as file:
        if not _lock_within(LOCK_TIMEOUT_S, file):
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise RunLockedError(f"{name}/{run} is being worked on by {holder}; wait for it, or stop it first")
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
        file.flush()
        yield


@contextlib.contextmanager
def creation_lock(ledger: Path) -> Iterator[None]:
    """Hold the lock that keeps two processes from creating this ledger at the same time; SQLite alone doesn't.

    One of two first commands that start together may see half the tables, or switch to write-ahead logging while the
    other does, for which SQLite doesn't wait.
    """
    with _lock_file(_locks_folder(ledger) / ".making.lock") as file:
        if not _lock_within(CREATION_TIMEOUT_S, file):
            raise LedgerError(f"the ledger {ledger} is being made by another process, which doesn't end")
        yield


def is_locked(ledger: Path, name: str, run: str) -> bool:
    """Whether some process holds the lock of `name`/`run`."""
    try:
        with _lock_path(ledger, name, run).open("a+", encoding="utf-8") as file:
            return not _try_lock(file)
    except OSError:  # never locked, or not ours to look at
        return False


def _lock_file(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Opened for appending: truncating before the lock is ours would wipe the holder's name.
        return path.open("a+", encoding="utf-8")
    except OSError as error:
        raise LedgerError(f"the lock file {path} could not be opened: {error.strerror}") from error


def _lock_within(timeout_s: float, file: IO[str]) -> bool:
    end = time.monotonic() + timeout_s
    while not (is_ours := _try_lock(file)) and time.monotonic() <= end:
        time.sleep(0.01)
    return is_ours


def _lock_path(ledger: Path, name: str, run: str) -> Path:
    # Neither name holds a slash, so no two runs share a file.
    return _locks_folder(ledger) / name / f"{run}.lock"


def _locks_folder(ledger: Path) -> Path:
    # Resolved, or a link to the ledger would be a way around the lock.
    real = ledger.resolve()
    return real.with_name(f"{real.name}.locks")


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[str]) -> bool:
        file.seek(1 << 20)  # Windows locks bytes, which can't be read then: this one is far behind the holder's name
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


def _since_boot() -> float:
    """Seconds that pass while the machine sleeps too, where the system has such a clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(eq=False)
class Lease:
    """The lease of one run for one holder: `acquire` it, ask `is_valid` before each request, `release` it at the end.

    `wall` is the time of day, which machines share, `monotonic` a clock that nobody sets; both in seconds. All methods
    may be called from any thread.
    """

    engine: Engine
    run_id: int
    _: KW_ONLY
    host: str = field(default_factory=socket.gethostname)
    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = _since_boot

    def __post_init__(self) -> None:
        self._run = runs.c.id == self.run_id
        self._holder = f"process {os.getpid()} on {self.host} ({secrets.token_hex(4)})"
        self._until = 0.0  # by the wall clock; 0: the lease isn't held
        self._renewed_at = 0.0  # by the monotonic clock
        self._released = threading.Event()
        self._renewer: threading.Thread | None = None

    def acquire(self) -> float | None:
        """Take the lease; returns until when the last holder, if it never released the lease, may have been sending.

        That is in seconds since the epoch. Raises RunLockedError, naming the holder, while the lease of another machine
        runs. A holder on this machine doesn't count: the caller has the file lock, so that process is dead.
        """
        wall, monotonic = self.wall(), self.monotonic()
        with ledger_errors("written"), self.engine.begin() as connection:
            holder, until_us = connection.execute(select(runs.c.holder, runs.c.lease_until).where(self._run)).one()
            until = until_us / 1e6 if until_us is not None else None
            is_elsewhere = holder is not None and f" on {self.host} (" not in holder
            if is_elsewhere and until is not None and wall < until + GRACE_S:
                raise RunLockedError(
                    f"this run is being sent by {holder.rpartition(' (')[0]}; if that machine is dead, its lease ends "
                    f"in {until + GRACE_S - wall:.0f} s"
                )
            is_unchanged = runs.c.holder.is_not_distinct_from(holder)
            values = {"holder": self._holder, "lease_until": int((wall + LEASE_S) * 1e6)}
            if connection.execute(update(runs).where(self._run, is_unchanged).values(values)).rowcount != 1:
                raise RunLockedError("another process took this run at the same moment")
        self._note(wall, monotonic)
        self._renewer = threading.Thread(target=self._renew_until_released, name="lease", daemon=True)
        self._renewer.start()
        return until

    def is_valid(self) -> bool:
        """Whether this process may send at this moment. Cheap: two clocks, no ledger."""
        return self.wall() < self._until and self.monotonic() - self._renewed_at < LEASE_S

    def renew(self) -> bool:
        """Ask the ledger for more time. False when another process has the run now: nothing may leave any more."""
        wall, monotonic = self.wall(), self.monotonic()
        is_renewed = self._update_ours(lease_until=int((wall + LEASE_S) * 1e6))
        if is_renewed:
            self._note(wall, monotonic)
        return is_renewed

    def release(self) -> None:
        """Let the next process begin at once."""
        self._released.set()
        if self._renewer:
            self._renewer.join()
        self._until = 0.0
        self._update_ours(holder=None, lease_until=None)

    def _update_ours(self, **values: object) -> bool:
        """Write into the run's row; False when the lease is not ours any more."""
        with ledger_errors("written"), self.engine.begin() as connection:
            is_ours = runs.c.holder == self._holder
            return connection.execute(update(runs).where(self._run, is_ours).values(values)).rowcount == 1

    def _note(self, wall: float, monotonic: float) -> None:
        # Counted from before the write: a commit that took long must not make the lease longer than the ledger's.
        self._until, self._renewed_at = wall + LEASE_S, monotonic

    def _renew_until_released(self) -> None:
        while not self._released.wait(RENEW_S):
            # A lease that can't be renewed runs out by itself, and the ledger's writer says why.
            with contextlib.suppress(LedgerError):
                if not self.renew():
                    return
