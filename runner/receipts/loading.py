"""Events from a file, as somebody else's endpoint stored them: JSON lines, each an event as the provider posted it."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from runner.ledger.ledger import Ledger
from runner.provider.webhooks import Ignored, NotAnEventError, read_event
from runner.receipts.intake import Taken, write
from runner.receipts.words import Words

NOT_JSON = "the body is not JSON"

BATCH = 1_000
EXAMPLES = 10

LINE_LIMIT_BYTES = 64 * 1024
"""As much as the server takes; an event has about one kilobyte."""


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
    while line := readline(LINE_LIMIT_BYTES + 1):
        yield line
        while line and not line.endswith(b"\n"):
            line = readline(LINE_LIMIT_BYTES + 1)


def load(ledger: Ledger, lines: Iterable[bytes], words: Words) -> Loaded:
    """Take every event of the lines; blank ones are passed over. Loading the same again changes nothing.

    Raises LedgerError when the ledger can't be written; what came before that is in it.
    """
    loaded, taken = Loaded(), Taken()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        loaded.lines += 1
        if len(line) > LINE_LIMIT_BYTES:
            loaded.note_bad(number, f"the line is longer than {LINE_LIMIT_BYTES // 1024} KiB")
            continue
        try:
            event = read_event(line)
        except NotAnEventError as error:
            # Every other line ends; the last one needn't, but is whole only if it is JSON.
            is_cut_off = line.startswith(b"{") and not line.endswith(b"\n") and str(error) == NOT_JSON
            loaded.note_bad(number, "the file ends in the middle of this line" if is_cut_off else _of_line(error))
            continue
        if isinstance(event, Ignored):
            loaded.counts["ignored"] += 1
            continue
        taken.add(event, words, time.time_ns() // 1000)
        if len(taken.counted) >= BATCH:
            _write(ledger, taken, loaded)
            taken = Taken()
    _write(ledger, taken, loaded)
    return loaded


def _of_line(error: NotAnEventError) -> str:
    return str(error).replace("the body", "the line")


def _write(ledger: Ledger, taken: Taken, loaded: Loaded) -> None:
    loaded.settled += write(ledger, taken, time.time_ns() // 1000)
    loaded.counts.update(kind for kind, _ in taken.counted)
