"""Send one run: connects client, pace, ledger writer and dispatcher on an event loop."""

import asyncio
import contextlib
import math
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime

from runner.base import interrupts
from runner.base.audit import AuditAction, AuditEntry
from runner.base.clock import now_us
from runner.base.errors import LedgerError
from runner.base.events import Event, EventKind
from runner.base.loops import loop_factory
from runner.base.messages import Message
from runner.base.options import Outside
from runner.base.outcomes import Outcome, OutcomeReason
from runner.base.text import sanitized
from runner.campaign import Campaign
from runner.dispatch.budget import Budget
from runner.dispatch.dispatcher import IN_FLIGHT_LIMIT, Departure, Dispatcher
from runner.dispatch.feed import Feed
from runner.dispatch.fuse import Fuses
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop
from runner.dispatch.retry import Backoff
from runner.dispatch.shared_window import SharedWindow, shared_window
from runner.ledger.ledger import RunRecord
from runner.ledger.receipts import adopt, has_receipts, hold, receipts_by_message_id, unproved
from runner.ledger.writer import Claim, LedgerWriter, Spill, spill_path
from runner.plan.plan_file import read_messages
from runner.provider.client import Client
from runner.provider.payload import PayloadBuilder, SendOptions
from runner.receipts.address import with_secret_path
from runner.report.masking import without_numbers
from runner.run.account import ProviderAccount
from runner.run.open import Run
from runner.run.paths import SANDBOX_RUN
from runner.run.plan import begin, cooldown_of
from runner.run.requests import stopping_on_signals
from runner.schedule.sending_hours import SendingHoursGate
from runner.schedule.timetable import last_departure


def send_options(campaign: Campaign) -> SendOptions:
    """The options of every request. The section `message` marks which keys are sent to the provider."""
    options = campaign.provider_options()
    receipts = campaign.receipts
    if receipts and receipts.url and (secret := os.environ.get(receipts.auth_header_env or "", "").strip()):
        options["dlr_callback_url"] = with_secret_path(receipts.url, secret)
    track = {True: "Outcome", False: "None", None: None}[options.pop("conversion_tracking")]
    return SendOptions(**options, track=track, send_country=campaign.recipients.country is not None)


def send(
    run: Run,
    account: ProviderAccount,
    progress: Progress,
    *,
    show: Callable[[], Awaitable[None]],
    ignored_fuses: Collection[str] = (),
) -> Stop | None:
    """Send the unsent messages of the run's plan. Returns why it stopped early, or None if it finished.

    `show` is a coroutine that displays `progress` while messages are sent; it is cancelled at the end. The first Ctrl-C
    or SIGTERM waits for the answers in flight, the second one doesn't.
    """
    interrupts.check()
    if cooldown := cooldown_of(run.campaign):
        checked = run.previous.id if run.previous else None
        run.ledger.refuse_uncounted(since=now_us() - cooldown.per_s * 1_000_000, checked=checked)
    record, sent_digest = begin(run, account.stand_in, place=account.endpoint.place)
    _note(run, record, Event(EventKind.STARTED, record.started_at))
    stop: Stop | None = Stop(OutcomeReason.INTERRUPTED, "the run ended unexpectedly")
    try:
        with _window(run) as window, asyncio.Runner(loop_factory=loop_factory()) as runner:
            stop = runner.run(_send(run, record, sent_digest, account, window, progress, show, ignored_fuses))
    except LedgerError as error:
        stop = Stop(OutcomeReason.INTERRUPTED, str(error))
        words = f"{error}; nothing was sent after that. Fix it, then run the same command again to continue"
        raise type(error)(words) from error
    finally:
        with interrupts.held(), contextlib.suppress(LedgerError):  # a ledger failure has already been reported
            now = now_us()
            is_over = stop is None or stop.reason is OutcomeReason.OPTED_OUT
            run.ledger.end_run(
                record.id,
                now=now,
                stop_reason=stop.reason.value if stop else None,
                stop_detail=stop.detail if stop else None,
                answer=stop.fatal if stop else None,
                audited=[_audited_end(run, stop, progress, is_over=is_over)],
            )
            kind = EventKind.ENDED if is_over else EventKind.STOPPED
            detail, reason = (stop.detail, stop.reason.value) if stop else (None, None)
            _note(run, record, *progress.events, Event(kind, now, detail=detail, reason=reason))
    return stop


def _window(run: Run) -> contextlib.AbstractContextManager[SharedWindow | None]:
    """The starts of the run and of its sub-account. A sandbox is a new account each time, so it begins with none."""
    if run.run == SANDBOX_RUN:
        return contextlib.nullcontext()
    sub_account_id, name = run.campaign.account.sub_account_id, f"{run.name}/{run.run}"
    # Again, now that the lease shows this run to others: two computers may have begun at the same moment.
    run.ledger.refuse_other_computers(sub_account_id, run.name, run.run)
    return shared_window(run.ledger.path, sub_account_id, run.account_rate, run.campaign.rate, name, run.ledger)


def _audited_end(run: Run, stop: Stop | None, progress: Progress, *, is_over: bool) -> AuditEntry:
    """How the session ended, and what it sent. The provider's texts may quote numbers, so they are hidden."""
    detail: dict[str, str | int] = {status.value: count for status, count in sorted(progress.settled.items())}
    if stop:
        detail |= {"reason": stop.reason.value, "detail": without_numbers(sanitized(stop.detail))}
    action = AuditAction.FINISHED if is_over else AuditAction.STOPPED
    return AuditEntry(action, f"{run.name}/{run.run}", detail)


def _note(run: Run, record: RunRecord, *events: Event) -> None:
    with contextlib.suppress(LedgerError):  # only for the report; a claim reports a ledger failure
        run.ledger.note_events(record.id, events)


async def _send(
    run: Run,
    record: RunRecord,
    sent_digest: str,
    account: ProviderAccount,
    window: SharedWindow | None,
    progress: Progress,
    show: Callable[[], Awaitable[None]],
    ignored_fuses: Collection[str],
) -> Stop | None:
    campaign = run.campaign
    options = send_options(campaign)
    if account.receipts_url:
        options = replace(options, dlr_callback_url=account.receipts_url)
    payload = PayloadBuilder(options)
    hours = campaign.window.hours(campaign.timezone) if campaign.window else None
    last = last_departure(campaign, run.now)
    not_after = last[0].timestamp() if last else math.inf
    gate = SendingHoursGate(hours, not_after=not_after) if hours else None

    async def send_one(claim: Claim, departure: Departure) -> Outcome:
        message, now = claim.message, datetime.now(UTC)
        scheduled = gate.schedule_at(message, now) if gate else None
        return await client.send(payload.build(message, now, scheduled), message, departure)

    def interrupt(why: LedgerError) -> None:
        dispatcher.stop(Stop(OutcomeReason.INTERRUPTED, str(why)))

    def on_rest(words: str | None) -> None:
        with contextlib.suppress(LedgerError):  # only for `campaign status`; a claim reports a ledger failure
            run.ledger.note_waiting(record.id, words)

    async with (
        LedgerWriter(
            run.ledger.engine,
            record.id,
            Spill(spill_path(run.ledger.path, record.id)),
            on_failure=interrupt,
            cooldown=cooldown_of(campaign),
            plan=sent_digest,
        ) as writer,
        Client(account.endpoint, account.api_key, limit=IN_FLIGHT_LIMIT) as client,
    ):
        feed = Feed(
            lambda: _left(run, record, sent_digest, progress),
            writer=writer,
            rate=run.rate,
            progress=progress,
            fuses=Fuses(campaign.stop_when.limits(), ignored=ignored_fuses, sheet_rows=run.summary.sheet_rows),
            hours=gate,
            skip=hours is not None and hours.outside is Outside.SKIP,
            budget=Budget(campaign.limits.of_run(), run.spent()),
        )
        dispatcher = Dispatcher(
            feed,
            send=send_one,
            pace=Pace(run.rate, clock=time.monotonic, window=window),
            progress=progress,
            backoff=Backoff(random.Random(), give_up_after_s=campaign.give_up_after.total_seconds()),  # noqa: S311
            lease=run.lease,
            not_after=not_after,
            not_after_key=last[1] if last else "",
            resting=on_rest,
        )
        showing = asyncio.ensure_future(show())
        try:
            with stopping_on_signals(dispatcher.stop_by_signal, dispatcher.abandon):
                return await dispatcher.run()
        finally:
            showing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await showing


async def _left(run: Run, record: RunRecord, sent_digest: str, progress: Progress) -> AsyncIterator[Message]:
    """The plan's messages that are not in the ledger, read in a thread."""
    after = run.ledger.resume_row(record.id, sent_digest)
    batches = read_messages(run.paths.sent_plan, run.ids, after=after)

    def next_batch() -> list[Message] | None:
        batch = next(batches, None)
        if batch is None:
            return None
        claimed = run.ledger.claimed(record.id, [message.message_id for message in batch])
        left = [message for message in batch if message.message_id not in claimed]
        if not has_receipts(run.ledger):
            return left
        # A message with a receipt was sent, even if the ledger doesn't have it; it must not be sent again. If the
        # receipt came without authorization, it may also be forged: the message is neither accepted nor sent.
        ids = [message.message_id for message in left]
        received, doubtful = receipts_by_message_id(run.ledger, ids), unproved(run.ledger, ids)
        if received:
            known = [(message, received[message.message_id]) for message in left if message.message_id in received]
            adopt(run.ledger, record.id, known)
        if doubtful := {each: at for each, at in doubtful.items() if each not in received}:
            kept = [message for message in left if message.message_id in doubtful]
            hold(run.ledger, record.id, kept, min(doubtful.values()))
            progress.held += len(kept)
        return [message for message in left if message.message_id not in received | doubtful]

    while (batch := await asyncio.to_thread(next_batch)) is not None:
        for message in batch:
            yield message
