"""Arguments and options that several commands share, so that they read alike everywhere."""

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[Path, typer.Argument(metavar="FILE", help="The campaign file (YAML).")]
RunId = Annotated[str | None, typer.Option("--run", metavar="ID", help="The run's id, instead of the file's.")]
Sandbox = Annotated[bool, typer.Option("--sandbox", help="Use a stand-in for the provider: nothing reaches a phone.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Send to the first N recipients only.")]
LedgerUrl = Annotated[
    str | None, typer.Option("--ledger", metavar="URL", help="The ledger; default reports/ledger.sqlite3.")
]
AcceptLedger = Annotated[
    bool, typer.Option("--accept-ledger", help="Go on although the ledger doesn't know this run's past.")
]
AcceptClock = Annotated[bool, typer.Option("--accept-clock", help="Go on although the clock is behind the ledger.")]
Reports = Annotated[Path | None, typer.Option("--reports", metavar="DIR", help="The reports folder.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Target = Annotated[str, typer.Argument(metavar="NAME[/RUN]", help="The campaign, and the run; default the newest.")]


def parse_target(target: str) -> tuple[str, str | None]:
    """`NAME/RUN` or `NAME`."""
    name, _, run = target.strip("/").partition("/")
    return name, run or None
