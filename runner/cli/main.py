"""The command `campaign`: one module per command. Errors become exit codes here and nowhere else.

Exit codes: 0 all messages accepted, or nothing to do; 1 finished, a threshold was crossed (by default: some messages
rejected or unknown); 2 wrong input, nothing was sent; 3 stopped early, the same command may succeed later; 4 another
process is sending the same run; 5 stopped, a person must fix something first; 70 a bug.
"""

import errno
import gc
import sys

from runner.base import interrupts, output

# Everything else is imported late, even typing, so that a Ctrl-C is handled as early as possible.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer

BUG = 70
# A person must fix the permissions, the path or the disk.
NO_ACCESS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EISDIR, errno.ENOTDIR}
# Typer returns this after a Ctrl-C.
INTERRUPTED = 130

# Each is a module of this package with a function `command`, or an `app` with subcommands.
COMMANDS = (
    "check", "plan", "preview", "test", "run", "status", "receipts", "feedback", "report", "reconcile", "cancel",
    "purge", "audit", "prices", "sandbox", "schema", "optouts", "ledger",
)  # fmt: skip


def app_for(arguments: "Sequence[str]") -> "typer.Typer":
    """The command line with only the command that `arguments` name, because preparing all options takes time.

    If they name no command, it has all commands, for the help and for suggestions.
    """
    from importlib import import_module

    import typer

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

    app = typer.Typer(
        help="Send bulk SMS campaigns from YAML files through the 8x8 SMS API. Nobody is texted twice.",
        add_completion=False,
        pretty_exceptions_enable=False,  # its tracebacks can show local variables, including the API key
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


def main() -> None:
    """The installed command."""
    try:
        interrupts.install()
        output.install()
        # Objects made at startup live until the end. Checking them for garbage every 700 allocations, and once more at
        # exit, took a quarter of `campaign check`. Above 10,000, a report of a million rows keeps 80 MB of garbage.
        gc.set_threshold(10_000)
        exit_code = _printed(run_command(sys.argv[1:]))
    except KeyboardInterrupt:  # between two statements of this file
        interrupts.say(interrupts.WORDS)
        exit_code = interrupts.EXIT_CODE
    interrupts.end()
    gc.freeze()
    sys.exit(exit_code)


def run_command(arguments: list[str]) -> int:
    """Run the command line `arguments` and return the exit code. Errors go to standard error."""
    from runner.cli.masking import masking

    as_json = _wants_json(arguments)
    masking.reset()
    try:
        result = _result_of(arguments, as_json=as_json)
    except KeyboardInterrupt:
        result = INTERRUPTED
    if result == INTERRUPTED:
        interrupts.end()  # another signal must not print the line again
        interrupts.say(interrupts.WORDS)
        return _failed(interrupts.EXIT_CODE, [interrupts.WORDS], as_json=as_json)
    return result if isinstance(result, int) else 0


def _result_of(arguments: list[str], *, as_json: bool) -> object:
    """What the command returned. Prints errors, and returns their exit code."""
    import traceback

    from typer import Abort
    from typer.exceptions import TyperException

    from runner.base.errors import BlockedError, CampaignError, InputError, is_panic
    from runner.cli.console import print_error, print_stderr
    from runner.cli.limits import limit_met, refuse_low_limits
    from runner.cli.memory import with_limit

    def chosen() -> object:
        return app_for(arguments)(args=arguments, prog_name="campaign", standalone_mode=False)

    try:
        try:
            if arguments[:1] == ["run"]:
                refuse_low_limits()
            return with_limit(arguments, chosen)
        except BaseException:
            interrupts.check()  # whatever a library made of the interrupt
            raise
    except CampaignError as error:
        problems = error.problems if isinstance(error, InputError) else [error]
        for problem in problems:
            print_error(problem)
        return _failed(error.exit_code, [str(problem) for problem in problems], as_json=as_json)
    except TyperException as error:  # a wrong option or argument
        what = error.format_message().replace("Value error, ", "").rstrip(".")
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "campaign"
        words = f"{command}: {what[:1].lower()}{what[1:]}; see `{command} --help`"
        print_stderr(words)
        return _failed(InputError.exit_code, [words], as_json=as_json)
    except Abort:
        return INTERRUPTED
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        if isinstance(error, OSError) and error.errno in NO_ACCESS:
            blocked = BlockedError(f"{error.filename or 'a file'}: {error.strerror}; check the path and the disk")
            print_error(blocked)
            return _failed(blocked.exit_code, [str(blocked)], as_json=as_json)
        if isinstance(error, Exception) and (met := limit_met(error)):
            print_error(BlockedError(met))
            return _failed(BlockedError.exit_code, [met], as_json=as_json)
        print_stderr(traceback.format_exc().rstrip())
        words = "this is a bug in campaign-runner; the ledger has what was sent, so nothing is sent twice"
        print_stderr(f"error: {words}")
        return _failed(BUG, [words], as_json=as_json)


def _printed(exit_code: int) -> int:
    """Return the exit code once everything is printed. A document that is not whole must not look like a success."""
    from runner.base.errors import BlockedError
    from runner.cli.console import print_stderr

    why, is_document = output.flushed()
    if not why:
        return exit_code
    is_failed = is_document and exit_code == 0
    words = f"standard output is incomplete: {why}; correct that, then run the same command again"
    print_stderr(f"{'error' if is_failed else 'warning'}: {words}")
    return BlockedError.exit_code if is_failed else exit_code


def _wants_json(arguments: list[str]) -> bool:
    """Whether standard output must get a JSON document, even if the options can't be parsed."""
    from itertools import pairwise

    return "--json" in arguments or "--format=json" in arguments or ("--format", "json") in pairwise(arguments)


def _failed(exit_code: int, errors: list[str], *, as_json: bool) -> int:
    """Return the exit code of a failed command; with --json, print its errors as a document."""
    if as_json:
        from runner.cli.console import print_json

        print_json({"exit_code": exit_code, "errors": errors})
    return exit_code
