"""The book: every message that the sandbox answered. Tests and users can count what a run really sent.

One JSON object per line: the request as received, plus `time` (microseconds since the epoch), `subAccountId`, `umid`
and `status` (QUEUED or REJECTED), which replace fields of the same name.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from runner.base.errors import InputError
from runner.sandbox.answers import QUEUED

# The most messages to keep in memory, if there is no file.
MEMORY_LIMIT = 100_000

# An entry of the book.
Entry = Mapping[str, Any]


class Book:
    """Stores messages in a file, or in memory up to `MEMORY_LIMIT`. Create it with `open_book`."""

    def __init__(self, file: BinaryIO | None = None, path: Path | None = None) -> None:
        self._file = file
        self._path = path
        self._newest: deque[bytes] = deque(maxlen=MEMORY_LIMIT)
        self._queued: set[tuple[str, str]] = set()
        # How many times a clientMessageId was queued, if more than once.
        self.duplicate_ids: dict[str, int] = {}

    def add(self, entry: Entry) -> bool:
        """Add one message. Returns True if a message with its clientMessageId was queued before.

        When this returns, readers of the file see the message. A message is in the book before its answer leaves. So
        the book may contain a message whose answer got lost, but never lacks one whose answer arrived.
        """
        line = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
        if self._file is None:
            self._newest.append(line)
        else:
            self._file.write(line)
            self._file.flush()
        return self._is_duplicate(entry)

    def lines(self) -> Iterator[bytes]:
        """All messages in the file or in memory, oldest first."""
        if self._path is None:
            yield from tuple(self._newest)
            return
        with self._path.open("rb") as file:
            yield from file

    def find(self, umid: str, sub_account_id: str) -> Entry | None:
        """The message with this id. Reads the book from the start, which is fast enough for one request per second."""
        quoted = orjson.dumps(umid)
        entries = (orjson.loads(line) for line in self.lines() if quoted in line)
        return next((each for each in entries if (each["umid"], each["subAccountId"]) == (umid, sub_account_id)), None)

    def load(self) -> None:
        """Read messages of earlier sandboxes, to find duplicates. Raises ValueError or KeyError if it isn't a book."""
        for line in self.lines():
            entry = orjson.loads(line)
            if not line.endswith(b"\n") or not isinstance(entry, dict) or not {"umid", "status"} <= entry.keys():
                raise ValueError(line)
            self._is_duplicate(entry)

    def _is_duplicate(self, entry: Entry) -> bool:
        """Whether a message with the same clientMessageId was queued before. Remembers and counts this one."""
        # A rejected message reached nobody, so sending it again is not a duplicate.
        message_id = entry.get("clientMessageId")
        if entry["status"] != QUEUED or message_id is None:
            return False
        key = (entry["subAccountId"], message_id)
        if key not in self._queued:
            self._queued.add(key)
            return False
        self.duplicate_ids[message_id] = self.duplicate_ids.get(message_id, 1) + 1
        return True


@contextmanager
def open_book(path: Path | None) -> Iterator[Book]:
    """The book, open for writing. A new file is readable by its owner only, because it contains numbers and texts.

    Raises `InputError` if the file can't be written or isn't a book.
    """
    if path is None:
        yield Book()
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise InputError.of(
            f"the book {path} can't be written: {error.strerror}", "name another file with --book"
        ) from error
    with os.fdopen(descriptor, "ab") as file:
        book = Book(file, path)
        try:
            book.load()
        except (OSError, ValueError, KeyError) as error:
            raise InputError.of(
                f"{path} is not a book of the sandbox, or its end is cut off",
                "name another file with --book, or delete this one",
            ) from error
        yield book
