"""`campaign optouts`: who wants no more messages from any campaign of the ledger."""

from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.base.errors import InputError
from runner.cli.console import clean, human, print_document, print_json, print_wrapped, say
from runner.cli.options import Json, LedgerUrl, Reports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.base.optouts import OptOut
    from runner.ledger.ledger import Ledger

NAME = "optouts"

app = typer.Typer(
    help="List, change or export who wants no more messages from any campaign of the ledger.",
    add_completion=False,
    rich_markup_mode=None,
)

SandboxOf = Annotated[
    str | None, typer.Option("--sandbox", metavar="NAME", help="The opt-outs of this campaign's sandbox run.")
]
Country = Annotated[
    str | None, typer.Option("--country", metavar="SG", help="Where numbers without a plus are at home.")
]
Numbers = Annotated[list[str], typer.Argument(metavar="NUMBER", help="Numbers, such as +12025550142.")]


@app.callback(invoke_without_command=True)
def show_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_all(
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Show the newest N only.")] = 20,
    sandbox: SandboxOf = None,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Show who has opted out, the newest first."""
    from runner.base.clock import iso
    from runner.ledger.optouts import count, newest
    from runner.run.optouts import how

    with _opened(sandbox, ledger, reports) as opened:
        total, shown = count(opened), newest(opened, limit)
    if as_json:
        found = [{"destination": one.destination, "since": iso(one.at), "how": how(one)} for one in shown]
        print_json({"opted_out": total, "newest": found})
        return 0
    _show(shown)
    if total > len(shown):
        rest = "shown are the newest; --limit N shows more, `campaign optouts export` has all of them"
        print_wrapped(human(), f"\n{_numbers(total)} opted out; {rest}")
    else:
        human().print(f"\n{_numbers(total)} opted out" if total else "nobody has opted out")
    return 0


@app.command("add")
def add(
    numbers: Annotated[
        list[str] | None, typer.Argument(metavar="NUMBER", help="Numbers, such as +12025550142.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="And those of a suppression list (CSV, XLSX, …).")
    ] = None,
    country: Country = None,
    sandbox: SandboxOf = None,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Opt numbers out: no campaign of this ledger sends to them any more, at once and from then on."""
    from runner.run.optouts import add as add_numbers
    from runner.run.optouts import read_file, read_numbers

    if not numbers and file is None:
        raise InputError.of("whom to opt out?", "write one number or several, or name a list with --file")
    given = read_numbers(numbers or [], country)
    listed = read_file(file, country) if file else ()
    with _opened(sandbox, ledger, reports, create=True) as opened:
        added = add_numbers(opened, given, listed)
        where = opened.path
    if as_json:
        print_json({"given": added.given, "changed": added.changed, "ledger": str(where)})
        return 0
    before = added.given - added.changed
    had = f"; {_numbers(before)} had before" if before else ""
    print_wrapped(human(), f"{_numbers(added.changed)} opted out{had} ({where})")
    return 0


@app.command("remove")
def remove(
    numbers: Numbers,
    country: Country = None,
    sandbox: SandboxOf = None,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Take opt-outs back: campaigns may send to these numbers again."""
    from runner.run.optouts import read_numbers
    from runner.run.optouts import remove as remove_numbers

    given = read_numbers(numbers, country)
    with _opened(sandbox, ledger, reports) as opened:
        taken_back = remove_numbers(opened, given)
    not_out = [number for number in given if number not in taken_back]
    if as_json:
        print_json({"taken_back": taken_back, "not_opted_out": not_out})
        return 0
    if taken_back:
        console = human()
        what = f"{_numbers(len(taken_back))} no longer opted out"
        print_wrapped(console, f"{what}; a suppression list of a campaign holds all the same")
    for number in not_out:
        say(f"{number} had not opted out")
    return 0


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The file; - or nothing is standard output.")] = Path(
        "-"
    ),
    sandbox: SandboxOf = None,
    ledger: LedgerUrl = None,
    reports: Reports = None,
) -> int:
    """Write everybody who has opted out as a suppression list (CSV)."""
    from runner.base.files import replacing
    from runner.run.optouts import as_csv

    with _opened(sandbox, ledger, reports) as opened:
        if str(file) == "-":
            for part in as_csv(opened):
                print_document(part)
            return 0
        with replacing(file) as output:
            rows = 0
            for part in as_csv(opened):
                rows += part.count("\n")
                output.write(part.encode())
    say(f"{_numbers(rows - 1)} written to {file}")
    return 0


@contextmanager
def _opened(
    sandbox: str | None, ledger: str | None, reports: Path | None, *, create: bool = False
) -> "Iterator[Ledger]":
    from runner.ledger.ledger import open_ledger
    from runner.run.paths import SANDBOX_RUN, RunOptions, ledger_url, paths_of

    options = RunOptions(ledger=ledger, reports=reports)
    url = paths_of(sandbox, SANDBOX_RUN, options).ledger if sandbox else ledger_url(options)
    with open_ledger(url, create=create) as opened:
        yield opened


def _show(shown: "Iterable[OptOut]") -> None:
    from datetime import UTC, datetime

    from rich.table import Table

    from runner.run.optouts import how

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("number", "since"):
        table.add_column(column, no_wrap=True)
    table.add_column("how", overflow="fold")
    for one in shown:
        since = datetime.fromtimestamp(one.at / 1e6, UTC)
        table.add_row(one.destination, f"{since:%Y-%m-%d %H:%M} UTC", clean(how(one)))
    if table.row_count:
        human().print(table)


def _numbers(count: int) -> str:
    return "1 number" if count == 1 else f"{count:,} numbers"
