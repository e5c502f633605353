"""Rebuild: make the entries of a lost run again, from the provider's message log.

A message ID is derived from the campaign's name, the run and the recipient's key alone. So a message that the log has
is recognized by the next run, which doesn't send it again. A message that the log lacks is not in the ledger, and the
next run sends it: the log must be complete. If the log is seen to be cut off, the run can't be sent: it lacks messages
that were accepted, or many in a row before one that it has.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from runner.base.audit import AuditAction, AuditEntry
from runner.base.clock import iso, now_us, us_of, utc
from runner.base.errors import InputError
from runner.base.files import write_atomically
from runner.base.messages import Encoding
from runner.base.options import FuseLimits, Rate
from runner.base.outcomes import OutcomeReason, Status
from runner.base.wording import counted
from runner.campaign import check_run_id, read
from runner.ledger.audit import note
from runner.ledger.database import give_way, ledger_path
from runner.ledger.ledger import RunRecord, open_ledger
from runner.ledger.lock import run_lock
from runner.ledger.optouts import count_optouts
from runner.ledger.purge import purged_at
from runner.ledger.rebuilding import LogLine, adopt_lines, describe, nameless, note_rebuilt
from runner.ledger.reconciliation import accepted
from runner.plan.inputs import Inputs, load_inputs
from runner.plan.plan_file import changed_messages, is_purged, is_readable, numbers_under_new_keys, read_messages
from runner.provider.exports import LogExports
from runner.run.account import ProviderAccount, provider_account
from runner.run.open import BEING_REBUILT, Run
from runner.run.paths import CAMPAIGNS, PROJECT_FILE, RunOptions, RunPaths, current_project, paths_of, project_of
from runner.run.plan import canonical, described_options, make_plan, remaining_of
from runner.run.project import refuse_forgotten_ledger
from runner.run.reconcile import AHEAD, MARGIN, Say, is_of, links_of, logged_at, proof_of, refuse_another_place

LINES_AT_A_TIME = 2_000

# While a new connection opens, later messages leave on open ones. That takes a round trip or three.
OVERTAKEN_S = 0.1


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild did to the run.

    `found` messages of the run are in the account's log; `added` of them were missing in the ledger. `nameless`
    messages are in no plan, so their number and key aren't known. `left` is what the next run would send. `newest` is
    when the provider received the newest message (microseconds since the epoch). `complete_from` is when the log has
    every message, if it may lack some now. `problems` are why the campaign can't be planned. `optouts` counts those of
    the ledger. `cut_off` is what shows that the log is cut off, in words, unless the user accepts it. `goes_on`: the
    log has a message of the account that is newer than the run's newest one.
    """

    run: Run
    found: int = 0
    added: int = 0
    nameless: int = 0
    left: int = 0
    newest: int = 0
    complete_from: datetime | None = None
    problems: Sequence[str] = ()
    optouts: int = 0
    cut_off: Sequence[str] = ()
    goes_on: bool = False
    seen: set[str] = field(default_factory=set)

    @property
    def is_complete(self) -> bool:
        """Whether the run can be sent."""
        return not (self.complete_from or self.cut_off)

    @property
    def record(self) -> RunRecord:
        assert self.run.previous is not None  # `_lost_run` begins a run that the ledger doesn't have
        return self.run.previous


def campaign_file(name: str) -> Path:
    """The campaign file of this name in the current project. Raises InputError if there isn't exactly one."""
    project = current_project()
    files = [*(project / CAMPAIGNS).rglob("*.y*ml"), *project.glob("*.y*ml")]
    found = []
    for path in sorted(files):
        file = read(path)[0] if path.name != PROJECT_FILE else None
        if file and file.campaign.name == name:
            found.append(path)
    if len(found) == 1:
        return found[0]
    what = f"several campaign files are called {name}: {', '.join(map(str, found))}"
    if not found:
        what = f"no campaign file in the project {project.absolute()} is called {name}"
    raise InputError.of(what, "name the file with --file")


def rebuild(
    file: Path,
    name: str,
    run_id: str,
    options: RunOptions,
    *,
    since: datetime,
    settle: timedelta,
    deadline: timedelta,
    say: Say,
    accept_absence: bool = False,
) -> Rebuilt:
    """Add the messages of NAME/RUN that the provider's log has since `since` (aware) to the ledger.

    Makes the ledger if there is none. The log is complete `settle` after a request; the export may take until the
    `deadline`. Nothing is changed before the export is ready. If a rebuild is interrupted, or the log may still lack
    messages or is cut off, the run can't be sent until another one completes it. With `accept_absence`, a log that is
    cut off counts as complete. Raises InputError, StoppedError, and RunLockedError if another process has the run.
    """
    options = replace(options, project=project_of(file))
    inputs = load_inputs(file)
    if inputs.campaign.name != name:
        raise InputError.of(f"{file} is called {inputs.campaign.name}, not {name}", "name another file with --file")
    if trouble := check_run_id(run_id):
        raise InputError.of(f"{name}/{run_id}: {trouble}")
    refuse_forgotten_ledger(file, name, options)
    paths = paths_of(name, run_id, options)
    _refuse_purged_plan(f"{name}/{run_id}", paths.sent_plan)
    _refuse_late_start(paths.summary, since)
    account = provider_account(inputs.campaign.account)
    with run_lock(ledger_path(paths.ledger), name, run_id), contextlib.ExitStack() as stack:

        def open_run() -> Run:
            return stack.enter_context(_lost_run(inputs, run_id, paths, account))

        rebuilt = asyncio.run(_adopt_log(f"{name}/{run_id}", account, since, deadline, say, open_run))
        _complete(rebuilt, since, settle)
        detail = {"since": iso(us_of(since)), "found": rebuilt.found, "added": rebuilt.added}
        audited = [AuditEntry(AuditAction.LEDGER_REBUILT, f"{name}/{run_id}", detail)]
        if rebuilt.cut_off and accept_absence:
            words = [f"the provider's log is cut off: {words}" for words in rebuilt.cut_off]
            override = {"option": "--accept-absence", "let_through": words}
            audited.insert(0, AuditEntry(AuditAction.OVERRODE, f"{name}/{run_id}", override))
            rebuilt.cut_off = ()
        note(rebuilt.run.ledger, *audited)
        if rebuilt.is_complete:  # otherwise messages that are missing in the log could be sent again
            write_atomically(paths.ledger_id, rebuilt.run.ledger.id.encode())
        return rebuilt


@contextlib.contextmanager
def _lost_run(inputs: Inputs, run_id: str, paths: RunPaths, provider: ProviderAccount) -> Iterator[Run]:
    """The run, in the ledger even if it is new there.

    Raises InputError if the ledger has it with another account or place.
    """
    campaign, account = inputs.campaign, inputs.campaign.account.sub_account_id
    with open_ledger(paths.ledger, create=True) as ledger:
        run = Run(inputs, campaign.name, run_id, paths, ledger, None, datetime.now(UTC))
        try:
            if run.previous and purged_at(ledger, run.previous.id):
                raise InputError.of(_purged(f"{run.name}/{run_id}"))
            if run.previous and run.previous.sub_account_id != account:
                raise InputError.of(
                    f"the ledger has {run.name}/{run_id} with the account {run.previous.sub_account_id}, but the "
                    f"campaign file has {account}",
                    "use the account that the run was started with",
                )
            if run.previous:
                refuse_another_place(f"{run.name}/{run_id}", run.previous.places, provider)
            # So the run can't be sent while a part of its messages is missing.
            write_atomically(paths.ledger_id, BEING_REBUILT.encode())
            if run.previous is None:
                run.previous = ledger.begin_run(
                    name=run.name,
                    run=run_id,
                    now=now_us(),
                    sub_account_id=account,
                    options=canonical(described_options(campaign)),
                    fingerprint="",
                    rows=0,
                    to_send=0,
                    places=provider.endpoint.place,
                )
                run.take_over(run.previous.id)
            yield run
        finally:
            if run.lease:
                run.lease.release()


async def _adopt_log(
    name: str,
    account: ProviderAccount,
    since: datetime,
    deadline: timedelta,
    say: Say,
    open_run: Callable[[], Run],
) -> Rebuilt:
    """Add the log's messages of NAME/RUN to the ledger. The run is opened when the first of them is there."""
    rebuilt: Rebuilt | None = None
    newest_other = 0

    def note_other(row: Mapping[str, str]) -> None:
        nonlocal newest_other
        if is_of(account, row):
            newest_other = max(newest_other, logged_at(row) or 0)

    async with LogExports(account.endpoint, account.api_key) as exports:
        say(f"requesting the provider's log since {since:%Y-%m-%d %H:%M:%S} UTC")
        links = await links_of(exports, await exports.start(since - MARGIN, datetime.now(UTC) + AHEAD), deadline, say)
        for number, link in enumerate(links, 1):
            say(f"reading file {number} of {len(links)}")
            async with contextlib.aclosing(
                _batches(exports.entries(link), name.replace("/", "."), note_other)
            ) as batches:
                async for batch in batches:
                    if rebuilt is None:
                        rebuilt = Rebuilt(open_run())
                    else:
                        give_way()
                    rebuilt.found += len(batch)
                    rebuilt.added += adopt_lines(rebuilt.run.ledger, rebuilt.record.id, batch, now_us())
                    rebuilt.seen.update(line.message_id for line in batch)
                    rebuilt.newest = max(rebuilt.newest, *(line.at for line in batch))
    if rebuilt is None:
        raise InputError.of(
            f"the provider's log has no message of {name} since {since:%Y-%m-%d %H:%M} UTC; nothing was changed",
            "check the name, --since, and the account in the campaign file",
        )
    rebuilt.goes_on = newest_other > rebuilt.newest
    return rebuilt


async def _batches(
    rows: AsyncIterator[dict[str, str]], prefix: str, note_other: Callable[[Mapping[str, str]], None]
) -> AsyncGenerator[list[LogLine], None]:
    """The log's messages whose ID is `prefix`, a dot and a token, in batches; none is empty. `note_other` gets the
    other lines.
    """
    batch: list[LogLine] = []
    async for row in rows:
        if row["clientmessageid"].rpartition(".")[0] == prefix:
            batch.append(_line(row))
            if len(batch) == LINES_AT_A_TIME:
                yield batch
                batch = []
        else:
            note_other(row)
    if batch:
        yield batch


def _line(row: Mapping[str, str]) -> LogLine:
    at, country = logged_at(row), row.get("country", "").strip().upper()
    encoding = row.get("encoding", "").strip().upper()
    return LogLine(
        message_id=row["clientmessageid"],
        at=now_us() if at is None else at,
        encoding=encoding if encoding in list(Encoding) else Encoding.GSM7.value,
        country=country if len(country) == 2 else None,
        proof=proof_of(row),
    )


def _complete(rebuilt: Rebuilt, since: datetime, settle: timedelta) -> None:
    """Plan the run, to know the keys and numbers of its messages and what is left, and record it as rebuilt."""
    run, run_id = rebuilt.run, rebuilt.record.id
    ledger, paths = run.ledger, run.paths
    try:
        make_plan(run)
    except InputError as error:
        rebuilt.problems = [str(problem) for problem in error.problems]
    has_sent_plan = is_readable(paths.sent_plan)
    for plan in (paths.plan, paths.sent_plan):
        for batch in read_messages(plan, run.ids) if is_readable(plan) else ():
            if describe(ledger, run_id, batch):
                give_way()
    rebuilt.nameless, rebuilt.optouts = nameless(ledger, run_id), count_optouts(ledger)
    if rebuilt.problems:
        values: dict[str, int | str] = {"rows": rebuilt.found, "to_send": rebuilt.found}
    else:
        # The next session asks for --accept-changes unless the plan is the one that was sent. If that one is lost, the
        # new plan must at least have all the keys.
        is_same = not rebuilt.nameless
        if has_sent_plan:
            is_same = not changed_messages(paths.sent_plan, paths.plan)[0]
            is_same = is_same and not numbers_under_new_keys(paths.sent_plan, paths.plan)[0]
        values = {"rows": run.summary.rows, "to_send": run.summary.to_send}
        values |= {"messages_digest": run.summary.messages_digest} if is_same else {}
        rebuilt.left = remaining_of(run).left
    if rebuilt.left or rebuilt.problems:  # so that the next start continues it, even if `run:` names another one then
        stop: dict[str, str | None] = {
            "stop_reason": OutcomeReason.INTERRUPTED.value, "stop_detail": "its ledger was lost and rebuilt",
        }  # fmt: skip
    else:
        stop = {"stop_reason": None, "stop_detail": None}
    if not rebuilt.record.fingerprint:  # of a run that this ledger knew, its own sessions say more
        note_rebuilt(ledger, run_id, **values, **stop)
    if rebuilt.left or rebuilt.problems:
        complete_from = utc(rebuilt.newest) + settle
        if datetime.now(UTC) < complete_from:
            rebuilt.complete_from = complete_from
        rebuilt.cut_off = [*_signs_of_a_cut(rebuilt, since)]


def _signs_of_a_cut(rebuilt: Rebuilt, since: datetime) -> Iterator[str]:
    """What shows that the log doesn't have all of the run's messages, in words."""
    if lacking := _lacking(rebuilt, since):
        yield f"it lacks {counted(lacking, 'message')} that the provider accepted"
    if (gap := _longest_gap(rebuilt)) > longest_honest_gap(rebuilt.run.campaign.rate):
        words = f"it lacks {gap:,} messages in a row, but has a message that comes after them in the plan"
        yield f"{words} (it has no rejected messages either)"


def longest_honest_gap(rate: Rate) -> int:
    """How many messages in a row a complete log may lack before one that it has.

    A run sends in the order of its plan. So they left, and never arrived: so many stop a run by default. Or they were
    still waiting for a connection when the run was killed.
    """
    return FuseLimits().unknown_in_a_row + math.ceil(rate.per_second * OVERTAKEN_S)


def _longest_gap(rebuilt: Rebuilt) -> int:
    """How many messages in a row neither the ledger nor the run's results have, before one that they have, at most.

    0 if the campaign has sending hours, because then messages aren't sent in the order of the plan.
    """
    paths, longest, gap = rebuilt.run.paths, 0, 0
    plan = next(filter(is_readable, (paths.sent_plan, paths.plan)), None)
    not_accepted = _in_results(paths, Status.REJECTED, Status.UNKNOWN)
    for batch in read_messages(plan, rebuilt.run.ids) if plan else ():
        known = rebuilt.run.ledger.claimed(rebuilt.record.id, [message.message_id for message in batch])
        for message in batch:
            if message.zones:
                return 0
            if message.message_id in known or message.message_id in not_accepted:
                longest, gap = max(longest, gap), 0
            else:
                gap += 1
    return longest


def _lacking(rebuilt: Rebuilt, since: datetime) -> int:
    """How many accepted messages the log lacks, as the ledger and the files of the run show."""
    paths = rebuilt.run.paths
    known = {message_id for message_id, *_ in accepted(rebuilt.run.ledger, rebuilt.record.id, since=us_of(since))}
    lacking = len((known | _in_results(paths, Status.ACCEPTED)) - rebuilt.seen)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        counts = orjson.loads(paths.summary.read_bytes())["status"]
        lacking = max(lacking, counts[Status.ACCEPTED.value] - len(rebuilt.seen))
    return lacking


def _in_results(paths: RunPaths, *statuses: Status) -> set[str]:
    """The IDs of the messages with these statuses in the run's results; none if they are lost."""
    import polars as pl

    with contextlib.suppress(OSError, pl.exceptions.PolarsError):
        results = pl.scan_parquet(paths.results_parquet, glob=False).filter(pl.col("status").is_in(statuses))
        return set(results.select("client_message_id").collect().to_series())
    return set()


def _refuse_purged_plan(name: str, plan: Path) -> None:
    if is_readable(plan) and is_purged(plan):
        raise InputError.of(_purged(name))


def _purged(name: str) -> str:
    return f"{name} was purged, so it can't be sent again; nothing needs to be rebuilt"


def _refuse_late_start(summary: Path, since: datetime) -> None:
    """Refuse a `--since` after the run's start: its first messages would be sent again."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        started = datetime.fromisoformat(orjson.loads(summary.read_bytes())["created_at"])
        if started < since - MARGIN:
            raise InputError.of(
                f"--since: {summary} says that the run started on {started:%Y-%m-%d %H:%M} UTC, which is before that",
                f"use --since {started:%Y-%m-%d}",
            )
