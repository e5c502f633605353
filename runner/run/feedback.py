"""Feeding conversions back: matched with a run's messages, noted, told to the provider, and settled."""

import asyncio
import contextlib
import csv
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import orjson

from runner.audience.cells import Unreadable
from runner.audience.files import read_header, read_rows
from runner.audience.spec import Source
from runner.campaign.fields import Region
from runner.campaign.model import Account as NamedAccount
from runner.dispatch.errands import Standing
from runner.errors import InputError
from runner.ledger.feedback import FeedbackStatus, Pending, Told, note_conversions, pending_after, settle_feedback
from runner.ledger.ledger import Ledger, RunRecord
from runner.models import Conversion, Rate
from runner.plan.parquet import replacing
from runner.provider.afterwards import Ended, Ending
from runner.run.account import Account, account_for
from runner.run.errands import work_off
from runner.run.follow import Lines
from runner.run.places import SANDBOX_RUN, Options, Places
from runner.run.status import recorded
from runner.run.times import now_us
from runner.run.told import Matched, Matcher, Unmatched, find_columns, told_by_object, told_by_row

BATCH = 1_000
EXAMPLES = 10


@dataclass(slots=True)
class Feedback:
    """How far feeding back is; read by whoever shows it. `unmatched` are the first few of `unmatched_rows`."""

    rows: int = 0
    matched: Counter[str] = field(default_factory=Counter)
    late: int = 0
    unmatched_rows: int = 0
    unmatched: list[Unmatched] = field(default_factory=list)
    told: int = 0
    refused: int = 0
    refusals: list[tuple[str, str]] = field(default_factory=list)
    waiting_for: str = ""
    stopped: str | None = None

    def add(self, matched: Matched) -> None:
        self.rows += len(matched.found) + len(matched.unmatched)
        self.matched += matched.by_outcome
        self.late += matched.late
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


def feed_file(job: Job, file: Path, progress: Feedback, show: Callable[[], object]) -> None:
    """Note what a CSV, spreadsheet or Parquet file tells, and tell the provider all that it doesn't know yet.

    Raises InputError when the file can't be read, LedgerError when nothing can be noted.
    """
    source = Source(file)
    columns = find_columns(read_header(source), str(file))
    matcher = Matcher(job.ledger, job.record)
    place = 1
    with (
        _unmatched_rows(job.places.unmatched) as unmatched,
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
            _note(job, matched)
            progress.add(matched)
            unmatched(matched.unmatched)
    _tell(job, progress, show, _noted(job))


def follow_file(job: Job, file: Path | None, progress: Feedback, show: Callable[[], object]) -> None:
    """The same with JSON lines as they come: of a file that grows, or, None, of standard input until its end."""
    lines = Lines(file)
    with _unmatched_rows(job.places.unmatched) as unmatched:
        _tell(job, progress, show, _followed(job, progress, lines, unmatched))


def _tell(job: Job, progress: Feedback, show: Callable[[], object], things: AsyncIterator[Pending]) -> None:
    def ended(pending: Pending, found: Ended) -> Told:
        is_told = found.ending is Ending.DONE
        progress.told += is_told
        progress.refused += not is_told
        if not is_told and len(progress.refusals) < EXAMPLES:
            progress.refusals.append((pending.message_id, found.detail))
        status = FeedbackStatus.TOLD if is_told else FeedbackStatus.REFUSED
        return Told(pending, status, now_us(), found.http_status, found.detail or None)

    def showing(standing: Standing) -> None:
        progress.waiting_for = standing.waiting_for
        show()

    progress.stopped = work_off(
        job.account,
        things,
        ask=lambda provider, pending: provider.tell(pending.umid, pending.conversion),
        ended=ended,
        settle=lambda told: settle_feedback(job.ledger, job.record.id, told),
        at=job.rate,
        show=showing,
    )


async def _noted(job: Job) -> AsyncIterator[Pending]:
    """What was noted and the provider doesn't know yet, now or when an earlier process ended."""
    after = ""
    while batch := await asyncio.to_thread(pending_after, job.ledger, job.record.id, after, limit=BATCH):
        for pending in batch:
            yield pending
        after = batch[-1].message_id


async def _followed(
    job: Job, progress: Feedback, lines: Lines, unmatched: Callable[[Sequence[Unmatched]], None]
) -> AsyncIterator[Pending]:
    """The same, and then what is told from now on."""
    async for pending in _noted(job):
        yield pending
    matcher = Matcher(job.ledger, job.record)
    async for some in lines.batches():
        told = [
            Unmatched(number, "", "it is not a JSON object") if line is None else told_by_object(number, line)
            for number, line in some
        ]
        matched = await asyncio.to_thread(matcher.match, told, now=now_us())
        await asyncio.to_thread(_note, job, matched)
        progress.add(matched)
        unmatched(matched.unmatched)
        for message, conversion in matched.found:
            assert message.umid is not None
            yield Pending(message.message_id, message.umid, conversion)


def _note(job: Job, matched: Matched) -> None:
    newest: dict[str, Conversion] = {}
    for message, conversion in matched.found:
        known = newest.get(message.message_id)
        if known is None or (conversion.at or 0) >= (known.at or 0):
            newest[message.message_id] = conversion
    note_conversions(job.ledger, job.record.id, list(newest.items()), now=now_us())


@contextlib.contextmanager
def _unmatched_rows(path: Path) -> Iterator[Callable[[Sequence[Unmatched]], None]]:
    """Takes the rows that can't be fed back, for whoever mends them: a file, if there are any."""
    path.unlink(missing_ok=True)  # of an earlier time
    with contextlib.ExitStack() as stack:
        files: list[IO[bytes]] = []

        def add(rows: Sequence[Unmatched]) -> None:
            text = io.StringIO(newline="")
            writer = csv.writer(text, lineterminator="\n")
            if rows and not files:
                files.append(stack.enter_context(replacing(path)))
                writer.writerow(("row", "message", "why"))
            writer.writerows((row.place, _defused(row.name), _defused(row.why)) for row in rows)
            for file in files:
                file.write(text.getvalue().encode("utf-8", "replace"))

        yield add


def _defused(cell: str) -> str:
    """With a quote before what a spreadsheet would run as a formula; a number with its plus is none."""
    is_number = cell.removeprefix("+").isdecimal()
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not is_number else cell
