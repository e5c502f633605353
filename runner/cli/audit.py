"""`campaign audit`: the audit trail."""

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.clock import iso, utc
from runner.base.optouts import OptOutSource
from runner.base.wording import counted
from runner.cli.console import Console
from runner.cli.options import RecordedRunOptions, parse_target, with_shared_options
from runner.run.paths import SANDBOX_RUN

if TYPE_CHECKING:
    from runner.ledger.audit import RecordedEntry


@with_shared_options
def command(
    options: RecordedRunOptions,
    console: Console,
    as_json: bool,
    target: Annotated[
        str | None, typer.Argument(metavar="NAME[/RUN]", help="The campaign or run; default: the whole ledger.")
    ] = None,
) -> tuple[int, dict[str, Any]]:
    """Show the audit trail: who did what, when, and on which machine."""
    from runner.run.audit import read_trail
    from runner.run.notice import notice_of

    name, run = parse_target(target) if target else (None, None)
    entries = read_trail(name, run, options)
    if as_json:
        return 0, {"entries": [as_document(entry) for entry in entries]}
    notice = notice_of(SANDBOX_RUN if options.sandbox else run or "", None)
    console.notice(notice)
    show_trail(console, entries)
    console.notice(notice)
    return 0, {}


def show_trail(console: Console, entries: "Iterable[RecordedEntry]") -> None:
    """Show entries, one below the other. Changes made by one list that follow each other share a line."""
    from runner.report.audit_words import details, what, who

    number = 0
    for _, group in groupby(entries, key=_line_of):
        first, *others = group
        number += 1 + len(others)
        words = f"{counted(1 + len(others), 'number')} by {OptOutSource.FILE}" if others else details(first, str)
        place = f"{first.run}: " if first.run else ""
        console.wrap(f"{utc(first.at):%Y-%m-%d %H:%M:%S}  {who(first)}  {what(first)}  {place}{words}".rstrip(": "))
    console.print(f"{counted(number, 'entry', 'entries')}; times are UTC" if number else "no entries yet")


def as_document(entry: "RecordedEntry") -> dict[str, Any]:
    """An entry for programs."""
    return {
        "number": entry.number,
        "at": iso(entry.at),
        "action": str(entry.action),
        "run": entry.run,
        "actor": entry.actor.name,
        "machine": entry.actor.machine,
        "version": entry.actor.version,
        "detail": entry.detail,
        "destination": entry.destination,
        "person": entry.person,
        "hash": entry.hash,
    }


def _line_of(entry: "RecordedEntry") -> tuple[object, ...]:
    """Equal for entries that share a line."""
    if entry.detail.get("source") == OptOutSource.FILE:
        return entry.action, entry.actor
    return (entry.number,)
