"""Arguments and options that several commands share, declared once, so that they read alike everywhere."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from runner.base.errors import InputError
from runner.cli.console import Console, print_json
from runner.run.paths import RunOptions

File = Annotated[Path, typer.Argument(metavar="FILE", help="The campaign file (YAML).")]
Target = Annotated[str, typer.Argument(metavar="NAME[/RUN]", help="The campaign, and the run; default the newest.")]
Rows = Annotated[list[int] | None, typer.Option("--row", metavar="N", min=1, help="This data row; may be given again.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Sandbox = Annotated[bool, typer.Option("--sandbox", help="Use a stand-in for the provider: nothing reaches a phone.")]

# The options that set a field of `RunOptions`, by its name.
_RUN_OPTIONS = {
    "run": Annotated[str | None, typer.Option("--run", metavar="ID", help="The run's id, instead of the file's.")],
    "sandbox": Sandbox,
    "limit": Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Send to the first N recipients only.")
    ],
    "ledger": Annotated[
        str | None, typer.Option("--ledger", metavar="URL", help="The ledger; default reports/ledger.sqlite3.")
    ],
    "reports": Annotated[Path | None, typer.Option("--reports", metavar="DIR", help="The reports folder.")],
    "accept_ledger": Annotated[
        bool, typer.Option("--accept-ledger", help="Go on although the ledger doesn't know this run's past.")
    ],
    "accept_clock": Annotated[
        bool, typer.Option("--accept-clock", help="Go on although the clock is behind the ledger.")
    ],
}

# The parameter `options` of a command, with the fields that its options set.
AllRunOptions = Annotated[RunOptions, "run", "sandbox", "limit", "ledger", "reports", "accept_ledger", "accept_clock"]
RecordedRunOptions = Annotated[RunOptions, "sandbox", "ledger", "reports"]
LedgerOptions = Annotated[RunOptions, "ledger", "reports"]

T = TypeVar("T")


def with_shared_options(command: Callable[..., tuple[int, Any]]) -> Callable[..., int]:
    """The command with an option for each field that the annotation of its parameter `options` names.

    A command returns its exit code, and the document that `--json` prints; None: it has none, or has printed it. With a
    parameter `console` it has `--json`; a parameter `as_json` says whether that was given.
    """
    parameters = inspect.signature(command).parameters
    shared = [name for name in ("options", "console", "as_json") if name in parameters]
    fields = parameters["options"].annotation.__metadata__ if "options" in shared else ()

    @functools.wraps(command)
    def with_values(*, as_json: bool = False, **values: Any) -> int:  # noqa: ANN401 (each option has its own type)
        given = {
            "options": RunOptions(**{name: values.pop(name) for name in fields if name in values}),
            "as_json": as_json,
            "console": Console(as_json=as_json) if "console" in shared else None,
        }
        exit_code, document = command(**values, **{name: given[name] for name in shared})
        if as_json and document is not None:
            print_json(document)
        return exit_code

    def option(name: str, annotation: Any, default: Any) -> inspect.Parameter:  # noqa: ANN401
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)

    own = [parameter for name, parameter in parameters.items() if name not in shared]
    own += [option(name, _RUN_OPTIONS[name], getattr(RunOptions(), name)) for name in fields]
    if {"console", "as_json"} & set(shared):
        own.append(option("as_json", Json, False))
    with_values.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
    return with_values


def parse_target(target: str) -> tuple[str, str | None]:
    """`NAME/RUN` or `NAME`."""
    name, _, run = target.strip("/").partition("/")
    return name, run or None


def parse_value(option: str, text: str, parse: Callable[[str], T]) -> T:
    """What an option takes that the campaign file takes too. Raises InputError for anything else."""
    from runner.campaign.values import InvalidValue

    try:
        return parse(text)
    except InvalidValue as error:
        raise InputError.of(f"{option}: {error.what}", error.remedy) from error
