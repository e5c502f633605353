"""`campaign cancel`: the provider is asked not to send messages that it has scheduled and not sent yet."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from runner.base.clock import now_us
from runner.base.errors import InputError
from runner.base.options import Rate
from runner.base.outcomes import Outcome, Status, Then
from runner.dispatch.progress import Progress, Stop
from runner.ledger.request_journal import CancelStatus, Scheduled, Settled, note_cancellations, scheduled_after
from runner.provider.message_actions import MessageActions
from runner.run.account import ProviderAccount, provider_account
from runner.run.open import RecordedRun, locked_run
from runner.run.paths import SANDBOX_RUN, RunOptions
from runner.run.requests import send_requests

BATCH = 500

_DELAY = re.compile(r"(\d+) s after the send")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the provider sends a run's messages: at `moment` (microseconds since the epoch), or `delay_s` seconds after
    each was handed over, or, both None, when its sending hours begin.
    """

    moment: int | None = None
    delay_s: int | None = None


@dataclass(slots=True)
class Cancellation:
    """A run whose scheduled messages are cancelled, and how far that is.

    `wanted` messages are scheduled at the provider when this begins; `unknown` ones may be, too, and can't be named to
    it. `stop` is why it stopped early.
    """

    run: RecordedRun
    account: ProviderAccount
    schedule: Schedule
    wanted: int = 0
    unknown: int = 0
    cancelled: int = 0
    refused: int = 0
    loop: Progress = field(default_factory=Progress)
    stop: Stop | None = None


@contextlib.contextmanager
def opened_for_cancelling(name: str, run: str | None, options: RunOptions) -> Iterator[Cancellation]:
    """The run, locked, with what is to be cancelled counted.

    Raises InputError when nothing of it is scheduled, RunLockedError while it is being sent.
    """
    if run == SANDBOX_RUN or options.sandbox:
        raise InputError.of(
            f"the sandbox of {name}/{SANDBOX_RUN} is gone, and what it had scheduled with it",
            "to try cancelling, start `campaign sandbox`, and set EIGHTXEIGHT_BASE_URL as it says for `campaign run` "
            "and `campaign cancel`",
        )
    with locked_run(name, run, options) as found:
        cancellation = Cancellation(found, provider_account(found.account), schedule_of(found, now_us()))
        cancellation.wanted = sum(1 for _ in _scheduled(cancellation))
        cancellation.unknown = found.ledger.counts(found.record.id).get(Status.UNKNOWN.value, 0)
        yield cancellation


def schedule_of(run: RecordedRun, now: int) -> Schedule:
    """When the provider sends this run's messages. Raises InputError when it sent them at once, or has by now."""
    options = run.options
    scheduled = options.get("message.scheduled")
    if scheduled is None:
        if options.get("window", "").endswith(", schedule"):
            return Schedule()
        raise InputError.of(
            f"nothing of {run.name} is scheduled at the provider: its messages leave at once",
            "an SMS that was sent can't be called back; a `campaign run` that still sends can be stopped with Ctrl-C",
        )
    if delay := _DELAY.fullmatch(scheduled):
        return Schedule(delay_s=int(delay.group(1)))
    moment = int(datetime.fromisoformat(scheduled).timestamp() * 1e6)
    if moment <= now:
        raise InputError.of(
            f"{run.name} was scheduled for {scheduled}, and that is past",
            "its messages are sent, and an SMS that was sent can't be called back",
        )
    return Schedule(moment=moment)


def due_at(cancellation: Cancellation) -> int | None:
    """When the provider sends the first of them, as far as that is known; microseconds since the epoch."""
    if cancellation.schedule.delay_s is None:
        return cancellation.schedule.moment
    times = (message.sent_at for message in _scheduled(cancellation) if message.sent_at is not None)
    first = min(times, default=None)
    return None if first is None else first + cancellation.schedule.delay_s * 1_000_000


def cancel(cancellation: Cancellation, rate: Rate, show: Callable[[], object]) -> None:
    """Ask the provider not to send what is scheduled. What it answered is in the ledger when this returns."""
    run = cancellation.run
    run.renew_lease()
    without_answer: set[str] = set()  # an earlier request about these messages may have cancelled them

    async def ask(provider: MessageActions, message: Scheduled) -> Outcome:
        answer = await provider.cancel(message.umid)
        if answer.then is Then.BACK_OFF:  # a 429, on the other hand, wasn't listened to
            without_answer.add(message.message_id)
        return answer

    def answered(message: Scheduled, answer: Outcome) -> Settled:
        words = answer.detail
        if answer.status is Status.REJECTED:
            status = CancelStatus.REFUSED
            cancellation.refused += 1
            if message.message_id in without_answer:
                words += "; an earlier request for it, whose answer never came, may have cancelled it"
        else:
            status = CancelStatus.CANCELLED
            cancellation.cancelled += 1
        without_answer.discard(message.message_id)
        return Settled(message.message_id, status, now_us(), answer.http_status, words or None)

    cancellation.stop = send_requests(
        cancellation.account,
        _in_threads(_scheduled(cancellation)),
        ask=ask,
        answered=answered,
        settle=lambda settled: note_cancellations(run.ledger, run.record.id, settled),
        rate=rate,
        progress=cancellation.loop,
        show=show,
    )


def _scheduled(cancellation: Cancellation) -> Iterator[Scheduled]:
    """The messages that the provider may not have sent yet, read in batches."""
    run, after = cancellation.run, ""
    delay_us = None if cancellation.schedule.delay_s is None else cancellation.schedule.delay_s * 1_000_000
    while batch := scheduled_after(run.ledger, run.record.id, after, limit=BATCH):
        after = batch[-1].message_id
        for message in batch:
            if delay_us is None or message.sent_at is None or message.sent_at + delay_us > now_us():
                yield message


async def _in_threads(messages: Iterator[Scheduled]) -> AsyncGenerator[Scheduled, None]:
    while (message := await asyncio.to_thread(next, messages, None)) is not None:
        yield message
