"""Claims and settlements, written in group commits by one thread beside the event loop.

Everything that is waiting when a commit begins goes into it, so that a slow disk makes larger groups instead of a
longer queue. A claim is awaited until it is durable; a settlement isn't, because losing it to a crash costs an
`unknown`, never a second text.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from sqlalchemy import Connection, Engine

from runner.errors import LedgerError
from runner.ledger.claims import claim, note_resume_point, settle
from runner.ledger.cooldown import refuse_excess
from runner.ledger.database import ledger_errors
from runner.ledger.optouts import refuse_opted_out
from runner.ledger.spill import Spill
from runner.models import Cooldown, Message, Outcome, OutcomeReason, Status

SETTLE_LINGER_S = 0.04
"""How long a settlement may wait for company. At 40/s and above the next claims take it along, without a commit of its
own."""

NOTE_FRONTIER_S = 1.0


class Claim(NamedTuple):
    """The intent to send one message; `attempt` counts from 1."""

    message: Message
    attempt: int


Refused = Mapping[str, OutcomeReason]
"""Message ids that were not claimed after all, and why: COOLDOWN or OPTED_OUT."""


class LedgerWriter:
    """Writes one run's claims and settlements. An async context manager; leaving it writes all that is waiting.

    When a write fails nothing further is written: `error` is set, `on_failure` is called in the event loop, every later
    claim raises the error, and settlements go to the `spill`.

    :param cooldown: how much a number may get, over all runs of the ledger; None: as much as the plan says.
    :param plan: the digest of the plan's file, for the frontier that is noted with the claims; None: it isn't noted.
    """

    def __init__(
        self,
        engine: Engine,
        run_id: int,
        spill: Spill,
        *,
        on_failure: Callable[[LedgerError], None],
        cooldown: Cooldown | None = None,
        plan: str | None = None,
    ) -> None:
        self._engine = engine
        self._run_id = run_id
        self._spill = spill
        self._on_failure = on_failure
        self._cooldown = cooldown
        self._plan = plan
        self._frontier = 0
        self._frontier_noted_at = -math.inf
        self._condition = threading.Condition()
        self._claims: list[Claim] = []
        self._settlements: list[tuple[str, Outcome]] = []
        self._waiting: list[asyncio.Future[Refused]] = []
        self._hurry = False
        self._closing = False
        self.error: LedgerError | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write_all, name="ledger-writer", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._condition:
            self._closing = True
            self._condition.notify()
        await asyncio.to_thread(self._thread.join)
        self._spill.close()

    async def claim(self, claims: Sequence[Claim], *, frontier: int = 0) -> Refused:
        """Note that these messages are about to leave. Returns when that is durable; raises LedgerError if it isn't.

        With them, the ledger has every message up to the row `frontier` of the plan; 0: that isn't known.

        The message ids returned are not claimed: their numbers opted out since the plan was made, or got so much from
        other runs that the cooldown forbids more.
        """
        refused = await self._submit(claims, frontier)
        if not refused:
            return refused
        # Others' claims may have been in the group.
        ids = {claim.message.message_id for claim in claims}
        return {message_id: reason for message_id, reason in refused.items() if message_id in ids}

    def settle(self, message_id: str, outcome: Outcome) -> None:
        """Queue an outcome for the next commit. `unsent` takes the claim back."""
        with self._condition:
            self._settlements.append((message_id, outcome))
            if len(self._settlements) == 1:
                self._condition.notify()

    async def flush(self) -> None:
        """Wait until everything that was queued before is durable."""
        await self._submit([])

    async def _submit(self, claims: Sequence[Claim], frontier: int = 0) -> Refused:
        done: asyncio.Future[Refused] = self._loop.create_future()
        with self._condition:
            if self.error:
                raise self.error
            self._claims += claims
            self._frontier = frontier
            self._waiting.append(done)
            self._hurry = True
            self._condition.notify()
        return await done

    def _write_all(self) -> None:
        """The thread: take everything that waits, commit it, tell those who wait; until closed and empty."""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._hurry or self._settlements or self._closing)
                self._condition.wait_for(lambda: self._hurry or self._closing, timeout=SETTLE_LINGER_S)
                claims, self._claims = self._claims, []
                frontier = self._frontier  # of just these claims: it counts them as being in the ledger
                settlements, self._settlements = self._settlements, []
                waiting, self._waiting = self._waiting, []
                self._hurry = False
                if self._closing and not (claims or settlements or waiting):
                    return
            refused: Refused = {}
            if self.error is None:
                try:
                    refused = self._commit(claims, settlements, frontier)
                except LedgerError as error:
                    self._fail(error)
                except Exception as error:
                    self._fail(LedgerError(f"the ledger could not be written: {error!r}"))
            if self.error and settlements:
                self._keep_aside(settlements)
            self._loop.call_soon_threadsafe(_resolve, waiting, refused, self.error)

    def _fail(self, error: LedgerError) -> None:
        self.error = error
        self._loop.call_soon_threadsafe(self._on_failure, error)

    def _commit(self, claims: list[Claim], settlements: list[tuple[str, Outcome]], frontier: int) -> Refused:
        with ledger_errors("written"), self._engine.begin() as connection:
            # Settlements go first: a message that is taken back and claimed again may be in one group.
            settle(connection, self._run_id, settlements)
            if not claims:
                return {}
            now = time.time_ns() // 1000
            claim(connection, self._run_id, claims, now)
            wanted = [one.message for one in claims]
            is_whole = not any(outcome.status is Status.UNSENT for _, outcome in settlements)
            refused = dict.fromkeys(refuse_opted_out(connection, self._run_id, wanted), OutcomeReason.OPTED_OUT)
            left = [message for message in wanted if message.message_id not in refused] if refused else wanted
            if self._cooldown and left:
                excess = refuse_excess(connection, self._run_id, left, self._cooldown, now)
                refused |= dict.fromkeys(excess, OutcomeReason.COOLDOWN)
            if is_whole and not refused:
                self._note_frontier(connection, frontier)
            return refused

    def _note_frontier(self, connection: Connection, row: int) -> None:
        """Now and then: it only saves a later session some looking."""
        if self._plan and row and time.monotonic() - self._frontier_noted_at > NOTE_FRONTIER_S:
            note_resume_point(connection, self._run_id, self._plan, row)
            self._frontier_noted_at = time.monotonic()

    def _keep_aside(self, settlements: list[tuple[str, Outcome]]) -> None:
        """Answers that the ledger didn't take go to the spill, and from there into the ledger at the next start."""
        try:
            self._spill.write(settlements)
        except OSError as error:
            words = f"{self.error}; the answers of {len(settlements)} requests are lost too ({error.strerror})"
            self.error = LedgerError(words)


def _resolve(waiting: list[asyncio.Future[Refused]], refused: Refused, error: LedgerError | None) -> None:
    for future in waiting:
        if not future.done():
            if error:
                future.set_exception(error)
            else:
                future.set_result(refused)
