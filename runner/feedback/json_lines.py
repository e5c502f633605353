"""JSON lines of a file that grows, or of standard input."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import orjson

from runner.base.errors import InputError, StoppedError

LOOK_EVERY_S = 0.25
MOST_AT_ONCE = 1_000
LONGEST_LINE = 64 * 1024
PARTS_AHEAD = 8

# A line's number, from 1, and its JSON object; None: the line is none.
Line = tuple[int, dict[str, Any] | None]

_BOM = b"\xef\xbb\xbf"


def json_lines(file: Path | None) -> AsyncGenerator[list[Line], None]:
    """Groups of lines, as soon as they are written, of a file that grows, from its beginning on and without an end; or,
    None, of standard input to its end.

    A line counts when it is whole. A file that is replaced or cut off is read from its beginning, after the last line
    of the one before.

    Raises InputError at once when there is no such file, and later StoppedError when it can't be read any more.
    """
    if file is not None and not file.is_file():
        raise InputError.of(f"{file} is not a file", "name a file of JSON lines, or - for standard input")
    if file is None and sys.stdin is None:  # Python has none when it was closed before the start, as by `<&-`
        raise InputError.of("standard input is closed", "pipe JSON lines into it, or name a file of them")
    return _lines_in(_growing(file) if file is not None else _standard_input())


async def _lines_in(parts: AsyncGenerator[bytes | None, None]) -> AsyncGenerator[list[Line], None]:
    """The lines of parts of a file, from one None, which ends the file, to the next."""
    rest, number = b"", 0
    async with aclosing(parts):
        async for part in parts:
            *whole, rest = (rest + (b"\n" if part is None else part)).split(b"\n")
            rest = rest[:LONGEST_LINE]  # what is longer is no JSON any more, and takes no memory either
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
    """What is added to a file, again and again; None when another file has its place."""
    file: IO[bytes] | None = None
    try:
        while True:
            with _reading(path):
                if file is None:
                    with suppress(FileNotFoundError):  # there may be none for a moment, when it is replaced
                        file = path.open("rb")
                is_another = file is not None and _is_another(file, path)
                part = file.read(1 << 20) if file is not None else b""
            if part:
                yield part
            elif file is not None and is_another:  # and the one before was read to its end
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
        raise StoppedError(f"{path} could not be read: {error.strerror}") from error


def _is_another(file: IO[bytes], path: Path) -> bool:
    """Whether the file was replaced, or cut off; one that is gone for the moment may come back."""
    try:
        now = path.stat()
    except OSError:
        return False
    opened = os.fstat(file.fileno())
    return (opened.st_dev, opened.st_ino) != (now.st_dev, now.st_ino) or now.st_size < file.tell()


async def _standard_input() -> AsyncGenerator[bytes | None, None]:
    """Read in a daemon thread: it may be a pipe, a terminal or a file, and not all of them can be waited for.

    None at the end.
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
            except RuntimeError:  # the loop has ended
                return

    threading.Thread(target=read, name="standard-input", daemon=True).start()
    while part := await parts.get():
        yield part
        room.release()
    yield None
