"""Open a run with its files, ledger, lock and lease: either to plan and send it, or as the ledger recorded it."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import orjson

from runner.base.audit import AuditAction, AuditEntry
from runner.base.clock import iso, now_us
from runner.base.errors import InputError, LedgerError, RunLockedError
from runner.base.files import remove
from runner.base.options import Rate
from runner.base.outcomes import OutcomeReason
from runner.campaign import AccountSection, Campaign, check_run_id
from runner.campaign.fields import Region
from runner.ledger.audit import note, unended_start
from runner.ledger.database import ledger_path
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.lock import Lease, is_locked, run_lock
from runner.ledger.purge import purged_at
from runner.ledger.receipts import settle_by_receipts
from runner.ledger.writer import merge_spill
from runner.plan.inputs import Inputs, load_inputs
from runner.plan.message_ids import MessageIds
from runner.plan.summary import PlanSummary
from runner.prices.costs import Costs
from runner.run.naming import Named, has_placeholder, is_name_of, named_run
from runner.run.paths import SANDBOX_RUN, RunOptions, RunPaths, ledger_url, paths_of, project_of
from runner.run.project import Warn, account_rate, may_make_ledger, refuse_forgotten_ledger

# How far the clock may be behind the ledger: one hour allows for a missed daylight saving change.
CLOCK_BEHIND_US = 3_600_000_000

# In place of a ledger's id, in the run's folder, until a rebuild is complete. No ledger has this id.
BEING_REBUILT = "being rebuilt"


@dataclass(slots=True)
class Run:
    """A locked run: no other process can plan or send it. Made by `open_run`.

    `previous` is the ledger's record of earlier sessions, None for a new run. `lease` is the right to send the run; it
    is taken as soon as the ledger has the run. `died` counts messages that a killed process left unknown. `summary`
    belongs to the newest plan. `overrides` are the options that let something through, each with descriptions of it.
    `unfinished` is the ID of an earlier run, if a start of this one would leave messages of that one unsent.
    `settled` counts the sent messages by status, and is set only if the plan was made before the run sent anything, so
    that every sent message is in the plan. `ledger_state` is what the ledger had of this run when the run was opened,
    in words; `fingerprint` is that of the approval under which the run is sent. `account_rate` is the project's rate
    for the sub-account, over all its runs. `named_again` names the run once more, by the runs that the ledger has now;
    None if nothing but the start decides which run it is.
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
    overrides: dict[str, list[str]] = field(default_factory=dict)
    unfinished: str | None = None
    settled: dict[str, int] | None = None
    fingerprint: str = ""
    account_rate: Rate | None = None
    named_again: Callable[[], Named] | None = None
    ids: MessageIds = field(init=False)
    ledger_state: str = field(init=False)

    def __post_init__(self) -> None:
        self.ids = MessageIds(self.name, self.run)
        for record in self.ledger.runs(self.name, self.run):  # one, or none
            self.previous = record
            self.take_over(record.id)
        self.ledger_state = self._ledger_state()

    @property
    def campaign(self) -> Campaign:
        return self.inputs.campaign

    @property
    def rate(self) -> Rate:
        """The rate that counts: the campaign's, or the sub-account's if that is lower."""
        rates = (self.campaign.rate, self.account_rate or self.campaign.rate)
        return min(rates, key=lambda rate: rate.per_second)

    def sharing_the_rate(self) -> list[str]:
        """The other runs that are sending from the same sub-account, as NAME/RUN."""
        return [
            f"{other.name}/{other.run}"
            for other in self.ledger.runs()
            if other.ended_at is None
            and other.sub_account_id == self.campaign.account.sub_account_id
            and (other.name, other.run) != (self.name, self.run)
            and is_locked(self.ledger.path, other.name, other.run)
        ]

    def take_over(self, run_id: int) -> None:
        """Take the lease, unless this process already has it."""
        if self.lease is None:
            self.lease, self.died = _take_over(self.ledger, run_id, self.previous)

    def counts(self) -> dict[str, int]:
        """The number of messages of earlier sessions, by status."""
        return self.ledger.counts(self.previous.id) if self.previous else {}

    def _ledger_state(self) -> str:
        """The ledger's id and what it has of this run. Every session of the run changes it."""
        if self.run == SANDBOX_RUN:
            return SANDBOX_RUN  # each sandbox run has a new ledger
        counts = [f"{status} {count}" for status, count in self.counts().items()]
        session = f"last started {iso(self.previous.started_at)}" if self.previous else "not started"
        return "; ".join([f"id {self.ledger.id}", *counts, session])

    def spent(self) -> Costs:
        """The cost of what earlier sessions sent."""
        costs = Costs(self.inputs.prices)
        for country, segments, count in self.ledger.sizes(self.previous.id) if self.previous else ():
            costs.add(country, segments, count)
        return costs


@contextlib.contextmanager
def open_run(
    path: Path, options: RunOptions, *, warn: Warn | None = None, fresh_sandbox: bool = False
) -> Iterator[Run]:
    """Open the run of the campaign file at `path`. `fresh_sandbox` replaces the last sandbox run when sending begins.

    `warn` is called before anything else is shown. Raises InputError with every problem of the inputs, RunLockedError
    if another process has the run.
    """
    now = datetime.now(UTC)
    options = replace(options, project=project_of(path))
    inputs = load_inputs(path, now=now)
    name = inputs.campaign.name
    refuse_forgotten_ledger(path, name, options)
    named = _named(inputs.campaign, options, now)
    run = named.run
    if named.why and warn:
        warn(named.why)
    paths = paths_of(name, run, options)
    is_sandbox = run == SANDBOX_RUN
    is_named_by_time = not is_sandbox and options.run is None and has_placeholder(inputs.campaign.run)
    may_make = is_sandbox or may_make_ledger(paths.ledger, options, warn=warn)
    with run_lock(ledger_path(paths.ledger), name, run):
        earlier = _set_aside(paths) if fresh_sandbox else contextlib.nullcontext()
        with earlier, open_ledger(paths.ledger, create=may_make) as ledger:
            overrides: dict[str, list[str]] = {}
            if not is_sandbox:
                overrides |= _refuse_another_ledger(ledger, name, run, paths, options)
                overrides |= _refuse_wrong_clock(ledger, options)
            if is_named_by_time and not options.new_run and (earlier_run := _newest_run(paths, inputs.campaign.run)):
                overrides |= _refuse_another_ledger(ledger, name, earlier_run.folder.name, earlier_run, options)
            opened = Run(
                inputs,
                name,
                run,
                paths,
                ledger,
                options.limit,
                now,
                overrides=overrides,
                unfinished=named.unfinished,
                account_rate=account_rate(path),
            )
            if is_named_by_time and not options.new_run:
                opened.named_again = partial(named_run, inputs.campaign, ledger, now)
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
            raise RunLockedError("another process has taken over this run; run the command again")


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
        lease, _ = _take_over(found.ledger, found.record.id, found.record)
        try:
            yield replace(found, lease=lease)
        finally:
            lease.release()


def _take_over(ledger: Ledger, run_id: int, previous: RunRecord | None) -> tuple[Lease, int]:
    """Take the run's lease, and settle the messages that a dead process was sending.

    `previous` is the record of earlier sessions, if there were any. Returns the lease and how many messages became
    unknown. The caller holds the run's lock. Raises BrokenLedgerError if the ledger is damaged.
    """
    ledger.refuse_damage(run_id)
    lease = Lease(ledger.engine, run_id)
    until = lease.acquire()
    try:
        if previous:
            _note_death(ledger, f"{previous.name}/{previous.run}")
        merge_spill(ledger, run_id)
        died_by = now_us() if until is None else min(now_us(), int(until * 1e6))
        dead = ledger.mark_dead_claims_unknown(run_id, died_by=died_by)
        return lease, max(dead - settle_by_receipts(ledger, run_id), 0)
    except BaseException:
        lease.release()
        raise


def _note_death(ledger: Ledger, name: str) -> None:
    """Add to the audit trail that the newest session of NAME/RUN ended without recording its end, once."""
    if (started := unended_start(ledger, name)) is not None:
        words = f"found later: the session of {iso(started)} ended without a record"
        detail = {"reason": OutcomeReason.PROCESS_DIED.value, "detail": words}
        note(ledger, AuditEntry(AuditAction.STOPPED, name, detail))


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


def _named(campaign: Campaign, options: RunOptions, now: datetime) -> Named:
    """The run that the options and the campaign file name."""
    if options.sandbox:
        return Named(SANDBOX_RUN)
    if options.run is not None:
        if trouble := check_run_id(options.run):
            raise InputError.of(f"--run: {trouble}")
        return Named(options.run)
    run, url = campaign.run_id(now), ledger_url(options)
    path = ledger_path(url)
    if not has_placeholder(campaign.run) or not path.exists() or not path.stat().st_size:
        return Named(run)
    # A process that was killed while it made the ledger leaves a file without tables.
    with open_ledger(url, create=may_make_ledger(url, options)) as ledger:
        return named_run(campaign, ledger, now, new_run=options.new_run)


@contextlib.contextmanager
def _set_aside(paths: RunPaths) -> Iterator[None]:
    """Set the files of an earlier sandbox run aside. If no new run begins, because its plan is refused, restore them.

    Not the lock files, which are in a folder: this process holds one of them.
    """
    aside = paths.earlier_sandbox

    def restore() -> None:
        if (aside / paths.sent_plan.name).exists() and not paths.sent_plan.exists():
            _empty(paths.folder)
            _move_files(aside, paths.folder)
        shutil.rmtree(aside, ignore_errors=True)

    restore()  # if the last process was killed before its run began
    _move_files(paths.folder, aside)
    _empty(paths.folder)
    try:
        yield
    finally:
        restore()


def _move_files(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.is_file():
            path.replace(target / path.name)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_file():
            remove(path)
        elif path.name.endswith(".part"):  # a killed process was writing a spreadsheet
            shutil.rmtree(path)


def _refuse_another_ledger(
    ledger: Ledger, name: str, run: str, paths: RunPaths, options: RunOptions
) -> dict[str, list[str]]:
    """Refuse a ledger other than the one the folder names: another ledger doesn't know who has been texted.

    Returns the option that let it through, with what it let through; {} if there was nothing to refuse.
    """
    if not paths.ledger_id.exists():
        return {}
    is_known = bool(ledger.runs(name, run))
    written = paths.ledger_id.read_text(encoding="utf-8").strip()
    if is_known and written == ledger.id:
        return {}
    words = f"{paths.folder} has the files of a run that was started with another ledger; {ledger.path} "
    words += "may not have all its messages" if is_known else "has no such run"
    remedy = "name the right ledger with --ledger, or start another run with --run ID; if the ledger is lost, make its "
    remedy += f"entries again with `campaign ledger rebuild {name}/{run} --since TIME`"
    if is_known and written == BEING_REBUILT:
        words = f"{ledger.path} may lack messages of {name}/{run}, because the last `campaign ledger rebuild` was "
        words += "interrupted, or the provider's log was not complete"
        remedy = f"run `campaign ledger rebuild {name}/{run} --since TIME` again"
    if options.accept_ledger:
        return {"--accept-ledger": [words]}
    raise InputError.of(
        f"{words}, so people could be texted again",
        f"{remedy}; to continue anyway, add --accept-ledger: this may text people again",
    )


def _newest_run(paths: RunPaths, pattern: str) -> RunPaths | None:
    """The newest run that `run:` has named, by its files, unless it is finished: the ledger must know it."""
    folders = paths.folder.parent.iterdir() if paths.folder.parent.is_dir() else ()
    runs = [replace(paths, folder=folder) for folder in folders if is_name_of(pattern, folder.name)]
    newest = max((run for run in runs if run.ledger_id.exists()), key=lambda run: run.folder.name, default=None)
    if newest:
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):  # a killed run may have no summary
            if orjson.loads(newest.summary.read_bytes())["sessions"][-1]["state"] == "finished":
                return None
    return newest


def _refuse_wrong_clock(ledger: Ledger, options: RunOptions) -> dict[str, list[str]]:
    """Refuse a clock far behind the ledger: leases, frequency caps and sending hours would not work.

    Returns the option that let it through, with what it let through; {} if there was nothing to refuse.
    """
    newest = ledger.newest_time()
    if now_us() >= newest - CLOCK_BEHIND_US:
        return {}
    words = f"this computer's clock says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, which is before the newest entry in "
    words += f"the ledger, {iso(newest)}"
    if options.accept_clock:
        return {"--accept-clock": [words]}
    raise InputError.of(words, "set the clock, or add --accept-clock")


def _refuse_purged(run: Run) -> None:
    """Refuse to send a purged run: a plan would bring the numbers back, and the ledger can't tell who was texted."""
    at = purged_at(run.ledger, run.previous.id) if run.previous else None
    if at is not None:
        raise InputError.of(
            f"{run.name}/{run.run} was purged on {(iso(at) or '')[:10]} and can't be sent again",
            f"start another run with --run ID; if the purge was interrupted, `campaign purge {run.name}/{run.run}` "
            "finishes it",
        )
