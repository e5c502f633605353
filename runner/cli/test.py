"""`campaign test`: send sample messages to the user's own phones."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import typer

from runner.base import output
from runner.base.messages import Message
from runner.base.outcomes import DIFFERING, Outcome, OutcomeReason, Status, stop_exit_code
from runner.base.wording import counted, seconds_in_words
from runner.cli.console import FOLD, LEFT, Console, confirm, print_stderr
from runner.cli.masking import masking
from runner.cli.options import File, Sandbox, with_shared_options
from runner.cli.report import STYLES
from runner.files.sheet_rows import SheetRows

# If a test takes longer than this, the confirmation says how long.
SILENT_S = 10
WAITING = "stopping: waiting for 1 answer; press Ctrl-C again to stop now"

Answers = list[tuple[Message, Outcome]]


@with_shared_options
def command(
    console: Console,
    file: File,
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="NUMBER[,…]", help="Your own number; separate several with commas; repeatable."),
    ],
    rows: Annotated[
        list[int] | None,
        typer.Option("--row", metavar="N", min=1, help="Use this row's message; repeatable; default: the first."),
    ] = None,
    sandbox: Sandbox = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False,
) -> tuple[int, dict[str, Any]]:
    """Send sample messages to your own phones. Recipients get nothing."""
    from runner.cli.memory import try_within_limit
    from runner.plan.inputs import read_all

    try_within_limit(partial(read_all, file))  # before the imports below start threads

    from runner.plan.inputs import load_inputs
    from runner.run.account import account_for
    from runner.run.notice import notice_here
    from runner.run.send import send_options
    from runner.run.test_messages import make_test_messages, make_test_options, send_test_messages, starts_window

    output.hurry()
    inputs = load_inputs(file)
    campaign = inputs.campaign
    masking.template = inputs.composer.template.origins.own_text
    sheet_rows = SheetRows()
    messages = make_test_messages(inputs, to, rows or [], sheet_rows)
    options, left_out = make_test_options(send_options(campaign), datetime.now(UTC))
    notice = notice_here(sandbox=sandbox)
    console.notice(notice)
    with account_for(campaign.account, sandbox=sandbox) as account:
        _show_messages(console, messages, left_out, sheet_rows)
        if not yes and not sandbox:
            what = f"{counted(len(messages), 'test message')} from {account.endpoint.sub_account_id}"
            seconds = (len(messages) - 1) / campaign.rate.per_second
            takes = f" at {campaign.rate}, which takes {seconds_in_words(seconds)}" if seconds > SILENT_S else ""
            confirm(f"Send {what} through {account.endpoint.base_url}{takes}?", no="nothing was sent")
        outcomes = send_test_messages(
            account,
            messages,
            options,
            campaign.rate,
            on_waiting=lambda: print_stderr(WAITING),
            on_pause=_show_pause,
            window=starts_window(file, campaign, sandbox=sandbox),
        )
    answers = list(zip(messages, outcomes, strict=True))
    _show_answers(console, answers, sheet_rows)
    console.notice(notice)
    statuses = {outcome.status for outcome in outcomes}
    exit_code = 1 if statuses & {Status.REJECTED, Status.UNKNOWN} else 0
    if Status.UNSENT in statuses:
        exit_code = max(stop_exit_code(outcome.reason) for outcome in outcomes if outcome.status is Status.UNSENT)
    return exit_code, {"campaign": campaign.name, "messages": [_as_json(*answer, sheet_rows) for answer in answers]}


def _show_pause(words: str | None) -> None:
    if words:
        print_stderr(f"waiting for {words}")


def _show_messages(
    console: Console, messages: Sequence[Message], left_out: Sequence[str], sheet_rows: SheetRows
) -> None:
    """Show each text once, the numbers, and what differs from a run."""
    for message in {message.row: message for message in messages}.values():
        segments = counted(message.segments, "segment")
        console.print(f"\nrow {sheet_rows.of(message.row)} · {message.encoding.value} · {segments}", style="bold")
        console.print(message.text)
    console.print(f"\nto {', '.join(dict.fromkeys(message.destination for message in messages))}")
    for words in left_out:
        console.print(words)


def _show_answers(console: Console, answers: Answers, sheet_rows: SheetRows) -> None:
    """Show the outcome of each message, and what to do if it isn't accepted."""
    from runner.provider.answer import ADVICE

    rows = [
        (str(sheet_rows.of(message.row)), message.destination, outcome.status, _words(outcome))
        for message, outcome in answers
    ]
    columns = {"row": LEFT, "to": LEFT, "status": LEFT, "umid or reason": FOLD}
    console.print()
    console.show_table(columns, rows, [STYLES[outcome.status] for _, outcome in answers])
    for reason in dict.fromkeys(outcome.reason for _, outcome in answers if outcome.reason in ADVICE):
        console.wrap(f"{reason.value}: {ADVICE[reason]}")
    if any(outcome.status is Status.UNKNOWN for _, outcome in answers):
        console.wrap("unknown: sent, but the provider's answer is missing; check the phone before you test again")
    if throttled := next((outcome for _, outcome in answers if outcome.reason is OutcomeReason.THROTTLED), None):
        console.wrap(f"throttled: the provider asks you to wait {throttled.retry_after_s or 0:.0f} s; then test again")


def _words(outcome: Outcome) -> str:
    if outcome.status is Status.ACCEPTED:
        differs = f" ({outcome.detail})" if outcome.reason in DIFFERING else ""
        return f"{outcome.umid}{differs}"
    code = f" {outcome.error_code}" if outcome.error_code is not None else ""
    detail = f": {outcome.detail}" if outcome.detail else ""
    quote = f" (errorId {outcome.error_id})" if outcome.error_id else ""
    return f"{outcome.reason.value}{code}{detail}{quote}"


def _as_json(message: Message, outcome: Outcome, sheet_rows: SheetRows) -> dict[str, Any]:
    return {
        "row": message.row,
        "sheet_row": sheet_rows.of(message.row),
        "to": message.destination,
        "text": message.text,
        "client_message_id": message.message_id,
        **{name: getattr(outcome, name) for name in ("status", "reason", "detail", "umid")},
        **{name: getattr(outcome, name) for name in ("http_status", "error_code", "error_id")},
    }
