"""`campaign test`: some rows' texts, sent to numbers of the user's own."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.errors import StoppedError
from runner.base.messages import Message
from runner.base.options import Rate
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.cli.console import clean, confirm, human, print_json, say
from runner.cli.options import File, Json, Sandbox
from runner.cli.plan_view import in_segments
from runner.cli.show import STYLES

if TYPE_CHECKING:
    from rich.console import Console

    from runner.run.account import ProviderAccount

NAME = "test"

_WORTH_SAYING_S = 10
"""How long a test at a low rate may take without a word of it."""

Answers = list[tuple[Message, Outcome]]


def command(
    file: File,
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="NUMBER[,…]", help="A number of your own; several with commas, or given again."),
    ],
    rows: Annotated[
        list[int] | None,
        typer.Option("--row", metavar="N", min=1, help="This data row's text; may be given again. Default: the first."),
    ] = None,
    sandbox: Sandbox = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")] = False,
    as_json: Json = False,
) -> int:
    """Send some rows' texts to numbers of your own; no recipient and no run is touched."""
    from runner.plan.inputs import inputs_of
    from runner.run.account import account_for
    from runner.run.send import send_options
    from runner.run.test_messages import make_test_messages, make_test_options, send_test_messages

    console = human(as_json=as_json)
    inputs = inputs_of(file)
    campaign = inputs.campaign
    messages = make_test_messages(inputs, to, rows or [])
    options, left_out = make_test_options(send_options(campaign), datetime.now(UTC))
    with account_for(campaign.account, sandbox=sandbox) as account:
        _show_messages(console, messages, left_out)
        if not yes:
            _confirm(len(messages), account, campaign.rate)
        outcomes = send_test_messages(account, messages, options, campaign.rate, on_waiting=_say_that_it_waits)
    answers = list(zip(messages, outcomes, strict=True))
    _show_answers(console, answers)
    if as_json:
        print_json({"campaign": campaign.name, "messages": [_as_json(*answer) for answer in answers]})
    return _exit_code(outcome.status for _, outcome in answers)


def _show_messages(console: "Console", messages: Sequence[Message], left_out: Sequence[str]) -> None:
    """Each text once, the numbers, and what is otherwise than in a run."""
    for message in {message.row: message for message in messages}.values():
        segments = in_segments(message.segments)
        console.print(f"\nrow {message.row} · {message.encoding.value} · {segments}", style="bold")
        console.print(clean(message.text))
    console.print(f"\nto {', '.join(dict.fromkeys(message.destination for message in messages))}")
    for words in left_out:
        console.print(words)


def _confirm(count: int, account: "ProviderAccount", rate: Rate) -> None:
    """Ask whether to send. Raises InputError when there is nobody to ask, StoppedError when the answer is no."""
    messages = "1 test message" if count == 1 else f"{count} test messages"
    seconds = (count - 1) / rate.per_second
    takes = f" at {rate}, which takes {seconds / 60:.0f} min" if seconds > _WORTH_SAYING_S else ""
    confirm(
        f"\nSend {messages} from {account.endpoint.sub_account_id} through {account.endpoint.base_url}{takes}?",
        no="nothing was sent",
        without="add --yes to send without asking",
    )


def _say_that_it_waits() -> None:
    say("stopping; waiting for the answer that is under way (Ctrl-C again: not even for that)")


def _show_answers(console: "Console", answers: Answers) -> None:
    """What became of each message, and what to do about those that weren't accepted."""
    from rich.table import Table

    from runner.provider.answer import ADVICE

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("row", "to", "status"):
        table.add_column(column, no_wrap=True)
    table.add_column("umid or reason", overflow="fold")
    for message, outcome in answers:
        words = clean(_words(outcome))
        table.add_row(str(message.row), message.destination, outcome.status.value, words, style=STYLES[outcome.status])
    console.print()
    console.print(table)
    for reason in dict.fromkeys(outcome.reason for _, outcome in answers if outcome.reason in ADVICE):
        console.print(f"{reason.value}: {ADVICE[reason]}")
    if any(outcome.status is Status.UNKNOWN for _, outcome in answers):
        console.print("unknown: it left, and no proof came back; look at the phone before you test again")
    if throttled := next((outcome for _, outcome in answers if outcome.reason is OutcomeReason.THROTTLED), None):
        console.print(f"throttled: the provider asks to wait {throttled.retry_after_s or 0:.0f} s; then test again")


def _words(outcome: Outcome) -> str:
    if outcome.status is Status.ACCEPTED:
        return outcome.umid or ""
    code = f" {outcome.error_code}" if outcome.error_code is not None else ""
    detail = f": {outcome.detail}" if outcome.detail else ""
    quote = f" (errorId {outcome.error_id})" if outcome.error_id else ""
    return f"{outcome.reason.value}{code}{detail}{quote}"


def _as_json(message: Message, outcome: Outcome) -> dict[str, Any]:
    return {
        "row": message.row,
        "to": message.destination,
        "text": message.text,
        "client_message_id": message.message_id,
        "status": outcome.status.value,
        "reason": outcome.reason.value,
        "detail": outcome.detail,
        **{name: getattr(outcome, name) for name in ("umid", "http_status", "error_code", "error_id")},
    }


def _exit_code(statuses: Iterable[Status]) -> int:
    found = set(statuses)
    if Status.UNSENT in found:
        return StoppedError.exit_code
    return 1 if found & {Status.REJECTED, Status.UNKNOWN} else 0
