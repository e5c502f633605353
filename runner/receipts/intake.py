"""From events to the ledger: those that the server takes, and those of a file."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.base.delivery import Inbound, Receipt
from runner.base.errors import LedgerError
from runner.base.optouts import OptOut, OptOutSource
from runner.ledger.group_commit import GroupCommit
from runner.ledger.ledger import Ledger
from runner.ledger.optouts import note_optouts
from runner.ledger.receipts import save_receipts
from runner.provider.webhooks import Ignored, NotAnEventError, read_event
from runner.receipts.metrics import Metrics
from runner.receipts.optout_words import Meaning, OptOutWords

# As much as an event may have; it has about one kilobyte.
EVENT_LIMIT_BYTES = 64 * 1024

# Events, of some hundred bytes each; beyond, the provider is asked to come again.
MOST_WAITING = 20_000

# Events in one transaction.
MOST_AT_ONCE = 1_000

# How often a ledger that couldn't be written is tried when nobody posts: who asks for /health before posting must see
# that there is space on the disk again.
TRY_AGAIN_S = 2.0

# SQLite gives its lock to nobody in turn: a run that sends beside the server would wait, and stop after 10 s.
MOST_PAUSE_S = 0.005

# Bad lines of a file that are named.
EXAMPLES = 10

NOT_JSON = "the body is not JSON"

_NOT_DIGITS = re.compile(r"[^0-9]")


class FullError(Exception):
    """More waits than can be kept in memory: try again later."""


@dataclass(slots=True)
class SortedEvents:
    """Events as the ledger takes them, with what is counted of them."""

    receipts: list[Receipt] = field(default_factory=list)
    optouts: list[OptOut] = field(default_factory=list)
    counted: list[tuple[str, str | None]] = field(default_factory=list)

    def add(self, event: Receipt | Inbound, words: OptOutWords, now: int) -> None:
        """Sort an event in. A reply that neither stops nor starts is counted, and not kept: it is a private letter."""
        if isinstance(event, Receipt):
            self.receipts.append(event)
            self.counted.append(("receipt", event.state.value))
            return
        meant = words.meaning(event.body, event.destination)
        number = e164(event.source)
        if meant is None or number is None:
            self.counted.append(("reply" if meant is None else "unusable", None))
            return
        meaning, word = meant
        is_out = meaning is Meaning.STOP
        # A clock that is ahead must not make an opt-out that no later word can take back.
        self.optouts.append(OptOut(number, is_out, min(event.at, now), OptOutSource.REPLY, word[:40]))
        self.counted.append(("opt_out" if is_out else "opt_in", None))


def e164(source: str) -> str | None:
    """A phone as the provider writes it, as E.164; None for what is no phone, such as a sender's name."""
    digits = _NOT_DIGITS.sub("", source)
    has_letters = any(character.isalpha() for character in source)
    return f"+{digits}" if 7 <= len(digits) <= 15 and digits[0] != "0" and not has_letters else None


def write(ledger: Ledger, events: SortedEvents, now: int) -> int:
    """Write events; returns how many unknown messages it settled. Raises LedgerError when it isn't durable."""
    settled = save_receipts(ledger, events.receipts, now=now)
    note_optouts(ledger, events.optouts)
    return settled


class Intake:
    """Takes events for one ledger, in group commits. An async context manager; leaving it writes all that waits.

    Who brought an event is answered after its commit, and never before: what was answered 200 is not posted again.
    `error` says why the ledger couldn't be written the last time; None: it could.
    """

    def __init__(self, ledger: Ledger, words: OptOutWords, metrics: Metrics) -> None:
        self._ledger = ledger
        self._words = words
        self._metrics = metrics
        self._file = _file_at(ledger.path)
        self._failed: Sequence[Receipt | Inbound] = ()
        self._commits: GroupCommit[Receipt | Inbound, None] = GroupCommit(
            self._commit,
            self._note_failure,
            name="receipts-writer",
            most=MOST_AT_ONCE,
            most_pause_s=MOST_PAUSE_S,
            isolates=True,
            on_idle=self._try_again,
            idle_s=TRY_AGAIN_S,
        )
        self.error: str | None = None

    @property
    def gone(self) -> LedgerError | None:
        """Why nothing more can be kept here, ever: another file is where the ledger was, or none.

        SQLite goes on writing into a file that has been deleted, without a word, and all of it is lost.
        """
        if _file_at(self._ledger.path) == self._file:
            return None
        return LedgerError(
            f"the ledger {self._ledger.path} was deleted or replaced while receipts were being taken; "
            "start `campaign receipts` again"
        )

    async def __aenter__(self) -> Self:
        await self._commits.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._commits.__aexit__(kind, error, trace)

    async def take(self, event: Receipt | Inbound) -> None:
        """Returns when the event is durable. Raises LedgerError when it isn't, FullError when too much waits."""
        if self._commits.waiting >= MOST_WAITING:
            raise FullError
        await self._commits.submit(event)

    def _commit(self, events: Sequence[Receipt | Inbound]) -> Sequence[None]:
        self._metrics.waiting(self._commits.waiting)
        began = time.perf_counter()
        sorted_events, settled = self._write(events)
        self._metrics.committed(len(events), time.perf_counter() - began, settled)
        for kind, state in sorted_events.counted:
            self._metrics.event(kind, state)
        return [None] * len(events)

    def _write(self, events: Sequence[Receipt | Inbound]) -> tuple[SortedEvents, int]:
        now = time.time_ns() // 1000
        found = SortedEvents()
        for event in events:
            found.add(event, self._words, now)
        settled = write(self._ledger, found, now)
        if gone := self.gone:  # asked afterwards, so that nothing is answered that went into a deleted file
            raise gone
        self.error = None
        return found, settled

    def _note_failure(self, events: Sequence[Receipt | Inbound], error: Exception) -> LedgerError:
        self._failed = events
        self._metrics.healthy(is_healthy=False)
        if isinstance(error, LedgerError):
            self.error = str(error)
            return error
        # Its words may quote the event.
        self.error = f"{type(error).__name__} as it was written"
        return LedgerError(f"an event could not be written: {type(error).__name__}")

    def _try_again(self) -> None:
        """Nobody waits for these any more. Written twice they do no harm, and they show whether it goes again."""
        if self.error is None:
            return
        try:
            self._write(self._failed)
        except Exception as error:
            self._note_failure(self._failed, error)
        else:
            self._metrics.healthy(is_healthy=True)


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


@dataclass(slots=True)
class Loaded:
    """What a file came to. `bad` are lines that are no event; `examples` the first of them, as (line, why)."""

    lines: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    settled: int = 0
    bad: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)

    def note_bad(self, line: int, why: str) -> None:
        self.bad += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append((line, why))


def lines_of(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    """Lines, cut where they are too long to be an event: a file without line ends must not fill the memory."""
    while line := readline(EVENT_LIMIT_BYTES + 1):
        yield line
        while line and not line.endswith(b"\n"):
            line = readline(EVENT_LIMIT_BYTES + 1)


def load(ledger: Ledger, lines: Iterable[bytes], words: OptOutWords) -> Loaded:
    """Take every event of JSON lines, as somebody else's endpoint stored them. Loading the same again changes nothing.

    Blank lines are passed over. Raises LedgerError when the ledger can't be written; what came before that is in it.
    """
    loaded, found = Loaded(), SortedEvents()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        loaded.lines += 1
        if len(line) > EVENT_LIMIT_BYTES:
            loaded.note_bad(number, f"the line is longer than {EVENT_LIMIT_BYTES // 1024} KiB")
            continue
        try:
            event = read_event(line)
        except NotAnEventError as error:
            # Every other line ends; the last one needn't, but is whole only if it is JSON.
            is_cut_off = line.startswith(b"{") and not line.endswith(b"\n") and str(error) == NOT_JSON
            why = (
                "the file ends in the middle of this line" if is_cut_off else str(error).replace("the body", "the line")
            )
            loaded.note_bad(number, why)
            continue
        if isinstance(event, Ignored):
            loaded.counts["ignored"] += 1
            continue
        found.add(event, words, time.time_ns() // 1000)
        if len(found.counted) >= MOST_AT_ONCE:
            _write_loaded(ledger, found, loaded)
            found = SortedEvents()
    _write_loaded(ledger, found, loaded)
    return loaded


def _write_loaded(ledger: Ledger, found: SortedEvents, loaded: Loaded) -> None:
    loaded.settled += write(ledger, found, time.time_ns() // 1000)
    loaded.counts.update(kind for kind, _ in found.counted)
