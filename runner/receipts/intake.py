"""From events to the ledger: those that the server takes, and those of a file."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from runner.base.clock import now_us
from runner.base.delivery import Inbound, Receipt
from runner.base.errors import LedgerError
from runner.base.optouts import OptOut, OptOutSource
from runner.ledger.group_commit import GroupCommit
from runner.ledger.ledger import Ledger
from runner.ledger.optouts import note_optouts
from runner.ledger.receipts import save_receipts
from runner.provider.webhooks import Ignored, NotAnEventError, read_event
from runner.receipts.optout_words import Meaning, OptOutWords

# The largest event; most have about one kilobyte.
EVENT_LIMIT_BYTES = 64 * 1024

# Events that may wait, of some hundred bytes each; when there are more, the provider has to post again later.
MOST_WAITING = 20_000

# Events in one transaction.
MOST_AT_ONCE = 1_000

# How often a ledger that couldn't be written is tried when nobody posts: who asks for /health before posting must see
# that there is space on the disk again.
TRY_AGAIN_S = 2.0

# SQLite's lock has no queue: a run that sends beside the server would wait, and stop after 10 s.
MOST_PAUSE_S = 0.005

# How many bad lines of a file are named.
EXAMPLES = 10


class FullError(Exception):
    """More waits than may be held in memory: try again later."""


class Metrics:
    """The counts of one server, in a registry of its own. Never a number, a text or an id.

    `counts` are the events by kind, for people; the others are for Prometheus.
    """

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Gauge, Histogram
        from prometheus_client import Counter as Counting

        self.registry = CollectorRegistry()
        self.counts: Counter[str] = Counter()
        common: dict[str, Any] = {"registry": self.registry, "namespace": "campaign_receipts"}
        self._events = Counting("events", "Events taken, by kind.", ["kind"], **common)
        self._states = Counting("states", "Delivery receipts, by state.", ["state"], **common)
        self._refused = Counting("refused", "Requests refused, by status.", ["status"], **common)
        self.settled = Counting("settled", "Unknown messages that a receipt settled.", **common)
        self.commit_seconds = Histogram("commit_seconds", "How long a commit takes.", **common)
        sizes = (1, 2, 5, 10, 20, 50, 100, 200, 500)
        self.group_size = Histogram("group_size", "Events in a commit.", buckets=sizes, **common)
        self.waiting = Gauge("waiting", "Events that wait for a commit.", **common)
        self.healthy = Gauge("healthy", "1 while the ledger can be written.", **common)
        self.healthy.set(True)

    def event(self, kind: str, state: str | None = None) -> None:
        """Count an event: receipt (with its state), opt_out, opt_in, reply, unusable or ignored."""
        self.counts[kind] += 1
        self._events.labels(kind).inc()
        if state is not None:
            self._states.labels(state).inc()

    def refused(self, status: int) -> None:
        self.counts["refused"] += 1
        self._refused.labels(str(status)).inc()

    def text(self) -> bytes:
        """In Prometheus' text format."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)


Event = Receipt | Inbound


# The kind of an event, with the state of a receipt.
Kind = tuple[str, str | None]


def write_events(ledger: Ledger, events: Sequence[Event], words: OptOutWords, now: int) -> tuple[list[Kind], int]:
    """Write receipts and opt-outs; returns the kind of each event, and how many unknown messages they settled.

    `now` is microseconds since the epoch. A reply that neither stops nor starts is counted, not stored: it is private.
    Raises LedgerError when the events aren't durable.
    """
    receipts = [event for event in events if isinstance(event, Receipt)]
    replies = [read_reply(event, words, now) for event in events if isinstance(event, Inbound)]
    settled = save_receipts(ledger, receipts, now=now)
    note_optouts(ledger, [optout for _, optout in replies if optout])
    return [("receipt", receipt.state.value) for receipt in receipts] + [(kind, None) for kind, _ in replies], settled


def read_reply(reply: Inbound, words: OptOutWords, now: int) -> tuple[str, OptOut | None]:
    """The kind of a reply (opt_out, opt_in, reply or unusable), and what it says of its number."""
    found, number = words.meaning(reply.body, reply.destination), e164(reply.source)
    if found is None or number is None:
        return "unusable" if found else "reply", None
    meaning, word = found
    is_out = meaning is Meaning.STOP
    # A clock that is ahead must not make an opt-out that no later word can take back.
    optout = OptOut(number, is_out, min(reply.at, now), OptOutSource.REPLY, word)
    return "opt_out" if is_out else "opt_in", optout


def e164(source: str) -> str | None:
    """A phone as the provider writes it, as E.164; None for anything else, such as a sender's name."""
    digits = re.sub(r"[^0-9]", "", source)
    has_letters = any(character.isalpha() for character in source)
    return f"+{digits}" if 7 <= len(digits) <= 15 and digits[0] != "0" and not has_letters else None


@dataclass(eq=False)
class Intake:
    """Takes events for one ledger, in group commits. An async context manager; leaving it writes all that waits.

    An event is answered after its commit, and never before: what was answered 200 is not posted again. `error` says
    why the ledger couldn't be written the last time; None: it could.
    """

    ledger: Ledger
    words: OptOutWords
    metrics: Metrics

    def __post_init__(self) -> None:
        self._file = _file_id(self.ledger.path)
        self._failed: Sequence[Event] = ()
        self._commits: GroupCommit[Event, None] = GroupCommit(
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
        """Why nothing can be written here any more: the ledger's file was deleted or replaced. None: it is there.

        SQLite goes on writing into a file that has been deleted, without an error, and all of it is lost.
        """
        if _file_id(self.ledger.path) == self._file:
            return None
        return LedgerError(
            f"the ledger {self.ledger.path} was deleted or replaced while receipts were being taken; "
            "start `campaign receipts` again"
        )

    async def __aenter__(self) -> Self:
        await self._commits.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._commits.__aexit__()

    async def take(self, event: Event) -> None:
        """Returns when the event is durable. Raises LedgerError when it isn't, FullError when too much waits."""
        if self._commits.waiting >= MOST_WAITING:
            raise FullError
        await self._commits.submit(event)

    def _commit(self, events: Sequence[Event]) -> Sequence[None]:
        self.metrics.waiting.set(self._commits.waiting)
        with self.metrics.commit_seconds.time():
            kinds, settled = self._write(events)
        self.metrics.group_size.observe(len(events))
        self.metrics.settled.inc(settled)
        for kind, state in kinds:
            self.metrics.event(kind, state)
        return [None] * len(events)

    def _write(self, events: Sequence[Event]) -> tuple[list[Kind], int]:
        written = write_events(self.ledger, events, self.words, now_us())
        if gone := self.gone:  # checked afterwards, so that nothing is answered that went into a deleted file
            raise gone
        self.error = None
        self.metrics.healthy.set(True)
        return written

    def _note_failure(self, events: Sequence[Event], error: Exception) -> LedgerError:
        self._failed = events
        self.metrics.healthy.set(False)
        if isinstance(error, LedgerError):
            self.error = str(error)
            return error
        # Its words may quote the event.
        self.error = f"{type(error).__name__} as it was written"
        return LedgerError(f"an event could not be written: {type(error).__name__}")

    def _try_again(self) -> None:
        """Write the last failed events again, for which nobody waits any more: that shows whether the ledger is well.

        Written twice they do no harm.
        """
        if self.error is None:
            return
        try:
            self._write(self._failed)
        except Exception as error:
            self._note_failure(self._failed, error)


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@dataclass(slots=True)
class Loaded:
    """What was loaded from a file. `bad` are lines that are no event; `examples` the first of them, as (line, why)."""

    lines: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    settled: int = 0
    bad: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)


def lines_of(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    """Lines, cut where they are too long to be an event: a file without line ends must not fill the memory."""
    while line := readline(EVENT_LIMIT_BYTES + 1):
        yield line
        while line and not line.endswith(b"\n"):
            line = readline(EVENT_LIMIT_BYTES + 1)


def load(ledger: Ledger, lines: Iterable[bytes], words: OptOutWords) -> Loaded:
    """Take every event of JSON lines, as another endpoint stored them. Loading the same again changes nothing.

    Blank lines are skipped. Raises LedgerError when the ledger can't be written; the events before that are in it.
    """
    loaded, events = Loaded(), list[Event]()

    def write() -> None:
        kinds, settled = write_events(ledger, events, words, now_us())
        loaded.settled += settled
        loaded.counts.update(kind for kind, _ in kinds)
        events.clear()

    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        loaded.lines += 1
        try:
            event = _read_line(line)
        except NotAnEventError as error:
            loaded.bad += 1
            if loaded.bad <= EXAMPLES:
                loaded.examples.append((number, str(error)))
            continue
        if isinstance(event, Ignored):
            loaded.counts["ignored"] += 1
            continue
        events.append(event)
        if len(events) >= MOST_AT_ONCE:
            write()
    write()
    return loaded


def _read_line(line: bytes) -> Event | Ignored:
    """The event of a line. Raises NotAnEventError."""
    if len(line) > EVENT_LIMIT_BYTES:
        raise NotAnEventError(f"the line is longer than {EVENT_LIMIT_BYTES // 1024} KiB")
    try:
        return read_event(line)
    except NotAnEventError as error:
        # Every other line ends; the last one needn't, but is whole only if it is JSON.
        if line.startswith(b"{") and not line.endswith(b"\n") and str(error) == "the body is not JSON":
            raise NotAnEventError("the file ends in the middle of this line") from None
        raise NotAnEventError(str(error).replace("the body", "the line")) from None
