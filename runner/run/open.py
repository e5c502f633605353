"""Opening a run, to plan and send it or as the ledger knows it: its files found, its ledger, lock and lease taken."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import orjson

from runner.base.clock import iso, now_us
from runner.base.errors import InputError, LedgerError, RunLockedError
from runner.campaign import AccountSection, Campaign, check_run_id
from runner.campaign.fields import Region
from runner.ledger.database import parse_url
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.lock import Lease, run_lock
from runner.ledger.purge import purged_at
from runner.ledger.receipts import settle_by_receipts
from runner.ledger.writer import merge_spill
from runner.plan.inputs import Inputs, load_inputs
from runner.plan.message_ids import MessageIds
from runner.plan.summary import PlanSummary
from runner.prices.costs import Costs
from runner.run.paths import SANDBOX_RUN, RunOptions, RunPaths, ledger_url, paths_of

# A clock may be set back by up to an hour (a lost daylight saving change) before it is doubted.
CLOCK_BEHIND_US = 3_600_000_000


@dataclass(slots=True)
class Run:
    """One run, locked: no other process plans or sends it. `open_run` makes one.

    `previous` is what the ledger has of earlier sessions, None for a new run. `lease` is the right to send it, held as
    soon as the ledger knows the run. `died` counts messages that a killed process left unknown. `summary` is the newest
    plan's. `settled` is set while the plan in use was made before anything of the run was sent: all that was sent is
    then in the plan, and these are its messages by status.
    """

    inputs: Inputs
    name: str
    run: str
    paths: RunPaths
    ledger: Ledger
    limit: int | None
    now: datetime
    previous: RunRecord | None = None
    lease: Lease | None = None
    died: int = 0
    summary: PlanSummary = field(default_factory=PlanSummary)
    settled: dict[str, int] | None = None
    ids: MessageIds = field(init=False)

    def __post_init__(self) -> None:
        self.ids = MessageIds(self.name, self.run)
        for record in self.ledger.runs(self.name, self.run):  # one, or none
            self.previous = record
            self.take_over(record.id)

    @property
    def campaign(self) -> Campaign:
        return self.inputs.campaign

    def take_over(self, run_id: int) -> None:
        """Take the lease, unless this process has it already."""
        if self.lease is None:
            self.lease, self.died = _take_over(self.ledger, run_id)

    def counts(self) -> dict[str, int]:
        """The messages of earlier sessions, by status."""
        return self.ledger.counts(self.previous.id) if self.previous else {}

    def spent(self) -> Costs:
        """What earlier sessions have sent."""
        costs = Costs(self.inputs.prices)
        for country, segments, count in self.ledger.sizes(self.previous.id) if self.previous else ():
            costs.add(country, segments, count)
        return costs


@contextlib.contextmanager
def open_run(path: Path, options: RunOptions, *, fresh_sandbox: bool = False) -> Iterator[Run]:
    """The run that the campaign file at `path` asks for. `fresh_sandbox` removes what an earlier sandbox run left.

    Raises InputError with every problem of the inputs; RunLockedError when another process has the run.
    """
    now = datetime.now(UTC)
    inputs = load_inputs(path, now=now)
    name, run = inputs.campaign.name, _run_id(inputs.campaign, options, now)
    paths = paths_of(name, run, options)
    ledger_path = Path(parse_url(paths.ledger).database or "")
    with run_lock(ledger_path, name, run):
        if fresh_sandbox:
            _empty(paths.folder)
        with open_ledger(paths.ledger, create=True) as ledger:
            if run != SANDBOX_RUN:
                _refuse_another_ledger(ledger, name, run, paths, options)
                _refuse_wrong_clock(ledger, options)
            opened = Run(inputs, name, run, paths, ledger, options.limit, now)
            try:
                _refuse_purged(opened)
                yield opened
            finally:
                if opened.lease:
                    with contextlib.suppress(LedgerError):  # reported already, and the lease ends by itself
                        opened.lease.release()


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run as the ledger knows it. `lease` is set while no other process can send it."""

    ledger: Ledger
    record: RunRecord
    paths: RunPaths
    lease: Lease | None = None

    @property
    def name(self) -> str:
        """NAME/RUN."""
        return f"{self.record.name}/{self.record.run}"

    @property
    def options(self) -> dict[str, str]:
        """The options that the newest session sent with, by their paths in the campaign file."""
        options: dict[str, str] = orjson.loads(self.record.options)
        return options

    @property
    def account(self) -> AccountSection:
        """The account that the run is sent with."""
        options = self.options
        return AccountSection(sub_account_id=options["account.subAccountId"], region=Region(options["account.region"]))

    def renew_lease(self) -> None:
        """Raises RunLockedError when another machine took the run over: it may have sent more of it since."""
        if self.lease is None or not self.lease.renew():
            raise RunLockedError("another process took this run over meanwhile; nothing was changed, look again")


@contextlib.contextmanager
def recorded_run(name: str, run: str | None, options: RunOptions) -> Iterator[RecordedRun]:
    """The run NAME/RUN as the ledger knows it; without a run, the campaign's newest one. Others may be sending it.

    Raises InputError when the ledger doesn't know it.
    """
    run = SANDBOX_RUN if options.sandbox else run
    url = paths_of(name, run, options).ledger if run else ledger_url(options)
    with open_ledger(url, create=False) as ledger:
        found = ledger.runs(name, run)
        if not found:
            raise _unknown_run(ledger, name, run, options)
        record = max(found, key=lambda record: record.started_at)
        yield RecordedRun(ledger, record, paths_of(name, record.run, options))


@contextlib.contextmanager
def locked_run(name: str, run: str | None, options: RunOptions) -> Iterator[RecordedRun]:
    """The same, with its lock and lease, and with what a dead process left open settled.

    Raises RunLockedError while another process has the run, InputError when the ledger doesn't know it.
    """
    with recorded_run(name, run, options) as found, run_lock(found.ledger.path, found.record.name, found.record.run):
        lease, _ = _take_over(found.ledger, found.record.id)
        try:
            yield replace(found, lease=lease)
        finally:
            lease.release()


def _take_over(ledger: Ledger, run_id: int) -> tuple[Lease, int]:
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


def _unknown_run(ledger: Ledger, name: str, run: str | None, options: RunOptions) -> InputError:
    what = f"the ledger {ledger.path} knows no run {name}{f'/{run}' if run else ''}"
    if run and (folder := paths_of(name, run, options).folder).is_dir():
        remedy = f"its plan was not sent (then you can delete the folder {folder}), or another --ledger knows it"
        return InputError.of(what, remedy)
    names = [f"{record.name}/{record.run}" for record in ledger.runs()]
    remedy = f"it knows {', '.join(names[-10:])}" if names else "it is empty: start a campaign with `campaign run FILE`"
    return InputError.of(what, remedy)


def _run_id(campaign: Campaign, options: RunOptions, now: datetime) -> str:
    if options.sandbox:
        return SANDBOX_RUN
    if options.run is None:
        return campaign.run_id(now)
    if trouble := check_run_id(options.run):
        raise InputError.of(f"--run: {trouble}")
    return options.run


def _empty(folder: Path) -> None:
    """Remove what an earlier sandbox run left; its lock files stay, because this process holds one of them."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_file():
            path.unlink()
        elif path.name.endswith(".part"):  # a killed process was writing a spreadsheet
            shutil.rmtree(path)


def _refuse_another_ledger(ledger: Ledger, name: str, run: str, paths: RunPaths, options: RunOptions) -> None:
    """The folder notes which ledger its run was sent with; another one doesn't know who has been texted."""
    if options.accept_ledger or not paths.ledger_id.exists():
        return
    is_known = bool(ledger.runs(name, run))
    if is_known and paths.ledger_id.read_text(encoding="utf-8").strip() == ledger.id:
        return
    raise InputError.of(
        f"{paths.folder} holds the files of a run that has begun, but the ledger {ledger.path} "
        f"{'is another one' if is_known else 'knows nothing of it'}, so it can't say who has been texted",
        "name the right ledger with --ledger, or begin another run with --run ID; --accept-ledger goes on with this "
        "one, and may text people again",
    )


def _refuse_wrong_clock(ledger: Ledger, options: RunOptions) -> None:
    """With a clock far behind the ledger no lease, cooldown or sending hour would hold."""
    newest = ledger.newest_time()
    if not options.accept_clock and now_us() < newest - CLOCK_BEHIND_US:
        raise InputError.of(
            f"this computer's clock says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, but the ledger was written at "
            f"{iso(newest)}: one of them is wrong",
            "set the clock, or add --accept-clock",
        )


def _refuse_purged(run: Run) -> None:
    """A purged run can't be sent: a plan would bring the numbers back, and nobody could tell who was texted."""
    at = purged_at(run.ledger, run.previous.id) if run.previous else None
    if at is not None:
        raise InputError.of(
            f"{run.name}/{run.run} was purged on {(iso(at) or '')[:10]}, so it can't be sent any more",
            "begin another run with --run ID; should the purge have been killed, `campaign purge` again finishes it",
        )
