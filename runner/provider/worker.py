"""A process that sends for another one: `python -m runner.provider.worker`, with a socket as its standard input.

It has connections ready, and sends what it is given at once or not at all. Who may be sent to, when, and what follows
from an outcome is the parent's business. All that could go wrong here is to send late, so it looks at the clock.
"""

import asyncio
import os
import signal
import time
import traceback
from collections.abc import Coroutine
from typing import Any, Final

from runner.children import socket_of_parent
from runner.loops import loop_factory
from runner.models import Outcome, OutcomeReason, Status
from runner.provider.client import Client
from runner.provider.endpoint import Endpoint
from runner.provider.frames import Frame, Frames, Order, Report, packed

LATE_S: Final = 0.05
"""What was given longer ago stays. A process that was held up would else send at once what the pace had parted, and one
that was stopped, or slept with the machine, what may be another one's by now."""

_HELD_BACK: Final = Outcome(Status.UNSENT, OutcomeReason.HELD_BACK)


def shared_clock() -> float:
    """Seconds on a clock that all processes of the machine share; it goes on while that sleeps, where there is such."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Worker:
    """Does as it is told, in a running event loop; at the end of the parent it ends too."""

    def __init__(self) -> None:
        self.frames = Frames(self._obey, _end)
        self._client: Client
        self._tasks: set[asyncio.Task[None]] = set()

    def _obey(self, frame: Frame) -> None:
        kind, *values = frame
        match kind:
            case Order.SEND:
                self._begin(self._send(*values))
            case Order.OPEN:
                self._begin(self._open())
            case Order.BEGIN:
                base_url, sub_account_id, api_key, limit = values
                endpoint = Endpoint(base_url, sub_account_id)
                self._client = Client(endpoint, api_key, limit=limit, on_closed=self._closed).begin()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if error := task.exception():  # a bug: what is in flight becomes unknown
            traceback.print_exception(error)
            os._exit(1)

    def _closed(self) -> None:
        self.frames.give(Report.CLOSED)

    async def _open(self) -> None:
        try:
            await self._client.open()
        except ConnectionError as error:
            self.frames.give(Report.FAILED, str(error))
        else:
            self.frames.give(Report.READY)

    async def _send(self, number: int, given: float, body: bytes, message_id: str) -> None:
        connection = self._client.ready() if shared_clock() - given < LATE_S else None
        if connection is None:
            outcome, is_ready = _HELD_BACK, False
        else:
            outcome = await self._client.exchange(connection, body, message_id)
            is_ready = connection.is_open
        self.frames.give(Report.OUTCOME, number, is_ready, *packed(outcome))


def _end() -> None:
    os._exit(0)  # nobody waits for an answer any more


async def _work() -> None:
    worker = Worker()
    await asyncio.get_running_loop().create_connection(lambda: worker.frames, sock=socket_of_parent())
    await asyncio.Event().wait()


def main() -> None:
    # Whoever stops a run may tell all of its processes. What is in flight deserves its answer, so only the parent ends
    # this one.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_work())


if __name__ == "__main__":
    main()
