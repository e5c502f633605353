"""`campaign cancel`: cancel the messages that the provider has scheduled and not sent yet."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from runner.base.audit import AuditAction, AuditEntry
from runner.base.clock import now_us, us_of
from runner.base.errors import InputError, LedgerError
from runner.base.options import Rate
from runner.base.outcomes import Outcome, Status, Then
from runner.dispatch.progress import Progress, Stop
from runner.ledger.audit import note
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
    """When the provider sends a run's messages: at `moment` (microseconds since the epoch), `delay_s` seconds after it
    accepted each message, or, if both are None, when the recipient's sending hours begin.
    """

    moment: int | None = None
    delay_s: int | None = None


@dataclass(slots=True)
class Cancellation:
    """The progress of cancelling a run's scheduled messages.

    `wanted` messages are scheduled at the start. `unknown` messages may be scheduled too, but can't be cancelled,
    because their umids are unknown. `stop` is why cancelling stopped early.
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
    """The locked run, with its scheduled messages counted.

    Raises InputError if nothing is scheduled, RunLockedError while the run is being sent.
    """
    if run == SANDBOX_RUN or options.sandbox:
        raise InputError.of(
            f"the sandbox of {name}/{SANDBOX_RUN} no longer runs, so it has nothing to cancel",
            "to try cancelling, start `campaign sandbox`, and set EIGHTXEIGHT_BASE_URL to its address for "
            "`campaign run` and `campaign cancel`",
        )
    with locked_run(name, run, options) as found:
        cancellation = Cancellation(found, provider_account(found.account), schedule_of(found, now_us()))
        cancellation.wanted = sum(1 for _ in _scheduled(cancellation))
        cancellation.unknown = found.ledger.counts(found.record.id).get(Status.UNKNOWN.value, 0)
        yield cancellation


def schedule_of(run: RecordedRun, now: int) -> Schedule:
    """When the provider sends this run's messages. Raises InputError if it has already sent them."""
    options = run.options
    scheduled = options.get("message.scheduled")
    if scheduled is None:
        if options.get("window", "").endswith(", schedule"):
            return Schedule()
        raise InputError.of(
            f"{run.name} has no scheduled messages to cancel",
            "a sent SMS can't be recalled; to stop a `campaign run` that is still sending, press Ctrl-C",
        )
    if delay := _DELAY.fullmatch(scheduled):
        return Schedule(delay_s=int(delay.group(1)))
    moment = us_of(datetime.fromisoformat(scheduled))
    if moment <= now:
        raise InputError.of(
            f"{run.name} was scheduled for {scheduled}, which has passed, so its messages are already sent",
            "a sent SMS can't be recalled",
        )
    return Schedule(moment=moment)


def due_at(cancellation: Cancellation) -> int | None:
    """When the provider sends the first scheduled message, in microseconds since the epoch; None if unknown."""
    if cancellation.schedule.delay_s is None:
        return cancellation.schedule.moment
    times = (message.sent_at for message in _scheduled(cancellation) if message.sent_at is not None)
    first = min(times, default=None)
    return None if first is None else first + cancellation.schedule.delay_s * 1_000_000


def cancel(cancellation: Cancellation, rate: Rate, show: Callable[[], object]) -> None:
    """Cancel the scheduled messages at the provider. All answers are in the ledger when this returns."""
    run = cancellation.run
    run.renew_lease()
    without_answer: set[str] = set()  # an earlier, unanswered request may have cancelled these messages

    async def ask(provider: MessageActions, message: Scheduled) -> Outcome:
        answer = await provider.cancel(message.umid)
        if answer.then is Then.BACK_OFF:  # unlike after a 429, the provider may have acted on the request
            without_answer.add(message.message_id)
        return answer

    def answered(message: Scheduled, answer: Outcome) -> Settled:
        words = answer.detail
        if answer.status is Status.REJECTED:
            status = CancelStatus.REFUSED
            cancellation.refused += 1
            if message.message_id in without_answer:
                words += "; an earlier request without an answer may have cancelled it"
        else:
            status = CancelStatus.CANCELLED
            cancellation.cancelled += 1
        without_answer.discard(message.message_id)
        return Settled(message.message_id, status, now_us(), answer.http_status, words or None)

    try:
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
    finally:
        names = ("wanted", "cancelled", "refused")
        detail = {name: getattr(cancellation, name) for name in names}
        with contextlib.suppress(LedgerError):  # the answers are in the ledger, or their failure is reported
            note(run.ledger, AuditEntry(AuditAction.CANCELLED, run.name, detail))


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
