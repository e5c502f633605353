"""`campaign test`: some rows' texts, sent to numbers of the user's own, outside of any run.

Nothing of it touches a ledger, a plan or results. What is sent differs from a run in three things alone: the number,
the clientMessageId, and that it comes at once (`scheduled` and the sending hours don't hold for it).
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.dispatch.pace import Pace
from runner.errors import InputError, Problem
from runner.models import Message, Outcome, OutcomeReason, Rate, SendOptions, Status, Text, Then
from runner.plan.identity import TOKEN_BYTES, token
from runner.plan.inputs import Inputs
from runner.plan.planner import rows_to_show
from runner.provider.client import Client, HeldBackError
from runner.provider.payload import PayloadBuilder
from runner.run.account import Account
from runner.run.signals import told_of_signals

if TYPE_CHECKING:
    from runner.audience.phone import Number

MAX_MESSAGES = 50
"""A test is looked at on a few phones; more is a campaign."""


def trial_id(name: str) -> str:
    """A clientMessageId that no run can have: neither a campaign's name nor a run's id holds a colon."""
    return f"{name}:test:{token(secrets.token_bytes(TOKEN_BYTES))}"


def trial_messages(inputs: Inputs, to: Sequence[str], rows: Sequence[int]) -> list[Message]:
    """The texts of `rows` (1-based data rows), each to each number of `to`; row by row.

    Without `rows` it is the first row that would be sent. A number that is given twice counts once. The numbers are not
    looked up in suppression lists: they are the user's own.

    Raises InputError with every number that can't be sent to and every row that has no text, and for more than
    MAX_MESSAGES.
    """
    numbers, problems = _numbers(to, inputs)
    rows = sorted(set(rows))
    if (count := len(numbers) * max(len(rows), 1)) > MAX_MESSAGES:
        what = f"{count} messages are no test: {len(numbers)} numbers and {max(len(rows), 1)} rows"
        raise InputError([*problems, Problem(what, f"keep it to {MAX_MESSAGES}, or use `campaign run --limit`")])
    try:
        texts = _texts_of(inputs, rows) if rows else [_first_text(inputs)]
    except InputError as error:
        raise InputError([*problems, *error.problems]) from error
    if problems:
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
            message_id=trial_id(inputs.campaign.name),
        )
        for row, key, text in texts
        for number in numbers
    ]


def trial_options(options: SendOptions, now: datetime) -> tuple[SendOptions, list[str]]:
    """The campaign's options as a test has them at `now` (aware), and in words what was left out of them."""
    left_out = []
    if options.scheduled is not None:
        options = replace(options, scheduled=None)
        left_out.append("message.scheduled is left out: a test comes at once")
    if isinstance(options.expiry, datetime) and options.expiry <= now:
        options = replace(options, expiry=None)
        left_out.append("message.expiry is past, and left out of the test")
    return options, left_out


def send_trial(
    account: Account,
    messages: Sequence[Message],
    options: SendOptions,
    rate: Rate,
    *,
    on_waiting: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Send the messages one by one at `rate`, and answer with what became of each.

    None is sent twice. Whatever would hold up a run (a fatal answer, a 429, no connection) ends the test. Ctrl-C calls
    `on_waiting` and waits for the one answer that is under way; a second one doesn't.
    """
    sending = _Sending(account, messages, PayloadBuilder(options), rate, on_waiting)
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner() as runner:
        runner.run(sending.run())
    return sending.outcomes()


def _numbers(to: Sequence[str], inputs: Inputs) -> tuple[list["Number"], list[Problem]]:
    """The numbers, each once, and what is wrong with the others."""
    from runner.audience.kinds import IN_WORDS
    from runner.audience.phone import normalise
    from runner.models import Exclusion

    found: dict[str, Number] = {}
    problems = []
    for written in filter(None, (part.strip() for text in to for part in text.split(","))):
        number = normalise(written, inputs.audience.country)
        if isinstance(number, Exclusion):
            remedy = "" if "; " in number.detail else "write + and the country code, such as +12025550142"
            problems.append(Problem(f"--to: {number.detail}", remedy))
        elif number.kind not in inputs.audience.types:
            what = f"--to: {number.destination} is {IN_WORDS[number.kind]}, and the campaign doesn't send to such"
            problems.append(Problem(what, f"give another number, or add {number.kind} to recipients.types"))
        else:
            found.setdefault(number.destination, number)
    if not found and not problems:
        problems.append(Problem("--to names no number", "write one of your own, such as --to +12025550142"))
    return list(found.values()), problems


def _texts_of(inputs: Inputs, rows: Sequence[int]) -> list[tuple[int, str, Text]]:
    """(data row, key, text) of each of the rows."""
    wanted, last = set(rows), max(rows)
    texts, problems = [], []
    for batch, index in rows_to_show(inputs, sampled=False):
        row = batch.first + index
        if row in wanted:
            wanted.remove(row)
            if exclusion := batch.exclusions.get(index):
                what = f"row {row} would not be sent: {exclusion.reason.value}: {exclusion.detail}"
                problems.append(Problem(what, "choose another row"))
            else:
                texts.append((row, batch.keys[index] or "", batch.text(index)))
        if row >= last:
            break
    for row in sorted(wanted):
        what = f"{inputs.audience.source.path} has no data row {row}"
        problems.append(Problem(what, "the first row below the header is 1"))
    if problems:
        raise InputError(problems)
    return texts


def _first_text(inputs: Inputs) -> tuple[int, str, Text]:
    for batch, index in rows_to_show(inputs, sampled=True):
        if index not in batch.exclusions:
            return batch.first + index, batch.keys[index] or "", batch.text(index)
    raise InputError.of(f"no message of {inputs.audience.source.path} would be sent", "see why with `campaign plan`")


class _Sending:
    """One request after the other. `outcomes` knows of each message, wherever the sending was interrupted."""

    def __init__(
        self,
        account: Account,
        messages: Sequence[Message],
        payload: PayloadBuilder,
        rate: Rate,
        on_waiting: Callable[[], None],
    ) -> None:
        self._account = account
        self._messages = messages
        self._payload = payload
        self._rate = rate
        self._on_waiting = on_waiting
        self._departed = 0
        self._found: list[Outcome] = []
        self._interrupted = False

    def outcomes(self) -> list[Outcome]:
        """What became of each message, also of those that the sending didn't come to or hear of."""
        found = list(self._found)
        if self._departed > len(found):
            found.append(Outcome(Status.UNKNOWN, OutcomeReason.ABANDONED, "the answer was no longer waited for"))
        reason = OutcomeReason.INTERRUPTED if self._interrupted else OutcomeReason.NOT_REACHED
        return found + [Outcome(Status.UNSENT, reason)] * (len(self._messages) - len(found))

    async def run(self) -> None:
        pace = Pace(self._rate, clock=time.monotonic)
        async with Client(self._account.endpoint, self._account.api_key, limit=1) as client:
            task = asyncio.current_task()
            assert task is not None
            with told_of_signals(task.cancel):
                try:
                    for message in self._messages:
                        await pace.turn()
                        if not await self._send(client, message, pace):
                            return
                except asyncio.CancelledError:
                    self._interrupted = True

    async def _send(self, client: Client, message: Message, pace: Pace) -> bool:
        """Whether the next one may follow."""

        async def depart() -> None:
            await pace.start()
            if self._interrupted:
                raise HeldBackError
            self._departed = len(self._found) + 1

        body = self._payload.build(message, datetime.now(UTC))
        sending = asyncio.ensure_future(client.send(body, message.message_id, depart))
        try:
            outcome = await asyncio.shield(sending)
        except asyncio.CancelledError:  # Ctrl-C: a message that has left deserves its answer
            self._interrupted = True
            self._on_waiting()
            outcome = await sending
        if outcome.reason is OutcomeReason.HELD_BACK:
            return False
        self._found.append(outcome)
        return outcome.then is Then.GO_ON and not self._interrupted
