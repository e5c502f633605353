"""Sending repeatable requests about accepted messages, and writing down what came of them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from runner.base.options import Rate
from runner.base.outcomes import OutcomeReason
from runner.dispatch.dispatcher import Dispatcher
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop
from runner.dispatch.repeatable import IN_FLIGHT_LIMIT, RepeatableRequests
from runner.provider.message_actions import ActionResult, MessageActions
from runner.run.account import ProviderAccount
from runner.run.signals import stopping_on_signals

# How long an answer may wait for company before it is written; losing it costs a request that does no harm.
SETTLE_EVERY_S = 0.25

T = TypeVar("T")
R = TypeVar("R")


def send_requests(
    account: ProviderAccount,
    items: AsyncGenerator[T, None],
    *,
    ask: Callable[[MessageActions, T], Awaitable[ActionResult]],
    answered: Callable[[T, ActionResult], R],
    settle: Callable[[list[R]], None],
    rate: Rate,
    progress: Progress,
    show: Callable[[], object],
) -> Stop | None:
    """Ask the provider about every item. Returns why it stopped early; INTERRUPTED: by a signal.

    `answered` makes a record of each item with a final answer, and `settle` writes several records, in a thread. `show`
    is called a few times a second. Ctrl-C and SIGTERM stop gently, and a second time at once. Raises what `items` and
    `settle` raise.
    """
    return asyncio.run(_send_requests(account, items, ask, answered, settle, rate, progress, show))


async def _send_requests(
    account: ProviderAccount,
    items: AsyncGenerator[T, None],
    ask: Callable[[MessageActions, T], Awaitable[ActionResult]],
    answered: Callable[[T, ActionResult], R],
    settle: Callable[[list[R]], None],
    rate: Rate,
    progress: Progress,
    show: Callable[[], object],
) -> Stop | None:
    records: list[R] = []
    is_over = asyncio.Event()

    async def write() -> None:
        some = records.copy()
        await asyncio.to_thread(settle, some)
        del records[: len(some)]  # others may have come meanwhile

    async def write_and_show() -> None:
        while not is_over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), SETTLE_EVERY_S)
            show()
            await write()
        await write()  # what came while the one before was written

    def stop(words: str) -> None:
        dispatcher.stop(Stop(OutcomeReason.INTERRUPTED, words))

    async with (
        MessageActions(account.endpoint, account.api_key, limit=IN_FLIGHT_LIMIT) as provider,
        contextlib.aclosing(items),
    ):
        requests = RepeatableRequests[T, ActionResult](
            items,
            ask=lambda item: ask(provider, item),
            answered=lambda item, answer: records.append(answered(item, answer)),
            on_failure=lambda: stop("what is to be asked about could not be read"),
        )
        dispatcher = Dispatcher(
            requests,
            send=requests.send,
            pace=Pace(rate, clock=time.monotonic),
            progress=progress,
            in_flight_limit=IN_FLIGHT_LIMIT,
        )
        writing = asyncio.ensure_future(write_and_show())
        writing.add_done_callback(lambda _: stop("the ledger could not be written"))
        with stopping_on_signals(stop, dispatcher.abandon):
            try:
                return await dispatcher.run()
            finally:
                is_over.set()
                await writing
