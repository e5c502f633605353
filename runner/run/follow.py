"""JSON lines as they come: of a file that grows, or of standard input."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any

import orjson

from runner.errors import InputError

LOOK_EVERY_S = 0.25
MOST_AT_ONCE = 1_000
LONGEST_LINE = 64 * 1024

Line = tuple[int, dict[str, Any] | None]
"""A line's number, from 1, and what it holds; None: it is no JSON object."""


class Lines:
    """The lines of a file that grows, from its beginning on and without an end; or, None, of standard input to its end.

    A line counts when it is whole. A file that is replaced, or cut off to begin anew, is read from its beginning.
    """

    def __init__(self, file: Path | None) -> None:
        self._path = file
        self._number = 0
        if file is not None and not file.is_file():
            raise InputError.of(f"{file} is not a file", "name a file of JSON lines, or - for standard input")

    async def batches(self) -> AsyncIterator[list[Line]]:
        """Lines in groups, as they come."""
        parts = _growing(self._path) if self._path is not None else _standard_input()
        rest = b""
        async for part in parts:
            if part is None:
                rest = b""  # what was half of a line belongs to a file that is gone
                continue
            *whole, rest = (rest + part).split(b"\n")
            if len(rest) > LONGEST_LINE:
                rest = rest[:LONGEST_LINE]  # no JSON any more, and no memory either
            for first in range(0, len(whole), MOST_AT_ONCE):
                if lines := self._numbered(whole[first : first + MOST_AT_ONCE]):
                    yield lines
        if rest.strip():
            yield self._numbered([rest])

    def _numbered(self, lines: list[bytes]) -> list[Line]:
        found: list[Line] = []
        for line in lines:
            self._number += 1
            if line.strip():
                found.append((self._number, _object(line)))
        return found


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


async def _growing(path: Path) -> AsyncIterator[bytes | None]:
    """What is added to a file, again and again; None when another file has its place."""
    file: IO[bytes] | None = None
    try:
        while True:
            if file is None or _is_another(file, path):
                if file is not None:
                    file.close()
                    yield None
                file = path.open("rb")
            while part := file.read(1 << 20):
                yield part
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        if file is not None:
            file.close()


def _is_another(file: IO[bytes], path: Path) -> bool:
    """Whether the file was replaced, or cut off; one that is gone for the moment may come back."""
    try:
        now = path.stat()
    except OSError:
        return False
    known = os.fstat(file.fileno())
    return (known.st_dev, known.st_ino) != (now.st_dev, now.st_ino) or now.st_size < file.tell()


async def _standard_input() -> AsyncIterator[bytes]:
    """Read in a thread of its own: it may be a pipe, a terminal or a file, and not all of them can be waited for."""
    loop = asyncio.get_running_loop()
    parts: asyncio.Queue[bytes] = asyncio.Queue(maxsize=8)

    def read() -> None:
        while True:
            part = os.read(sys.stdin.fileno(), 1 << 16)
            try:
                asyncio.run_coroutine_threadsafe(parts.put(part), loop).result()
            except RuntimeError:  # the loop has ended
                return
            if not part:
                return

    threading.Thread(target=read, name="standard-input", daemon=True).start()
    while part := await parts.get():
        yield part
