"""One run on a real ledger, with a provider that is scripted, on the real clock or on a virtual one."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path

from runner.base.errors import LedgerError
from runner.base.messages import Encoding, Message
from runner.base.options import Rate
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.dispatch.dispatcher import Departure, Dispatcher
from runner.dispatch.feed import Feed
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop
from runner.ledger.ledger import Ledger, open_ledger
from runner.ledger.writer import Claim, LedgerWriter, Refused, Spill, spill_path
from runner.provider.client import HeldBackError
from tests.dispatch import virtual

Script = Callable[["Stage", Message], Awaitable[Outcome]]

OK = Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, umid="u", http_status=200, sent_at=1, answered_at=2)
FAST = Rate(5000, 1)
OF_FEED = {"hours", "skip", "budget", "fuses"}


class Stage:
    """One run on a real ledger. `departed` are the message rows whose first byte left, in that order.

    :param begin: the time of day at which `run_virtually` begins, with its offset.
    :param cooling: rows whose numbers other campaigns have texted meanwhile.
    :param connect_s: how long a connection takes to stand.
    """

    def __init__(
        self,
        tmp_path: Path,
        script: Script,
        rate: Rate = FAST,
        *,
        begin: str = "2026-11-25T12:00+08:00",
        cooling: Collection[int] | None = None,
        connect_s: Callable[[], float] = float,
        **parts: object,
    ) -> None:
        self.ledger: Ledger = open_ledger(str(tmp_path / "l.sqlite3"), create=True)
        self.record = self.ledger.begin_run(
            name="a", run="b", now=1, sub_account_id="acme", options="{}", fingerprint="f", rows=1, to_send=1
        )
        self.script = script
        self.rate = rate
        self.begin = at(begin)
        self.cooling = cooling
        self.connect_s = connect_s
        self.parts = parts
        self.clock_set_by_s = 0.0
        self.departed: list[int] = []
        self.departed_at: list[tuple[int, float]] = []
        self.passes: list[float] = []
        self.asked: list[int] = []  # rows to be claimed, where some are cooling
        self.progress = Progress()
        self.writer: LedgerWriter
        self.dispatcher: Dispatcher[Claim]

    def run(self, count: int) -> Stop | None:
        """Send to so many recipients on the real clock."""
        try:
            return asyncio.run(self.send(people(count)))
        finally:
            self.close()

    def run_virtually(self, messages: Sequence[Message]) -> Stop | None:
        """Send on the virtual clock; `wall` is its time of day."""
        try:
            return virtual.run(self.send(messages, writer=_Timeless, wall=self.wall))
        finally:
            self.close()

    def wall(self) -> float:
        return self.begin + asyncio.get_running_loop().time() - virtual.BEGIN + self.clock_set_by_s

    def later(self, moment: str, do: Callable[[], object]) -> None:
        """To be called while it runs: do something at that time of day, if nobody sets the clock."""
        asyncio.get_running_loop().call_later(at(moment) - self.wall(), do)

    def close(self) -> None:
        self.statuses = self.ledger.counts(self.record.id)
        self.ledger.close()

    async def send(
        self,
        messages: Sequence[Message],
        writer: type[LedgerWriter] = LedgerWriter,
        wall: Callable[[], float] = time.time,
    ) -> Stop | None:
        def on_failure(error: LedgerError) -> None:
            self.dispatcher.stop(Stop(OutcomeReason.INTERRUPTED, str(error)))

        def source() -> AsyncIterator[Message]:
            assert 0 == self.sending(), "a pass begins although something is claimed: it could be claimed twice"
            self.passes.append(wall())
            return self.left(messages)

        spill = Spill(spill_path(self.ledger.path, self.record.id))
        async with writer(self.ledger.engine, self.record.id, spill, on_failure=on_failure) as self.writer:
            if self.cooling is not None:
                self._refuse(self.cooling)
            feed = Feed(
                source,
                writer=self.writer,
                rate=self.rate,
                progress=self.progress,
                wall=wall,
                **{name: part for name, part in self.parts.items() if name in OF_FEED},  # type: ignore[arg-type]
            )
            self.dispatcher = Dispatcher(
                feed,
                send=self._send,
                pace=Pace(self.rate),
                progress=self.progress,
                wall=wall,
                **{name: part for name, part in self.parts.items() if name not in OF_FEED},  # type: ignore[arg-type]
            )
            return await self.dispatcher.run()

    async def left(self, messages: Sequence[Message]) -> AsyncIterator[Message]:
        claimed = self.ledger.claimed(self.record.id, [message.message_id for message in messages])
        for message in messages:
            if message.message_id not in claimed:
                yield message

    async def _send(self, claim: Claim, departure: Departure) -> Outcome:
        message = claim.message
        if wait_s := self.connect_s():
            await asyncio.sleep(wait_s)
        try:
            await departure()
        except HeldBackError:
            return Outcome(Status.UNSENT, OutcomeReason.HELD_BACK)
        self.departed.append(message.row)
        if isinstance(self.writer, _Timeless):
            self.departed_at.append((message.row, self.wall()))
        return await self.script(self, message)

    def _refuse(self, cooling: Collection[int]) -> None:
        """Stands for a cooldown that another campaign uses up at this very moment."""
        claim = self.writer.claim

        async def claim_some(claims: Sequence[Claim], *, frontier: int = 0) -> Refused:
            self.asked += [c.message.row for c in claims]
            refused = {c.message.message_id: OutcomeReason.COOLDOWN for c in claims if c.message.row in cooling}
            if wanted := [c for c in claims if c.message.message_id not in refused]:
                return {**refused, **await claim(wanted, frontier=0 if refused else frontier)}
            return refused

        self.writer.claim = claim_some  # type: ignore[method-assign]

    def sending(self) -> int:
        return self.ledger.counts(self.record.id).get("sending", 0)


class _Timeless(LedgerWriter):
    """The virtual clock stands still while the ledger is written."""

    async def _submit(self, claims: Sequence[Claim], frontier: int = 0) -> Refused:
        with virtual.outside():
            return await super()._submit(claims, frontier)


def at(moment: str) -> float:
    """A time of day with its offset, in seconds since the Unix epoch."""
    return datetime.fromisoformat(moment).timestamp()


def people(count: int, *zones: str, first: int = 0) -> list[Message]:
    return [
        Message(row, f"C-{row}", "+12025550142", "US", "Hi", Encoding.GSM7, 1, f"a.b.{row}", zones)
        for row in range(first, first + count)
    ]


def answering(*outcomes: Outcome) -> Script:
    """The n-th request that leaves gets the n-th outcome; those after the last get OK."""
    left = list(outcomes)

    async def script(stage: Stage, message: Message) -> Outcome:
        return left.pop(0) if left else OK

    return script


def outcome(status: Status, reason: OutcomeReason, then: Then = Then.GO_ON, **facts: object) -> Outcome:
    return Outcome(status, reason, "because", then, **facts)  # type: ignore[arg-type]
