"""Events from a file, as somebody else's endpoint stored them: JSON lines, each an event as the provider posted it."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.ledger.ledger import Ledger
from runner.provider.webhooks import Ignored, NotAnEventError, read_event
from runner.receipts.intake import Taken, write
from runner.receipts.words import Words

BATCH = 1_000
EXAMPLES = 10


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


def load(ledger: Ledger, lines: Iterable[bytes], words: Words) -> Loaded:
    """Take every event of the lines; blank ones are passed over. Loading the same again changes nothing.

    Raises LedgerError when the ledger can't be written; what came before that is in it.
    """
    loaded, taken = Loaded(), Taken()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        loaded.lines += 1
        try:
            event = read_event(line)
        except NotAnEventError as error:
            loaded.note_bad(number, str(error))
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


def _write(ledger: Ledger, taken: Taken, loaded: Loaded) -> None:
    loaded.settled += write(ledger, taken, time.time_ns() // 1000)
    loaded.counts.update(kind for kind, _ in taken.counted)
