"""Working off requests about messages that were accepted: asked, shown, and what came of them written down."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from runner.campaign.values import InvalidValue, rate
from runner.dispatch.errands import IN_FLIGHT_LIMIT, Errands, Standing
from runner.errors import InputError
from runner.models import Rate
from runner.provider.afterwards import Afterwards, Ended
from runner.run.account import Account
from runner.run.signals import stopping_on_signals

SETTLE_EVERY_S = 0.25
"""How long an answer may wait for company before it is written; losing it costs a request that does no harm."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Stop:
    """How it ended: `words` say why it stopped early, None: it didn't. `was_signalled`: somebody wanted it so.

    `left` things got no answer, though others did.
    """

    words: str | None = None
    was_signalled: bool = False
    left: int = 0


def work_off(
    account: Account,
    things: AsyncGenerator[T, None],
    *,
    ask: Callable[[Afterwards, T], Awaitable[Ended]],
    ended: Callable[[T, Ended], R],
    settle: Callable[[list[R]], None],
    at: Rate,
    show: Callable[[Standing], object],
) -> Stop:
    """Ask the provider about all of them.

    `ended` makes a record of each that is done or refused, and `settle` writes several of them, in a thread. `show` is
    called a few times a second. Ctrl-C and SIGTERM stop gently, and a second time at once. Raises what `settle` raises.
    """
    return asyncio.run(_work_off(account, things, ask, ended, _Settling(settle), at, show))


def rate_of(text: str) -> Rate:
    """The rate that an option gives. Raises InputError for what is none."""
    try:
        return rate(text)
    except InvalidValue as error:
        raise InputError.of(f"--rate: {error.what}", error.remedy) from error


async def _work_off(
    account: Account,
    things: AsyncGenerator[T, None],
    ask: Callable[[Afterwards, T], Awaitable[Ended]],
    ended: Callable[[T, Ended], R],
    settling: "_Settling[R]",
    at: Rate,
    show: Callable[[Standing], object],
) -> Stop:
    is_over = asyncio.Event()

    async def look_after() -> None:
        while not is_over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), SETTLE_EVERY_S)
            show(errands.standing)
            await settling.settle()
        await settling.settle()  # what came while the one before was written

    async with (
        Afterwards(account.endpoint, account.api_key, limit=IN_FLIGHT_LIMIT) as provider,
        contextlib.aclosing(things),
    ):
        errands = Errands[T](
            ask=lambda thing: ask(provider, thing),
            ended=lambda thing, found: settling.add(ended(thing, found)),
            rate=at,
            rng=random.Random(),  # noqa: S311 (jitter, not a secret)
        )
        looking = asyncio.ensure_future(look_after())
        looking.add_done_callback(lambda _: errands.stop("the ledger could not be written"))
        with stopping_on_signals(errands.stop, errands.abandon) as signals:
            try:
                words = await errands.run(things)
            finally:
                is_over.set()
                await looking
        return Stop(words, was_signalled=bool(signals), left=errands.standing.left)


class _Settling(Generic[R]):
    """Holds what isn't written yet. Only its `settle` takes something out, and only once that is written."""

    def __init__(self, write: Callable[[list[R]], None]) -> None:
        self._write = write
        self._records: list[R] = []

    def add(self, record: R) -> None:
        self._records.append(record)

    async def settle(self) -> None:
        some = self._records.copy()
        await asyncio.to_thread(self._write, some)
        del self._records[: len(some)]
