"""`campaign status`: tables of all runs, or a live view of the active ones; fits 80 columns."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base import output
from runner.base.clock import now_us
from runner.base.errors import InputError
from runner.base.wording import counted, seconds_in_words, share
from runner.cli.console import FOLD, LEFT, RIGHT, Console, clean
from runner.cli.options import RecordedRunOptions, parse_target, with_shared_options
from runner.run.notice import notice_of
from runner.run.paths import SANDBOX_RUN

if TYPE_CHECKING:
    from rich.console import RenderableType

    from runner.run.status import StatusReader, StatusSnapshot

# One run as `--json` prints it.
Document = Mapping[str, Any]
# Cells by column label, one cell per run. A label may have two lines.
Columns = Mapping[str, Sequence[str]]

READ_EVERY_S = 1.0
LINE_EVERY_S = 5.0
# The highest share of time spent reading the ledger. Counting millions of messages takes seconds, and the same computer
# may be sending them.
READING_SHARE = 0.1
_COUNTS = ("to_send", "accepted", "rejected", "unknown", "sending", "unsent")
_BAR_WIDTH = 24
_LEAST_NAME_WIDTH = 6

_HELD_UP = {"throttled": "the provider's rate limit is reached", "unreachable": "the provider can't be reached"}


@with_shared_options
def command(
    options: RecordedRunOptions,
    console: Console,
    as_json: bool,
    target: Annotated[
        str | None, typer.Argument(metavar="NAME[/RUN]", help="The campaign or run; default: all runs.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep refreshing until the runs end.")] = False,
) -> tuple[int, Any]:
    """Show the progress of runs, with delivery and conversions."""
    if watch and as_json:
        raise InputError.of("--watch can't be combined with --json", "run `campaign status --json` repeatedly instead")
    from runner.run.status import StatusReader

    name, run = parse_target(target) if target else (None, None)
    reader = StatusReader(name, run, options)
    if watch:
        console.notice(notice_of(SANDBOX_RUN if options.sandbox else run or "", None))
        _watch(console, reader)
        return 0, None
    snapshot = reader.read(now_us())
    if not as_json:
        show_status(console, snapshot)
    return 0, {"runs": snapshot.runs, "optouts": snapshot.optouts, "replies_to_review": snapshot.to_review}


def show_status(console: Console, snapshot: "StatusSnapshot") -> None:
    """Show all runs: progress, delivery, conversions and opt-outs."""
    if not snapshot.runs:
        console.print("no runs yet; start one with `campaign run FILE`")
        return
    notice = _notice(snapshot.runs)
    console.notice(notice)
    _show_table(console, snapshot.runs, _progress(snapshot.runs))
    # A watch that was interrupted has no delivery figures, because counting them takes long.
    if known := [run for run in snapshot.runs if run.get("delivery") or any(run.get("conversions", {}).values())]:
        for columns in filter(None, (_delivery(known), _conversions(known))):
            console.print()
            _show_table(console, known, columns)
    for run in snapshot.runs:
        for words in _reasons(run):
            console.wrap(f"{_name(run)}: {words}")
    # Each sandbox run has opt-outs of its own.
    names = {run["campaign"] for run in snapshot.runs if run["sandbox"]}
    chosen = f" --sandbox {names.pop() if len(names) == 1 else 'NAME'}" if names else ""
    if snapshot.optouts:
        console.print(f"{counted(snapshot.optouts, 'number')} opted out; see `campaign optouts list{chosen}`")
    if snapshot.to_review:
        many = counted(snapshot.to_review, "reply may be an opt-out", "replies may be opt-outs")
        console.print(f"{many}; see `campaign optouts review{chosen}`")
    console.notice(notice)


def _notice(runs: Sequence[Document]) -> str:
    """The notice for runs that the sandbox got: they have a ledger without other runs."""
    return notice_of(runs[0]["run"], None) if runs else ""


def _progress(runs: Sequence[Document]) -> Columns:
    columns = {"state": [run["state"] for run in runs]}
    for name in _COUNTS:
        if name == "to_send" or any(run[name] for run in runs):
            columns[name.replace("_", " ")] = [f"{run[name]:,}" for run in runs]
    return columns


def _delivery(runs: Sequence[Document]) -> Columns:
    """Accepted messages of each run by delivery group. A cell is "" if the run has no delivery data."""
    from runner.report.counts import DeliveryGroup, delivery_group

    def cells(group: DeliveryGroup) -> list[str]:
        counts = [sum(n for state, n in run["delivery"].items() if delivery_group(state) is group) for run in runs]
        return [f"{count:,}" if run["delivery"] else "" for run, count in zip(runs, counts, strict=True)]

    if not any(run["delivery"] for run in runs):
        return {}
    shares = [run["delivered_share"] for run in runs]
    columns = {
        "delivered": cells(DeliveryGroup.DELIVERED),
        "of\naccepted": ["" if part is None else share(part, 1) for part in shares],
    }
    for group in (DeliveryGroup.FAILED, DeliveryGroup.IN_TRANSIT, DeliveryGroup.CANCELLED, DeliveryGroup.NO_RECEIPT):
        if set(cells(group)) - {"", "0"}:
            columns["\n".join(group.rsplit(" ", 1))] = cells(group)
    return columns


def _conversions(runs: Sequence[Document]) -> Columns:
    return {
        label: [f"{run['conversions'][outcome]:,}" for run in runs]
        for label, outcome in (("converted", "success"), ("not\nconverted", "failure"))
        if any(run["conversions"][outcome] for run in runs)
    }


def _show_table(console: Console, runs: Sequence[Document], columns: Columns) -> None:
    """Show a table with one row per run; if it is too wide, list the cells of each run with their labels."""
    names, rows = [_name(run) for run in runs], list(zip(*columns.values(), strict=True))
    width = sum(max(map(len, [*label.split("\n"), *column])) + 2 for label, column in columns.items())
    if width + min(_LEAST_NAME_WIDTH, max(map(len, names))) <= console.rich.width:
        kinds = {"run": FOLD} | {label: LEFT if label == "state" else RIGHT for label in columns}
        console.show_table(kinds, [(name, *row) for name, row in zip(names, rows, strict=True)])
        return
    for name, row in zip(names, rows, strict=True):
        cells = [f"{label} {cell}".replace("\n", " ") for label, cell in zip(columns, row, strict=True) if cell]
        console.wrap(f"{name}: {', '.join(cells)}")


def _reasons(run: Document) -> Iterator[str]:
    if run["waiting_for"]:
        yield f"waiting for {run['waiting_for']}"
    if run["held_up_by"]:
        yield f"slow: {_HELD_UP[run['held_up_by']]}"
    if run["sent_to"]:
        yield notice_of(run["run"], run["sent_to"])
    if run["stopped"]:
        state, reason, detail = run["state"], run["stopped"]["reason"], run["stopped"]["detail"]
        why = f"{reason}: " if state == "stopped" else ""
        yield detail if detail.startswith(state) else f"{state}: {why}{detail}"
        if error_id := run["stopped"]["error_id"]:
            yield f"quote error ID {error_id} to the provider's support"


def _watch(console: Console, reader: "StatusReader") -> None:
    """Show active runs until they end, or nobody sees it any more, or until Ctrl-C; then show all matching runs."""
    newest = None
    is_live = console.rich.is_terminal and not console.rich.is_dumb_terminal
    try:
        with (_live_view if is_live else _lines)(console) as show:
            while True:
                before = time.monotonic()
                newest = reader.read(now_us(), quick=True)
                took_s = time.monotonic() - before
                if not newest.active or output.has_ended():
                    break
                show(newest)
                time.sleep(max(READ_EVERY_S, took_s * (1 / READING_SHARE - 1)))
        newest = reader.read(now_us())
    except KeyboardInterrupt:  # only the display is interrupted, not the runs
        pass
    if newest:
        show_status(console, newest)


@contextmanager
def _lines(console: Console) -> Iterator[Callable[["StatusSnapshot"], None]]:
    """Print a line for each active run every few seconds, for a log."""
    printed_at = -LINE_EVERY_S

    def show(snapshot: "StatusSnapshot") -> None:
        nonlocal printed_at
        if time.monotonic() - printed_at >= LINE_EVERY_S:
            printed_at = time.monotonic()
            for run in snapshot.active:
                console.print(" · ".join([f"{_name(run)}: {_how_far(run)}", *_details(run)]))

    yield show


@contextmanager
def _live_view(console: Console) -> Iterator[Callable[["StatusSnapshot"], None]]:
    """Redraw a few lines for each run that is active, or was active since the watch began."""
    from rich.console import Group
    from rich.live import Live

    watched: set[str] = set()

    def show(snapshot: "StatusSnapshot") -> None:
        watched.update(_name(run) for run in snapshot.active)
        parts = [part for run in snapshot.runs if _name(run) in watched for part in _live(console, run)]
        live.update(Group(*parts), refresh=True)

    # Redrawn four times a second, because the terminal may be resized; the ledger is read less often.
    with Live(console=console.rich, refresh_per_second=4, transient=True) as live:
        yield show


def _live(console: Console, run: Document) -> Iterator["RenderableType"]:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    # Wrapped, unlike other output, because a narrow terminal would cut it off.
    yield Text(_name(run), style="bold", overflow="fold", no_wrap=False)
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=_BAR_WIDTH)
    line.add_column(overflow="fold")
    bar = ProgressBar(total=max(run["to_send"], 1), completed=_done(run), width=_BAR_WIDTH)
    line.add_row(bar, _how_far(run))
    yield line
    for words in _details(run):
        yield Text(console.shown(words), overflow="fold", no_wrap=False)


def _how_far(run: Document) -> str:
    done, total = _done(run), run["to_send"]
    # Show 100% only when everything is done.
    words = [f"{done:,} of {total:,} ({min(done / total, 1.0 if done >= total else 0.99):.0%})" if total else "empty"]
    if run["state"] != "sending":
        words.append(run["state"])
    else:
        rate = run["rate_now"] or 0.0
        words.append(f"{rate:,.1f}/s" if rate >= 1 or not rate else f"{rate * 60:,.1f}/min")
        if run["eta"] and run["unsent"]:
            seconds = datetime.fromisoformat(run["eta"]).timestamp() - time.time()
            words.append(f"{seconds_in_words(max(round(seconds), 0))} left")
    return " · ".join(words)


def _details(run: Document) -> list[str]:
    """`accepted 120, rejected 1, sending 4`, and why the run waits or is slow."""
    counts = ", ".join(f"{name} {run[name]:,}" for name in _COUNTS[1:-1] if run[name])
    return [counts, *_reasons(run)] if counts else [*_reasons(run)]


def _done(run: Document) -> int:
    return int(run["accepted"] + run["rejected"] + run["unknown"])


def _name(run: Document) -> str:
    return clean(f"{run['campaign']}/{run['run']}")
