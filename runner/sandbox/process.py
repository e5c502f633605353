"""Running the sandbox: `serve` runs it in this process until a signal, `start` in a child process.

`python -m runner.sandbox.process` is the child of `start`. It reads the options as JSON from the first line of standard
input, which stays open as long as the parent lives. People use `campaign sandbox`.
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
# The child closes its sockets (at most `server.SHUTDOWN_S` each), then sends the outstanding receipts
# (`webhooks.DRAIN_S`).
STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class SandboxProcess:
    """A running sandbox: its base URL and process id."""

    base_url: str
    pid: int


def serve(options: SandboxOptions, on_ready: Callable[[str], object], *, until_stdin_closes: bool = False) -> None:
    """Serve until SIGINT or SIGTERM. Calls `on_ready` with the base URL when it is ready. Main thread only.

    `until_stdin_closes` is for the child of `start`. The child also ends when its parent dies for any reason, because
    the kernel then closes the parent's end of the pipe. It ignores Ctrl-C, which the parent handles.
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
        # Not `loop.add_signal_handler`, which Windows doesn't have.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    async with running(options) as base_url:
        on_ready(base_url)
        await stop.wait()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # os.read and not sys.stdin: a daemon thread that waits in sys.stdin holds its lock when the interpreter shuts down.
    while os.read(0, 1024):
        pass
    loop.call_soon_threadsafe(stop.set)


@contextmanager
def start(options: SandboxOptions, *, timeout_s: float = READY_TIMEOUT_S) -> Iterator[SandboxProcess]:
    """A sandbox in a child process. It is ready when this yields, and ends with the block.

    Raises `InputError` if the options can't be used (for example, the port is taken), and `CampaignError` if the child
    isn't ready after `timeout_s` or ends too early. Both contain the child's standard error.
    """
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(
            # -P: don't import a folder named `runner` in the current directory instead of this package.
            [sys.executable, "-P", "-m", "runner.sandbox.process"],
            env={name: value for name, value in os.environ.items() if name != "EIGHTXEIGHT_API_KEY"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            # Ctrl-C reaches the terminal's whole process group, but the runner still needs answers for the requests in
            # flight. The child also ignores SIGINT, but only after it has started.
            start_new_session=True,
        ) as child,
    ):
        assert child.stdin is not None
        try:
            # Not on the command line, which all users can see: the options contain a key. The pipe stays open until the
            # child has ended. If the child is dead already, its stderr says why.
            with suppress(BrokenPipeError):
                os.write(child.stdin.fileno(), f"{options.as_json()}\n".encode())
            yield SandboxProcess(_await_ready(child, stderr, timeout_s), child.pid)
            if child.poll() is not None:
                raise CampaignError(f"the sandbox ended unexpectedly (exit {child.returncode}): {_text_of(stderr)}")
        finally:
            child.terminate()  # does nothing if the child has ended
            try:
                child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()  # `Popen` waits for it


def _await_ready(child: subprocess.Popen[bytes], stderr: IO[bytes], timeout_s: float) -> str:
    """The base URL, from the child's first line."""
    assert child.stdout is not None
    timer = threading.Timer(timeout_s, child.kill)  # not all systems can read a pipe with a timeout
    timer.start()
    line = child.stdout.readline().decode()
    timer.cancel()
    if line.startswith(READY):
        return line.removeprefix(READY).strip()
    # It closed its output, so it is ending. Its exit code says whether the options were wrong.
    exit_code = child.wait(STOP_TIMEOUT_S)
    if exit_code == InputError.exit_code:
        raise InputError.of(_text_of(stderr))
    raise CampaignError(f"the sandbox did not start (waited up to {timeout_s:g} s): {_text_of(stderr)}")


def _text_of(stderr: IO[bytes]) -> str:
    stderr.seek(0)
    return stderr.read().decode(errors="replace").strip() or "no error message"


def main() -> int:
    """The child: serve with the options from standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    # os.read, because the end of standard input must be noticed, and a buffered reader would read ahead.
    line = b""
    while not line.endswith(b"\n") and (more := os.read(0, 65536)):
        line += more
    try:
        try:
            options = SandboxOptions.from_json(line)
        except (ValueError, TypeError) as error:
            raise InputError.of(f"no valid options on standard input: {error}", "use `campaign sandbox`") from error
        serve(options, lambda base_url: os.write(1, f"{READY}{base_url}\n".encode()), until_stdin_closes=True)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
