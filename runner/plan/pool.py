"""Judge rows and compose their texts, which takes most of a plan's time: in this process, or in others.

The other processes are started fresh (never forked: polars has threads). This module must not import polars, which
would cost 60 MB per process.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial

from runner.audience.row_batch import RowBatch, Work
from runner.audience.spec import AudienceSpec
from runner.base import interrupts
from runner.base.errors import StoppedError
from runner.files.source import UnreadableRow
from runner.message.compose import Composer
from runner.message.template import MistakeError

# More processes don't help: this process needs as long to read, find duplicates and write as two of them need.
MOST_PROCESSES = 2

# Batches per process: one in work, one waiting, so that no process is idle. Limits the memory.
AHEAD = 2

# Signals that end a process, besides Ctrl-C's.
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def processes_wanted() -> int:
    """The number of processes for this computer: 0 on one core, and on Windows, where this is untested."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if cores == 1 or sys.platform == "win32" else min(cores, MOST_PROCESSES)


class RowComposer:
    """Judges the rows of a batch and, if asked, composes the texts of its recipients. Picklable."""

    def __init__(self, spec: AudienceSpec, composer: Composer) -> None:
        # Imported late: `campaign check` imports this module, and phonenumbers takes 60 ms.
        from runner.audience.judge import Judge

        self._judge = Judge(spec)
        self._composer = composer
        self._columns = composer.columns(spec.header)
        self._places = [(name, spec.header.index(column)) for name, column in self._columns.items()]

    def __call__(self, batch: RowBatch, with_texts: bool) -> RowBatch:
        """The same batch, with its columns filled in. Raises InputError if the template itself is wrong."""
        self._judge.judge(batch)
        for index, cells in enumerate(batch.cells if with_texts else ()):
            composed = None
            if index not in batch.exclusions and not isinstance(cells, UnreadableRow):
                values = {name: cells[place] for name, place in self._places}
                try:
                    composed = self._composer.compose(values, self._columns)
                except MistakeError as error:
                    raise error.in_row(batch.first + index) from error
            batch.add_text(composed)
        return batch


@contextmanager
def composing(composer: RowComposer, processes: int) -> Generator[Work, None, None]:
    """`composer` as the `work` of `read_audience`, in this number of other `processes`; 0: in this process.

    The processes end with the block, and soon after this process ends for any reason. Raises StoppedError if a process
    dies.
    """
    before = multiprocessing.active_children()
    executor = _started(composer, processes) if processes else None
    if executor is None:
        yield lambda batches, with_texts: (composer(batch, with_texts) for batch in batches)
        return
    try:
        yield partial(_in_order, executor, AHEAD * processes)
    except BaseException as error:
        for child in multiprocessing.active_children():
            if child not in before:
                child.kill()  # its result is no longer needed
        if isinstance(error, BrokenProcessPool):
            words = "a planning process was killed, perhaps because memory ran out; run the command again"
            raise StoppedError(words) from error
        raise
    finally:
        executor.shutdown()


def _started(composer: RowComposer, processes: int) -> ProcessPoolExecutor | None:
    """A pool whose processes import nothing from the current folder, and leave Ctrl-C to this process.

    None if the system can't start processes or has no semaphores: then this process does the work alone.
    """
    safe_path = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        context = multiprocessing.get_context("spawn")
        executor = None
        try:
            # Each of the first jobs starts a process, which inherits the blocked signals. A signal that interrupted the
            # start would leave a process with incomplete data, and it would print an error. One that interrupted the
            # making of the semaphores would leave one, which Python reports at the end. Blocking isn't enough for
            # that: another thread of this process may get the signal.
            with interrupts.held():
                executor = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(composer,))
                blocked = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, *_ENDING))
                try:
                    for _ in range(processes):
                        executor.submit(int)
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        except BaseException:
            if executor is not None:
                executor.shutdown()
            raise
    except (OSError, NotImplementedError):
        return None
    finally:
        del os.environ["PYTHONSAFEPATH"]
        if safe_path is not None:
            os.environ["PYTHONSAFEPATH"] = safe_path
    return executor


def _in_order(
    executor: ProcessPoolExecutor, most: int, batches: Iterable[RowBatch], with_texts: bool
) -> Iterator[RowBatch]:
    """The composed batches, in order; at most `most` are in progress."""
    waiting: deque[tuple[RowBatch, Future[RowBatch]]] = deque()
    for batch in batches:
        waiting.append((batch, executor.submit(_compose, batch, with_texts)))
        if len(waiting) == most:
            yield _composed(*waiting.popleft())
    while waiting:
        yield _composed(*waiting.popleft())


def _composed(batch: RowBatch, future: "Future[RowBatch]") -> RowBatch:
    composed = future.result()
    composed.cells = batch.cells
    return composed


# The rest runs in the other processes.


def _begin(composer: RowComposer) -> None:
    global _composer  # noqa: PLW0603 - a pool's function gets only its job
    _composer = composer
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)  # all except Ctrl-C, which the planning process handles
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End with the parent: a pool process has both ends of its job pipe, so it would wait forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _compose(batch: RowBatch, with_texts: bool) -> RowBatch:
    """The columns of a batch without its cells, which the sender still has."""
    composed = _composer(batch, with_texts)
    composed.cells = []
    return composed


_composer: RowComposer
