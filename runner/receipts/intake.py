"""Writes events to the ledger: events posted to the server, and events in a file."""

import unicodedata
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
from runner.numbers.digits import LABEL
from runner.provider.webhooks import Ignored, NotAnEventError, read_event
from runner.receipts.optout_words import Meaning, OptOutWords

# The largest event. Most have about one kilobyte.
EVENT_LIMIT_BYTES = 64 * 1024

# The most events that wait for a commit, a few hundred bytes each. Beyond that, the provider must post again later.
MOST_WAITING = 20_000

# The most events in one transaction.
MOST_AT_ONCE = 1_000

# After a failed write, the ledger is tried again this often even if nobody posts, so that /health recovers by itself.
TRY_AGAIN_S = 2.0

# A pause between commits, because SQLite's lock has no queue: a run beside the server could wait for it, and stop after
# 10 s.
MOST_PAUSE_S = 0.005

# The most invalid lines of a file that are named.
EXAMPLES = 10


class FullError(Exception):
    """Too many events are waiting: try again later."""


class Metrics:
    """The counts of one server, in a separate registry. They never contain a number, a text or an id.

    `counts` has the events by kind, for people; the others are for Prometheus.
    """

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Gauge, Histogram
        from prometheus_client import Counter as Counting

        self.registry = CollectorRegistry()
        self.counts: Counter[str] = Counter()
        common: dict[str, Any] = {"registry": self.registry, "namespace": "campaign_receipts"}
        self._events = Counting("events", "Events received, by kind.", ["kind"], **common)
        self._states = Counting("states", "Delivery receipts, by state.", ["state"], **common)
        self._refused = Counting("refused", "Requests refused, by status.", ["status"], **common)
        self.settled = Counting("settled", "Unknown messages settled by a receipt.", **common)
        self.commit_seconds = Histogram("commit_seconds", "Duration of a commit, in seconds.", **common)
        sizes = (1, 2, 5, 10, 20, 50, 100, 200, 500)
        self.group_size = Histogram("group_size", "Events per commit.", buckets=sizes, **common)
        self.waiting = Gauge("waiting", "Events waiting for a commit.", **common)
        self.healthy = Gauge("healthy", "1 while the ledger can be written.", **common)
        self.healthy.set(True)

    def event(self, kind: str, state: str | None = None) -> None:
        """Count an event: receipt (with its state), opt_out, opt_in, untrusted_opt_in, reply, unusable or ignored."""
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


def write_events(
    ledger: Ledger, events: Sequence[Event], words: OptOutWords, now: int, *, authorized: bool
) -> tuple[list[Kind], int]:
    """Write receipts and opt-outs; returns the kind of each event, and the number of unknown messages settled.

    `authorized`: the sender has shown that it is the provider. Otherwise receipts prove nothing, and a START may be
    forged, so it doesn't reverse an opt-out; a STOP counts whoever posts it, because not texting somebody is safe.
    `now` is microseconds since the epoch. Other replies are private: they are counted, not stored. Raises LedgerError
    if the events aren't durable.
    """
    receipts = [event for event in events if isinstance(event, Receipt)]
    replies = [read_reply(event, words, now) for event in events if isinstance(event, Inbound)]
    settled = save_receipts(ledger, receipts, now=now, authorized=authorized)
    if not authorized:
        replies = [("untrusted_opt_in" if kind == "opt_in" else kind, optout) for kind, optout in replies]
    note_optouts(ledger, [optout for _, optout in replies if optout and (authorized or optout.is_out)])
    return [("receipt", receipt.state.value) for receipt in receipts] + [(kind, None) for kind, _ in replies], settled


def read_reply(reply: Inbound, words: OptOutWords, now: int) -> tuple[str, OptOut | None]:
    """The kind of a reply (opt_out, opt_in, reply or unusable), and its opt-out or opt-in."""
    found, number = words.meaning(reply.body, reply.destination), e164(reply.source)
    if found is None or number is None:
        return "unusable" if found else "reply", None
    meaning, word = found
    is_out = meaning is Meaning.STOP
    # If the provider's clock is ahead, a later START must still be able to reverse the opt-out.
    optout = OptOut(number, is_out, min(reply.at, now), OptOutSource.REPLY, word)
    return "opt_out" if is_out else "opt_in", optout


def e164(source: str) -> str | None:
    """A number as E.164, however it is written; None for anything else, such as a sender name."""
    text = LABEL.sub("", unicodedata.normalize("NFKC", source))
    digits = "".join(str(unicodedata.decimal(character)) for character in text if character.isdecimal())
    digits = digits.removeprefix("00")  # no country code begins with a zero
    has_letters = any(character.isalpha() for character in text)
    return f"+{digits}" if 7 <= len(digits) <= 15 and digits[0] != "0" and not has_letters else None


@dataclass(eq=False)
class Intake:
    """Writes events to one ledger in group commits. An async context manager: leaving it writes all waiting events.

    An event is answered only after its commit, because the provider doesn't repeat an event answered with 200. `error`
    says why the last write failed; None if it succeeded. `authorized`: every sender has shown that it is the provider.
    """

    ledger: Ledger
    words: OptOutWords
    metrics: Metrics
    authorized: bool

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
        """The error if the ledger's file was deleted or replaced, else None.

        SQLite keeps writing into a deleted file without an error, and everything written is lost.
        """
        if _file_id(self.ledger.path) == self._file:
            return None
        return LedgerError(
            f"the ledger {self.ledger.path} was deleted or replaced while the server was running; "
            "start `campaign receipts` again"
        )

    async def __aenter__(self) -> Self:
        await self._commits.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._commits.__aexit__()

    async def take(self, event: Event) -> None:
        """Return when the event is durable. Raises LedgerError if it can't be written, FullError if too many wait."""
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
        written = write_events(self.ledger, events, self.words, now_us(), authorized=self.authorized)
        if gone := self.gone:  # checked after the write: no event is answered that went into a deleted file
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
        # The exception's text may quote the event.
        self.error = f"{type(error).__name__} while writing"
        return LedgerError(f"an event could not be written: {type(error).__name__}")

    def _try_again(self) -> None:
        """Write the last failed events again, to find out whether the ledger can be written. Nobody waits for them.

        Writing an event twice does no harm.
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
    """The result of loading a file. `bad` counts invalid lines; `examples` has the first of them, as (line, why)."""

    lines: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    settled: int = 0
    bad: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)


def lines_of(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    """The lines of a file. Lines too long for an event are cut, so that they can't fill the memory."""
    while line := readline(EVENT_LIMIT_BYTES + 1):
        yield line
        while line and not line.endswith(b"\n"):
            line = readline(EVENT_LIMIT_BYTES + 1)


def load(ledger: Ledger, lines: Iterable[bytes], words: OptOutWords) -> Loaded:
    """Write every event in JSON lines that another endpoint stored. Loading the same lines again changes nothing.

    Whoever loads a file vouches for it, so its events count as authorized. Blank lines are skipped.
    Raises LedgerError if the ledger can't be written; earlier events are then in it.
    """
    loaded, events = Loaded(), list[Event]()

    def write() -> None:
        kinds, settled = write_events(ledger, events, words, now_us(), authorized=True)
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
    """Read the event in a line. Raises NotAnEventError."""
    if len(line) > EVENT_LIMIT_BYTES:
        raise NotAnEventError(f"the line is longer than {EVENT_LIMIT_BYTES // 1024} KiB")
    try:
        return read_event(line)
    except NotAnEventError as error:
        # Only the last line of a file may lack a line end; if it isn't JSON, it is incomplete.
        if line.startswith(b"{") and not line.endswith(b"\n") and str(error) == "the body is not JSON":
            raise NotAnEventError("the file ends in the middle of this line") from None
        raise NotAnEventError(str(error).replace("the body", "the line")) from None
