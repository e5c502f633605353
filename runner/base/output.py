"""Standard output and standard error, which may end before the command does.

A reader that goes away (`| head -1`), a closed terminal or a full disk raises nothing: what can't be printed is lost,
and the command goes on to its end with the exit code that it would have had. In a command that sends, a reader that
stops reading loses output too, because nothing may wait for it while messages are under way.
"""

import errno
import io
import os
import select
import sys
import time

# Little is imported here, because this is loaded before signals are handled.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from _typeshed import ReadableBuffer

# How long a command in a hurry waits for a reader that doesn't read.
PATIENCE_S = 1.0
_TURN_S = 0.1
# A pipe with room takes so many bytes without blocking.
_AT_ONCE = getattr(select, "PIPE_BUF", 4096)


class _State:
    is_hurried = False
    has_document = False
    stdout: "Output | None" = None


class Output(io.RawIOBase):
    """A raw stream that never raises and that loses what it can't write.

    `has_ended`: nothing more can be written. `lost` says why something was lost, unless nobody wants it.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__()
        self.has_ended = False
        self.lost = ""
        self._raw = raw
        self._is_terminal = raw.isatty()
        self._is_stuck = False

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        rest = memoryview(data)
        size = len(rest)
        try:
            while rest and not self.has_ended and self._takes_more():
                written = self._raw.write(rest[:_AT_ONCE])
                if written is None:  # it doesn't block, and has less room than that
                    time.sleep(_TURN_S / 10)
                rest = rest[written or 0 :]
        except OSError as error:
            self.has_ended = True
            if not self._is_terminal and error.errno not in (errno.EPIPE, errno.ECONNRESET):
                self.lost = error.strerror or str(error)
        return size

    def _takes_more(self) -> bool:
        """Wait until there is room. False if that takes too long for a command in a hurry."""
        if sys.platform == "win32":  # it can't wait for a file
            return True
        until = time.monotonic() + PATIENCE_S
        while not select.select([], [self.fileno()], [], 0 if self._is_stuck else _TURN_S)[1]:
            if not _State.is_hurried:
                self._is_stuck = False
            elif self._is_stuck or time.monotonic() >= until:
                self._is_stuck = True
                self.lost = "its reader doesn't read"
                return False
        self._is_stuck = False
        return True


def install() -> None:
    """Make standard output and standard error such streams, and open what was closed before the start (`>&-`)."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # Else the next file gets this number, maybe the ledger, and what any library prints is written into it.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout, _State.stdout = _wrapped(sys.stdout, 1)
    sys.stderr, _ = _wrapped(sys.stderr, 2)


def _wrapped(stream: "TextIO | None", number: int) -> "tuple[TextIO, Output]":
    if stream is None:
        output = Output(io.FileIO(number, "w", closefd=False))
        return io.TextIOWrapper(io.BufferedWriter(output), "utf-8", "backslashreplace", line_buffering=True), output
    assert isinstance(stream, io.TextIOWrapper)
    raw: Any = getattr(stream.buffer, "raw", stream.buffer)  # PYTHONUNBUFFERED leaves out the buffer
    if isinstance(raw, Output):
        return stream, raw
    output = Output(raw)
    buffer: Any = output if raw is stream.buffer else io.BufferedWriter(output)
    wrapped = io.TextIOWrapper(
        buffer,
        stream.encoding,
        "backslashreplace",  # what the terminal's encoding lacks is shown as its code
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return wrapped, output


def hurry() -> None:
    """From now on, lose what a reader doesn't take, instead of waiting for it."""
    _State.is_hurried = True


def expect_all() -> None:
    """Standard output gets a document, which is of no use if a part of it is missing."""
    _State.has_document = True


def has_ended() -> bool:
    """Whether nobody sees any more what is printed to standard output."""
    return _State.stdout is not None and _State.stdout.has_ended


def flushed() -> tuple[str, bool]:
    """Print what is still in buffers. Returns why standard output isn't whole ("": it is), and if it is a document."""
    sys.stdout.flush()
    sys.stderr.flush()
    return (_State.stdout.lost if _State.stdout else ""), _State.has_document
