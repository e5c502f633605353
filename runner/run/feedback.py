"""`campaign feedback`: conversions are noted in the ledger, reported to the provider, and settled."""

import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from runner.base.clock import now_us
from runner.base.conversions import Conversion
from runner.base.errors import InputError
from runner.base.options import Rate
from runner.campaign.fields import Region
from runner.campaign.model import AccountSection
from runner.dispatch.progress import Progress, Stop
from runner.feedback.conversion_log import EXAMPLES, ConversionStream, ReadCounts, note_file, noted
from runner.feedback.json_lines import JsonLines
from runner.feedback.unmatched import unmatched_log
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.request_journal import FeedbackStatus, Pending, Settled, pending_count, settle_feedback
from runner.provider.message_actions import ActionResult, ActionStatus, MessageActions
from runner.run.account import ProviderAccount, account_for
from runner.run.message_requests import send_requests
from runner.run.paths import SANDBOX_RUN, RunOptions, RunPaths
from runner.run.status import recorded

# Feedback counts fully within so much time after the message, says the provider.
WINDOW_S = 15 * 60


@dataclass(slots=True)
class FeedbackProgress:
    """How far reporting conversions is; read by whoever shows it.

    `pending` is what the provider doesn't know. `late` of the `told` reached the provider after its window; of those,
    `happened_late` were no earlier. `refusals` are the first few of `refused`, as (message id, why). `stop` is why
    it stopped early.
    """

    read: ReadCounts = field(default_factory=ReadCounts)
    loop: Progress = field(default_factory=Progress)
    pending: int = 0
    told: int = 0
    late: int = 0
    happened_late: int = 0
    refused: int = 0
    refusals: list[tuple[str, str]] = field(default_factory=list)
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class FeedbackTarget:
    """The run whose conversions are reported, and where to."""

    ledger: Ledger
    record: RunRecord
    paths: RunPaths
    account: ProviderAccount
    rate: Rate


@contextlib.contextmanager
def opened_for_feedback(name: str, run: str | None, options: RunOptions, rate: Rate) -> Iterator[FeedbackTarget]:
    """The run whose conversions are reported; other processes may be sending it meanwhile.

    Raises InputError when the ledger doesn't know it, or when the provider waits for no feedback on it.
    """
    with recorded(name, run, options) as (ledger, record, paths):
        asked = orjson.loads(record.options)
        if asked.get("message.conversionTracking") == "false":
            raise InputError.of(
                f"{record.name}/{record.run} was sent with conversionTracking: false, so the provider waits for no "
                "feedback on it",
                "write conversionTracking: true for the next run",
            )
        named = AccountSection(sub_account_id=asked["account.subAccountId"], region=Region(asked["account.region"]))
        # What went to a sandbox is nothing that the provider knows.
        with account_for(named, sandbox=record.run == SANDBOX_RUN) as account:
            yield FeedbackTarget(ledger, record, paths, account, rate)


def report_file(
    target: FeedbackTarget, file: Path | None, progress: FeedbackProgress, show: Callable[[], object]
) -> None:
    """Note a file's conversions, and report all that the provider doesn't know yet.

    Without a file that is only what earlier starts have left. Raises InputError when the file can't be read,
    StoppedError when nothing can be noted.
    """
    if file is not None:
        note_file(target.ledger, target.record, file, target.paths.unmatched, progress.read, show)
    progress.pending = pending_count(target.ledger, target.record.id)
    _report(target, progress, show, noted(target.ledger, target.record))


def report_lines(
    target: FeedbackTarget, file: Path | None, progress: FeedbackProgress, show: Callable[[], object]
) -> None:
    """Note and report JSON lines as they come: of a file that grows, or, None, of standard input until its end.

    Raises InputError when there is no such file, StoppedError when it can't be read or nothing can be noted any more.
    """
    lines = JsonLines(file)
    with unmatched_log(target.paths.unmatched, anew=file is not None) as add_unmatched:
        stream = ConversionStream(target.ledger, target.record, lines, add_unmatched, progress.read)
        _report(target, progress, show, stream.pending())


def _report(
    target: FeedbackTarget,
    progress: FeedbackProgress,
    show: Callable[[], object],
    conversions: AsyncGenerator[Pending, None],
) -> None:
    """Report conversions to the provider, and settle what it says. Raises LedgerError when that can't be written."""
    latest = _Latest()

    async def watched() -> AsyncGenerator[Pending, None]:
        async with contextlib.aclosing(conversions):
            async for pending in conversions:
                latest.begin(pending)
                yield pending

    async def ask(provider: MessageActions, pending: Pending) -> ActionResult:
        if latest.is_outdated(pending):
            return _OUTDATED
        return await provider.send_feedback(pending.umid, pending.conversion)

    def answered(pending: Pending, answer: ActionResult) -> tuple[Conversion, Settled] | None:
        latest.end(pending)
        if answer is _OUTDATED:
            return None
        now = now_us()
        is_told = answer.ending is ActionStatus.DONE
        if is_told:
            progress.told += 1
            if _is_late(pending, now):
                progress.late += 1
                progress.happened_late += _is_late(pending, pending.conversion.at)
        else:
            progress.refused += 1
            if len(progress.refusals) < EXAMPLES:
                progress.refusals.append((pending.message_id, answer.detail))
        status = FeedbackStatus.TOLD if is_told else FeedbackStatus.REFUSED
        settled = Settled(pending.message_id, status, now, answer.http_status, answer.detail or None)
        return pending.conversion, settled

    progress.stop = send_requests(
        target.account,
        watched(),
        ask=ask,
        answered=answered,
        settle=lambda some: settle_feedback(target.ledger, target.record.id, [one for one in some if one is not None]),
        rate=target.rate,
        progress=progress.loop,
        show=show,
    )
    progress.pending = pending_count(target.ledger, target.record.id)


# What is asked again although another conversion of the same message is under way by now.
_OUTDATED = ActionResult(ActionStatus.DONE, "told otherwise meanwhile")


def _is_late(pending: Pending, at: int | None) -> bool:
    return at is not None and pending.sent_at is not None and at - pending.sent_at > WINDOW_S * 1_000_000


class _Latest:
    """The latest conversion under way of each message: the older of two must not be the last one to be reported."""

    def __init__(self) -> None:
        self._latest: dict[str, Pending] = {}
        self._under_way: Counter[str] = Counter()

    def begin(self, pending: Pending) -> None:
        self._latest[pending.message_id] = pending
        self._under_way[pending.message_id] += 1

    def is_outdated(self, pending: Pending) -> bool:
        return self._latest[pending.message_id] is not pending

    def end(self, pending: Pending) -> None:
        # The latest is remembered until the last one ends: an older one may still wait to be asked again.
        self._under_way[pending.message_id] -= 1
        if not self._under_way[pending.message_id]:
            del self._latest[pending.message_id], self._under_way[pending.message_id]
