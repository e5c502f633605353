"""Working off requests about messages that were accepted: asked, shown, and what came of them written down."""

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from runner.campaign.values import Wrong, rate
from runner.dispatch.errands import IN_FLIGHT_LIMIT, Errands, Standing
from runner.errors import InputError
from runner.models import Rate
from runner.provider.afterwards import Afterwards, Ended
from runner.run.account import Account
from runner.run.signals import told_of_signals

SETTLE_EVERY_S = 0.5
"""How long an answer may wait for company before it is written; losing it costs a request that does no harm."""

DEFAULT_RATE = "20/s"

T = TypeVar("T")
R = TypeVar("R")


def work_off(
    account: Account,
    things: AsyncIterator[T],
    *,
    ask: Callable[[Afterwards, T], Awaitable[Ended]],
    ended: Callable[[T, Ended], R],
    settle: Callable[[list[R]], None],
    at: Rate,
    show: Callable[[Standing], object],
) -> str | None:
    """Ask the provider about all of them; returns why it stopped early, in words, or None.

    `ended` makes a record of each that is done or refused, and `settle` writes several of them, in a thread. `show` is
    called a few times a second. Ctrl-C and SIGTERM stop gently. Raises what `settle` raises.
    """
    return asyncio.run(_work_off(account, things, ask, ended, settle, at, show))


def rate_of(text: str) -> Rate:
    """The rate that an option gives. Raises InputError for what is none."""
    try:
        return rate(text)
    except Wrong as error:
        raise InputError.of(f"--rate: {error.what}", error.remedy) from error


async def _work_off(
    account: Account,
    things: AsyncIterator[T],
    ask: Callable[[Afterwards, T], Awaitable[Ended]],
    ended: Callable[[T, Ended], R],
    settle: Callable[[list[R]], None],
    at: Rate,
    show: Callable[[Standing], object],
) -> str | None:
    records: list[R] = []

    def write() -> None:
        some, records[:] = list(records), []
        settle(some)

    async def look_after() -> None:
        while True:
            await asyncio.sleep(SETTLE_EVERY_S)
            show(errands.standing)
            await asyncio.to_thread(write)

    async with Afterwards(account.endpoint, account.api_key, limit=IN_FLIGHT_LIMIT) as provider:
        errands = Errands[T](
            ask=lambda thing: ask(provider, thing),
            ended=lambda thing, found: records.append(ended(thing, found)),
            rate=at,
            rng=random.Random(),  # noqa: S311 (jitter, not a secret)
        )
        looking = asyncio.ensure_future(look_after())
        looking.add_done_callback(lambda _: errands.stop("the ledger could not be written"))
        try:
            with told_of_signals(lambda number: errands.stop(f"stopped by {_named(number)}")):
                return await errands.run(things)
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
            write()


def _named(number: int) -> str:
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
