"""`campaign receipts`: receive the delivery receipts and replies that the provider posts."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base import output
from runner.base.errors import InputError
from runner.base.wording import counted
from runner.cli.console import Console, print_document, print_stderr
from runner.cli.options import LedgerOptions, with_shared_options

if TYPE_CHECKING:
    from runner.receipts.intake import Loaded

# The kinds of events that are counted: singular and plural.
_KINDS = {
    "receipt": ("receipt", "receipts"),
    "opt_out": ("opted out", "opted out"),
    "opt_in": ("opted in again", "opted in again"),
    "untrusted_opt_in": ("opt-in without authorization ignored", "opt-ins without authorization ignored"),
    "review": ("reply kept for review", "replies kept for review"),
    "reply": ("other reply", "other replies"),
    "unusable": ("opt-out without a usable number", "opt-outs without a usable number"),
    "ignored": ("other event", "other events"),
    "refused": ("request refused", "requests refused"),
}


@with_shared_options
def command(
    options: LedgerOptions,
    console: Console,
    port: Annotated[int, typer.Option(help="The port to listen on; 0 picks a free one.", min=0, max=65535)] = 8090,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    auth_header_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The environment variable with the expected Authorization header."),
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your opt-out and opt-in words (CSV), instead of the built-in."),
    ] = None,
    print_words: Annotated[
        bool, typer.Option("--print-words", help="Print the built-in words (CSV) and exit.")
    ] = False,
    load: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read events from a file of JSON lines; - is standard input.")
    ] = None,
) -> tuple[int, dict[str, Any] | None]:
    """Receive delivery receipts and replies until Ctrl-C."""
    from runner.run.receipts import authorization_in, load_file, serve

    if print_words:
        from runner.receipts.optout_words import BUILT_IN_FILE

        print_document(BUILT_IN_FILE.read_text(encoding="utf-8"))
        return 0, None
    if load is not None:
        loaded = load_file(options, None if str(load) == "-" else load, words=words)
        return 1 if loaded.bad else 0, _show_loaded(console, loaded, str(load))
    output.hurry()
    authorization = authorization_in(auth_header_env)

    def on_ready(url: str, ledger_path: Path) -> None:
        console.print(f"listening on {url} (ledger: {ledger_path})")
        if authorization is None:
            risk = "without --auth-header-env, anyone who can reach this port can post: every program on this computer"
            console.warn(
                f"{risk}, and everyone a reverse proxy lets through; so receipts settle nothing and START is ignored"
            )
        console.print("press Ctrl-C to stop")

    def on_news(counts: Mapping[str, int], error: str | None) -> None:
        print_stderr(_in_words(counts) or "nothing received yet")
        if error is not None:
            print_stderr(f"warning: {error}; posts get a 503 until the ledger can be written: fix this soon")

    counts = serve(
        options, host=host, port=port, authorization=authorization, words=words, on_ready=on_ready, on_news=on_news
    )
    console.print(f"stopped: {_in_words(counts) or 'nothing received'}")
    return 0, {kind: counts[kind] for kind in _KINDS}


def _show_loaded(console: Console, loaded: "Loaded", file: str) -> dict[str, Any]:
    """Show what was loaded from a file, and return its document for `--json`."""
    if not loaded.lines:
        raise InputError.of(f"{file} is empty", "name a file of JSON lines, each an event as the provider posts it")
    console.print(f"{counted(loaded.lines, 'line')}: {_in_words(loaded.counts) or 'nothing usable'}")
    if loaded.counts["review"]:
        console.wrap("replies kept for review may be opt-outs: see `campaign optouts review`")
    if loaded.settled:
        found = counted(loaded.settled, "unknown message has a receipt", "unknown messages have a receipt")
        console.wrap(f"{found}, which proves that it was sent: now accepted")
    if loaded.bad:
        skipped = counted(loaded.bad, "line is not an event and was skipped", "lines are not events and were skipped")
        console.warn(skipped)
        for line, why in loaded.examples:
            console.wrap(f"  {file}:{line}: {why}")
    return {
        "lines": loaded.lines,
        "taken": {kind: loaded.counts[kind] for kind in _KINDS if kind != "refused"},
        "settled": loaded.settled,
        "bad": loaded.bad,
        "bad_examples": [{"line": line, "why": why} for line, why in loaded.examples],
    }


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(counted(counts[kind], *words) for kind, words in _KINDS.items() if counts.get(kind))
