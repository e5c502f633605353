"""`campaign feedback`: record conversions in the ledger, report them to the provider, and settle the answers."""

import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runner.base.clock import now_us
from runner.base.conversions import Conversion
from runner.base.errors import InputError
from runner.base.options import Rate
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.dispatch.progress import Progress, Stop
from runner.feedback.conversion_log import (
    EXAMPLES,
    ConversionStream,
    ReadCounts,
    note_file,
    pending_conversions,
    unmatched_log,
)
from runner.feedback.json_lines import json_lines
from runner.ledger.request_journal import FeedbackStatus, Pending, Settled, pending_count, settle_feedback
from runner.provider.message_actions import MessageActions
from runner.run.account import ProviderAccount, account_for
from runner.run.open import RecordedRun, recorded_run
from runner.run.paths import SANDBOX_RUN, RunOptions
from runner.run.requests import send_requests

# The provider gives full weight to feedback within this time after the message.
WINDOW_US = 15 * 60 * 1_000_000

# The outcome of a conversion that isn't reported, because a newer one for the same message is in flight.
_OUTDATED = Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, "another conversion was reported meanwhile")


@dataclass(slots=True)
class Feedback:
    """The progress of reporting a run's conversions.

    `pending` conversions are not reported yet. Of the `reported`, `late` reached the provider after its window; of
    those, `happened_late` also happened after it. `refusals` are the first few of `refused`, as (message ID, reason).
    `stop` is why reporting stopped early.
    """

    run: RecordedRun
    account: ProviderAccount
    rate: Rate
    read: ReadCounts = field(default_factory=ReadCounts)
    loop: Progress = field(default_factory=Progress)
    pending: int = 0
    reported: int = 0
    late: int = 0
    happened_late: int = 0
    refused: int = 0
    refusals: list[tuple[str, str]] = field(default_factory=list)
    stop: Stop | None = None


@contextlib.contextmanager
def opened_for_feedback(name: str, run: str | None, options: RunOptions, rate: Rate) -> Iterator[Feedback]:
    """The run whose conversions are reported. Another process may be sending it.

    Raises InputError if the ledger doesn't have the run, or if it was sent with conversionTracking: false.
    """
    with recorded_run(name, run, options) as found:
        if found.options.get("message.conversionTracking") == "false":
            raise InputError.of(
                f"{found.name} was sent with conversionTracking: false, so the provider accepts no conversions for it",
                "set conversionTracking: true for the next run",
            )
        # The provider doesn't have the messages of a sandbox run.
        with account_for(found.account, sandbox=found.record.run == SANDBOX_RUN) as account:
            yield Feedback(found, account, rate)


def report_file(feedback: Feedback, file: Path | None, show: Callable[[], object]) -> None:
    """Record a file's conversions, and report all pending ones.

    Without a file, report only what earlier commands left pending. Raises InputError if the file can't be read,
    StoppedError if the ledger can't be written.
    """
    run = feedback.run
    if file is not None:
        note_file(run.ledger, run.record, file, run.paths.unmatched, feedback.read, show)
    feedback.pending = pending_count(run.ledger, run.record.id)
    _report(feedback, show, pending_conversions(run.ledger, run.record))


def report_lines(feedback: Feedback, file: Path | None, show: Callable[[], object]) -> None:
    """Record and report JSON lines as they are written to a growing file, or (None) to standard input until it ends.

    Raises InputError if the file doesn't exist, StoppedError if it can't be read or the ledger can't be written.
    """
    run, lines = feedback.run, json_lines(file)
    with unmatched_log(run.paths.unmatched, replace=file is not None) as add_unmatched:
        stream = ConversionStream(run.ledger, run.record, lines, add_unmatched, feedback.read)
        _report(feedback, show, stream.pending())


def _report(feedback: Feedback, show: Callable[[], object], conversions: AsyncGenerator[Pending, None]) -> None:
    """Report conversions to the provider, and settle the answers. Raises LedgerError if the ledger can't be written."""
    ledger, run_id = feedback.run.ledger, feedback.run.record.id
    # For each message: if two conversions are in flight, the older one must not be reported last. The latest is kept
    # until all of them have ended, because an older one may still be waiting for a retry.
    latest: dict[str, Pending] = {}
    under_way: Counter[str] = Counter()

    async def watched() -> AsyncGenerator[Pending, None]:
        async with contextlib.aclosing(conversions):
            async for pending in conversions:
                latest[pending.message_id] = pending
                under_way[pending.message_id] += 1
                yield pending

    async def ask(provider: MessageActions, pending: Pending) -> Outcome:
        if latest[pending.message_id] is not pending:
            return _OUTDATED
        return await provider.send_feedback(pending.umid, pending.conversion)

    def answered(pending: Pending, answer: Outcome) -> tuple[Conversion, Settled] | None:
        under_way[pending.message_id] -= 1
        if not under_way[pending.message_id]:
            del latest[pending.message_id], under_way[pending.message_id]
        if answer is _OUTDATED:
            return None
        now, status = now_us(), FeedbackStatus.TOLD
        if answer.status is Status.REJECTED:
            status = FeedbackStatus.REFUSED
            feedback.refused += 1
            if len(feedback.refusals) < EXAMPLES:
                feedback.refusals.append((pending.message_id, answer.detail))
        else:
            feedback.reported += 1
            if _is_late(pending, now):
                feedback.late += 1
                feedback.happened_late += _is_late(pending, pending.conversion.at)
        return pending.conversion, Settled(pending.message_id, status, now, answer.http_status, answer.detail or None)

    feedback.stop = send_requests(
        feedback.account,
        watched(),
        ask=ask,
        answered=answered,
        settle=lambda settled: settle_feedback(ledger, run_id, [pair for pair in settled if pair is not None]),
        rate=feedback.rate,
        progress=feedback.loop,
        show=show,
    )
    feedback.pending = pending_count(ledger, run_id)


def _is_late(pending: Pending, at: int | None) -> bool:
    return at is not None and pending.sent_at is not None and at - pending.sent_at > WINDOW_US
