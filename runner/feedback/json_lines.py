"""Reads JSON lines from a growing file or standard input."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import orjson

from runner.base.errors import BlockedError, InputError

LOOK_EVERY_S = 0.25
MOST_AT_ONCE = 1_000
LONGEST_LINE = 64 * 1024
PARTS_AHEAD = 8

# A line's number, from 1, and its JSON object; None if the line isn't a JSON object.
Line = tuple[int, dict[str, Any] | None]

_BOM = b"\xef\xbb\xbf"


def json_lines(file: Path | None) -> AsyncGenerator[list[Line], None]:
    """Yield lines in groups as they are written: of a file from its beginning, endlessly; or of standard input (None)
    until its end.

    A line is read when it is complete. If the file is replaced or truncated, the rest of the old file is read first,
    then the new file from its beginning.

    Raises InputError immediately if there is no such file, and StoppedError if reading fails later.
    """
    if file is not None and not file.is_file():
        raise InputError.of(f"{file} is not a file", "name a file with JSON lines, or - for standard input")
    if file is None and sys.stdin is None:  # None if it was closed before the start, as with `<&-`
        raise InputError.of("standard input is closed", "pipe JSON lines into the command, or name a file")
    return _lines_in(_growing(file) if file is not None else _standard_input())


async def _lines_in(parts: AsyncGenerator[bytes | None, None]) -> AsyncGenerator[list[Line], None]:
    """The lines in parts of files. A None part ends a file."""
    rest, number = b"", 0
    async with aclosing(parts):
        async for part in parts:
            *whole, rest = (rest + (b"\n" if part is None else part)).split(b"\n")
            rest = rest[:LONGEST_LINE]  # a longer line is cut, so that it can't fill the memory, and is invalid then
            for first in range(0, len(whole), MOST_AT_ONCE):
                found: list[Line] = []
                for line in whole[first : first + MOST_AT_ONCE]:
                    number += 1
                    if line.strip():
                        found.append((number, _object(line.removeprefix(_BOM) if number == 1 else line)))
                if found:
                    yield found
            if part is None:
                number = 0


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


async def _growing(path: Path) -> AsyncGenerator[bytes | None, None]:
    """The data added to a file, endlessly; None when another file has replaced it."""
    file: IO[bytes] | None = None
    try:
        while True:
            with _reading(path):
                if file is None:
                    with suppress(FileNotFoundError):  # it may be missing for a moment while it is replaced
                        file = path.open("rb")
                is_another = file is not None and _is_another(file, path)
                part = file.read(1 << 20) if file is not None else b""
            if part:
                yield part
            elif file is not None and is_another:  # and the old file was read to its end
                file.close()
                file = None
                yield None
            else:
                await asyncio.sleep(LOOK_EVERY_S)
    finally:
        if file is not None:
            file.close()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BlockedError(f"{path} could not be read: {error.strerror}") from error


def _is_another(file: IO[bytes], path: Path) -> bool:
    """Whether the file was replaced or truncated. False if it is missing, because it may come back."""
    try:
        now = path.stat()
    except OSError:
        return False
    opened = os.fstat(file.fileno())
    return (opened.st_dev, opened.st_ino) != (now.st_dev, now.st_ino) or now.st_size < file.tell()


async def _standard_input() -> AsyncGenerator[bytes | None, None]:
    """Standard input, then None. Read in a daemon thread, because asyncio can't wait for every kind of input: pipe,
    terminal or file.
    """
    loop = asyncio.get_running_loop()
    parts: asyncio.Queue[bytes] = asyncio.Queue()
    room = threading.Semaphore(PARTS_AHEAD)
    source = sys.stdin.fileno()

    def read() -> None:
        part = b"more"
        while part:
            room.acquire()
            try:
                part = os.read(source, 1 << 16)
            except OSError:  # the terminal was closed
                part = b""
            try:
                loop.call_soon_threadsafe(parts.put_nowait, part)
            except RuntimeError:  # the loop was closed
                return

    threading.Thread(target=read, name="standard-input", daemon=True).start()
    while part := await parts.get():
        yield part
        room.release()
    yield None
