"""Sending by several processes: connections, TLS and answers are theirs, everything else stays in this one.

So there is one pace, one ledger and one set of fuses however many send, and nobody can be texted twice because of them.
A message is handed over when a connection is ready for it and its departure has come, as `Client` does it; a worker
sends it in that moment or holds it back.
"""

import asyncio
import itertools
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Final, Self

from runner.children import Child
from runner.errors import InputError, StoppedError
from runner.models import Outcome, OutcomeReason, Status, Then
from runner.provider.client import ANSWER_TIMEOUT_S, HeldBackError
from runner.provider.endpoint import Endpoint
from runner.provider.frames import Frame, Frames, Order, Report, unpacked
from runner.provider.reach import CONNECT_TIMEOUT_S, header_safe
from runner.provider.turns import Turns
from runner.provider.wire import IDLE_S, MOST_OPENING
from runner.provider.worker import shared_clock

PATIENCE_S: Final = 5.0
"""So much longer than the worker itself this process waits for it, before it takes it for stalled and kills it."""

MARGIN_S: Final = 0.5
"""So much sooner than the worker itself a ready connection counts as too old."""


class _Worker:
    """One of them: its process, what it has in flight, and since when its connections are ready, the newest last.

    `opening` are the connections that it was asked for and has not told of, each with what kills it if it never does.
    """

    def __init__(self, child: Child) -> None:
        self.child = child
        self.frames: Frames
        self.in_flight: dict[int, tuple[asyncio.Future[Outcome], int]] = {}  # each with when it was given, as sent_at
        self.ready: list[float] = []
        self.opening: deque[asyncio.TimerHandle] = deque()
        self.is_alive = True

    def kill(self) -> None:
        """It has stalled: its own deadlines are long over."""
        self.child.process.kill()


class Workers:
    """Posts messages to one sub-account, as `Client` does. An async context manager.

    :param limit: the caller keeps its requests in flight, of all processes together, below it.
    :param count: how many processes.
    :param on_death: is told in words, in the event loop, when one has ended; what it had in flight is `unknown`.
    """

    def __init__(
        self, endpoint: Endpoint, api_key: str, *, limit: int, count: int, on_death: Callable[[str], object]
    ) -> None:
        self._endpoint = endpoint
        self._api_key = header_safe(api_key)
        self._limit = limit
        self._count = count
        self._on_death = on_death
        self._workers: list[_Worker] = []
        self._numbers = itertools.count()
        self._waiting = Turns[_Worker](self._connection_is_ready)
        self._is_closing = False

    async def __aenter__(self) -> Self:
        """Raises StoppedError when a process can't be started, InputError on Windows, which hands on no sockets."""
        if sys.platform == "win32":
            raise InputError.of("--workers doesn't work on Windows", "leave it out")
        self._loop = asyncio.get_running_loop()
        try:
            for _ in range(self._count):
                await self._start()
        except BaseException as error:
            await self.__aexit__(None, None, None)
            if isinstance(error, OSError):
                words = f"a process to send with could not be started: {error.strerror}"
                raise StoppedError(words) from error
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closing = True
        for worker in self._workers:
            worker.frames.close()
            await asyncio.to_thread(worker.child.end)

    async def send(self, body: bytes, message_id: str, departure: Callable[[], Awaitable[None]]) -> Outcome:
        """Post one message and say what became of it: as `Client.send`."""
        try:
            worker = self._with_connection() or await self._opened()
        except ConnectionError as error:
            return Outcome(Status.UNSENT, OutcomeReason.NO_CONNECTION, str(error), then=Then.BACK_OFF)
        try:
            await departure()
        except HeldBackError:
            self._connection_is_ready(worker)
            return Outcome(Status.UNSENT, OutcomeReason.HELD_BACK)
        except BaseException:
            self._connection_is_ready(worker)
            raise
        if not worker.is_alive:
            return Outcome(Status.UNSENT, OutcomeReason.HELD_BACK)
        number, given_at = next(self._numbers), time.time_ns() // 1000
        outcome: asyncio.Future[Outcome] = self._loop.create_future()
        worker.in_flight[number] = outcome, given_at
        worker.frames.give(Order.SEND, number, shared_clock(), body, message_id)
        deadline = self._loop.call_later(ANSWER_TIMEOUT_S + PATIENCE_S, worker.kill)
        try:
            return await outcome
        except asyncio.CancelledError:
            worker.in_flight.pop(number, None)
            words = "the answer was no longer waited for"
            return Outcome(Status.UNKNOWN, OutcomeReason.ABANDONED, words, sent_at=given_at)
        finally:
            deadline.cancel()

    async def _start(self) -> None:
        worker = _Worker(Child("runner.provider.worker"))
        worker.frames = Frames(partial(self._received, worker), partial(self._died, worker))
        self._workers.append(worker)
        await self._loop.create_connection(lambda: worker.frames, sock=worker.child.socket)
        endpoint = self._endpoint
        worker.frames.give(Order.BEGIN, endpoint.base_url, endpoint.sub_account_id, self._api_key, self._limit)

    def _with_connection(self) -> _Worker | None:
        """The worker with the most ready connections, one of which is taken; None: none has any."""
        too_old = self._loop.time() - IDLE_S + MARGIN_S
        for worker in self._workers:
            if worker.ready and worker.ready[-1] < too_old:
                worker.ready.clear()
        best = max(self._workers, key=lambda worker: len(worker.ready))
        if not best.ready:
            return None
        best.ready.pop()
        return best

    async def _opened(self) -> _Worker:
        """A worker with a connection that becomes ready. Raises ConnectionError when none can be opened."""
        turn = self._waiting.begin()
        self._open_more()
        return await self._waiting.get(turn)

    def _open_more(self) -> None:
        """Ask for as many connections as there are messages that wait, each worker for its share."""
        alive = [worker for worker in self._workers if worker.is_alive]
        if not alive:
            self._waiting.fail(ConnectionError("the processes that send have ended"))
        opening = sum(len(worker.opening) for worker in alive)
        while alive and opening < min(len(self._waiting), MOST_OPENING * len(alive)):
            worker = min(alive, key=lambda one: len(one.opening) + len(one.in_flight) + len(one.ready))
            worker.frames.give(Order.OPEN)
            worker.opening.append(self._loop.call_later(CONNECT_TIMEOUT_S + PATIENCE_S, worker.kill))
            opening += 1

    def _received(self, worker: _Worker, frame: Frame) -> None:
        kind, *values = frame
        match kind:
            case Report.OUTCOME:
                number, is_ready, *fields = values
                if is_ready:
                    self._connection_is_ready(worker)
                outcome, _ = worker.in_flight.pop(number, (None, 0))
                if outcome is not None and not outcome.done():
                    outcome.set_result(unpacked(*fields))
            case Report.READY:
                worker.opening.popleft().cancel()
                self._connection_is_ready(worker)
            case Report.CLOSED:
                del worker.ready[:1]
            case Report.FAILED:
                worker.opening.popleft().cancel()
                self._waiting.fail(ConnectionError(values[0]))
        self._open_more()

    def _connection_is_ready(self, worker: _Worker) -> None:
        """Whoever waits longest gets it."""
        if worker.is_alive and not self._waiting.hand(worker):
            worker.ready.append(self._loop.time())

    def _died(self, worker: _Worker) -> None:
        worker.is_alive = False
        worker.ready.clear()
        for opening in worker.opening:
            opening.cancel()
        worker.kill()  # if only its socket has ended
        words = "the process that was sending it ended"
        if not self._is_closing:
            words = f"a process that sends ended {worker.child.how_it_ended()}"
            self._on_death(words)
        for outcome, given_at in worker.in_flight.values():
            if not outcome.done():
                outcome.set_result(Outcome(Status.UNKNOWN, OutcomeReason.DISCONNECTED, words, sent_at=given_at))
        worker.in_flight.clear()
        self._waiting.fail(ConnectionError(words))
