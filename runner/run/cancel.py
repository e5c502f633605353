"""`campaign cancel`: the provider is asked not to send messages that it has scheduled and not sent yet."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from runner.base.clock import now_us
from runner.base.errors import InputError, RunLockedError
from runner.base.options import Rate
from runner.base.outcomes import Status, Then
from runner.dispatch.progress import Progress, Stop
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.lock import Lease
from runner.ledger.request_journal import CancelStatus, Scheduled, Settled, note_cancellations, scheduled_after
from runner.provider.message_actions import ActionResult, ActionStatus, MessageActions
from runner.run.account import ProviderAccount
from runner.run.message_requests import send_requests
from runner.run.paths import SANDBOX_RUN, RunOptions, RunPaths
from runner.run.reconcile import recovered

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
class CancelProgress:
    """How far cancelling is; read by whoever shows it.

    `wanted` messages are scheduled at the provider as this begins; `unknown` ones may be, too, and can't be named to
    it. `stop` is why it stopped early.
    """

    wanted: int = 0
    unknown: int = 0
    cancelled: int = 0
    refused: int = 0
    loop: Progress = field(default_factory=Progress)
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class CancelTarget:
    """The run whose scheduled messages are cancelled. Nobody else sends it meanwhile."""

    ledger: Ledger
    record: RunRecord
    paths: RunPaths
    account: ProviderAccount
    lease: Lease
    schedule: Schedule


@contextlib.contextmanager
def opened_for_cancelling(name: str, run: str | None, options: RunOptions) -> Iterator[CancelTarget]:
    """The run, locked. Raises InputError when nothing of it is scheduled, RunLockedError while it is being sent."""
    if run == SANDBOX_RUN or options.sandbox:
        raise InputError.of(
            f"the sandbox of {name}/{SANDBOX_RUN} is gone, and what it had scheduled with it",
            "to try cancelling, start `campaign sandbox`, and set EIGHTXEIGHT_BASE_URL as it says for `campaign run` "
            "and `campaign cancel`",
        )
    with recovered(name, run, options) as (ledger, record, paths, account, lease):
        yield CancelTarget(ledger, record, paths, account, lease, schedule_of(record, now_us()))


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


def count(target: CancelTarget) -> CancelProgress:
    """How many messages are to be cancelled, as far as this computer knows."""
    wanted = sum(len(batch) for batch in _scheduled(target))
    unknown = target.ledger.counts(target.record.id).get(Status.UNKNOWN.value, 0)
    return CancelProgress(wanted=wanted, unknown=unknown)


def due_at(target: CancelTarget) -> int | None:
    """When the provider sends the first of them, as far as that is known; microseconds since the epoch."""
    schedule = target.schedule
    if schedule.delay_s is None:
        return schedule.moment
    times = [one.sent_at for batch in _scheduled(target) for one in batch if one.sent_at is not None]
    return min(times) + schedule.delay_s * 1_000_000 if times else None


def cancel(target: CancelTarget, progress: CancelProgress, rate: Rate, show: Callable[[], object]) -> None:
    """Ask the provider not to send what is scheduled. What it says is in the ledger when this returns."""
    if not target.lease.renew():
        raise RunLockedError("another process took this run over meanwhile; nothing was cancelled, look again")
    without_answer: set[str] = set()  # an earlier request about these messages may have cancelled them

    async def ask(provider: MessageActions, one: Scheduled) -> ActionResult:
        answer = await provider.cancel(one.umid)
        if answer.then is Then.BACK_OFF:  # a 429, on the other hand, wasn't listened to
            without_answer.add(one.message_id)
        return answer

    def answered(one: Scheduled, answer: ActionResult) -> Settled:
        words = answer.detail
        if answer.ending is ActionStatus.DONE:
            status = CancelStatus.CANCELLED
            progress.cancelled += 1
        else:
            status = CancelStatus.REFUSED
            progress.refused += 1
            words += f"; {_MAYBE_CANCELLED}" if one.message_id in without_answer else ""
        without_answer.discard(one.message_id)
        return Settled(one.message_id, status, now_us(), answer.http_status, words or None)

    progress.stop = send_requests(
        target.account,
        _one_by_one(_scheduled(target)),
        ask=ask,
        answered=answered,
        settle=lambda some: note_cancellations(target.ledger, target.record.id, some),
        rate=rate,
        progress=progress.loop,
        show=show,
    )


def _scheduled(target: CancelTarget) -> Iterator[list[Scheduled]]:
    """The messages that the provider may not have sent yet, in batches."""
    after, delay_s = "", target.schedule.delay_s
    while batch := scheduled_after(target.ledger, target.record.id, after, limit=BATCH):
        after, now = batch[-1].message_id, now_us()
        yield [
            one for one in batch if delay_s is None or one.sent_at is None or one.sent_at + delay_s * 1_000_000 > now
        ]


async def _one_by_one(batches: Iterator[Sequence[Scheduled]]) -> AsyncGenerator[Scheduled, None]:
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        for one in batch:
            yield one
