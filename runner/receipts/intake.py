"""From events to the ledger: group commits by one thread beside the event loop.

Everything that waits when a commit begins goes into it. Who brought an event is answered after its commit, and never
before: what was answered 200 is not posted again.
"""

import asyncio
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.errors import LedgerError
from runner.ledger import optouts
from runner.ledger.ledger import Ledger
from runner.ledger.receipts import keep
from runner.models import Inbound, OptOut, OptOutSource, Receipt
from runner.receipts.metrics import Metrics
from runner.receipts.words import Meaning, Words

MOST_WAITING = 20_000
"""Events, of some hundred bytes each; beyond, the provider is asked to come again."""

MOST_AT_ONCE = 1_000

TRY_AGAIN_S = 2.0
"""How often a ledger that couldn't be written is tried when nobody posts: who asks for /health before posting must see
that there is space on the disk again."""

MOST_PAUSE_S = 0.005
"""Between two commits the ledger is left to others for as long as the commit before took, but no longer."""

_NOT_DIGITS = re.compile(r"[^0-9]")


class FullError(Exception):
    """More waits than can be kept in memory: try again later."""


@dataclass(slots=True)
class Taken:
    """Events as the ledger takes them, with what is counted of them."""

    receipts: list[Receipt] = field(default_factory=list)
    optouts: list[OptOut] = field(default_factory=list)
    counted: list[tuple[str, str | None]] = field(default_factory=list)

    def add(self, event: Receipt | Inbound, words: Words, now: int) -> None:
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


def write(ledger: Ledger, taken: Taken, now: int) -> int:
    """Write what was taken; returns how many unknown messages it settled. Raises LedgerError when it isn't durable."""
    settled = keep(ledger, taken.receipts, now=now).settled
    if taken.optouts:
        optouts.note(ledger, taken.optouts)
    return settled


class Intake:
    """Takes events for one ledger. An async context manager; leaving it writes all that waits."""

    def __init__(self, ledger: Ledger, words: Words, metrics: Metrics) -> None:
        self._ledger = ledger
        self._words = words
        self._metrics = metrics
        self._file = _file_at(ledger.path)
        self._condition = threading.Condition()
        self._waiting: list[tuple[Receipt | Inbound, asyncio.Future[None]]] = []
        self._closing = False
        self.error: str | None = None
        """Why the ledger couldn't be written the last time; None: it could."""

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
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write_all, name="receipts-writer", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._condition:
            self._closing = True
            self._condition.notify()
        await asyncio.to_thread(self._thread.join)

    async def take(self, event: Receipt | Inbound) -> None:
        """Returns when the event is durable. Raises LedgerError when it isn't, FullError when too much waits."""
        done: asyncio.Future[None] = self._loop.create_future()
        with self._condition:
            if len(self._waiting) >= MOST_WAITING:
                raise FullError
            self._waiting.append((event, done))
            self._condition.notify()
        # The commit goes on when the one who brought the event leaves.
        await asyncio.shield(done)

    def _write_all(self) -> None:
        failed: list[Receipt | Inbound] = []
        while True:
            with self._condition:
                wait_s = TRY_AGAIN_S if self.error is not None else None
                self._condition.wait_for(lambda: self._waiting or self._closing, wait_s)
                group, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                self._metrics.waiting(len(self._waiting))
                is_over = self._closing and not group
            if is_over:
                return
            if not group:
                # Nobody waits for these any more. Written twice they do no harm, and they show whether it goes again.
                self._try_again(failed)
                continue
            events = [event for event, _ in group]
            began = time.perf_counter()
            errors = self._commit(events)
            seconds = time.perf_counter() - began
            if any(errors):
                failed = events
            self._loop.call_soon_threadsafe(_resolve, [done for _, done in group], errors)
            # SQLite gives its lock to nobody in turn: a run that sends beside this would wait, and stop after 10 s.
            time.sleep(min(seconds, MOST_PAUSE_S))

    def _commit(self, events: Sequence[Receipt | Inbound]) -> Sequence[LedgerError | None]:
        """Write a group; of each event, why it couldn't be."""
        began, now = time.perf_counter(), time.time_ns() // 1000
        taken = self._sorted(events, now)
        try:
            settled = self._write(taken, now)
        except LedgerError as error:
            self._note_failure(str(error))
            return [error] * len(events)
        except Exception as error:  # a bug must not end the thread: everybody would wait for ever
            if len(events) > 1:  # one that can't be written must not hold up the others
                return [each for event in events for each in self._commit([event])]
            self._note_failure(f"{type(error).__name__} as it was written")
            return [LedgerError(f"an event could not be written: {type(error).__name__}")]
        self.error = None
        self._metrics.committed(len(events), time.perf_counter() - began, settled)
        for kind, state in taken.counted:
            self._metrics.event(kind, state)
        return [None] * len(events)

    def _write(self, taken: Taken, now: int) -> int:
        settled = write(self._ledger, taken, now)
        if gone := self.gone:  # asked afterwards, so that nothing is answered that went into a deleted file
            raise gone
        return settled

    def _try_again(self, events: Sequence[Receipt | Inbound]) -> None:
        now = time.time_ns() // 1000
        try:
            self._write(self._sorted(events, now), now)
        except Exception as error:
            self._note_failure(str(error) if isinstance(error, LedgerError) else type(error).__name__)
        else:
            self.error = None
            self._metrics.recovered()

    def _sorted(self, events: Sequence[Receipt | Inbound], now: int) -> Taken:
        taken = Taken()
        for event in events:
            taken.add(event, self._words, now)
        return taken

    def _note_failure(self, words: str) -> None:
        self.error = words
        self._metrics.failed()


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _resolve(futures: Sequence[asyncio.Future[None]], errors: Sequence[LedgerError | None]) -> None:
    for future, error in zip(futures, errors, strict=True):
        if future.done():
            continue
        if error:
            future.set_exception(error)
        else:
            future.set_result(None)
