"""How this process and those that send for it talk: values of `marshal`, many to a write, over a socket.

Both ends are the same version of the same program.
"""

import asyncio
import marshal
import struct
from collections.abc import Callable
from dataclasses import fields
from enum import IntEnum
from operator import attrgetter
from typing import Any, cast

from runner.models import Outcome, OutcomeReason, Status, Then

Frame = tuple[Any, ...]

_FIELDS = attrgetter(*(field.name for field in fields(Outcome)))
_LENGTH = struct.Struct("<I")


class Order(IntEnum):
    """What a frame of the parent's begins with."""

    BEGIN = 0  # base URL, sub-account, API key, the most connections
    OPEN = 1  # have one more connection ready
    SEND = 2  # number, when it was given (seconds on `shared_clock`), body, message id


class Report(IntEnum):
    """What a frame of the child's begins with."""

    READY = 0  # one more connection is
    FAILED = 1  # none can be opened: why, in words
    CLOSED = 3  # one that was ready isn't any more
    OUTCOME = 2  # number, whether its connection is ready again, and the outcome's fields


def packed(outcome: Outcome) -> Frame:
    """An outcome as values that marshal takes, which enumerations are not."""
    status, reason, detail, then, *facts = _FIELDS(outcome)
    return (status.value, reason.value, detail, then.value, *facts)


def unpacked(status: str, reason: str, detail: str, then: str, *facts: Any) -> Outcome:  # noqa: ANN401
    """What `packed` was given."""
    return Outcome(Status(status), OutcomeReason(reason), detail, Then(then), *facts)


class Frames(asyncio.Protocol):
    """One end. Frames that are given in one turn of the event loop leave in one write.

    :param received: is called with each frame.
    :param ended: is called once, when the other end has closed or failed.
    """

    def __init__(self, received: Callable[[Frame], object], ended: Callable[[], object]) -> None:
        self._received = received
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._leaving: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def give(self, kind: IntEnum, *values: Any) -> None:  # noqa: ANN401 (what marshal takes)
        if not self._leaving:
            self._loop.call_soon(self._write)
        data = marshal.dumps((int(kind), *values))
        self._leaving += (_LENGTH.pack(len(data)), data)

    def close(self) -> None:
        if self._transport:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at = 0
        while len(data) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, at)
            end = at + _LENGTH.size + length
            if len(data) < end:
                break
            self._received(marshal.loads(data[at + _LENGTH.size : end]))  # noqa: S302 (a process of our own)
            at = end
        self._rest = data[at:]

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 (asyncio's)
        self._ended()

    def _write(self) -> None:
        leaving, self._leaving = self._leaving, []
        if self._transport and not self._transport.is_closing():
            self._transport.write(b"".join(leaving))
