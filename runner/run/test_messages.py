"""`campaign test`: some rows' texts, sent to numbers of the user, outside of any run.

No ledger, plan or results are touched. What is sent differs from a run in three things alone: the number, the
clientMessageId, and that it is sent at once (`scheduled` and the sending hours don't hold for it).
"""

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from runner.base.errors import InputError, Problem
from runner.base.exclusions import Exclusion
from runner.base.messages import Message, Text
from runner.base.options import Rate
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.dispatch.dispatcher import Departure, Dispatcher, WorkSource
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop
from runner.numbers.phone import Number, normalise
from runner.numbers.ranges import KIND_LABELS
from runner.plan.inputs import Inputs
from runner.plan.message_ids import TOKEN_BYTES, token
from runner.plan.planner import rows_to_show
from runner.provider.client import Client
from runner.provider.payload import PayloadBuilder, SendOptions
from runner.run.account import ProviderAccount
from runner.run.requests import stopping_on_signals

# A test is looked at on a few phones; more is a campaign.
MAX_MESSAGES = 50


def make_test_id(name: str) -> str:
    """A clientMessageId that no run can have: neither a campaign's name nor a run's id holds a colon."""
    return f"{name}:test:{token(secrets.token_bytes(TOKEN_BYTES))}"


def make_test_messages(inputs: Inputs, to: Sequence[str], rows: Sequence[int]) -> list[Message]:
    """The texts of `rows` (1-based data rows), each to each number of `to`; row by row.

    Without `rows` it is the first row that would be sent. A number that is given twice counts once. The numbers are not
    looked up in suppression lists: they are the user's.

    Raises InputError with every number that can't be sent to and every row that has no text, and for more than
    MAX_MESSAGES.
    """
    numbers, problems = _numbers(to, inputs)
    row_count = max(len(set(rows)), 1)
    if (count := len(numbers) * row_count) > MAX_MESSAGES:
        what = f"{count} messages are no test: {len(numbers)} numbers and {row_count} rows"
        raise InputError([*problems, Problem(what, f"keep it to {MAX_MESSAGES}, or use `campaign run --limit`")])
    texts, missing = _texts(inputs, set(rows))
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
    """The campaign's options as a test has them at `now` (aware), and in words what was left out of them."""
    left_out = []
    if options.scheduled is not None:
        options = replace(options, scheduled=None)
        left_out.append("message.scheduled is left out: a test comes at once")
    if isinstance(options.expiry, datetime) and options.expiry <= now:
        options = replace(options, expiry=None)
        left_out.append("message.expiry is past, and left out of the test")
    return options, left_out


def send_test_messages(
    account: ProviderAccount,
    messages: Sequence[Message],
    options: SendOptions,
    rate: Rate,
    *,
    on_waiting: Callable[[], None],
) -> list[Outcome]:
    """Send the messages one by one at `rate`. Returns an outcome for each.

    None is sent twice. Whatever would hold up a run (a fatal answer, a 429, no connection) ends the test. Ctrl-C calls
    `on_waiting` and waits for the one answer that is under way; a second one doesn't.
    """
    source, payload, progress = _TestMessages(messages), PayloadBuilder(options), Progress()

    async def main() -> Stop | None:
        async def send_one(message: Message, departure: Departure) -> Outcome:
            return await client.send(payload.build(message, datetime.now(UTC)), message.message_id, departure)

        def on_signal(words: str) -> None:
            dispatcher.stop(Stop(OutcomeReason.INTERRUPTED, words))
            if progress.in_flight:
                on_waiting()

        async with Client(account.endpoint, account.api_key, limit=1) as client:
            pace = Pace(rate, clock=time.monotonic)
            dispatcher = Dispatcher(source, send=send_one, pace=pace, progress=progress, in_flight_limit=1)
            with stopping_on_signals(on_signal, dispatcher.abandon):
                return await dispatcher.run()

    stop: Stop | None = None
    with contextlib.suppress(KeyboardInterrupt):
        stop = asyncio.run(main())
    reason = OutcomeReason.INTERRUPTED if stop and stop.outcome is None else OutcomeReason.NOT_REACHED
    return source.outcomes + [Outcome(Status.UNSENT, reason)] * len(source.left)


class _TestMessages(WorkSource[Message]):
    """Gives the messages of a test in their order. `outcomes` are those of the first ones, `left` has the others."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.left = deque(messages)
        self.outcomes: list[Outcome] = []

    async def has_more(self) -> bool:
        return bool(self.left)

    async def next(self) -> Message:
        return self.left.popleft()

    def settle(self, item: Message, answer: Outcome | None) -> Stop | None:
        if answer is None or answer.reason is OutcomeReason.HELD_BACK:  # it goes again, if nothing has stopped
            self.left.appendleft(item)
            return None
        self.outcomes.append(answer)
        return None if answer.then is Then.GO_ON else Stop(answer.reason, answer.detail, answer)


def _numbers(to: Sequence[str], inputs: Inputs) -> tuple[list[Number], list[Problem]]:
    """The numbers, each once, and what is wrong with the others."""
    found: dict[str, Number] = {}
    problems = []
    for written in filter(None, (part.strip() for text in to for part in text.split(","))):
        number = normalise(written, inputs.audience.country)
        if isinstance(number, Exclusion):
            remedy = "" if "; " in number.detail else "write + and the country code, such as +12025550142"
            problems.append(Problem(f"--to: {number.detail}", remedy))
        elif number.kind not in inputs.audience.types:
            what = f"--to: {number.destination} is {KIND_LABELS[number.kind]}, and the campaign doesn't send to such"
            problems.append(Problem(what, f"give another number, or add {number.kind} to recipients.types"))
        else:
            found.setdefault(number.destination, number)
    if not found and not problems:
        problems.append(Problem("--to names no number", "write one of your own, such as --to +12025550142"))
    return list(found.values()), problems


def _texts(inputs: Inputs, rows: set[int]) -> tuple[list[tuple[int, str, Text]], list[Problem]]:
    """(data row, key, text) of each of the `rows`, or of the first row that would be sent; and why some have none."""
    texts, problems, missing = [], [], set(rows)
    try:
        for batch, index in rows_to_show(inputs, sampled=not rows):
            row, exclusion = batch.first + index, batch.exclusions.get(index)
            if exclusion is None and (not rows or row in rows):
                texts.append((row, batch.keys[index] or "", batch.text(index)))
            elif exclusion is not None and row in rows:
                what = f"row {row} would not be sent: {exclusion.reason.value}: {exclusion.detail}"
                problems.append(Problem(what, "choose another row"))
            missing.discard(row)
            if not missing and (rows or texts):
                break
    except InputError as error:
        return [], list(error.problems)
    file = inputs.audience.source.path
    remedy = "the first row below the header is 1"
    problems += [Problem(f"{file} has no data row {row}", remedy) for row in sorted(missing)]
    if not texts and not rows:
        problems.append(Problem(f"no message of {file} would be sent", "see why with `campaign plan`"))
    return texts, problems
