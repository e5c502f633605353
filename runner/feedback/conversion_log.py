"""Conversions from a file, or as lines come, into the ledger; and from there those that the provider doesn't know."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from runner.base.conversions import Conversion
from runner.feedback.conversion_rows import Matched, Matcher, Unmatched, find_columns, read_object, read_row
from runner.feedback.json_lines import JsonLines, Line
from runner.feedback.newest_conversions import NewestConversions
from runner.feedback.unmatched import AddUnmatched, unmatched_file
from runner.files.reader import read_header, read_rows
from runner.files.source import Source, UnreadableRow
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.request_journal import Pending, note_conversions, pending_after, pending_among

BATCH = 1_000
NOTED_AT_A_TIME = 5_000
EXAMPLES = 10

# So many conversions are kept in memory for the provider; more of them wait in the ledger alone.
MOST_WAITING = 10_000


@dataclass(slots=True)
class ReadCounts:
    """What was read so far.

    `messages` with a conversion are counted by outcome; `repeated` rows are about a message that another row is about,
    too; `known` conversions were noted before. `unmatched` are the first few of `unmatched_rows`.
    """

    rows: int = 0
    messages: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    known: int = 0
    unmatched_rows: int = 0
    unmatched: list[Unmatched] = field(default_factory=list)

    def add(self, matched: Matched) -> None:
        """Count a part of a file."""
        self.rows += len(matched.conversions) + len(matched.unmatched)
        self.unmatched_rows += len(matched.unmatched)
        self.unmatched += matched.unmatched[: EXAMPLES - len(self.unmatched)]


def note_file(
    ledger: Ledger, record: RunRecord, file: Path, unmatched: Path, counts: ReadCounts, show: Callable[[], object]
) -> None:
    """Note the conversions in a CSV, spreadsheet or Parquet file; the rows without one go into the file `unmatched`.

    Raises InputError when the file can't be read, StoppedError when nothing can be noted.
    """
    source = Source(file, encoding_key=None)
    columns = find_columns(read_header(source), str(file))
    matcher = Matcher(ledger, record)
    place = 1
    newest = NewestConversions()
    with (
        unmatched_file(unmatched, source=file) as add_unmatched,
        contextlib.closing(read_rows(source, batch_size=BATCH)) as batches,
    ):
        for batch in batches:
            rows = [
                Unmatched(number, "", cells.words)
                if isinstance(cells, UnreadableRow)
                else read_row(number, cells, columns)
                for number, cells in enumerate(batch.rows, place)
            ]
            place += len(rows)
            matched = matcher.match(rows, now=_now_us())
            newest.add(matched.conversions)
            counts.add(matched)
            add_unmatched(matched.unmatched)
            show()
    counts.messages = newest.counts()
    counts.repeated = newest.added - sum(counts.messages.values())
    # In parts: a run that is being sent waits for each of them with its own claims.
    for part in newest.batches(NOTED_AT_A_TIME):
        counts.known += len(part) - note_conversions(ledger, record.id, dict(part), now=_now_us())


async def noted(ledger: Ledger, record: RunRecord) -> AsyncGenerator[Pending, None]:
    """What was noted and the provider doesn't know yet, now or when an earlier process ended."""
    after = ""
    while batch := await asyncio.to_thread(pending_after, ledger, record.id, after, limit=BATCH):
        for pending in batch:
            yield pending
        after = batch[-1].message_id


class ConversionStream:
    """Notes conversions as their lines come, and gives what the provider doesn't know.

    Two tasks work side by side, so that lines are noted while the provider isn't reached. One reads lines and notes
    their conversions, the other gives what is pending: first what came just now, then what earlier starts have left, or
    what was too much to be kept in memory.
    """

    def __init__(
        self, ledger: Ledger, record: RunRecord, lines: JsonLines, add_unmatched: AddUnmatched, counts: ReadCounts
    ) -> None:
        self._ledger = ledger
        self._record = record
        self._lines = lines
        self._add_unmatched = add_unmatched
        self._counts = counts
        self._matcher = Matcher(ledger, record)
        self._waiting: deque[Pending] = deque()
        self._given: dict[str, Conversion] = {}
        self._more_in_ledger = True  # what earlier starts have left
        self._changed = asyncio.Event()

    async def pending(self) -> AsyncGenerator[Pending, None]:
        """Until the lines end. Raises StoppedError when they can't be read, or nothing can be noted, any more."""
        reading = asyncio.ensure_future(self._read())
        reading.add_done_callback(lambda _: self._changed.set())
        try:
            while True:
                self._changed.clear()
                while one := self._next():
                    yield one
                if self._more_in_ledger:
                    self._more_in_ledger = False
                    async with contextlib.aclosing(noted(self._ledger, self._record)) as rest:
                        async for one in rest:
                            while newer := self._next():  # what happens now is worth the most
                                yield newer
                            if self._is_new(one):
                                yield one
                elif reading.done():
                    reading.result()  # raises what it raised
                    if not self._waiting:
                        return
                else:
                    await self._changed.wait()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def _next(self) -> Pending | None:
        while self._waiting:
            one = self._waiting.popleft()
            if self._is_new(one):
                return one
        return None

    def _is_new(self, one: Pending) -> bool:
        """Whether this conversion wasn't given before: what comes just now is in the ledger, too."""
        if self._given.get(one.message_id) == one.conversion:
            return False
        self._given[one.message_id] = one.conversion
        if len(self._given) > MOST_WAITING:
            del self._given[next(iter(self._given))]
        return True

    async def _read(self) -> None:
        async with contextlib.aclosing(self._lines.batches()) as batches:
            async for some in batches:
                matched, news = await asyncio.to_thread(self._note, some)
                self._counts.add(matched)
                for _, conversion in matched.conversions:
                    outcome = conversion.outcome.value
                    self._counts.messages[outcome] = self._counts.messages.get(outcome, 0) + 1
                if len(self._waiting) + len(news) <= MOST_WAITING:
                    self._waiting.extend(news)
                else:
                    self._more_in_ledger = True
                self._changed.set()

    def _note(self, lines: list[Line]) -> tuple[Matched, list[Pending]]:
        now = _now_us()
        rows = [
            Unmatched(number, "", "it is not a JSON object") if line is None else read_object(number, line)
            for number, line in lines
        ]
        matched = self._matcher.match(rows, now=now)
        self._add_unmatched(matched.unmatched)
        newest: dict[str, Conversion] = {}
        for message_id, conversion in matched.conversions:
            known = newest.pop(message_id, None)  # the order is that of the newest
            is_older = known is not None and known.at is not None and (conversion.at or 0) < known.at
            newest[message_id] = known if known is not None and is_older else conversion
        note_conversions(self._ledger, self._record.id, newest, now=now, is_live=True)
        return matched, pending_among(self._ledger, self._record.id, list(newest))


def _now_us() -> int:
    return time.time_ns() // 1000
