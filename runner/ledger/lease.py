"""Who may send a run, across machines: a lease in the ledger that its holder renews.

The file lock (`lock`) is exact on one machine and knows nothing of another. The lease is for the other: it is written
with an end, renewed long before that, and its holder stops sending at the end by itself. Somebody else may take it only
`GRACE_S` after the end, so that clocks may differ by that much. A machine that slept through the end of its lease asks
the ledger before anything leaves: if nobody took the run over meanwhile, it goes on.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine, select, update

from runner.base.errors import LedgerError, RunLockedError
from runner.ledger.database import ledger_errors
from runner.ledger.tables import runs

# How long a lease is, how often it is renewed, and how long after its end another machine waits: clocks may differ by
# as much.
LEASE_S = 30.0
RENEW_S = 5.0
GRACE_S = 15.0


def _since_boot() -> float:
    """Seconds that pass while the machine sleeps too, where the system has such a clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True, slots=True)
class Clocks:
    """The time of day, which machines share, and a clock that nobody sets; both in seconds."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = _since_boot


class Lease:
    """The lease of one run for one holder. `take` it, ask `is_valid` before each request, `give_back` at the end.

    All methods may be called from any thread.
    """

    def __init__(
        self,
        engine: Engine,
        run_id: int,
        *,
        host: str | None = None,
        lease_s: float = LEASE_S,
        clocks: Clocks | None = None,
    ) -> None:
        self._engine = engine
        self._run_id = run_id
        self._host = host or socket.gethostname()
        self._holder = f"process {os.getpid()} on {self._host} ({secrets.token_hex(4)})"
        self._lease_s = lease_s
        self._clocks = clocks or Clocks()
        self._renewed_at: float | None = None  # on the steady clock
        self._until = 0.0
        self._given_back = threading.Event()
        self._renewer: threading.Thread | None = None

    def take(self) -> float | None:
        """Take the lease; returns until when the holder before, if it never gave it back, may have been sending.

        That is in seconds since the epoch. Raises RunLockedError, naming the holder, while another one's lease runs. A
        holder on this very machine doesn't count: the caller holds the file lock, so that process is dead.
        """
        wall, steady = self._clocks.wall(), self._clocks.steady()
        with ledger_errors("written"), self._engine.begin() as connection:
            query = select(runs.c.holder, runs.c.lease_until).where(runs.c.id == self._run_id)
            holder, until_us = connection.execute(query).one()
            until = until_us / 1e6 if until_us is not None else None
            is_elsewhere = holder is not None and f" on {self._host} (" not in holder
            if is_elsewhere and until is not None and wall < until + GRACE_S:
                raise RunLockedError(
                    f"this run is being sent by {holder.rpartition(' (')[0]}; if that machine is dead, its lease ends "
                    f"in {until + GRACE_S - wall:.0f} s"
                )
            same = runs.c.holder == holder if holder is not None else runs.c.holder.is_(None)
            values = {"holder": self._holder, "lease_until": int((wall + self._lease_s) * 1e6)}
            taken = connection.execute(update(runs).where(runs.c.id == self._run_id, same).values(values))
            if taken.rowcount != 1:
                raise RunLockedError("another process took this run at the same moment")
        self._note(wall, steady)
        self._renewer = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._renewer.start()
        return until

    def is_valid(self) -> bool:
        """Whether this process may send at this moment. Cheap: two clocks, no ledger."""
        if self._renewed_at is None:
            return False
        return self._clocks.wall() < self._until and self._clocks.steady() - self._renewed_at < self._lease_s

    def renew(self) -> bool:
        """Ask the ledger for more time. False when somebody else has the run now: nothing may leave any more."""
        wall, steady = self._clocks.wall(), self._clocks.steady()
        until = int((wall + self._lease_s) * 1e6)
        mine = (runs.c.id == self._run_id, runs.c.holder == self._holder)
        with ledger_errors("written"), self._engine.begin() as connection:
            kept = connection.execute(update(runs).where(*mine).values(lease_until=until)).rowcount == 1
        if kept:
            self._note(wall, steady)
        return kept

    def give_back(self) -> None:
        """Let the next one begin at once."""
        self._given_back.set()
        if self._renewer:
            self._renewer.join()
        self._renewed_at = None
        mine = (runs.c.id == self._run_id, runs.c.holder == self._holder)
        with ledger_errors("written"), self._engine.begin() as connection:
            connection.execute(update(runs).where(*mine).values(holder=None, lease_until=None))

    def _note(self, wall: float, steady: float) -> None:
        # Counted from before the write: a commit that took long must not make the lease longer than the ledger's.
        self._until, self._renewed_at = wall + self._lease_s, steady

    def _keep(self) -> None:
        while not self._given_back.wait(self._lease_s * RENEW_S / LEASE_S):
            try:
                if not self.renew():
                    return
            except LedgerError:
                continue  # the lease runs out by itself if this goes on, and the writer says why
