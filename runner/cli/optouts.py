"""`campaign optouts`: the opt-outs, which apply to every campaign of the ledger."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.clock import iso, utc
from runner.base.errors import InputError
from runner.base.text import sanitized
from runner.base.wording import counted
from runner.cli.audit import as_document, show_trail
from runner.cli.console import FOLD, LEFT, RIGHT, Console, print_document, print_stderr
from runner.cli.options import LedgerOptions, with_shared_options
from runner.run.paths import SANDBOX_RUN, RunOptions, ledger_url, paths_of

if TYPE_CHECKING:
    from runner.ledger.ledger import Ledger

app = typer.Typer(
    help="List, review, show, add, remove or export opt-outs. They apply to every campaign of the ledger.",
    add_completion=False,
    rich_markup_mode=None,
)

SandboxOf = Annotated[
    str | None, typer.Option("--sandbox", metavar="NAME", help="Use the opt-outs of this campaign's sandbox run.")
]
Country = Annotated[str | None, typer.Option("--country", metavar="SG", help="The country of numbers without a plus.")]
_NUMBERS = typer.Argument(metavar="NUMBER", help="One or more numbers, such as +12025550142.")


@app.callback(invoke_without_command=True)
def show_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
@with_shared_options
def list_newest(
    options: LedgerOptions,
    console: Console,
    as_json: bool,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Only show the newest N.")] = 20,
    sandbox: SandboxOf = None,
) -> tuple[int, dict[str, Any]]:
    """List opt-outs, newest first."""
    from runner.ledger.optouts import count_optouts, newest_optouts
    from runner.run.optouts import how

    with _opened(sandbox, options) as ledger:
        total, listed = count_optouts(ledger), newest_optouts(ledger, limit)
    if not total:
        console.print("nobody has opted out")
    elif not as_json:
        rows = [(each.destination, f"{utc(each.at):%Y-%m-%d %H:%M} UTC", how(each)) for each in listed]
        console.show_table({"number": LEFT, "since": LEFT, "how": FOLD}, rows)
        rest = f" (showing the newest {len(listed):,}; --limit N shows more, `campaign optouts export` writes all)"
        console.print()
        console.wrap(f"{counted(total, 'number')} opted out{rest if total > len(listed) else ''}")
    shown = [{"destination": each.destination, "since": iso(each.at), "how": how(each)} for each in listed]
    return 0, {"opted_out": total, "newest": shown}


@app.command("review")
@with_shared_options
def review(
    options: LedgerOptions,
    console: Console,
    as_json: bool,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="ID|all", help="Opt the sender of this reply out; repeatable."),
    ] = None,
    dismiss: Annotated[
        list[str] | None,
        typer.Option("--dismiss", metavar="ID|all", help="Record that this reply is no opt-out; repeatable."),
    ] = None,
    sandbox: SandboxOf = None,
) -> tuple[int, dict[str, Any]]:
    """List replies that may be opt-outs, oldest first, and decide about them."""
    from runner.ledger.replies import waiting_replies
    from runner.run.optouts import review_replies

    with _opened(sandbox, options) as ledger:
        accepted, dismissed = review_replies(ledger, accept or [], dismiss or [])
        waiting = waiting_replies(ledger)
    if accepted:
        whose = counted(len(accepted), "reply accepted: its sender is", "replies accepted: their senders are")
        console.print(f"{whose} opted out")
    if dismissed:
        console.print(f"{counted(len(dismissed), 'reply', 'replies')} dismissed")
    if not waiting:
        console.print("no replies to review")
    elif not as_json:
        rows = [
            (str(each.id), each.destination, f"{utc(each.at):%Y-%m-%d}", _on_one_line(each.text)) for each in waiting
        ]
        console.show_table({"id": RIGHT, "number": LEFT, "date": LEFT, "reply": FOLD}, rows)
        console.print()
        many = f"{counted(len(waiting), 'reply waits', 'replies wait')} for review"
        console.wrap(f"{many}; --accept ID opts the sender out, --dismiss ID doesn't; write all for every reply")
    shown = [
        {"id": each.id, "destination": each.destination, "at": iso(each.at), "text": each.text, "word": each.word}
        for each in waiting
    ]
    return 0, {"accepted": accepted, "dismissed": dismissed, "waiting": shown}


def _on_one_line(text: str | None) -> str:
    return sanitized(" ".join(text.split())) if text is not None else "(deleted by a purge)"


@app.command("show")
@with_shared_options
def show(
    options: LedgerOptions,
    console: Console,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="A number, such as +12025550142.")],
    country: Country = None,
    sandbox: SandboxOf = None,
) -> tuple[int, dict[str, Any]]:
    """Show whether a number is opted out, and its history."""
    from runner.ledger.audit import trail_of_number
    from runner.ledger.optouts import newest_by_number
    from runner.run.optouts import how, read_numbers

    [destination] = read_numbers([number], country)
    with _opened(sandbox, options) as ledger:
        newest = newest_by_number(ledger, [destination]).get(destination)
        history = list(trail_of_number(ledger, destination))
    is_out = newest is not None and newest.is_out
    words = f"opted out since {utc(newest.at):%Y-%m-%d %H:%M:%S} UTC" if newest and is_out else "not opted out"
    console.print(f"{destination} is {words}{f' ({how(newest)})' if newest and is_out else ''}")
    if history:
        show_trail(console, history)
    elif newest:
        console.wrap("its history is not known: it was last changed before the ledger had an audit trail")
    return 0, {
        "destination": destination,
        "opted_out": is_out,
        "since": iso(newest.at) if newest and is_out else None,
        "how": how(newest) if newest and is_out else None,
        "history": [as_document(entry) for entry in history],
    }


@app.command("add")
@with_shared_options
def add(
    options: LedgerOptions,
    console: Console,
    numbers: Annotated[list[str] | None, _NUMBERS] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Also add numbers from this list (CSV, XLSX, …).")
    ] = None,
    phone: Annotated[
        str | None, typer.Option("--phone", metavar="COLUMN", help="The column of --file with the numbers.")
    ] = None,
    country: Country = None,
    sandbox: SandboxOf = None,
) -> tuple[int, dict[str, Any]]:
    """Opt numbers out. It takes effect immediately, even for a running campaign."""
    from runner.run.optouts import add as add_numbers
    from runner.run.optouts import read_file, read_numbers

    if not numbers and file is None:
        raise InputError.of("no number given", "give one or more numbers, or a list with --file")
    given = read_numbers(numbers or [], country)
    listed = read_file(file, country, phone) if file else ()
    with _opened(sandbox, options, create=True) as ledger:
        count, changed = add_numbers(ledger, given, listed)
    had = f"; {counted(count - changed, 'number was', 'numbers were')} already opted out" if count > changed else ""
    console.wrap(f"{counted(changed, 'number')} opted out{had} ({ledger.path})")
    return 0, {"given": count, "changed": changed, "ledger": str(ledger.path)}


@app.command("remove")
@with_shared_options
def remove(
    options: LedgerOptions,
    console: Console,
    numbers: Annotated[list[str], _NUMBERS],
    country: Country = None,
    sandbox: SandboxOf = None,
) -> tuple[int, dict[str, Any]]:
    """Remove opt-outs: campaigns may send to these numbers again."""
    from runner.run.optouts import read_numbers
    from runner.run.optouts import remove as remove_numbers

    given = read_numbers(numbers, country)
    with _opened(sandbox, options) as ledger:
        removed = remove_numbers(ledger, given)
    if removed:
        what = f"{counted(len(removed), 'number')} no longer opted out"
        console.wrap(f"{what}; suppression lists still apply")
    not_out = [number for number in given if number not in removed]
    for number in not_out:
        print_stderr(f"{number} was not opted out")
    return 0, {"taken_back": removed, "not_opted_out": not_out}


@app.command("export")
@with_shared_options
def export(
    options: LedgerOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file; - means standard output.")] = Path("-"),
    sandbox: SandboxOf = None,
) -> tuple[int, None]:
    """Write all opt-outs as a suppression list (CSV)."""
    from runner.base.files import replacing
    from runner.run.optouts import as_csv

    with _opened(sandbox, options) as ledger:
        if str(file) == "-":
            for part in as_csv(ledger):
                print_document(part)
            return 0, None
        with replacing(file) as output:
            rows = -1  # without the header
            for part in as_csv(ledger):
                rows += part.count("\n")
                output.write(part.encode())
    print_stderr(f"{counted(rows, 'number')} written to {file}")
    return 0, None


def _opened(sandbox: str | None, options: RunOptions, *, create: bool = False) -> AbstractContextManager["Ledger"]:
    from runner.ledger.ledger import open_ledger
    from runner.run.project import may_make_ledger

    if sandbox:
        return open_ledger(paths_of(sandbox, SANDBOX_RUN, options).ledger, create=create)
    url = ledger_url(options)
    return open_ledger(url, create=create and may_make_ledger(url, options))
