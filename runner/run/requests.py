"""Stop a dispatcher on signals, and send requests about accepted messages (which may be repeated)."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

from runner.base.options import Rate
from runner.base.outcomes import Outcome, OutcomeReason
from runner.dispatch.dispatcher import Dispatcher
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop
from runner.dispatch.repeatable import IN_FLIGHT_LIMIT, RepeatableRequests
from runner.run.account import ProviderAccount

if TYPE_CHECKING:
    from runner.provider.message_actions import MessageActions

# How long an answer may wait to be written with others. If it is lost, its request is repeated, which does no harm.
SETTLE_EVERY_S = 0.25

T = TypeVar("T")
R = TypeVar("R")


@contextlib.contextmanager
def handling_signals(handle: Callable[[int], object]) -> Iterator[None]:
    """Call `handle` in the event loop with the signal number of a Ctrl-C, SIGTERM or SIGHUP (a closed terminal).

    A SIGHUP that this process was started to ignore (`nohup`) stays ignored.
    """
    loop = asyncio.get_running_loop()

    def on_windows(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(handle, number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if sys.platform == "win32":
            signal.signal(number, on_windows)
        else:
            loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            if sys.platform != "win32":
                loop.remove_signal_handler(number)
            signal.signal(number, handler)


@contextlib.contextmanager
def stopping_on_signals(stop: Callable[[str], object], abandon: Callable[[], object]) -> Iterator[None]:
    """Call `stop` with a reason at the first signal, to wait for answers; call `abandon` at the next, to stop now."""
    is_first = True

    def on_signal(number: int) -> None:
        nonlocal is_first
        if is_first:
            stop(f"stopped by {'Ctrl-C' if number == signal.SIGINT else signal.Signals(number).name}")
        else:
            abandon()
        is_first = False

    with handling_signals(on_signal):
        yield


def send_requests(
    account: ProviderAccount,
    items: AsyncGenerator[T, None],
    *,
    ask: Callable[["MessageActions", T], Awaitable[Outcome]],
    answered: Callable[[T, Outcome], R],
    settle: Callable[[list[R]], None],
    rate: Rate,
    progress: Progress,
    show: Callable[[], object],
) -> Stop | None:
    """Send a request for every item. Returns why it stopped early, or None; INTERRUPTED means by a signal.

    `answered` makes a record for each item with a final answer, and `settle` writes several records, in a thread.
    `show` is called a few times a second. The first Ctrl-C or SIGTERM waits for answers, the second one doesn't. Raises
    what `items` and `settle` raise.
    """
    from runner.provider.message_actions import MessageActions  # late: a run doesn't need aiohttp, which loads slowly

    records: list[R] = []

    async def write() -> None:
        written = records.copy()
        await asyncio.to_thread(settle, written)
        del records[: len(written)]  # more may have been added in between

    async def write_and_show(is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), SETTLE_EVERY_S)
            show()
            await write()
        await write()  # records that were added during the last write

    async def main() -> Stop | None:
        def stop(words: str) -> None:
            dispatcher.stop(Stop(OutcomeReason.INTERRUPTED, words))

        async with (
            MessageActions(account.endpoint, account.api_key, limit=IN_FLIGHT_LIMIT) as provider,
            contextlib.aclosing(items),
        ):
            requests = RepeatableRequests[T](
                items,
                ask=lambda item: ask(provider, item),
                answered=lambda item, answer: records.append(answered(item, answer)),
                on_failure=lambda: stop("the input can't be read"),
            )
            dispatcher = Dispatcher(
                requests,
                send=requests.send,
                pace=Pace(rate, clock=time.monotonic),
                progress=progress,
                in_flight_limit=IN_FLIGHT_LIMIT,
            )
            is_over = asyncio.Event()
            writing = asyncio.ensure_future(write_and_show(is_over))
            writing.add_done_callback(lambda _: stop("the ledger can't be written"))
            with stopping_on_signals(dispatcher.stop_by_signal, dispatcher.abandon):
                try:
                    return await dispatcher.run()
                finally:
                    is_over.set()
                    await writing

    return asyncio.run(main())
