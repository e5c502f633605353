"""Arguments and options that several commands share, declared once."""

import functools
import inspect
import sys
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from runner.base.errors import InputError
from runner.cli.console import Console, print_json, print_stderr
from runner.cli.masking import masking
from runner.run.paths import RunOptions, reports_folder

File = Annotated[Path, typer.Argument(metavar="FILE", help="The campaign file (YAML).")]
Target = Annotated[str, typer.Argument(metavar="NAME[/RUN]", help="The run; NAME alone means its newest run.")]
Rows = Annotated[
    list[int] | None, typer.Option("--row", metavar="N", min=1, help="Show this row of the sheet; repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Sandbox = Annotated[bool, typer.Option("--sandbox", help="Use the sandbox: nothing reaches a phone.")]
Settle = Annotated[str, typer.Option("--settle", metavar="TIME", help="How long after a request the log is complete.")]
Deadline = Annotated[str, typer.Option("--deadline", metavar="TIME", help="How long the log export may take.")]
Unmask = Annotated[bool, typer.Option("--unmask", help="Print whole phone numbers, even to a file or a log.")]

# The options that set fields of `RunOptions`, by field.
_RUN_OPTIONS = {
    "run": Annotated[str | None, typer.Option("--run", metavar="ID", help="The run's ID; overrides the file.")],
    "new_run": Annotated[
        bool,
        typer.Option("--new-run", help="Begin the run that {date} names now, although an earlier one is unfinished."),
    ],
    "sandbox": Sandbox,
    "limit": Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only send to the first N recipients.")
    ],
    "ledger": Annotated[
        str | None,
        typer.Option("--ledger", metavar="URL", help="The ledger; default: the project's reports/ledger.sqlite3."),
    ],
    "reports": Annotated[
        Path | None,
        typer.Option("--reports", metavar="DIR", help="The reports folder; default: the project's reports."),
    ],
    "accept_ledger": Annotated[
        bool,
        typer.Option(
            "--accept-ledger",
            help="Continue although the ledger has no history of this run. People may be texted again.",
        ),
    ],
    "accept_clock": Annotated[
        bool, typer.Option("--accept-clock", help="Continue although the clock is behind the ledger.")
    ],
    "require_ledger": Annotated[
        bool, typer.Option("--require-ledger", help="Stop if there is no ledger yet; don't make a new one.")
    ],
}

# Types for a command's parameter `options`: each names the fields that the command has options for.
AllRunOptions = Annotated[
    RunOptions,
    "run",
    "new_run",
    "sandbox",
    "limit",
    "ledger",
    "reports",
    "require_ledger",
    "accept_ledger",
    "accept_clock",
]
RecordedRunOptions = Annotated[RunOptions, "sandbox", "ledger", "reports"]
LedgerOptions = Annotated[RunOptions, "ledger", "reports"]

T = TypeVar("T")


def with_shared_options(command: Callable[..., tuple[int, Any]]) -> Callable[..., int]:
    """Add an option to the command for each field that the annotation of its parameter `options` names.

    A command returns its exit code and the document for `--json` (None if it has none, or has printed it). A command
    with a parameter `console` gets `--json`; a parameter `as_json` receives its value. If it is about a campaign or a
    ledger, it also gets `--unmask`, and a parameter `unmask` receives its value.
    """
    parameters = inspect.signature(command).parameters
    shared = [name for name in ("options", "console", "as_json", "unmask") if name in parameters]
    fields = parameters["options"].annotation.__metadata__ if "options" in shared else ()
    has_file = "file" in parameters and parameters["file"].annotation is File

    @functools.wraps(command)
    def with_values(*, as_json: bool = False, unmask: bool = False, **values: Any) -> int:  # noqa: ANN401 (each option has its own type)
        given: dict[str, Any] = {
            "options": RunOptions(**{name: values.pop(name) for name in fields if name in values}),
            "as_json": as_json,
            "unmask": unmask,
            "console": Console(as_json=as_json) if "console" in shared else None,
        }
        options = given["options"]
        if has_file:
            decide_masking(unmask, lambda: campaign_masks(values["file"]))
        else:
            decide_masking(unmask, lambda: "target" in parameters and runs_mask(values["target"], options))
        if options.sandbox and options.run:
            print_stderr(f"warning: --run {options.run} has no effect: a run with --sandbox is always called sandbox")
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
        if has_file or "options" in shared:
            own.append(option("unmask", Unmask, False))
    with_values.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
    return with_values


def parse_target(target: str) -> tuple[str, str | None]:
    """Split `NAME/RUN` or `NAME`."""
    name, _, run = target.strip("/").partition("/")
    return name, run or None


def decide_masking(unmask: bool, by_campaign: Callable[[], bool]) -> None:
    """Decide which numbers this command may print. `by_campaign` reads files, so it is only called for a terminal."""
    masking.unmask = unmask
    masking.by_campaign = not unmask and (sys.stdout.isatty() or sys.stderr.isatty()) and by_campaign()


def campaign_masks(file: Path) -> bool:
    """Whether the campaign file sets `report.mask`, even if it has mistakes elsewhere."""
    from runner.campaign import read

    found, _ = read(file)
    return found is not None and found.campaign.report.mask


def runs_mask(target: str | None, options: RunOptions) -> bool:
    """Whether a run that NAME or NAME/RUN may mean (None: any run) was started with `report.mask`."""
    from runner.report.run_settings import RunSettings, asks_to_mask

    name, run = parse_target(target) if target else ("", None)
    paths = reports_folder(options).glob(f"{escape(name) or '*'}/{escape(run) if run else '*'}/run.json")
    return any(asks_to_mask(RunSettings.read(path), path) for path in paths)


def parse_value(option: str, text: str, parse: Callable[[str], T]) -> T:
    """Parse an option with the campaign file's parser for such values. Raises InputError if the value is wrong."""
    from runner.campaign.values import InvalidValue

    try:
        return parse(text)
    except InvalidValue as error:
        raise InputError.of(f"{option}: {error.what}", error.remedy) from error
