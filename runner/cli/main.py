"""The command `campaign`: one module for each command, and the one place that turns errors into exit codes.

Exit codes: 0 all accepted or nothing to do; 1 finished with rejected or unknown ones; 2 wrong input, nothing was sent;
3 stopped early, run it again to continue; 4 another process is sending the same run; 70 a bug.
"""

import gc
import io
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from types import FrameType
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from runner.base.errors import CampaignError, InputError, StoppedError
from runner.cli.console import print_json, print_stderr

BUG = 70
# What typer returns after a Ctrl-C.
INTERRUPTED = 130

# Each is a module of this package, with a function `command`, or an `app` that has commands of its own.
COMMANDS = (
    "check", "plan", "preview", "test", "run", "status", "receipts", "feedback", "report", "reconcile", "cancel",
    "purge", "prices", "sandbox", "schema", "optouts",
)  # fmt: skip


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """The command line, with the one command that `arguments` name: preparing the options of all takes time.

    With all of them where they name none: for the help, and to say what could be meant.
    """
    app = typer.Typer(
        help="Send bulk SMS campaigns from YAML files through the 8x8 SMS API: nobody twice, nobody lost.",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # its tracebacks can show local variables, and one of them is the API key
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True)(show_version_or_help)
    named = arguments[0] if arguments else ""
    for name in (named,) if named in COMMANDS else COMMANDS:
        module = import_module(f"runner.cli.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(module.command)
    return app


def show_version_or_help(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Show the version and exit."),
) -> None:
    if version:
        from importlib import metadata

        typer.echo(f"campaign-runner {metadata.version('campaign-runner')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """The installed command."""
    # A character that the terminal's encoding lacks is shown as its code: it must not end a run in the middle.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # A closed terminal or a job that is cancelled is a Ctrl-C too: it ends with the same words and exit code.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)
    # What starting makes stays: looking for garbage among it every 700 objects, and once more at the end, took a
    # quarter of `campaign check`. More than 10,000 would let a report of a million rows keep 80 MB of it.
    gc.set_threshold(10_000)
    try:
        exit_code = run_command(sys.argv[1:])
    finally:
        gc.freeze()
    sys.exit(exit_code)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def run_command(arguments: list[str]) -> int:
    """Run the command line `arguments`; returns the exit code. Says what went wrong on standard error."""
    as_json = _wants_json(arguments)
    try:
        result = app_for(arguments)(args=arguments, prog_name="campaign", standalone_mode=False)
    except CampaignError as error:
        problems = error.problems if isinstance(error, InputError) else [error]
        return _failed(error.exit_code, [str(problem) for problem in problems], as_json=as_json)
    except TyperException as error:  # a wrong option or argument
        what = error.format_message().replace("Value error, ", "").rstrip(".")
        words = f"campaign: {what}; see what it takes with `campaign COMMAND --help`"
        return _failed(InputError.exit_code, [words], as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        result = INTERRUPTED
    except BrokenPipeError:  # `campaign … | head`
        sys.stderr.close()
        return 1
    except Exception:
        traceback.print_exc()
        words = "this is a bug in campaign-runner; what has been sent stands in the ledger, and nothing is sent twice"
        return _failed(BUG, [words], as_json=as_json)
    if result == INTERRUPTED:
        return _failed(StoppedError.exit_code, ["interrupted; run it again to continue"], as_json=as_json)
    return result if isinstance(result, int) else 0


def _wants_json(arguments: list[str]) -> bool:
    """Whether one JSON document is due on standard output, also when the options can't be read."""
    return "--json" in arguments or "--format=json" in arguments or ("--format", "json") in pairwise(arguments)


def _failed(exit_code: int, errors: list[str], *, as_json: bool) -> int:
    for error in errors:
        print_stderr(error)
    if as_json:
        print_json({"exit_code": exit_code, "errors": errors})
    return exit_code
