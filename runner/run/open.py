"""Opening a run: its inputs read, its files found, its lock and lease taken, its ledger open."""

import contextlib
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from runner.base.clock import now_us
from runner.base.errors import InputError, LedgerError
from runner.campaign import Campaign, check_run_id
from runner.ledger.database import parse_url
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.lock import Lease, run_lock
from runner.ledger.receipts import settle_by_receipts
from runner.ledger.writer import merge_spill
from runner.plan.inputs import Inputs
from runner.plan.message_ids import MessageIds
from runner.plan.summary import PlanSummary
from runner.prices.costs import Costs
from runner.run.inputs import inputs_of
from runner.run.paths import SANDBOX_RUN, RunOptions, RunPaths, paths_of
from runner.run.preflight import refuse_changed_surroundings, refuse_purged


class Run:
    """One run, locked: no other process plans or sends it. `open_run` makes one.

    `previous` is what the ledger has of earlier sessions, None for a new run. `lease` is the right to send it, held as
    soon as the ledger knows the run. `died` counts messages that a killed process left unknown. `summary` is the newest
    plan's. `settled` is set while the plan in use was made before anything of the run was sent: all that was sent is
    then in the plan, and these are its messages by status.
    """

    def __init__(
        self, inputs: Inputs, name: str, run: str, paths: RunPaths, ledger: Ledger, limit: int | None, now: datetime
    ) -> None:
        self.inputs = inputs
        self.now = now
        self.name = name
        self.run = run
        self.paths = paths
        self.ledger = ledger
        self.limit = limit
        self.ids = MessageIds(name, run)
        self.summary = PlanSummary()
        self.settled: dict[str, int] | None = None
        self.lease: Lease | None = None
        self.died = 0
        found = ledger.runs(name, run)
        self.previous: RunRecord | None = found[0] if found else None
        if self.previous:
            self.take_over(self.previous.id)

    @property
    def campaign(self) -> Campaign:
        return self.inputs.campaign

    def take_over(self, run_id: int) -> None:
        """Take the lease, unless this process has it already."""
        if self.lease is None:
            self.lease, self.died = take_over(self.ledger, run_id)

    def counts(self) -> dict[str, int]:
        """The messages of earlier sessions, by status."""
        return self.ledger.counts(self.previous.id) if self.previous else {}

    def spent(self) -> Costs:
        """What earlier sessions have sent."""
        costs = Costs(self.inputs.prices)
        for country, segments, count in self.ledger.sizes(self.previous.id) if self.previous else ():
            costs.add(country, segments, count)
        return costs

    def close(self) -> None:
        """Give the lease back, so that the next process can begin at once."""
        if self.lease:
            with contextlib.suppress(LedgerError):  # reported already, and the lease ends by itself
                self.lease.release()


@contextlib.contextmanager
def open_run(path: Path, options: RunOptions, *, fresh_sandbox: bool = False) -> Iterator[Run]:
    """The run that the campaign file at `path` asks for. `fresh_sandbox` removes what an earlier sandbox run left.

    Raises InputError with every problem of the inputs; RunLockedError when another process has the run.
    """
    now = datetime.now(UTC)
    inputs = inputs_of(path, now=now)
    name, run = inputs.campaign.name, _run_id(inputs.campaign, options, now)
    paths = paths_of(name, run, options)
    ledger_path = Path(parse_url(paths.ledger).database or "")
    with run_lock(ledger_path, name, run):
        if fresh_sandbox:
            _empty(paths.folder)
        with open_ledger(paths.ledger, create=True) as ledger:
            refuse_changed_surroundings(ledger, name, run, paths, options)
            opened = Run(inputs, name, run, paths, ledger, options.limit, now)
            try:
                refuse_purged(ledger, opened.previous)
                yield opened
            finally:
                opened.close()


def take_over(ledger: Ledger, run_id: int) -> tuple[Lease, int]:
    """Make this process the one that may send a run, and settle what the process before it left open.

    Returns the lease, and how many messages a dead process left unknown. The caller holds the run's lock.
    """
    lease = Lease(ledger.engine, run_id)
    until = lease.acquire()
    try:
        merge_spill(ledger, run_id)
        died_by = now_us() if until is None else min(now_us(), int(until * 1e6))
        dead = ledger.mark_dead_claims_unknown(run_id, died_by=died_by)
        return lease, max(dead - settle_by_receipts(ledger, run_id), 0)
    except BaseException:
        lease.release()
        raise


@contextlib.contextmanager
def taken_over(ledger: Ledger, run_id: int) -> Iterator[Lease]:
    """`take_over` for the length of a block."""
    lease, _ = take_over(ledger, run_id)
    try:
        yield lease
    finally:
        lease.release()


def _run_id(campaign: Campaign, options: RunOptions, now: datetime) -> str:
    if options.sandbox:
        return SANDBOX_RUN
    if options.run is not None:
        trouble = check_run_id(options.run)
        if trouble:
            raise InputError.of(f"--run: {trouble}")
        return options.run
    return campaign.run_id(now)


def _empty(folder: Path) -> None:
    """Remove what an earlier sandbox run left; its lock files stay, because this process holds one of them."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_file():
            path.unlink()
        elif path.name.endswith(".part"):  # a killed process was writing a spreadsheet
            shutil.rmtree(path)
