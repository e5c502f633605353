"""`campaign test`: send sample messages to the user's own numbers, outside of any run.

It changes no ledger, plan or results. A test message differs from a run's message only in its number, its
clientMessageId, and its time: it is sent immediately (`scheduled` and the sending hours don't apply).
"""

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from runner.base.errors import InputError, Problem
from runner.base.exclusions import Exclusion
from runner.base.messages import Message, Text
from runner.base.options import Rate
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.campaign import Campaign
from runner.dispatch.dispatcher import Departure, Dispatcher, WorkSource
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop
from runner.dispatch.shared_window import SharedWindow, shared_window
from runner.files.sheet_rows import SheetRows
from runner.ledger.database import ledger_path
from runner.ledger.ledger import open_ledger
from runner.numbers.phone import Number, normalise
from runner.numbers.ranges import KIND_LABELS
from runner.plan.inputs import Inputs
from runner.plan.message_ids import TOKEN_BYTES, token
from runner.plan.planner import rows_to_show
from runner.provider.client import Client
from runner.provider.payload import PayloadBuilder, SendOptions
from runner.run.account import ProviderAccount
from runner.run.paths import RunOptions, ledger_url, project_of
from runner.run.project import account_rate
from runner.run.requests import stopping_on_signals

# A test goes to a few phones; more is a campaign.
MAX_MESSAGES = 50


def make_test_id(name: str) -> str:
    """A clientMessageId that no run can have, because campaign names and run IDs contain no colon."""
    return f"{name}:test:{token(secrets.token_bytes(TOKEN_BYTES))}"


def make_test_messages(inputs: Inputs, to: Sequence[str], rows: Sequence[int], sheet_rows: SheetRows) -> list[Message]:
    """The message of each of `rows` (rows of the sheet) to each number of `to`, in row order.

    Adds the rows' numbers in the sheet to `sheet_rows`.

    Without `rows`, it is the first row that would be sent. A repeated number counts once. Suppression lists don't
    apply, because the numbers belong to the user.

    Raises InputError with every invalid number and every row without a message, or if there are more than MAX_MESSAGES.
    """
    numbers, problems = _numbers(to, inputs)
    row_count = max(len(set(rows)), 1)
    if (count := len(numbers) * row_count) > MAX_MESSAGES:
        what = f"too many test messages: {len(numbers)} numbers × {row_count} rows = {count}"
        remedy = f"send at most {MAX_MESSAGES}, or use `campaign run --limit`"
        raise InputError([*problems, Problem(what, remedy)])
    texts, missing = _texts(inputs, set(rows), sheet_rows)
    if problems := [*problems, *missing]:
        raise InputError(problems)
    return [
        Message(
            row=row,
            key=key,
            destination=number.destination,
            country=number.country,
            text=text.text,
            encoding=text.encoding,
            segments=text.segments,
            message_id=make_test_id(inputs.campaign.name),
        )
        for row, key, text in texts
        for number in numbers
    ]


def make_test_options(options: SendOptions, now: datetime) -> tuple[SendOptions, list[str]]:
    """The campaign's options for a test at `now` (aware), and a description of each option that a test ignores."""
    left_out = []
    if options.scheduled is not None:
        options = replace(options, scheduled=None)
        left_out.append("message.scheduled is ignored: a test is sent immediately")
    if isinstance(options.expiry, datetime) and options.expiry <= now:
        options = replace(options, expiry=None)
        left_out.append("message.expiry is ignored: it has passed")
    return options, left_out


def send_test_messages(
    account: ProviderAccount,
    messages: Sequence[Message],
    options: SendOptions,
    rate: Rate,
    *,
    on_waiting: Callable[[], None],
    on_pause: Callable[[str | None], object],
    window: contextlib.AbstractContextManager[SharedWindow | None],
) -> list[Outcome]:
    """Send the messages one by one at `rate` and within the account's `window`. Returns an outcome for each.

    No message is sent twice. Anything that would pause or stop a run (a fatal answer, a 429, no connection) ends the
    test. `on_pause` gets what a long pause waits for, and None at its end. The first Ctrl-C calls `on_waiting` and
    waits for the answer in flight; the second one doesn't wait.
    """
    source, payload, progress = _TestMessages(messages), PayloadBuilder(options), Progress()

    async def main() -> Stop | None:
        async def send_one(message: Message, departure: Departure) -> Outcome:
            return await client.send(payload.build(message, datetime.now(UTC)), message, departure)

        def on_signal(words: str) -> None:
            dispatcher.stop(Stop(OutcomeReason.INTERRUPTED, words))
            if progress.in_flight:
                on_waiting()

        async with Client(account.endpoint, account.api_key, limit=1) as client:
            pace = Pace(rate, clock=time.monotonic, window=starts)
            dispatcher = Dispatcher(
                source, send=send_one, pace=pace, progress=progress, in_flight_limit=1, resting=on_pause
            )
            with stopping_on_signals(on_signal, dispatcher.abandon):
                return await dispatcher.run()

    stop: Stop | None = None
    with contextlib.suppress(KeyboardInterrupt), window as starts:
        stop = asyncio.run(main())
    reason = OutcomeReason.INTERRUPTED if stop and stop.outcome is None else OutcomeReason.NOT_REACHED
    return source.outcomes + [Outcome(Status.UNSENT, reason)] * len(source.left)


@contextlib.contextmanager
def starts_window(file: Path, campaign: Campaign, *, sandbox: bool) -> Iterator[SharedWindow | None]:
    """The starts of the sub-account, with those of its runs. A sandbox is an account of its own.

    Without a ledger there is no run to share the rate with, and none is made. Raises StoppedError if another computer
    is sending from the sub-account.
    """
    url, account = ledger_url(RunOptions(project=project_of(file))), campaign.account.sub_account_id
    path = ledger_path(url)
    if sandbox or not path.exists() or not path.stat().st_size:
        yield None
        return
    with open_ledger(url, create=False) as ledger:
        ledger.refuse_other_computers(account)
        with shared_window(path, account, account_rate(file), campaign.rate, None, ledger) as window:
            yield window


class _TestMessages(WorkSource[Message]):
    """The messages of a test, in order. `outcomes` has those of the sent messages, `left` the messages not sent yet."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.left = deque(messages)
        self.outcomes: list[Outcome] = []

    async def has_more(self) -> bool:
        return bool(self.left)

    async def next(self) -> Message:
        return self.left.popleft()

    def settle(self, item: Message, answer: Outcome | None) -> Stop | None:
        if answer is None or answer.reason is OutcomeReason.HELD_BACK:  # to be sent again, unless the test stops
            self.left.appendleft(item)
            return None
        self.outcomes.append(answer)
        return None if answer.then is Then.GO_ON else Stop(answer.reason, answer.detail, answer)


def _numbers(to: Sequence[str], inputs: Inputs) -> tuple[list[Number], list[Problem]]:
    """The valid numbers, without duplicates, and the problems of the others."""
    found: dict[str, Number] = {}
    problems = []
    for written in filter(None, (part.strip() for text in to for part in text.split(","))):
        number = normalise(written, inputs.audience.country)
        if isinstance(number, Exclusion):
            remedy = "" if "; " in number.detail else "write + and the country code, such as +12025550142"
            problems.append(Problem(f"--to: {number.detail}", remedy))
        elif number.kind not in inputs.audience.types:
            kind = KIND_LABELS[number.kind]
            what = f"--to: {number.destination} is {kind}, and recipients.types doesn't allow that"
            problems.append(Problem(what, f"give another number, or add {number.kind} to recipients.types"))
        else:
            found.setdefault(number.destination, number)
    if not found and not problems:
        problems.append(Problem("--to: no number given", "write your own number, such as --to +12025550142"))
    return list(found.values()), problems


def _texts(inputs: Inputs, rows: set[int], sheet_rows: SheetRows) -> tuple[list[tuple[int, str, Text]], list[Problem]]:
    """(data row, key, text) of each of `rows`, or of the first row that would be sent; and problems of the others."""
    texts, problems, missing = [], [], set(rows)
    try:
        for batch, index in rows_to_show(inputs, sheet_rows, sampled=not rows):
            row, exclusion = batch.first + index, batch.exclusions.get(index)
            number = sheet_rows.of(row)
            if row == 1:
                rows = sheet_rows.below_header(rows)
                missing = set(rows)
            if exclusion is None and (not rows or number in rows):
                texts.append((row, batch.keys[index] or "", batch.text(index)))
            elif exclusion is not None and number in rows:
                what = f"--row: row {number} is excluded: {exclusion.reason.value}: {exclusion.detail}"
                problems.append(Problem(what, "choose another row"))
            missing.discard(number)
            if not missing and (rows or texts):
                break
    except InputError as error:
        return [], list(error.problems)
    file = inputs.audience.source.path
    remedy = f"the first row below the header is row {sheet_rows.of(1)}"
    problems += [Problem(f"--row: {file} has no data in row {row}", remedy) for row in sorted(missing)]
    if not texts and not rows:
        problems.append(Problem(f"every row of {file} is excluded", "run `campaign plan` to see why"))
    return texts, problems
