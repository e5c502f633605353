"""The newest word on each message, out of a file of any length: exact, and flat in memory.

It lives in a temporary SQLite database, as the audience's keys do. A file may tell of a message twice, a million rows
apart, and only what it says in the end may be noted: else each start would tell both, one after the other.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from runner.base.conversions import Conversion, ConversionOutcome
from runner.base.errors import StoppedError

_SCHEMA = """
CREATE TABLE told (
    message_id TEXT PRIMARY KEY,
    outcome TEXT NOT NULL,
    at INTEGER
) WITHOUT ROWID
"""
_ADD = """
INSERT INTO told VALUES (?, ?, ?)
ON CONFLICT (message_id) DO UPDATE SET outcome = excluded.outcome, at = excluded.at
WHERE told.at IS NULL OR excluded.at >= told.at
"""


class Newest:
    """Takes what is told of messages, and gives it back by message id. A context manager.

    Of a message that is told of twice the newest time counts, else the later row; a row with a time before one without.
    All methods raise StoppedError when there is no room for temporary files.
    """

    def __init__(self) -> None:
        # The empty name is SQLite's own temporary database: on disk once it outgrows the cache, in a nameless file.
        self._base = sqlite3.connect("", isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-32768"):
            self._base.execute(f"PRAGMA {pragma}")
        self._base.execute(_SCHEMA)
        self.added = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.close()

    def add(self, told: Sequence[tuple[str, Conversion]]) -> None:
        """What some rows tell, by message id, in their order."""
        with _room():
            self._base.execute("BEGIN")
            self._base.executemany(_ADD, [(message_id, one.outcome.value, one.at) for message_id, one in told])
            self._base.execute("COMMIT")
        self.added += len(told)

    def counts(self) -> dict[str, int]:
        """How many messages are told of, by outcome."""
        with _room():
            return dict(self._base.execute("SELECT outcome, count(*) FROM told GROUP BY outcome"))

    def batches(self, size: int) -> Iterator[list[tuple[str, Conversion]]]:
        """All of it, by message id."""
        after = ""
        query = "SELECT message_id, outcome, at FROM told WHERE message_id > ? ORDER BY message_id LIMIT ?"
        while True:
            with _room():
                rows = self._base.execute(query, (after, size)).fetchall()
            if not rows:
                return
            yield [(message_id, Conversion(ConversionOutcome(outcome), at)) for message_id, outcome, at in rows]
            after = rows[-1][0]


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        remedy = "make room where temporary files go, or set TMPDIR to a folder with room"
        raise StoppedError(f"what the file tells could not be kept: {error}; {remedy}") from error
