"""The book: every message that the sandbox took, so that a test or a curious user can count what a run really did.

One JSON object per line: the request as received, and the sandbox's own `time` (microseconds since the epoch),
`subAccountId`, `umid` and `status` (QUEUED or REJECTED), which win over fields of the same name.
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

MEMORY_LIMIT = 100_000

# A line of the book.
Entry = Mapping[str, Any]


class Book:
    """Where messages are written down: in a file that grows, or else, bounded, in memory. Made by `open_book`."""

    def __init__(self, file: BinaryIO | None = None, path: Path | None = None) -> None:
        self._file = file
        self._path = path
        self._newest: deque[bytes] = deque(maxlen=MEMORY_LIMIT)
        self._queued: set[tuple[str, str]] = set()
        # How often a clientMessageId was queued, if more than once.
        self.duplicate_ids: dict[str, int] = {}

    def add(self, entry: Entry) -> bool:
        """Write one message down; True if one with its clientMessageId had been queued before.

        When it returns, a reader of the file sees it: a request is in the book before its answer leaves, so that the
        book may hold a message whose answer got lost, and never lacks one whose answer arrived.
        """
        line = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
        if self._file is None:
            self._newest.append(line)
        else:
            self._file.write(line)
            self._file.flush()
        return self._is_duplicate(entry)

    def lines(self) -> Iterator[bytes]:
        """Every message in the file or in memory, oldest first."""
        if self._path is None:
            yield from tuple(self._newest)
            return
        with self._path.open("rb") as file:
            yield from file

    def find(self, umid: str, sub_account_id: str) -> Entry | None:
        """The message with this id. Reads the book from its beginning: good enough for one question per second."""
        quoted = orjson.dumps(umid)
        entries = (orjson.loads(line) for line in self.lines() if quoted in line)
        return next((each for each in entries if (each["umid"], each["subAccountId"]) == (umid, sub_account_id)), None)

    def load(self) -> None:
        """Read what an earlier sandbox took, to find duplicates. Raises ValueError or KeyError if it is no book."""
        for line in self.lines():
            entry = orjson.loads(line)
            if not line.endswith(b"\n") or not isinstance(entry, dict) or not {"umid", "status"} <= entry.keys():
                raise ValueError(line)
            self._is_duplicate(entry)

    def _is_duplicate(self, entry: Entry) -> bool:
        """Whether a message with the same clientMessageId was queued before; notes and counts this one."""
        # A message that was rejected reached nobody: sending it again is no second text.
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
    """The book, open for writing. A new file can be read by its owner alone, because it holds numbers and texts.

    Raises `InputError` when the file cannot be written or holds something else than a book.
    """
    if path is None:
        yield Book()
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise InputError.of(f"the book {path} cannot be written: {error.strerror}", "name another file") from error
    with os.fdopen(descriptor, "ab") as file:
        book = Book(file, path)
        try:
            book.load()
        except (OSError, ValueError, KeyError) as error:
            raise InputError.of(
                f"{path} is not a book of the sandbox, or its end is cut off", "name another file, or remove this one"
            ) from error
        yield book
