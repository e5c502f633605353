"""Other processes that take a part of the work: what is pure, and takes a row by itself.

Each is a fresh Python at the other end of a socket (never a fork: polars has threads), which gets a function and then
answers job after job. It ends when its end of the socket closes, so it doesn't outlive this process, however that ends.
"""

import marshal
import os
import pickle
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from runner.children import Child
from runner.errors import StoppedError

MOST = 2
"""More don't help: reading, looking for duplicates and writing, in this process, take as long as two of them."""

AHEAD = 2
"""Jobs that each has at a time: one that it does and one that waits, so that it is never idle. Bounds the memory."""

_HEAD = struct.Struct("<?Q")  # whether the answer is one, and its length

T = TypeVar("T")


def helpers_wanted() -> int:
    """How many make it faster on this computer: none with one core, or where sockets can't be handed on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if cores == 1 or sys.platform == "win32" else min(cores, MOST)


class Helpers:
    """`count` processes, started at once. A context manager: they are gone when it ends."""

    def __init__(self, count: int) -> None:
        self._children: list[Child] = []
        try:
            for _ in range(count):
                self._children.append(Child("runner.plan.helper"))
        except BaseException as error:
            self._end()
            if isinstance(error, OSError):
                words = f"no process could be started to help with the plan: {error.strerror}"
                raise StoppedError(words) from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for child in self._children:
            child.end()

    def begin(self, function: Callable[[Any], object]) -> None:
        """Hand on what answers the jobs; it must be picklable. Jobs and answers are values that `marshal` takes."""
        data = pickle.dumps(function)
        for number in range(len(self._children)):
            self._send(number, data)

    def answers(self, jobs: Iterable[tuple[T, Any]]) -> Iterator[tuple[T, Any]]:
        """The answers in the order of the jobs, each with what came along with its job.

        Raises StoppedError when a helper has died, RuntimeError with its traceback when the function fails.
        """
        waiting: deque[tuple[T, int]] = deque()
        most = AHEAD * len(self._children)
        for turn, (along, job) in enumerate(jobs):
            number = turn % len(self._children)
            self._send(number, marshal.dumps(job))
            waiting.append((along, number))
            if len(waiting) == most:
                yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    def _next(self, waiting: deque[tuple[T, int]]) -> tuple[T, Any]:
        along, number = waiting.popleft()
        return along, self._answer(number)

    def _send(self, number: int, data: bytes) -> None:
        try:
            send(self._children[number].socket, data)
        except OSError as error:
            raise self._died(number) from error

    def _answer(self, number: int) -> Any:  # noqa: ANN401 - whatever the function answers
        try:
            received = receive(self._children[number].socket)
        except OSError as error:
            raise self._died(number) from error
        if received is None:
            raise self._died(number)
        is_answer, data = received
        if not is_answer:
            raise RuntimeError(f"in a process that helps with the plan:\n{data.decode()}")
        return marshal.loads(data)  # noqa: S302 - from a process of our own

    def _died(self, number: int) -> StoppedError:
        how = self._children[number].how_it_ended()
        return StoppedError(f"a process that helps with the plan ended {how}, perhaps for want of memory; run it again")


def send(connection: socket.socket, data: bytes, *, is_answer: bool = True) -> None:
    connection.sendall(_HEAD.pack(is_answer, len(data)))
    connection.sendall(data)


def receive(connection: socket.socket) -> tuple[bool, bytearray] | None:
    """Whether it is an answer, and the data; None at the end."""
    head = _received(connection, _HEAD.size)
    if len(head) < _HEAD.size:
        return None
    is_answer, size = _HEAD.unpack(head)
    data = _received(connection, size)
    return (is_answer, data) if len(data) == size else None


def _received(connection: socket.socket, size: int) -> bytearray:
    """`size` bytes, or fewer at the end. In one call: after each, a thread has to wait for Python's lock."""
    data = bytearray(size)
    view = memoryview(data)
    got = 0
    while got < size and (more := connection.recv_into(view[got:], 0, socket.MSG_WAITALL)):
        got += more
    view.release()
    return data if got == size else data[:got]
