"""Running the stand-in: `serve` in this process until a signal stops it, `start` in a process of its own.

`python -m runner.sandbox.process` is the child of `start`. Its first line of standard input is the options as JSON;
standard input then stays open as long as the parent lives. People use `campaign sandbox`.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from runner.base.errors import CampaignError, InputError
from runner.base.loops import loop_factory
from runner.sandbox.options import SandboxOptions

READY = "sandbox listening on "
READY_TIMEOUT_S = 30.0
# The child closes its sockets (each in `server.SHUTDOWN_S` at most), then sends what receipts are due
# (`webhooks.DRAIN_S`).
STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class SandboxProcess:
    """A sandbox that answers at `base_url`, in the process `pid`."""

    base_url: str
    pid: int


def serve(options: SandboxOptions, on_ready: Callable[[str], object], *, until_stdin_closes: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; calls `on_ready` with the base URL once requests are answered. Main thread only.

    `until_stdin_closes` is for the child of `start`: it ends with its parent, however that dies, because the kernel
    then closes the parent's end of the pipe; and it leaves Ctrl-C to the parent.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(options, on_ready, until_stdin_closes))


async def _serve(options: SandboxOptions, on_ready: Callable[[str], object], until_stdin_closes: bool) -> None:
    from runner.sandbox.server import running

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
    for number in (signal.SIGTERM,) if until_stdin_closes else (signal.SIGTERM, signal.SIGINT):
        # Not the loop's own handlers: Windows has none.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    async with running(options) as base_url:
        on_ready(base_url)
        await stop.wait()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # os.read, not sys.stdin: a daemon thread that sleeps in the latter holds its lock when the interpreter shuts down.
    while os.read(0, 1024):
        pass
    loop.call_soon_threadsafe(stop.set)


@contextmanager
def start(options: SandboxOptions, *, timeout_s: float = READY_TIMEOUT_S) -> Iterator[SandboxProcess]:
    """A sandbox in a child process, ready when this yields and gone when the block ends.

    Raises `InputError` when the options cannot be served (a port in use), `CampaignError` when the child isn't ready
    after `timeout_s` or has died before the block ended; both with the child's standard error.
    """
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(
            # -P: a folder named `runner` where the user stands must not be imported instead of this package.
            [sys.executable, "-P", "-m", "runner.sandbox.process"],
            env={name: value for name, value in os.environ.items() if name != "EIGHTXEIGHT_API_KEY"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            # Ctrl-C goes to the terminal's whole process group, and the runner still needs answers for what is in
            # flight. The child ignores SIGINT, too, but only once it has started.
            start_new_session=True,
        ) as child,
    ):
        assert child.stdin is not None
        try:
            # Not on the command line, which every user may read: the options hold a key. The pipe stays open until the
            # child has ended. One that is dead already has stderr why.
            with suppress(BrokenPipeError):
                os.write(child.stdin.fileno(), f"{options.as_json()}\n".encode())
            yield SandboxProcess(_await_ready(child, stderr, timeout_s), child.pid)
            if child.poll() is not None:
                raise CampaignError(f"the sandbox died before its time (exit {child.returncode}): {_text_of(stderr)}")
        finally:
            child.terminate()  # does nothing to one that has ended
            try:
                child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()  # `Popen` waits for it


def _await_ready(child: subprocess.Popen[bytes], stderr: IO[bytes], timeout_s: float) -> str:
    """The base URL, from the child's first line."""
    assert child.stdout is not None
    timer = threading.Timer(timeout_s, child.kill)  # a pipe cannot be read with a timeout on every system
    timer.start()
    line = child.stdout.readline().decode()
    timer.cancel()
    if line.startswith(READY):
        return line.removeprefix(READY).strip()
    # It closed its output without a word, which means that it is ending; its exit code tells whose mistake it was.
    exit_code = child.wait(STOP_TIMEOUT_S)
    if exit_code == InputError.exit_code:
        raise InputError.of(_text_of(stderr))
    raise CampaignError(f"the sandbox ended or was not ready after {timeout_s:g} s: {_text_of(stderr)}")


def _text_of(stderr: IO[bytes]) -> str:
    stderr.seek(0)
    return stderr.read().decode(errors="replace").strip() or "it said nothing"


def main() -> int:
    """The child: serve with the options that standard input holds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    # os.read, because what a buffered reader has read ahead would hide the end of standard input.
    line = b""
    while not line.endswith(b"\n") and (more := os.read(0, 65536)):
        line += more
    try:
        try:
            options = SandboxOptions.from_json(line)
        except (ValueError, TypeError) as error:
            raise InputError.of(f"standard input holds no options: {error}", "use `campaign sandbox`") from error
        serve(options, lambda base_url: os.write(1, f"{READY}{base_url}\n".encode()), until_stdin_closes=True)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
