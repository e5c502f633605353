"""Where answers go when the ledger can't be written: a file beside it, read back at the next start.

Without it, whatever was in flight at that moment would be `unknown`, although its answer is known. A full disk is the
likeliest cause, so the file's room is taken before the first request leaves, and the answers overwrite it in place.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import orjson
from sqlalchemy import select

from runner.errors import LedgerError
from runner.ledger.claims import settle
from runner.ledger.ledger import Ledger
from runner.ledger.tables import SENDING, messages
from runner.models import Outcome, OutcomeReason, Status, Then

ROOM_BYTES = 512 * 1024
"""For the answers of as many requests as can be in flight (800), with long words."""


def spill_path(ledger: Path, run_id: int) -> Path:
    return ledger.with_name(f"{ledger.name}.spill-{run_id}")


class Spill:
    """The spill file of one run. `close` deletes it if nothing was written to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.count = 0
        with contextlib.ExitStack() as on_failure:
            try:
                descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600)
                self._file = on_failure.enter_context(os.fdopen(descriptor, "r+b", buffering=0))
                self._file.write(bytes(ROOM_BYTES))
                os.fsync(descriptor)
                self._file.seek(0)
            except OSError as error:
                words = f"there is no room beside the ledger: {path}: {error.strerror}"
                raise LedgerError(words) from error
            on_failure.pop_all()

    def write(self, settlements: Sequence[tuple[str, Outcome]]) -> None:
        """Keep these outcomes, durably. What cannot be kept is lost, and its messages will be `unknown`."""
        lines = b"".join(orjson.dumps([message_id, asdict(outcome)]) + b"\n" for message_id, outcome in settlements)
        self._file.write(lines)
        os.fsync(self._file.fileno())
        self.count += len(settlements)

    def close(self) -> None:
        self._file.close()
        if not self.count:
            self._path.unlink(missing_ok=True)


def merge(ledger: Ledger, run_id: int) -> int:
    """Settle what an earlier process could only spill, and delete the file. Returns how many.

    Before `bury_dead_claims`, which would make them unknown. Messages that are not `sending` any more are left alone.
    """
    path = spill_path(ledger.path, run_id)
    if not path.exists():
        return 0
    outcomes = dict(_read(path))
    with ledger.writing() as connection:
        query = select(messages.c.message_id).where(messages.c.run_id == run_id, messages.c.status == SENDING)
        open_ids = set(connection.scalars(query))
        settlements = [(message_id, outcome) for message_id, outcome in outcomes.items() if message_id in open_ids]
        settle(connection, run_id, settlements)
    path.unlink()
    return len(settlements)


def _read(path: Path) -> Iterator[tuple[str, Outcome]]:
    names = {field.name for field in fields(Outcome)}
    for line in path.read_bytes().rstrip(b"\0").split(b"\n"):
        try:
            message_id, facts = orjson.loads(line)
            facts = {name: value for name, value in facts.items() if name in names}
            kinds = {"status": Status, "reason": OutcomeReason, "then": Then}
            yield message_id, Outcome(**facts | {name: kind(facts[name]) for name, kind in kinds.items()})
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # empty, half a line that a crash left, or damaged: that message will be unknown
