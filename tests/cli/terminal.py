"""The command at a terminal: a pseudo-terminal of 80 columns, as a person sits before one."""

import fcntl
import io
import os
import pty
import re
import select
import struct
import termios
import time
from typing import Self
from unittest.mock import patch

from tests.cli.preloaded import Command
from tests.cli.workplace import COMMAND, Done, Workplace
from tests.deadline import DEADLINE_S

_STYLES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Screen(io.StringIO):
    """Text that is kept, and says it goes to a terminal."""

    def isatty(self) -> bool:
        return True


def answered(workplace: Workplace, answer: str, *arguments: str) -> Done:
    """Run the command in this process, with `answer` typed at a pseudo-terminal. `Terminal` is for what it shows."""
    end, other = pty.openpty()
    with os.fdopen(other) as typed, patch("sys.stdin", typed), patch("tests.cli.workplace.io.StringIO", Screen):
        os.write(end, answer.encode())
        done = workplace.here(*arguments, **workplace.environment)
    os.close(end)
    return done


class Terminal:
    """Use as a context manager; `seen` is everything that was shown, without colours and cursor movements."""

    def __init__(self, workplace: Workplace, *arguments: str, **changes: str) -> None:
        self._arguments = [COMMAND, *arguments]
        self._folder = workplace.folder
        self._environment = workplace.environment | {"TERM": "xterm-256color"} | changes
        self._raw = b""

    def __enter__(self) -> Self:
        self._end, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._process = Command(
            self._arguments,
            cwd=self._folder,
            env=self._environment,
            stdin=other,
            stdout=other,
            stderr=other,
            # A session of its own, with this terminal: so that Ctrl-C reaches it as from a keyboard.
            start_new_session=True,
            # Where processes are forked, `Command` does this by itself.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(other)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._end)

    @property
    def seen(self) -> str:
        return _STYLES.sub("", self._raw.decode(errors="replace"))

    def read_until(self, words: str) -> None:
        while words not in self.seen:
            assert self._read(), f"ended without saying {words!r}: {self.seen}"

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def press_ctrl_c(self) -> None:
        self.type("\x03")

    def wait(self) -> int:
        """Read to the end; returns the exit code."""
        while self._read():
            pass
        return self._process.wait(DEADLINE_S)

    def _read(self) -> bool:
        """False at the end."""
        until = time.monotonic() + DEADLINE_S
        ready, _, _ = select.select([self._end], [], [], max(0.0, until - time.monotonic()))
        assert ready, f"nothing is said any more after {self.seen!r}"
        try:
            found = os.read(self._end, 65536)
        except OSError:  # Linux says EIO when the other side is gone
            return False
        self._raw += found
        return bool(found)
