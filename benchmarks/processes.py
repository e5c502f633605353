"""Time, processor time and memory of a process and all its children. Linux only, because it reads /proc."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

# How often to measure memory.
SAMPLE_S = 0.05

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Took:
    """What a process used from start to end. `peak_mb` is the highest resident memory of it and its children together.

    Shared pages count once for each process. Pages of mapped files count, too.
    """

    seconds: float
    cpu_s: float
    peak_mb: float


def run(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] = _NOTHING) -> Took:
    """Run a command until it ends. Raises SystemExit with its output if it fails."""
    begin, before = time.perf_counter(), os.times()
    with started(command, cwd=cwd, env=env) as process, _watched(process.pid) as peak:
        process.wait()
    seconds, after = time.perf_counter() - begin, os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(seconds, cpu_s, peak[0] / 1e6)


@contextmanager
def started(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] = _NOTHING
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs while the caller measures. Leaving the block waits for it. Raises SystemExit if it fails.

    `env` is added to this process's environment, without the variables for `campaign`: a benchmark must not write into
    the user's own ledger.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("CAMPAIGN_", "EIGHTXEIGHT_"))
    }
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, cwd=cwd, env=inherited | dict(env), stdout=words, stderr=subprocess.STDOUT)
        try:
            yield process
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            words.seek(0)
            said = words.read().decode(errors="replace")[-2000:]
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{said}")


@contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """Measures the memory of a process and its children while the block runs. Yields a list with the peak in bytes."""
    peak, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(SAMPLE_S):
            peak[0] = max(peak[0], memory_bytes(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def memory_bytes(pid: int) -> int:
    """The resident memory of a process and all its children."""
    total = 0
    for one in _tree(pid):
        with suppress(OSError):  # it has ended
            total += int(Path(f"/proc/{one}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    return total


def cpu_s(pid: int) -> float:
    """The processor time so far, user and system, of a process and all its children, including ended ones."""
    ticks = 0
    for one in _tree(pid):
        with suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS_PER_S


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from _tree(int(child))
