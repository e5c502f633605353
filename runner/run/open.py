"""Open a run with its files, ledger, lock and lease: either to plan and send it, or as the ledger recorded it."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import orjson

from runner.base.clock import iso, now_us
from runner.base.errors import InputError, LedgerError, RunLockedError
from runner.base.files import remove
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

# How far the clock may be behind the ledger: one hour allows for a missed daylight saving change.
CLOCK_BEHIND_US = 3_600_000_000


@dataclass(slots=True)
class Run:
    """A locked run: no other process can plan or send it. Made by `open_run`.

    `previous` is the ledger's record of earlier sessions, None for a new run. `lease` is the right to send the run; it
    is taken as soon as the ledger has the run. `died` counts messages that a killed process left unknown. `summary`
    belongs to the newest plan. `settled` counts the sent messages by status, and is set only if the plan was made
    before the run sent anything, so that every sent message is in the plan.
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
        """Take the lease, unless this process already has it."""
        if self.lease is None:
            self.lease, self.died = _take_over(self.ledger, run_id)

    def counts(self) -> dict[str, int]:
        """The number of messages of earlier sessions, by status."""
        return self.ledger.counts(self.previous.id) if self.previous else {}

    def spent(self) -> Costs:
        """The cost of what earlier sessions sent."""
        costs = Costs(self.inputs.prices)
        for country, segments, count in self.ledger.sizes(self.previous.id) if self.previous else ():
            costs.add(country, segments, count)
        return costs


@contextlib.contextmanager
def open_run(path: Path, options: RunOptions, *, fresh_sandbox: bool = False) -> Iterator[Run]:
    """Open the run of the campaign file at `path`. `fresh_sandbox` removes the files of an earlier sandbox run.

    Raises InputError with every problem of the inputs, RunLockedError if another process has the run.
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
                    with contextlib.suppress(LedgerError):  # already reported; the lease expires
                        opened.lease.release()


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run as the ledger recorded it. With a `lease`, no other process can send it."""

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
        """The options of the newest session, by their paths in the campaign file."""
        options: dict[str, str] = orjson.loads(self.record.options)
        return options

    @property
    def account(self) -> AccountSection:
        """The account that the run uses."""
        options = self.options
        return AccountSection(sub_account_id=options["account.subAccountId"], region=Region(options["account.region"]))

    def renew_lease(self) -> None:
        """Raises RunLockedError if another machine took over the run, because it may have sent more messages."""
        if self.lease is None or not self.lease.renew():
            raise RunLockedError("another process has taken over this run; nothing was changed, run the command again")


@contextlib.contextmanager
def recorded_run(name: str, run: str | None, options: RunOptions) -> Iterator[RecordedRun]:
    """The recorded run NAME/RUN; if `run` is None, the campaign's newest run. Another process may be sending it.

    Raises InputError if the ledger doesn't have it.
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
    """The same with its lock and lease. Messages that a dead process was sending become unknown.

    Raises RunLockedError while another process has the run, InputError if the ledger doesn't have it.
    """
    with recorded_run(name, run, options) as found, run_lock(found.ledger.path, found.record.name, found.record.run):
        lease, _ = _take_over(found.ledger, found.record.id)
        try:
            yield replace(found, lease=lease)
        finally:
            lease.release()


def _take_over(ledger: Ledger, run_id: int) -> tuple[Lease, int]:
    """Take the run's lease, and settle the messages that a dead process was sending.

    Returns the lease and how many messages became unknown. The caller holds the run's lock.
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
    what = f"the ledger {ledger.path} has no run {name}{f'/{run}' if run else ''}"
    if run and (folder := paths_of(name, run, options).folder).is_dir():
        remedy = (
            "if it was planned but not sent, send it with `campaign run`; if it was sent with another ledger, set that "
            f"with --ledger; if you don't need it, delete {folder}"
        )
        return InputError.of(what, remedy)
    names = [f"{record.name}/{record.run}" for record in ledger.runs()]
    remedy = f"it has {', '.join(names[-10:])}" if names else "it is empty; start a campaign with `campaign run FILE`"
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
    """Remove the files of an earlier sandbox run, but not its lock files: this process holds one of them."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_file():
            remove(path)
        elif path.name.endswith(".part"):  # a killed process was writing a spreadsheet
            shutil.rmtree(path)


def _refuse_another_ledger(ledger: Ledger, name: str, run: str, paths: RunPaths, options: RunOptions) -> None:
    """Refuse a ledger other than the one the folder names: another ledger doesn't know who has been texted."""
    if options.accept_ledger or not paths.ledger_id.exists():
        return
    is_known = bool(ledger.runs(name, run))
    if is_known and paths.ledger_id.read_text(encoding="utf-8").strip() == ledger.id:
        return
    raise InputError.of(
        f"{paths.folder} has the files of a run that was started with another ledger; {ledger.path} "
        f"{'may not have all its messages' if is_known else 'has no such run'}, so people could be texted again",
        "name the right ledger with --ledger, or start another run with --run ID; to continue anyway, add "
        "--accept-ledger: this may text people again",
    )


def _refuse_wrong_clock(ledger: Ledger, options: RunOptions) -> None:
    """Refuse a clock far behind the ledger: leases, frequency caps and sending hours would not work."""
    newest = ledger.newest_time()
    if not options.accept_clock and now_us() < newest - CLOCK_BEHIND_US:
        raise InputError.of(
            f"this computer's clock says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, which is before the newest entry in "
            f"the ledger, {iso(newest)}",
            "set the clock, or add --accept-clock",
        )


def _refuse_purged(run: Run) -> None:
    """Refuse to send a purged run: a plan would bring the numbers back, and the ledger can't tell who was texted."""
    at = purged_at(run.ledger, run.previous.id) if run.previous else None
    if at is not None:
        raise InputError.of(
            f"{run.name}/{run.run} was purged on {(iso(at) or '')[:10]} and can't be sent again",
            f"start another run with --run ID; if the purge was interrupted, `campaign purge {run.name}/{run.run}` "
            "finishes it",
        )
