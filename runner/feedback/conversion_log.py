"""Records conversions from a file or a live stream in the ledger, and writes unmatched rows to a file."""

import asyncio
import contextlib
import csv
import io
import os
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import polars as pl

from runner.base.clock import now_us
from runner.base.conversions import Conversion
from runner.base.errors import BlockedError
from runner.base.files import replacing
from runner.base.text import defused
from runner.feedback.conversion_rows import Matched, Matcher, Unmatched, find_columns, read_object, read_row
from runner.feedback.json_lines import Line
from runner.feedback.newest_conversions import conversions_in, frame_of, newest_of
from runner.files.reader import read_header, read_rows
from runner.files.sheet_rows import SheetRows
from runner.files.source import Source, UnreadableRow
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.request_journal import Pending, note_conversions, pending_after, pending_among

BATCH = 1_000
# Conversions in one transaction. A run in progress waits for each transaction before it can claim messages.
NOTED_AT_A_TIME = 5_000
EXAMPLES = 10

# The most conversions kept in memory until they are reported; further ones are only in the ledger until then.
MOST_WAITING = 10_000

_HEADER = "row,message,why\n"

AddUnmatched = Callable[[Sequence[Unmatched]], None]


@dataclass(slots=True)
class ReadCounts:
    """Counts of the rows read so far.

    `messages` counts messages with a conversion, by outcome. `repeated` counts rows about the same message as another
    row, `known` the conversions recorded before. `unmatched` has the first few of the `unmatched_rows`;
    `sheet_rows` the row numbers that people see, empty for lines.
    """

    rows: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    known: int = 0
    unmatched_rows: int = 0
    unmatched: list[Unmatched] = field(default_factory=list)
    sheet_rows: SheetRows = field(default_factory=SheetRows)

    def add(self, matched: Matched) -> None:
        self.rows += len(matched.conversions) + len(matched.unmatched)
        self.unmatched_rows += len(matched.unmatched)
        self.unmatched += matched.unmatched[: EXAMPLES - len(self.unmatched)]


def note_file(
    ledger: Ledger, record: RunRecord, file: Path, unmatched: Path, counts: ReadCounts, show: Callable[[], object]
) -> None:
    """Record the conversions of a CSV, spreadsheet or Parquet file; unmatched rows go into the file `unmatched`.

    Raises InputError if the file can't be read, StoppedError if nothing can be recorded.
    """
    source = Source(file, encoding_key=None)
    header = read_header(source)
    columns = find_columns(header, str(file))
    source = replace(source, used=frozenset(header[place] for place in columns.values()))
    matcher = Matcher(ledger, record)
    place = 1
    parts: list[pl.DataFrame] = []
    with (
        unmatched_file(unmatched, source=file) as add_unmatched,
        contextlib.closing(read_rows(source, batch_size=BATCH, sheet_rows=counts.sheet_rows)) as batches,
    ):
        for batch in batches:
            rows = [
                Unmatched(number, "", cells.words)
                if isinstance(cells, UnreadableRow)
                else read_row(number, cells, columns)
                for number, cells in enumerate(batch.rows, place)
            ]
            place += len(rows)
            matched = matcher.match(rows, now=now_us())
            parts.append(frame_of(matched.conversions))
            counts.add(matched)
            add_unmatched(matched.unmatched)
            show()
    newest = newest_of(parts)
    counts.messages.update(newest["outcome"].to_list())
    counts.repeated = sum(map(len, parts)) - len(newest)
    for part in newest.iter_slices(NOTED_AT_A_TIME):
        counts.known += len(part) - note_conversions(ledger, record.id, conversions_in(part), now=now_us())


async def pending_conversions(ledger: Ledger, record: RunRecord) -> AsyncGenerator[Pending, None]:
    """The recorded conversions that haven't been reported yet, from this process or an earlier one."""
    after = ""
    while batch := await asyncio.to_thread(pending_after, ledger, record.id, after, limit=BATCH):
        for pending in batch:
            yield pending
        after = batch[-1].message_id


@dataclass(eq=False)
class ConversionStream:
    """Records conversions as lines arrive, and yields those to report.

    Two tasks run at the same time, so that lines are recorded even while the provider can't be reached. One reads lines
    and records their conversions. The other yields pending conversions: first the newest lines, then those left by
    earlier starts or not kept in memory.
    """

    ledger: Ledger
    record: RunRecord
    lines: AsyncGenerator[list[Line], None]
    add_unmatched: AddUnmatched
    counts: ReadCounts

    def __post_init__(self) -> None:
        self._matcher = Matcher(self.ledger, self.record)
        self._waiting: deque[Pending] = deque()
        self._given: dict[str, Conversion] = {}
        self._more_in_ledger = True  # left by earlier starts
        self._changed = asyncio.Event()

    async def pending(self) -> AsyncGenerator[Pending, None]:
        """Yield conversions to report until the lines end. Raises StoppedError if reading or recording fails."""
        reading = asyncio.ensure_future(self._read())
        reading.add_done_callback(lambda _: self._changed.set())
        try:
            while True:
                self._changed.clear()
                for pending in self._new_ones():
                    yield pending
                if self._more_in_ledger:
                    self._more_in_ledger = False
                    async with contextlib.aclosing(pending_conversions(self.ledger, self.record)) as older:
                        async for pending in older:
                            for newer in self._new_ones():  # first, because only prompt feedback counts fully
                                yield newer
                            if self._is_new(pending):
                                yield pending
                elif reading.done():
                    reading.result()  # raises its error
                    if not self._waiting:
                        return
                else:
                    await self._changed.wait()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def _new_ones(self) -> Iterator[Pending]:
        while self._waiting:
            pending = self._waiting.popleft()
            if self._is_new(pending):
                yield pending

    def _is_new(self, pending: Pending) -> bool:
        """Whether this conversion wasn't yielded before. Those of the newest lines are in the ledger too."""
        if self._given.get(pending.message_id) == pending.conversion:
            return False
        self._given[pending.message_id] = pending.conversion
        if len(self._given) > MOST_WAITING:
            del self._given[next(iter(self._given))]
        return True

    async def _read(self) -> None:
        async with contextlib.aclosing(self.lines):
            async for lines in self.lines:
                matched, pending = await asyncio.to_thread(self._note, lines)
                self.counts.add(matched)
                self.counts.messages.update(conversion.outcome.value for _, conversion in matched.conversions)
                if len(self._waiting) + len(pending) <= MOST_WAITING:
                    self._waiting.extend(pending)
                else:
                    self._more_in_ledger = True
                self._changed.set()

    def _note(self, lines: list[Line]) -> tuple[Matched, list[Pending]]:
        now = now_us()
        rows = [
            Unmatched(number, "", "not a JSON object") if line is None else read_object(number, line)
            for number, line in lines
        ]
        matched = self._matcher.match(rows, now=now)
        self.add_unmatched(matched.unmatched)
        newest = conversions_in(newest_of([frame_of(matched.conversions)]))
        note_conversions(self.ledger, self.record.id, newest, now=now, is_live=True)
        return matched, pending_among(self.ledger, self.record.id, list(newest))


@contextlib.contextmanager
def unmatched_file(path: Path, *, source: Path) -> Iterator[AddUnmatched]:
    """Collect the unmatched rows of the file `source`, and write them to `path` when the block ends without an error.

    Without unmatched rows, an older `path` is removed, unless it is `source` itself, corrected and used as input.
    Raises StoppedError if `path` can't be written.
    """
    files: list[IO[bytes]] = []
    with contextlib.ExitStack() as stack:
        yield _adding_to(path, files, lambda: stack.enter_context(replacing(path)))
    with _writing(path):
        if not files and not (path.exists() and source.exists() and path.samefile(source)):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def unmatched_log(path: Path, *, replace: bool) -> Iterator[AddUnmatched]:
    """The same for a live stream: each row is written immediately.

    New rows are added to those of earlier sessions, or `replace` them if a file is followed, because it is read from
    its beginning.
    """
    if replace:
        with _writing(path):
            path.unlink(missing_ok=True)

    def opened() -> IO[bytes]:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        return stack.enter_context(os.fdopen(descriptor, "ab"))

    with contextlib.ExitStack() as stack:
        yield _adding_to(path, [], opened)


def _adding_to(path: Path, files: list[IO[bytes]], opened: Callable[[], IO[bytes]]) -> AddUnmatched:
    """A function that adds rows to a file. The first call opens it with `opened` and puts it into `files`."""

    def add(rows: Sequence[Unmatched]) -> None:
        if not rows:
            return
        text = io.StringIO(newline="")
        with _writing(path):
            if not files:
                files.append(opened())
                text.write("" if files[0].tell() else _HEADER)
            cells = ((row.place, defused(row.name), defused(row.why)) for row in rows)
            csv.writer(text, lineterminator="\n").writerows(cells)
            files[0].write(text.getvalue().encode("utf-8", "replace"))
            files[0].flush()

    return add


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BlockedError(f"{path} could not be written: {error.strerror or error}") from error
