"""One run: its inputs, its lock, its ledger, its plan, and how far it is."""

import contextlib
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson

from runner.campaign import Campaign, check_run_id, run_id
from runner.errors import InputError, LedgerError
from runner.ledger.database import parse_url
from runner.ledger.lease import Lease
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.lock import run_lock
from runner.ledger.purge import purged_at
from runner.ledger.receipts import settle_by_receipts
from runner.ledger.writer import merge_spill
from runner.models import Limits
from runner.plan.identity import MessageIds
from runner.plan.inputs import Inputs
from runner.plan.kept import digest, keep, kept
from runner.plan.money import Costs
from runner.plan.narrowing import Sent
from runner.plan.parquet import replacing
from runner.plan.planner import Planner
from runner.plan.saved import changed_messages, is_readable, numbers_under_new_keys, read_messages
from runner.plan.summary import PlanSummary
from runner.run.doubts import refuse_the_impossible
from runner.run.facts import keep_facts
from runner.run.ingredients import ingredients_of
from runner.run.inputs import inputs_of
from runner.run.options import canonical, changed_options, described_options
from runner.run.places import SANDBOX_RUN, Options, Places, places_of
from runner.run.rules import rules_of
from runner.run.times import iso, now_us


@dataclass(slots=True)
class Standing:
    """How far a run is: the plan's messages that the ledger has, by status, and those that are left.

    `gone` were sent to earlier in this run, and are no longer in the recipient file.
    """

    settled: Counter[str] = field(default_factory=Counter)
    left: int = 0
    gone: int = 0


class Run:
    """One run, locked: nobody else plans or sends it. Get one with `opened`."""

    def __init__(
        self, inputs: Inputs, name: str, run: str, places: Places, ledger: Ledger, limit: int | None, now: datetime
    ) -> None:
        self.inputs = inputs
        self.now = now
        self.name = name
        self.run = run
        self.places = places
        self.ledger = ledger
        self.limit = limit
        self.ids = MessageIds(name, run)
        self.summary = PlanSummary()
        # Set while the plan is one that was made before anything of the run was sent: then all of it is in the plan.
        self._kept_settled: Counter[str] | None = None
        self.lease: Lease | None = None
        self.sent_digest = ""
        self.died = 0
        found = ledger.runs(name, run)
        self.previous: RunRecord | None = found[0] if found else None
        if self.previous:
            self._take_over(self.previous.id)

    def _take_over(self, run_id: int) -> None:
        self.lease, self.died = take_over(self.ledger, run_id)

    def close(self) -> None:
        """Let the next process begin at once."""
        if self.lease:
            with contextlib.suppress(LedgerError):  # told already, and the lease ends by itself
                self.lease.give_back()

    @property
    def campaign(self) -> Campaign:
        return self.inputs.campaign

    def plan(self) -> PlanSummary:
        """Judge every row and write plan.parquet, as it is at the run's `now`; or take the one that still holds."""
        self._kept_settled = None
        made_of = ingredients_of(self.inputs, self.ledger, limit=self.limit)
        if made_of and (summary := self._kept(made_of)):
            self.summary = summary
            return summary
        self.places.kept_plan.unlink(missing_ok=True)
        planner = Planner(
            self.inputs.audience,
            self.inputs.composer,
            options=canonical(described_options(self.campaign)),
            rules=rules_of(self.inputs, limit=self.limit, now=self.now, ledger=self.ledger, sent=self._sent()),
        )
        self.summary = planner.write(self.places.plan)
        # Whom the run has sent to already stays in a plan that leaves out others like them: that holds for once.
        if made_of and not self._counts():
            keep(self.places.kept_plan, ingredients=made_of, plan=self.places.plan, summary=self.summary)
        return self.summary

    def _kept(self, made_of: str) -> PlanSummary | None:
        """The summary of the plan that is there, if it is made of the same, with what is left of it."""
        prices = self.inputs.prices
        summary = kept(self.places.kept_plan, ingredients=made_of, plan=self.places.plan, prices=prices)
        if summary is None:
            return None
        settled = Counter(self._counts())
        if settled and self.previous and self.previous.fingerprint != summary.fingerprint:
            return None  # what was sent was another plan's, from another folder
        self._kept_settled = settled
        if settled:
            summary.by_zones[()] -= settled.total()
            # Only for whom it matters: it takes long to find out.
            if prices is not None or self.campaign.limits.of_run() != Limits():
                summary.left = self._unspent(summary.costs)
        return summary

    def _unspent(self, costs: Costs) -> Costs:
        """What is left of a plan's costs, all of whose messages that were sent are in it."""
        left = Costs(self.inputs.prices)
        spent = Counter({(country, segments): times for country, segments, times in self.spent().sizes()})
        for country, segments, times in costs.sizes():
            left.add(country, segments, times - spent[country, segments])
        return left

    def _counts(self) -> dict[str, int]:
        return self.ledger.counts(self.previous.id) if self.previous else {}

    def _sent(self) -> Sent | None:
        if self.previous is None:
            return None
        run_id = self.previous.id

        def sent(keys: Sequence[str]) -> Collection[str]:
            ids = {self.ids.of(key): key for key in keys}
            return {ids[message_id] for message_id in self.ledger.claimed(run_id, list(ids))}

        return sent

    def changes(self) -> list[str]:
        """What would be sent otherwise than when this run began, in words; empty when nothing, or nothing was sent."""
        before = self.previous
        if before is None or before.fingerprint == self.summary.fingerprint or not self.ledger.counts(before.id):
            return []
        options = orjson.loads(before.options)
        now = described_options(self.campaign)
        if any(options[path] != now[path] for path in ("account.subAccountId", "account.region")):
            raise InputError.of(
                f"this run was begun with the account {options['account.subAccountId']} ({options['account.region']}), "
                "and only that account's log knows what became of its unknown messages",
                "go on with it, or begin another run with --run ID",
            )
        found = changed_options(options, now)
        if not is_readable(self.places.sent_plan):
            return [*found, f"{self.places.sent_plan} is gone or damaged, so it can't be said what changed"]
        changed = changed_messages(self.places.sent_plan, self.places.plan)
        again = numbers_under_new_keys(self.places.sent_plan, self.places.plan)
        for (count, examples), words in (
            (changed, "recipients have another text or number"),
            (again, "recipients have a new key, but a number that this run had already: THEY WOULD BE TEXTED AGAIN"),
        ):
            if count:
                shown = ", ".join(f"row {row} (key {key})" for row, key in examples)
                found.append(f"{count:,} {words}: {shown}{', …' if count > len(examples) else ''}")
        return found

    def standing(self) -> Standing:
        """Hold the plan against the ledger."""
        if self.previous is None:
            return Standing(left=self.summary.to_send)
        if self._kept_settled is not None:
            return Standing(self._kept_settled, self.summary.to_send - self._kept_settled.total())
        standing = Standing()
        for batch in read_messages(self.places.plan, self.ids):
            records = self.ledger.records(self.previous.id, [message.message_id for message in batch])
            standing.left += len(batch) - len(records)
            standing.settled.update(record.status for record in records.values())
        standing.gone = sum(self.ledger.counts(self.previous.id).values()) - standing.settled.total()
        return standing

    def spent(self) -> Costs:
        """What earlier sessions of this run have sent."""
        costs = Costs(self.inputs.prices)
        for country, segments, count in self.ledger.sizes(self.previous.id) if self.previous else ():
            costs.add(country, segments, count)
        return costs

    def begin(self) -> RunRecord:
        """Make the newest plan the one that is sent, and say so in the ledger."""
        with replacing(self.places.ledger_id) as file:
            file.write(self.ledger.id.encode())
        self.places.sent_plan.unlink(missing_ok=True)
        try:
            self.places.sent_plan.hardlink_to(self.places.plan)
        except OSError:  # a file system without links
            shutil.copy2(self.places.plan, self.places.sent_plan)
        keep_facts(self.inputs, self.summary, self.places)
        self.sent_digest = digest(self.places.sent_plan)
        record = self.ledger.begin_run(
            name=self.name,
            run=self.run,
            now=now_us(),
            sub_account_id=self.campaign.account.sub_account_id,
            options=canonical(described_options(self.campaign)),
            fingerprint=self.summary.fingerprint,
            rows=self.summary.rows,
            to_send=self.summary.to_send,
        )
        if self.lease is None:
            self._take_over(record.id)
        return record


def take_over(ledger: Ledger, run_id: int) -> tuple[Lease, int]:
    """Make this process the one that may send a run, and settle what the one before left open.

    Returns the lease, and how many messages a dead process left unknown. The caller holds the run's lock.
    """
    lease = Lease(ledger.engine, run_id)
    until = lease.take()
    try:
        merge_spill(ledger, run_id)
        died_by = now_us() if until is None else min(now_us(), int(until * 1e6))
        dead = ledger.bury_dead_claims(run_id, died_by=died_by)
        return lease, max(dead - settle_by_receipts(ledger, run_id), 0)
    except BaseException:
        lease.give_back()
        raise


@contextlib.contextmanager
def taken_over(ledger: Ledger, run_id: int) -> Iterator[Lease]:
    """`take_over` for the length of a block."""
    lease, _ = take_over(ledger, run_id)
    try:
        yield lease
    finally:
        lease.give_back()


@contextlib.contextmanager
def opened(path: Path, options: Options, *, fresh_sandbox: bool = False) -> Iterator[Run]:
    """The run that the campaign file at `path` asks for, locked, with its ledger open.

    Raises InputError with every problem of the inputs; RunLockedError when another process has the run.
    """
    now = datetime.now(UTC)
    inputs = inputs_of(path, now=now)
    name, run = inputs.campaign.name, _run_id(inputs.campaign, options, now)
    places = places_of(name, run, options)
    ledger_path = Path(parse_url(places.ledger).database or "")
    with run_lock(ledger_path, name, run):
        if fresh_sandbox:
            _empty(places.folder)
        with open_ledger(places.ledger, create=True) as ledger:
            refuse_the_impossible(ledger, name, run, places, options)
            opened_run = Run(inputs, name, run, places, ledger, options.limit, now)
            try:
                _refuse_purged(opened_run)
                yield opened_run
            finally:
                opened_run.close()


def _refuse_purged(run: Run) -> None:
    """A plan would bring the numbers back, and what is sent could not be told from what was."""
    at = purged_at(run.ledger, run.previous.id) if run.previous else None
    if at is not None:
        raise InputError.of(
            f"{run.name}/{run.run} was purged on {(iso(at) or '')[:10]}, so it can't be sent any more",
            "begin another run with --run ID; should the purge have been killed, `campaign purge` again finishes it",
        )


def _run_id(campaign: Campaign, options: Options, now: datetime) -> str:
    if options.sandbox:
        return SANDBOX_RUN
    if options.run is not None:
        trouble = check_run_id(options.run)
        if trouble:
            raise InputError.of(f"--run: {trouble}")
        return options.run
    return run_id(campaign, now)


def _empty(folder: Path) -> None:
    """Remove what an earlier sandbox run left; its locks stay, because one of them is ours."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_file():
            path.unlink()
        elif path.name.endswith(".part"):  # a killed process was writing a spreadsheet
            shutil.rmtree(path)
