"""Taking back messages that the provider has scheduled and not sent yet."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from runner.dispatch.errands import Standing
from runner.errors import InputError, RunLockedError
from runner.ledger.cancellations import Cancellation, CancelStatus, Waiting, note_cancellations, waiting_after
from runner.ledger.lease import Lease
from runner.ledger.ledger import Ledger, RunRecord
from runner.models import Rate, Status
from runner.provider.afterwards import Afterwards, Ended, Ending
from runner.run.account import Account
from runner.run.errands import work_off
from runner.run.places import SANDBOX_RUN, Options, Places
from runner.run.reconcile import recovered
from runner.run.times import now_us

BATCH = 500

_DELAY = re.compile(r"(\d+) s after the send")
_MAYBE_CANCELLED = "an earlier request for it, whose answer never came, may have cancelled it"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the provider sends a run's messages: at `moment`, or so many seconds after each was handed over, or, both
    None, when its sending hours begin. In microseconds, and seconds.
    """

    moment: int | None = None
    delay_s: int | None = None


@dataclass(slots=True)
class Cancelling:
    """How far it is. `wanted` wait at the provider as this begins; `unknown` may, too, and can't be named to it."""

    wanted: int = 0
    unknown: int = 0
    cancelled: int = 0
    refused: int = 0
    waiting_for: str = ""
    stopping: bool = False
    stopped: str | None = None
    was_signalled: bool = False
    asked_before: set[str] = field(default_factory=set)
    """The message ids that were asked for and are waited for again."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run whose scheduled messages are taken back. Nobody else sends it meanwhile."""

    ledger: Ledger
    record: RunRecord
    places: Places
    account: Account
    lease: Lease
    schedule: Schedule


@contextlib.contextmanager
def cancelling(name: str, run: str | None, options: Options) -> Iterator[Job]:
    """The run, locked. Raises InputError when nothing of it is scheduled, RunLockedError while it is being sent."""
    if run == SANDBOX_RUN or options.sandbox:
        raise InputError.of(
            f"the sandbox of {name}/{SANDBOX_RUN} is gone, and what it had scheduled with it",
            "to try cancelling, start `campaign sandbox`, and set EIGHTXEIGHT_BASE_URL as it says for `campaign run` "
            "and `campaign cancel`",
        )
    with recovered(name, run, options) as (ledger, record, places, account, lease):
        yield Job(ledger, record, places, account, lease, schedule_of(record, now_us()))


def schedule_of(record: RunRecord, now: int) -> Schedule:
    """When the provider sends this run's messages. Raises InputError when it sent them at once, or has by now."""
    asked = orjson.loads(record.options)
    scheduled = asked.get("message.scheduled")
    name = f"{record.name}/{record.run}"
    if scheduled is None:
        if asked.get("window", "").endswith(", schedule"):
            return Schedule()
        raise InputError.of(
            f"nothing of {name} is scheduled at the provider: its messages leave at once",
            "an SMS that was sent can't be called back; a `campaign run` that still sends can be stopped with Ctrl-C",
        )
    if delay := _DELAY.fullmatch(scheduled):
        return Schedule(delay_s=int(delay.group(1)))
    moment = int(datetime.fromisoformat(scheduled).timestamp() * 1e6)
    if moment <= now:
        raise InputError.of(
            f"{name} was scheduled for {scheduled}, and that is past",
            "its messages are sent, and an SMS that was sent can't be called back",
        )
    return Schedule(moment=moment)


def count(job: Job) -> Cancelling:
    """How many messages are to be cancelled, as far as this computer knows."""
    wanted = sum(len(batch) for batch in _waiting(job))
    return Cancelling(wanted=wanted, unknown=job.ledger.counts(job.record.id).get(Status.UNKNOWN.value, 0))


def due_at(job: Job) -> int | None:
    """When the provider sends the first of them, as far as that is known; microseconds since the epoch."""
    schedule = job.schedule
    if schedule.delay_s is None:
        return schedule.moment
    times = [one.sent_at for batch in _waiting(job) for one in batch if one.sent_at is not None]
    return min(times) + schedule.delay_s * 1_000_000 if times else None


def _waiting(job: Job) -> Iterator[list[Waiting]]:
    """The messages that the provider may not have sent yet, in batches."""
    after = ""
    while batch := waiting_after(job.ledger, job.record.id, after, limit=BATCH):
        after = batch[-1].message_id
        now = now_us()
        yield [one for one in batch if _may_wait(one, job.schedule, now)]


def _may_wait(one: Waiting, schedule: Schedule, now: int) -> bool:
    if schedule.delay_s is None or one.sent_at is None:
        return True
    return one.sent_at + schedule.delay_s * 1_000_000 > now


def cancel(job: Job, progress: Cancelling, rate: Rate, show: Callable[[], object]) -> None:
    """Ask the provider not to send what waits. What it says is in the ledger when this returns."""
    if not job.lease.renew():
        raise RunLockedError("another process took this run over meanwhile; nothing was cancelled, look again")

    async def ask(provider: Afterwards, one: Waiting) -> Ended:
        found = await provider.cancel(one.umid)
        if found.ending is Ending.AGAIN and found.http_status != 429:  # that one wasn't listened to
            progress.asked_before.add(one.message_id)
        return found

    def ended(one: Waiting, found: Ended) -> Cancellation:
        is_cancelled = found.ending is Ending.DONE
        progress.cancelled += is_cancelled
        progress.refused += not is_cancelled
        words = found.detail
        if not is_cancelled and one.message_id in progress.asked_before:
            words = f"{words}; {_MAYBE_CANCELLED}"
        progress.asked_before.discard(one.message_id)
        status = CancelStatus.CANCELLED if is_cancelled else CancelStatus.REFUSED
        return Cancellation(one.message_id, status, now_us(), found.http_status, words or None)

    def showing(standing: Standing) -> None:
        progress.waiting_for = standing.waiting_for
        progress.stopping = standing.stopping and standing.in_flight > 0
        show()

    stop = work_off(
        job.account,
        _one_by_one(_waiting(job)),
        ask=ask,
        ended=ended,
        settle=lambda some: note_cancellations(job.ledger, job.record.id, some),
        at=rate,
        show=showing,
    )
    progress.stopped, progress.was_signalled = stop.words, stop.was_signalled
    if stop.left and stop.words is None:
        progress.stopped = f"the provider never answered about {stop.left:,} of them"


async def _one_by_one(batches: Iterator[Sequence[Waiting]]) -> AsyncGenerator[Waiting, None]:
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        for one in batch:
            yield one
