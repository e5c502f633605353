"""Feeding conversions back: matched with a run's messages, noted, told to the provider, and settled."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from runner.audience.cells import Unreadable
from runner.audience.files import read_header, read_rows
from runner.audience.spec import Source
from runner.campaign.fields import Region
from runner.campaign.model import Account as NamedAccount
from runner.dispatch.errands import Standing
from runner.errors import InputError
from runner.ledger.feedback import (
    FeedbackStatus,
    Pending,
    Told,
    note_conversions,
    pending_after,
    pending_count,
    settle_feedback,
)
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.telling import Newest
from runner.models import Rate
from runner.provider.afterwards import Afterwards, Ended, Ending
from runner.run.account import Account, account_for
from runner.run.errands import work_off
from runner.run.places import SANDBOX_RUN, Options, Places
from runner.run.status import recorded
from runner.run.times import now_us
from runner.run.told import Matched, Matcher, Unmatched, find_columns, told_by_row
from runner.run.unmatched import unmatched_file

WINDOW_S = 15 * 60
"""Feedback counts fully within so much time after the message, says the provider."""

BATCH = 1_000
NOTED_AT_A_TIME = 5_000
EXAMPLES = 10


@dataclass(slots=True)
class Feedback:
    """How far feeding back is; read by whoever shows it.

    `messages` are told of, by outcome, and `repeated` rows tell of one that another row tells of, too;
    `known` of the messages were told of so before. `late` of the
    `told` reached the provider after its window; of those, `happened_late` were no earlier. `unmatched` are the first
    few of `unmatched_rows`, `refusals` of `refused`, as (message id, why). `pending` is what the provider doesn't know.
    """

    rows: int = 0
    messages: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    known: int = 0
    unmatched_rows: int = 0
    unmatched: list[Unmatched] = field(default_factory=list)
    pending: int = 0
    told: int = 0
    late: int = 0
    happened_late: int = 0
    refused: int = 0
    refusals: list[tuple[str, str]] = field(default_factory=list)
    waiting_for: str = ""
    stopping: bool = False
    stopped: str | None = None
    was_signalled: bool = False

    def add(self, matched: Matched) -> None:
        self.rows += len(matched.found) + len(matched.unmatched)
        self.unmatched_rows += len(matched.unmatched)
        self.unmatched += matched.unmatched[: EXAMPLES - len(self.unmatched)]


@dataclass(frozen=True, slots=True)
class Job:
    """One run whose messages are told of, and where to."""

    ledger: Ledger
    record: RunRecord
    places: Places
    account: Account
    rate: Rate


@contextlib.contextmanager
def feeding_back(name: str, run: str | None, options: Options, rate: Rate) -> Iterator[Job]:
    """The run that is told of; other processes may be sending it meanwhile.

    Raises InputError when the ledger doesn't know it, or when the provider waits for no feedback on it.
    """
    with recorded(name, run, options) as (ledger, record, places):
        asked = orjson.loads(record.options)
        if asked.get("message.conversionTracking") == "false":
            raise InputError.of(
                f"{record.name}/{record.run} was sent with conversionTracking: false, so the provider waits for no "
                "feedback on it",
                "write conversionTracking: true for the next run",
            )
        named = NamedAccount(sub_account_id=asked["account.subAccountId"], region=Region(asked["account.region"]))
        # What went to a sandbox is nothing that the provider knows.
        with account_for(named, sandbox=record.run == SANDBOX_RUN) as account:
            yield Job(ledger, record, places, account, rate)


def feed_file(job: Job, file: Path | None, progress: Feedback, show: Callable[[], object]) -> None:
    """Note what a CSV, spreadsheet or Parquet file tells, and tell the provider all that it doesn't know yet.

    Without a file that is only what earlier starts have left. Raises InputError when the file can't be read,
    StoppedError when nothing can be noted.
    """
    if file is not None:
        _note_file(job, file, progress, show)
    progress.pending = pending_count(job.ledger, job.record.id)
    tell(job, progress, show, noted(job))


def _note_file(job: Job, file: Path, progress: Feedback, show: Callable[[], object]) -> None:
    source = Source(file)
    columns = find_columns(read_header(source), str(file))
    matcher = Matcher(job.ledger, job.record)
    place = 1
    newest = Newest()
    with (
        unmatched_file(job.places.unmatched, source=file) as unmatched,
        contextlib.closing(read_rows(source, batch_size=BATCH)) as batches,
    ):
        for batch in batches:
            told = [
                Unmatched(number, "", cells.words)
                if isinstance(cells, Unreadable)
                else told_by_row(number, cells, columns)
                for number, cells in enumerate(batch.rows, place)
            ]
            place += len(told)
            matched = matcher.match(told, now=now_us())
            newest.add(matched.found)
            progress.add(matched)
            unmatched(matched.unmatched)
            show()
    progress.messages = newest.counts()
    progress.repeated = newest.added - sum(progress.messages.values())
    # In parts: a run that is being sent waits for each of them with its own claims.
    for part in newest.batches(NOTED_AT_A_TIME):
        progress.known += len(part) - note_conversions(job.ledger, job.record.id, part, now=now_us())


class _Current:
    """What is being told of each message: of two things that are told at once, the older must not be the last."""

    def __init__(self) -> None:
        self._newest: dict[str, Pending] = {}
        self._under_way: Counter[str] = Counter()

    def begin(self, pending: Pending) -> None:
        self._newest[pending.message_id] = pending
        self._under_way[pending.message_id] += 1

    def is_outdated(self, pending: Pending) -> bool:
        return self._newest[pending.message_id] is not pending

    def end(self, pending: Pending) -> None:
        # The newest is remembered until the last one ends: an older one may still wait to be asked again.
        self._under_way[pending.message_id] -= 1
        if not self._under_way[pending.message_id]:
            del self._newest[pending.message_id], self._under_way[pending.message_id]


def _is_late(pending: Pending, at: int) -> bool:
    return pending.sent_at is not None and at - pending.sent_at > WINDOW_S * 1_000_000


_OUTDATED = Ended(Ending.DONE, "told otherwise meanwhile")


def tell(job: Job, progress: Feedback, show: Callable[[], object], things: AsyncGenerator[Pending, None]) -> None:
    """Tell the provider, and settle what it says. Raises LedgerError when that can't be written."""
    current = _Current()

    async def begun() -> AsyncGenerator[Pending, None]:
        async with contextlib.aclosing(things):
            async for pending in things:
                current.begin(pending)
                yield pending

    async def ask(provider: Afterwards, pending: Pending) -> Ended:
        if current.is_outdated(pending):
            return _OUTDATED
        return await provider.tell(pending.umid, pending.conversion)

    def ended(pending: Pending, found: Ended) -> Told | None:
        current.end(pending)
        if found is _OUTDATED:
            return None
        now = now_us()
        is_told = found.ending is Ending.DONE
        progress.told += is_told
        if is_told and _is_late(pending, now):
            progress.late += 1
            progress.happened_late += pending.conversion.at is not None and _is_late(pending, pending.conversion.at)
        progress.refused += not is_told
        if not is_told and len(progress.refusals) < EXAMPLES:
            progress.refusals.append((pending.message_id, found.detail))
        status = FeedbackStatus.TOLD if is_told else FeedbackStatus.REFUSED
        return Told(pending, status, now, found.http_status, found.detail or None)

    def showing(standing: Standing) -> None:
        progress.waiting_for = standing.waiting_for
        progress.stopping = standing.stopping and standing.in_flight > 0
        show()

    stop = work_off(
        job.account,
        begun(),
        ask=ask,
        ended=ended,
        settle=lambda some: settle_feedback(job.ledger, job.record.id, [one for one in some if one is not None]),
        at=job.rate,
        show=showing,
    )
    progress.stopped, progress.was_signalled = stop.words, stop.was_signalled
    progress.pending = pending_count(job.ledger, job.record.id)


async def noted(job: Job) -> AsyncGenerator[Pending, None]:
    """What was noted and the provider doesn't know yet, now or when an earlier process ended."""
    after = ""
    while batch := await asyncio.to_thread(pending_after, job.ledger, job.record.id, after, limit=BATCH):
        for pending in batch:
            yield pending
        after = batch[-1].message_id
