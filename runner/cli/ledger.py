"""`campaign ledger`: make, inspect, check, copy and rebuild the ledger, which knows who was texted."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.clock import iso, us_of, utc
from runner.base.errors import BlockedError, InputError, LedgerError
from runner.base.wording import counted, listed_counts
from runner.cli.console import LEFT, Console, print_error
from runner.cli.options import Deadline, LedgerOptions, Settle, parse_target, parse_value, with_shared_options
from runner.run.paths import SANDBOX_RUN, RunOptions, ledger_url

if TYPE_CHECKING:
    from runner.run.rebuild import Rebuilt

app = typer.Typer(
    help="Make, inspect, check, copy or rebuild the ledger. It knows who was texted.",
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def show_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("init")
@with_shared_options
def init(options: LedgerOptions, console: Console) -> tuple[int, dict[str, Any]]:
    """Make a new, empty ledger."""
    from runner.ledger.ledger import open_ledger
    from runner.ledger.upkeep import figures

    path = _path(options)
    if path.exists() and path.stat().st_size:
        raise InputError.of(f"there is a ledger at {path} already", "`campaign ledger info` shows what is in it")
    with open_ledger(str(path), create=True) as ledger:
        found = figures(ledger)
    console.print(f"made an empty ledger: {path}")
    return 0, found


@app.command("info")
@with_shared_options
def info(options: LedgerOptions, console: Console) -> tuple[int, dict[str, Any]]:
    """Show what is in the ledger."""
    from runner.ledger.ledger import open_ledger
    from runner.ledger.upkeep import figures

    with open_ledger(ledger_url(options), create=False) as ledger:
        found = figures(ledger) | {"version": version("campaign-runner")}
    messages, audit = found["messages"], found["audit"]
    by_status = f" ({listed_counts(messages.items())})" if messages else ""
    rows = [
        ("ledger", found["path"]),
        ("id", found["id"]),
        ("schema", f"{found['schema']} (campaign-runner {found['version']})"),
        ("size", f"{found['size'] / 1e6:,.1f} MB"),
        ("runs", f"{found['runs']:,}"),
        ("messages", f"{sum(messages.values()):,}{by_status}"),
        ("opt-outs", f"{found['optouts']:,}"),
        ("audit", counted(audit["entries"], "entry", "entries")),
        ("", f"newest hash {audit['hash']}" if audit["hash"] else ""),
    ]
    console.show_table({"": LEFT, "value": {"overflow": "fold"}}, [row for row in rows if any(row)], header=False)
    return 0, found


@app.command("verify")
@with_shared_options
def verify(options: LedgerOptions, console: Console) -> tuple[int, dict[str, Any]]:
    """Check the ledger's file, its entries and the audit trail."""
    from runner.ledger.ledger import open_ledger
    from runner.ledger.upkeep import damage, is_damage

    path = _path(options)
    try:
        with open_ledger(str(path), create=False) as ledger:
            wrong = damage(ledger)
    except LedgerError as error:
        if not is_damage(error):
            raise
        wrong = [str(error)]
    if wrong:
        for words in wrong:
            print_error(BlockedError(words))
        then = "add what was sent since then with `campaign ledger rebuild`"
        console.wrap(f"{path} is not intact: restore it from a backup, and {then}")
    else:
        console.print(f"{path} is intact")
    return BlockedError.exit_code if wrong else 0, {"path": str(path), "ok": not wrong, "problems": wrong}


@app.command("backup")
@with_shared_options
def backup(
    options: LedgerOptions,
    console: Console,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file.")],
) -> tuple[int, dict[str, Any]]:
    """Copy the whole ledger to a new file, also while a run is sending.

    A copy of the file alone would lose what is in the -wal file beside it.
    """
    from runner.ledger.ledger import open_ledger
    from runner.ledger.upkeep import back_up

    with open_ledger(ledger_url(options), create=False) as ledger:
        found = back_up(ledger, file)
    messages = counted(sum(found["messages"].values()), "message")
    console.print(f"copied and checked: {file} ({counted(found['runs'], 'run')}, {messages})")
    return 0, found


@app.command("rebuild")
@with_shared_options
def rebuild(
    options: LedgerOptions,
    console: Console,
    target: Annotated[str, typer.Argument(metavar="NAME/RUN", help="The campaign and the run.")],
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="A time before the run started: 2026-11-01, or 30d.")
    ],
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="The campaign file; default: the one in the project's campaigns."),
    ] = None,
    settle: Settle = "15min",
    deadline: Deadline = "30min",
    accept_absence: Annotated[
        bool, typer.Option("--accept-absence", help="Send what the log lacks, even if the log is cut off.")
    ] = False,
) -> tuple[int, dict[str, Any]]:
    """Make a lost run's entries again from the provider's message log.

    What the log has is not sent again.
    """
    from runner.campaign.times import duration
    from runner.run.compare import parse_since
    from runner.run.rebuild import campaign_file
    from runner.run.rebuild import rebuild as rebuild_run

    name, run = parse_target(target)
    if run is None or run == SANDBOX_RUN:
        remedy = "name the campaign and the run, such as welcome/main; a sandbox run can't be rebuilt"
        raise InputError.of(f"{target} is not NAME/RUN", remedy)
    times = {
        "settle": parse_value("--settle", settle, duration),
        "deadline": parse_value("--deadline", deadline, duration),
    }
    rebuilt = rebuild_run(
        file or campaign_file(name),
        name,
        run,
        options,
        since=parse_since(since),
        say=lambda words: console.print(words, style="dim"),
        accept_absence=accept_absence,
        **times,
    )
    _show_rebuilt(console, target, rebuilt)
    return 0 if rebuilt.is_complete else 1, {
        "campaign": name,
        "run": run,
        "path": str(rebuilt.run.ledger.path),
        "found": rebuilt.found,
        "added": rebuilt.added,
        "without_number": rebuilt.nameless,
        "left": rebuilt.left,
        "complete_from": iso(us_of(rebuilt.complete_from)) if rebuilt.complete_from else None,
        "cut_off": list(rebuilt.cut_off),
        "goes_on": rebuilt.goes_on,
        "problems": list(rebuilt.problems),
    }


def _path(options: RunOptions) -> Path:
    from runner.ledger.database import ledger_path

    return ledger_path(ledger_url(options))


def _show_rebuilt(console: Console, target: str, rebuilt: "Rebuilt") -> None:
    """Show what was found, what it means, and what to do before the run is sent again."""
    console.print(f"\n{target}: {counted(rebuilt.found, 'message')} in the provider's log", style="bold")
    console.wrap(f"{rebuilt.added:,} added to {rebuilt.run.ledger.path}; the run doesn't send them again")
    if rebuilt.nameless:
        console.warn(
            f"{counted(rebuilt.nameless, 'message is', 'messages are')} in no plan of this campaign, so the ledger has "
            "no key or number for them, and frequency caps don't count them"
        )
    for problem in rebuilt.problems:
        console.warn(f"the campaign can't be planned: {problem}")
    if rebuilt.complete_from:
        console.warn(
            "the log may lack the newest messages: run this command again after "
            f"{rebuilt.complete_from:%Y-%m-%d %H:%M:%S} UTC; the run can't be sent before"
        )
    if rebuilt.cut_off:
        console.warn(
            f"the log is cut off: {'; '.join(rebuilt.cut_off)}. So the run can't be sent. Check --since, the account "
            f"{rebuilt.record.sub_account_id} and EIGHTXEIGHT_BASE_URL, then run this command again. If the provider "
            "says that the rest was not received, add --accept-absence: this may text people twice"
        )
    elif rebuilt.left and not rebuilt.complete_from:
        left = counted(rebuilt.left, "message is", "messages are")
        newest = f"{utc(rebuilt.newest):%Y-%m-%d %H:%M:%S} UTC"
        console.warn(
            f"{left} not in the log, so `campaign run` with --run {rebuilt.record.run} sends them; first check that "
            f"the run started after --since, with the account {rebuilt.record.sub_account_id}"
        )
        if rebuilt.goes_on:
            console.wrap(f"The log goes on after {newest}, the time of the run's newest message in it.")
        else:
            console.warn(
                f"the log ends at {newest}. If the run sent something after that, the log is cut off, and people would "
                "be texted twice. To find out, send a test message (`campaign test`), wait 15 minutes, and run this "
                "command again; if it still warns, don't send the run, and ask the provider"
            )
    if not rebuilt.optouts:
        console.warn("this ledger has no opt-outs, and the log doesn't have them: `campaign optouts add` adds yours")
