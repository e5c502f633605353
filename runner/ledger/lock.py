"""Only one process may send a run: a file lock allows one process per machine, a lease in the ledger one machine.

The operating system releases a file lock when the process ends, for whatever reason, so a killed run can be resumed at
once. The lock files are next to the ledger and not in the reports folder, because the ledger is what prevents texting
people twice.

Other machines can't see a file lock, so they check the lease. Its holder renews it long before it expires, and stops
sending when it has expired. Another machine may take it `GRACE_S` later, because clocks differ. A machine that was
suspended past the end of its lease asks the ledger before it sends: it continues if no other machine took the run.
"""

import contextlib
import errno
import mmap
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
from typing import IO, Any

from sqlalchemy import Engine, select, update

from runner.base.errors import BrokenLedgerError, LedgerError, RunLockedError
from runner.ledger.database import ledger_errors
from runner.ledger.tables import runs

# How long to try to get a run's lock. One attempt isn't enough, because `is_locked` holds the lock for a moment.
LOCK_TIMEOUT_S = 0.5

# How long to wait while another process creates or upgrades the ledger.
MAKING_TIMEOUT_S = 3600.0

# How long to wait while another process opens a file of starts.
STARTS_TIMEOUT_S = 10.0

# The runs that this process has locked, by their lock files.
_ours: set[Path] = set()

# How long a lease lasts, how often it is renewed, and how long another machine waits after it expires. Clocks may
# differ by up to `GRACE_S`.
LEASE_S = 30.0
RENEW_S = 5.0
GRACE_S = 15.0


@contextlib.contextmanager
def run_lock(ledger: Path, name: str, run: str) -> Iterator[None]:
    """Hold the lock of `name`/`run` in this ledger.

    If it is taken, raises RunLockedError, which names the holder; BrokenLedgerError where no lock is possible.
    """
    path = _lock_path(ledger, name, run)
    with _lock_file(ledger, path) as file:
        if not _lock_within(LOCK_TIMEOUT_S, file):
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise RunLockedError(f"{name}/{run} is in use by {holder}; wait until it ends, or stop it")
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
        file.flush()
        _ours.add(path)
        try:
            yield
        finally:
            _ours.discard(path)


@contextlib.contextmanager
def making_lock(ledger: Path) -> Iterator[None]:
    """Hold the lock that keeps two processes from creating or upgrading this ledger at the same time.

    SQLite alone isn't enough: a second process could see only half the tables, or switch to write-ahead logging at the
    same moment as the first, and SQLite doesn't wait for that. And upgrading a large ledger takes minutes, which is
    longer than SQLite waits. So a long wait is announced on standard error.
    """
    with _lock_file(ledger, _locks_folder(ledger) / ".making.lock") as file:
        if not _lock_within(LOCK_TIMEOUT_S, file):
            sys.stderr.write(f"waiting for another process that is creating or upgrading the ledger {ledger}\n")
            if not _lock_within(MAKING_TIMEOUT_S, file):
                raise LedgerError(
                    f"another process has been creating or upgrading the ledger {ledger} for more than "
                    f"{MAKING_TIMEOUT_S / 3600:g} h; wait until it ends, or stop it"
                )
        yield


def is_locked(ledger: Path, name: str, run: str) -> bool:
    """Whether any process holds the lock of `name`/`run`."""
    try:
        with _lock_path(ledger, name, run).open("a+", encoding="utf-8") as file:
            return not _try_lock(file)
    except OSError:  # never locked, or not readable for this user
        return False


def is_dead(ledger: Path, name: str, run: str, holder: str) -> bool:
    """Whether a process of this machine that has the lease of `name`/`run` has ended: it doesn't have the lock."""
    path = _lock_path(ledger, name, run)
    return (
        not _is_elsewhere(holder, socket.gethostname())
        and path.exists()
        and (path in _ours or not is_locked(ledger, name, run))
    )


@contextlib.contextmanager
def open_starts_file(ledger: Path, name: str, empty: bytes) -> Iterator[tuple[IO[bytes], mmap.mmap]]:
    """The file in which all processes note the starts of a run or an account, and its content as shared memory.

    A new file gets the content `empty`. One of another size is damaged; it gets zeros. The space is reserved at once,
    so that a full disk can't stop a process that writes to the memory. Raises LedgerError.
    """
    path = _locks_folder(ledger) / f"{name}.starts"
    with contextlib.ExitStack() as stack:
        try:
            _make_private_folder(ledger, path.parent)
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            _make_private(path, 0o600)
            file = stack.enter_context(os.fdopen(descriptor, "r+b", buffering=0))
            with waiting_lock(file):
                size = os.fstat(file.fileno()).st_size
                if size != len(empty):
                    _write_all(file, bytes(len(empty)) if size else empty)
                memory = mmap.mmap(file.fileno(), len(empty))
        except OSError as error:
            remedy = "free some space" if error.errno == errno.ENOSPC else "check its permissions and its folder's"
            raise BrokenLedgerError(
                f"the file {path}, which keeps the rate, could not be opened: {error.strerror or error}; {remedy}"
            ) from error
        yield file, memory


def _write_all(file: IO[bytes], content: bytes) -> None:
    """Replace an open file's content. If the disk is full, the file stays empty."""
    file.truncate(0)
    file.seek(0)
    written = 0
    try:
        written = file.write(content)
    finally:
        if written < len(content):
            file.truncate(0)
    if written < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def briefly_locked(file: IO[bytes]) -> Iterator[bool]:
    """Hold an open file's lock while the block runs. False: another process has it right now."""
    is_ours = _try_lock(file)
    try:
        yield is_ours
    finally:
        if is_ours:
            _unlock(file)


@contextlib.contextmanager
def waiting_lock(file: IO[bytes]) -> Iterator[None]:
    """Hold the lock of an open file of starts. Raises LedgerError if another process keeps it, which is then frozen."""
    if not _lock_within(STARTS_TIMEOUT_S, file):
        raise LedgerError(f"another process has kept {file.name} locked for {STARTS_TIMEOUT_S:g} s; stop it")
    try:
        yield
    finally:
        _unlock(file)


def _lock_file(ledger: Path, path: Path) -> IO[str]:
    """An open lock file, its owner's alone at any umask, as are the folders of the ledger's locks."""
    try:
        _make_private_folder(ledger, path.parent)
        # Opened for appending: truncating before we hold the lock would erase the holder's name.
        file = path.open("a+", encoding="utf-8")
        _make_private(path, 0o600)
    except OSError as error:
        raise BrokenLedgerError(
            f"the lock file {path} could not be opened: {error.strerror}; check the permissions of its folder"
        ) from error
    return file


def _make_private_folder(ledger: Path, folder: Path) -> None:
    """Make a folder for the ledger's locks, in the folder of all its locks."""
    ledger.resolve().parent.mkdir(parents=True, exist_ok=True)
    for each in (_locks_folder(ledger), folder):
        each.mkdir(exist_ok=True)
        _make_private(each, 0o700)


def _make_private(path: Path, mode: int) -> None:
    with contextlib.suppress(PermissionError):  # somebody else's, or on a file system without permissions
        path.chmod(mode)


def _lock_within(timeout_s: float, file: IO[Any]) -> bool:
    """Whether the file could be locked in time. Raises BrokenLedgerError if its file system has no locks."""
    end = time.monotonic() + timeout_s
    try:
        while not (is_ours := _try_lock(file)) and time.monotonic() <= end:
            time.sleep(0.01)
    except OSError as error:  # for example ENOLCK, of a network drive
        raise BrokenLedgerError(
            f"{file.name} could not be locked: {error.strerror}; put the ledger on a file system with working locks, "
            "such as a local disk"
        ) from error
    return is_ours


def _lock_path(ledger: Path, name: str, run: str) -> Path:
    # Neither name contains a slash, so each run has its own file.
    return _locks_folder(ledger) / name / f"{run}.lock"


def _locks_folder(ledger: Path) -> Path:
    # Symbolic links are resolved: otherwise a second path to the same ledger would have its own locks.
    real = ledger.resolve()
    return real.with_name(f"{real.name}.locks")


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[Any]) -> bool:
        file.seek(1 << 20)  # Windows makes locked bytes unreadable, so lock one far behind the holder's name
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[Any]) -> None:
        file.seek(1 << 20)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _try_lock(file: IO[Any]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: IO[Any]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


def _is_elsewhere(holder: str, host: str) -> bool:
    return f" on {host} (" not in holder


def _boot() -> str:
    """What the containers of a computer share, unlike its name; "" if the system doesn't say."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    return ""


def on_another_computer(engine: Engine, sub_account_id: str, name: str, run: str) -> str | None:
    """A run other than `name`/`run` that another computer is sending from this sub-account, and its process; else None.

    The files of starts belong to one computer, so the two can't share a rate.
    """
    alive = (runs.c.ended_at.is_(None), runs.c.lease_until > int((time.time() - GRACE_S) * 1e6))
    query = select(runs.c.name, runs.c.run, runs.c.holder).where(runs.c.sub_account_id == sub_account_id, *alive)
    host, boot = socket.gethostname(), _boot()
    with ledger_errors("read"), engine.connect() as connection:
        for other_name, other, holder in connection.execute(query).all():
            is_here = not _is_elsewhere(holder, host) or (boot and f"({boot}-" in holder)
            if (other_name, other) != (name, run) and not is_here:
                return f"{other_name}/{other} ({holder.rpartition(' (')[0]})"
    return None


def _since_boot() -> float:
    """Seconds of a clock that keeps running while the machine is suspended, if the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(eq=False)
class Lease:
    """The lease of one run for this process: `acquire` it, ask `is_valid` before each request, `release` it at the end.

    `wall` is the time of day, which all machines share; `monotonic` is a clock that is never set. Both are in seconds.
    All methods can be called from any thread.
    """

    engine: Engine
    run_id: int
    _: KW_ONLY
    host: str = field(default_factory=socket.gethostname)
    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = _since_boot

    def __post_init__(self) -> None:
        self._run = runs.c.id == self.run_id
        self._holder = f"process {os.getpid()} on {self.host} ({_boot()}-{secrets.token_hex(4)})"
        self._until = 0.0  # by the wall clock; 0: not held
        self._renewed_at = 0.0  # by the monotonic clock
        self._released = threading.Event()
        self._renewer: threading.Thread | None = None

    def acquire(self) -> float | None:
        """Take the lease. Raises RunLockedError, which names the holder, while another machine's lease is valid.

        A lease of this machine is ignored: the caller holds the file lock, so the process that had the lease is dead.
        Returns until when the last holder may have been sending (seconds since the epoch), or None if it released its
        lease.
        """
        wall, monotonic = self.wall(), self.monotonic()
        with ledger_errors("written"), self.engine.begin() as connection:
            holder, until_us = connection.execute(select(runs.c.holder, runs.c.lease_until).where(self._run)).one()
            until = until_us / 1e6 if until_us is not None else None
            is_elsewhere = holder is not None and _is_elsewhere(holder, self.host)
            if is_elsewhere and until is not None and wall < until + GRACE_S:
                raise RunLockedError(
                    f"this run is being sent by {holder.rpartition(' (')[0]}; wait until it ends; if that machine is "
                    f"down, its lease expires in {until + GRACE_S - wall:.0f} s"
                )
            is_unchanged = runs.c.holder.is_not_distinct_from(holder)
            values = {"holder": self._holder, "lease_until": int((wall + LEASE_S) * 1e6)}
            if connection.execute(update(runs).where(self._run, is_unchanged).values(values)).rowcount != 1:
                raise RunLockedError("another process started this run at the same moment; wait until it ends")
        self._note(wall, monotonic)
        self._renewer = threading.Thread(target=self._renew_until_released, name="lease", daemon=True)
        self._renewer.start()
        return until

    def is_valid(self) -> bool:
        """Whether this process may send now. Cheap: reads two clocks, not the ledger."""
        return self.wall() < self._until and self.monotonic() - self._renewed_at < LEASE_S

    def renew(self) -> bool:
        """Extend the lease in the ledger. False if another process has the run now: nothing more may be sent."""
        wall, monotonic = self.wall(), self.monotonic()
        is_renewed = self._update_ours(lease_until=int((wall + LEASE_S) * 1e6))
        if is_renewed:
            self._note(wall, monotonic)
        return is_renewed

    def release(self) -> None:
        """Give the lease up, so that the next process can start at once."""
        self._released.set()
        if self._renewer:
            self._renewer.join()
        self._until = 0.0
        self._update_ours(holder=None, lease_until=None)

    def _update_ours(self, **values: object) -> bool:
        """Update the run's row, unless the lease is no longer ours: then returns False."""
        with ledger_errors("written"), self.engine.begin() as connection:
            is_ours = runs.c.holder == self._holder
            return connection.execute(update(runs).where(self._run, is_ours).values(values)).rowcount == 1

    def _note(self, wall: float, monotonic: float) -> None:
        # These times are from before the write: after a slow commit, the ledger's lease ends earlier than one counted
        # from now.
        self._until, self._renewed_at = wall + LEASE_S, monotonic

    def _renew_until_released(self) -> None:
        while not self._released.wait(RENEW_S):
            # If renewing fails, the lease expires; the ledger's writer reports the error.
            with contextlib.suppress(LedgerError):
                if not self.renew():
                    return
