"""Writes claims and settlements of one run while it is sent, in group commits by a background thread.

The sender waits until a claim is durable. It doesn't wait for a settlement: if a crash loses one, the message becomes
`unknown`, and is never sent a second time.

If the ledger can't be written, answers go to the spill, a file next to the ledger, and the next start reads them from
there. Without the spill, all messages in flight at that moment would be `unknown` although their answers arrived.
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple, Self

import orjson
from sqlalchemy import Connection, Engine, select

from runner.base.errors import BrokenLedgerError, LedgerError
from runner.base.messages import Message
from runner.base.options import Cooldown
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.ledger.cooldown import excess
from runner.ledger.database import ledger_errors
from runner.ledger.group_commit import GroupCommit
from runner.ledger.ledger import Ledger
from runner.ledger.optouts import opted_out_of
from runner.ledger.tables import SENDING, messages
from runner.ledger.transitions import claim, note_resume_point, release, settle

# How long a settlement may wait for others. At 40/s and more, it is committed together with the next claims.
SETTLE_LINGER_S = 0.04

# How often the resume point is written.
NOTE_RESUME_POINT_S = 1.0

# The size of the spill: enough for the answers to all requests that can be in flight (800), with long texts.
SPILL_BYTES = 512 * 1024

# The ids of messages that were not claimed, and why: COOLDOWN or OPTED_OUT.
Refused = Mapping[str, OutcomeReason]

Settlement = tuple[str, Outcome]


class Claim(NamedTuple):
    """The intent to send one message; `attempt` counts from 1."""

    message: Message
    attempt: int


@dataclass(frozen=True, slots=True)
class _ClaimGroup:
    """Claims that are committed together. Then the ledger has every message up to the plan row `frontier`."""

    claims: Sequence[Claim]
    frontier: int


@dataclass(eq=False)
class LedgerWriter:
    """Writes one run's claims and settlements. An async context manager; leaving it writes everything that waits.

    After a failed write, nothing more is written to the ledger: `error` is set, `on_failure` is called in the event
    loop, every later claim raises the error, and settlements go to the `spill`.

    :param cooldown: the frequency cap per number, across all runs of the ledger; None: no cap.
    :param plan: the SHA-256 of the plan file, for the resume point; None: no resume point is written.
    """

    engine: Engine
    run_id: int
    spill: "Spill"
    _: KW_ONLY
    on_failure: Callable[[LedgerError], None]
    cooldown: Cooldown | None = None
    plan: str | None = None

    def __post_init__(self) -> None:
        self._resume_point_noted_at = -math.inf
        self._commits: GroupCommit[_ClaimGroup | Settlement, Refused] = GroupCommit(
            self._commit, self._failed, name="ledger-writer", linger_s=SETTLE_LINGER_S
        )
        self.error: LedgerError | None = None

    async def __aenter__(self) -> Self:
        await self._commits.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._commits.__aexit__()
        self.spill.close()

    async def claim(self, claims: Sequence[Claim], *, frontier: int = 0) -> Refused:
        """Record that these messages are about to leave. Returns when that is durable; raises LedgerError if it fails.

        With these claims, the ledger has every message up to the plan row `frontier`; 0: not known. Returns the message
        ids that were not claimed: since the plan was made, their numbers opted out or reached the frequency cap.
        """
        refused = await self._submit(claims, frontier)  # for the whole group, including claims of other callers
        own = {each.message.message_id for each in claims} if refused else ()
        return {message_id: reason for message_id, reason in refused.items() if message_id in own}

    def settle(self, message_id: str, outcome: Outcome) -> None:
        """Queue an outcome for the next commit. `unsent` removes the claim."""
        self._commits.put((message_id, outcome))

    async def flush(self) -> None:
        """Wait until everything queued so far is durable."""
        await self._submit([])

    async def _submit(self, claims: Sequence[Claim], frontier: int = 0) -> Refused:
        if self.error:
            raise self.error
        return await self._commits.submit(_ClaimGroup(claims, frontier))

    def _commit(self, group: Sequence[_ClaimGroup | Settlement]) -> Sequence[Refused]:
        if self.error:
            raise self.error
        settlements = [item for item in group if isinstance(item, tuple)]
        claim_groups = [item for item in group if isinstance(item, _ClaimGroup)]
        claims = [each for claim_group in claim_groups for each in claim_group.claims]
        with ledger_errors("written"), self.engine.begin() as connection:
            # Settlements go first: one group may contain the removal of a claim and the next claim of that message.
            settle(connection, self.run_id, settlements)
            refused = self._claim(connection, claims) if claims else {}
            is_whole = not refused and not any(outcome.status is Status.UNSENT for _, outcome in settlements)
            if claims and is_whole:
                self._note_resume_point(connection, claim_groups[-1].frontier)
        return [refused] * len(group)

    def _claim(self, connection: Connection, claims: Sequence[Claim]) -> Refused:
        now = time.time_ns() // 1000
        claim(connection, self.run_id, claims, now)
        claimed = [each.message for each in claims]
        refused: dict[str, OutcomeReason] = {}
        if self.cooldown:
            refused = dict.fromkeys(excess(connection, claimed, self.cooldown, now), OutcomeReason.COOLDOWN)
        # An opt-out overrides the frequency cap: it is permanent, while a capped number may get the message later.
        refused |= dict.fromkeys(opted_out_of(connection, claimed), OutcomeReason.OPTED_OUT)
        release(connection, self.run_id, refused)
        return refused

    def _note_resume_point(self, connection: Connection, row: int) -> None:
        """Write the resume point, but not often: all it does is save a later session some reading."""
        if self.plan and row and time.monotonic() - self._resume_point_noted_at > NOTE_RESUME_POINT_S:
            note_resume_point(connection, self.run_id, self.plan, row)
            self._resume_point_noted_at = time.monotonic()

    def _failed(self, group: Sequence[_ClaimGroup | Settlement], error: Exception) -> LedgerError:
        if self.error is None:
            words = f"the ledger could not be written: {error!r}"
            self.error = error if isinstance(error, LedgerError) else LedgerError(words)
            self._commits.call(self.on_failure, self.error)
        settlements = [item for item in group if isinstance(item, tuple)]
        try:
            if settlements:
                self.spill.write(settlements)
        except OSError as spill_error:
            words = f"{self.error}; the answers to {len(settlements)} requests are lost too ({spill_error.strerror})"
            self.error = type(self.error)(words)
        return self.error


def spill_path(ledger: Path, run_id: int) -> Path:
    ledger = ledger.resolve()  # a link in another folder must find it too
    return ledger.with_name(f"{ledger.name}.spill-{run_id}")


class Spill:
    """The spill file of one run. `close` deletes it if it was not used.

    The usual cause of a spill is a full disk. So the file gets its full size before the first request leaves, and
    answers overwrite it in place. Raises LedgerError if there is no space for it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as room:
                room.write(bytes(SPILL_BYTES))
                room.flush()
                os.fsync(room.fileno())
            self._file = path.open("r+b", buffering=0)
        except OSError as error:
            raise BrokenLedgerError(
                f"can't reserve {SPILL_BYTES // 1024} kB next to the ledger, in {path}: {error.strerror}; free some "
                "disk space, and check the folder's permissions"
            ) from error

    def write(self, settlements: Sequence[Settlement]) -> None:
        """Write these outcomes, durably. If this raises OSError, they are lost, and their messages become `unknown`."""
        lines = b"".join(orjson.dumps([message_id, asdict(outcome)]) + b"\n" for message_id, outcome in settlements)
        self._file.write(lines)
        os.fsync(self._file.fileno())

    def close(self) -> None:
        is_empty = self._file.tell() == 0
        self._file.close()
        if is_empty:
            self._path.unlink(missing_ok=True)


def merge_spill(ledger: Ledger, run_id: int) -> int:
    """Settle messages with the answers that an earlier process spilled, and delete the file. Returns how many.

    Call this before `mark_dead_claims_unknown`, which would make the messages unknown. Messages that are no longer
    `sending` don't change.
    """
    path = spill_path(ledger.path, run_id)
    if not path.exists():
        return 0
    outcomes = dict(_spilled(path))
    with ledger.writing() as connection:
        query = select(messages.c.message_id).where(messages.c.run_id == run_id, messages.c.status == SENDING)
        open_ids = set(connection.scalars(query))
        settlements = [(message_id, outcome) for message_id, outcome in outcomes.items() if message_id in open_ids]
        settle(connection, run_id, settlements)
    path.unlink()
    return len(settlements)


def _spilled(path: Path) -> Iterator[Settlement]:
    names = {field.name for field in fields(Outcome)}
    for line in path.read_bytes().rstrip(b"\0").split(b"\n"):
        try:
            message_id, values = orjson.loads(line)
            values = {name: value for name, value in values.items() if name in names}
            enums = {"status": Status, "reason": OutcomeReason, "then": Then}
            yield message_id, Outcome(**values | {name: enum(values[name]) for name, enum in enums.items()})
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # empty, cut off by a crash, or damaged: that message becomes unknown
