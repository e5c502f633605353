"""Taking back messages that the provider has scheduled and not sent yet."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from runner.errors import InputError, RunLockedError
from runner.ledger.cancellations import Cancellation, CancelStatus, Waiting, note_cancellations, waiting_after
from runner.ledger.lease import Lease
from runner.ledger.ledger import Ledger, RunRecord
from runner.models import Rate
from runner.provider.afterwards import Ended, Ending
from runner.run.account import Account
from runner.run.errands import work_off
from runner.run.times import now_us

BATCH = 500
EXAMPLES = 10

_DELAY = re.compile(r"(\d+) s after the send")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the provider sends a run's messages: at `moment`, or so many seconds after each was handed over, or, both
    None, when its sending hours begin. In microseconds, and seconds.
    """

    moment: int | None = None
    delay_s: int | None = None


@dataclass(slots=True)
class Cancelling:
    """How far it is. `refusals` are the first few that could not be cancelled, as (key, why)."""

    wanted: int = 0
    cancelled: int = 0
    refused: int = 0
    refusals: list[tuple[str, str]] = field(default_factory=list)
    stopped: str | None = None


def schedule_of(record: RunRecord) -> Schedule:
    """When the provider sends this run's messages. Raises InputError when it sent them at once, or has by now."""
    asked = orjson.loads(record.options)
    scheduled = asked.get("message.scheduled")
    name = f"{record.name}/{record.run}"
    if scheduled is None:
        if asked.get("window", "").endswith(", schedule"):
            return Schedule()
        raise InputError.of(
            f"nothing of {name} is scheduled at the provider: its messages left at once",
            "an SMS that was sent can't be called back; `campaign run` can be stopped with Ctrl-C while it sends",
        )
    if delay := _DELAY.fullmatch(scheduled):
        return Schedule(delay_s=int(delay.group(1)))
    moment = int(datetime.fromisoformat(scheduled).timestamp() * 1e6)
    if moment <= now_us():
        raise InputError.of(f"{name} was scheduled for {scheduled}, and that is past: its messages are sent")
    return Schedule(moment=moment)


def waiting(ledger: Ledger, record: RunRecord, schedule: Schedule) -> Iterator[list[Waiting]]:
    """The messages that the provider may not have sent yet, in batches."""
    after = ""
    while batch := waiting_after(ledger, record.id, after, limit=BATCH):
        after = batch[-1].message_id
        now = now_us()
        yield [one for one in batch if _may_wait(one, schedule, now)]


def _may_wait(one: Waiting, schedule: Schedule, now: int) -> bool:
    if schedule.delay_s is None or one.sent_at is None:
        return True
    return one.sent_at + schedule.delay_s * 1_000_000 > now


def cancel(
    ledger: Ledger,
    record: RunRecord,
    account: Account,
    lease: Lease,
    schedule: Schedule,
    *,
    rate: Rate,
    progress: Cancelling,
    show: Callable[[], object],
) -> None:
    """Ask the provider not to send what waits. What it says is in the ledger when this returns."""
    if not lease.renew():
        raise RunLockedError("another process took this run over meanwhile; nothing was cancelled, look again")

    def ended(one: Waiting, found: Ended) -> Cancellation:
        is_cancelled = found.ending is Ending.DONE
        progress.cancelled += is_cancelled
        progress.refused += not is_cancelled
        if not is_cancelled and len(progress.refusals) < EXAMPLES:
            progress.refusals.append((one.key, found.detail))
        status = CancelStatus.CANCELLED if is_cancelled else CancelStatus.REFUSED
        return Cancellation(one.message_id, status, now_us(), found.http_status, found.detail or None)

    progress.stopped = work_off(
        account,
        _one_by_one(waiting(ledger, record, schedule)),
        ask=lambda provider, one: provider.cancel(one.umid),
        ended=ended,
        settle=lambda some: note_cancellations(ledger, record.id, some),
        at=rate,
        show=lambda _: show(),
    )


async def _one_by_one(batches: Iterator[Sequence[Waiting]]) -> AsyncIterator[Waiting]:
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        for one in batch:
            yield one
