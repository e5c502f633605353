"""`campaign status`: tables of all runs from the ledger, or a live view of the active ones; at 80 columns."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.clock import now_us
from runner.base.errors import InputError
from runner.base.wording import counted, seconds_in_words, share
from runner.cli.console import FOLD, LEFT, RIGHT, Console, clean
from runner.cli.options import RecordedRunOptions, parse_target, with_shared_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from runner.run.status import StatusReader, StatusSnapshot

# What the ledger says of one run, as `--json` has it.
Document = Mapping[str, Any]
# Cells under their label, one for each run. A label may have two lines.
Columns = Mapping[str, Sequence[str]]

READ_EVERY_S = 1.0
LINE_EVERY_S = 5.0
# At most this share of the time is spent reading: millions of messages take seconds to count, on a computer that is
# sending them at the same time.
READING_SHARE = 0.1
_COUNTS = ("to_send", "accepted", "rejected", "unknown", "sending", "unsent")
_BAR_WIDTH = 24
_LEAST_NAME_WIDTH = 6

_HELD_UP = {"throttled": "held up by the provider's rate limit", "unreachable": "the provider can't be reached"}


@with_shared_options
def command(
    options: RecordedRunOptions,
    console: Console,
    as_json: bool,
    target: Annotated[
        str | None, typer.Argument(metavar="[NAME[/RUN]]", help="A campaign or a run; default all.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show runs as they go, until they end.")] = False,
) -> tuple[int, Any]:
    """Show how far runs are, also while they are going, and what is known of delivery and conversion since."""
    if watch and as_json:
        raise InputError.of(
            "--watch and --json exclude each other: --json is one document", "ask again and again without --watch"
        )
    from runner.run.status import StatusReader

    name, run = parse_target(target) if target else (None, None)
    reader = StatusReader(name, run, options)
    if watch:
        _watch(console, reader)
        return 0, None
    snapshot = reader.read(now_us())
    if not as_json:
        show_status(console, snapshot)
    return 0, {"runs": snapshot.runs, "optouts": snapshot.optouts}


def show_status(console: Console, snapshot: "StatusSnapshot") -> None:
    """All runs: how far they are, what is known of delivery and conversion since, and how many opted out."""
    if not snapshot.runs:
        console.print("no run yet: start one with `campaign run FILE`")
        return
    _show_table(console, snapshot.runs, _progress(snapshot.runs))
    # A watch that was broken off has no delivery: it would have taken long to count.
    if known := [run for run in snapshot.runs if run.get("delivery") or any(run.get("conversions", {}).values())]:
        for columns in filter(None, (_delivery(known), _conversions(known))):
            console.print()
            _show_table(console, known, columns)
    for run in snapshot.runs:
        for words in _reasons(run):
            console.wrap(f"{_name(run)} {words}")
    if snapshot.optouts:
        numbers = counted(snapshot.optouts, "number wants", "numbers want")
        console.print(f"{numbers} no more messages; see `campaign optouts list`")


def _progress(runs: Sequence[Document]) -> Columns:
    columns = {"state": [run["state"] for run in runs]}
    for name in _COUNTS:
        if name == "to_send" or any(run[name] for run in runs):
            columns[name.replace("_", " ")] = [f"{run[name]:,}" for run in runs]
    return columns


def _delivery(runs: Sequence[Document]) -> Columns:
    """How many accepted messages of each run are in each group; a cell is "" where nothing is known of delivery."""
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
    """A row for each run; where that is too wide, the cells of each run with their labels, one after the other."""
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
        yield f"waits for {run['waiting_for']}"
    if run["held_up_by"]:
        yield f"goes slowly: {_HELD_UP[run['held_up_by']]}"
    if run["stopped"]:
        yield f"{run['state']}: {run['stopped']['detail']}"


def _watch(console: Console, reader: "StatusReader") -> None:
    """Show the runs that are active until none is, or until Ctrl-C; then all that match, as `campaign status` does."""
    newest = None
    is_live = console.rich.is_terminal and not console.rich.is_dumb_terminal
    try:
        with (_live_view if is_live else _lines)(console) as show:
            while True:
                before = time.monotonic()
                newest = reader.read(now_us(), quick=True)
                took_s = time.monotonic() - before
                if not newest.active:
                    break
                show(newest)
                time.sleep(max(READ_EVERY_S, took_s * (1 / READING_SHARE - 1)))
        newest = reader.read(now_us())
    except KeyboardInterrupt:  # nothing was broken off but the looking
        pass
    if newest:
        show_status(console, newest)


@contextmanager
def _lines(console: Console) -> Iterator[Callable[["StatusSnapshot"], None]]:
    """A line for each active run every few seconds, for a log."""
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
    """A few lines for each run that is active, or was since the watch began."""
    from rich.console import Group
    from rich.live import Live

    watched: set[str] = set()

    def show(snapshot: "StatusSnapshot") -> None:
        watched.update(_name(run) for run in snapshot.active)
        parts = [part for run in snapshot.runs if _name(run) in watched for part in _live(run)]
        live.update(Group(*parts), refresh=True)

    # Drawn again four times a second, for a terminal that changes its size; looked at less often.
    with Live(console=console.rich, refresh_per_second=4, transient=True) as live:
        yield show


def _live(run: Document) -> Iterator["RenderableType"]:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    # Wrapped, although what the console prints isn't: else a narrow terminal cuts it.
    yield Text(_name(run), style="bold", overflow="fold", no_wrap=False)
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=_BAR_WIDTH)
    line.add_column(overflow="fold")
    bar = ProgressBar(total=max(run["to_send"], 1), completed=_done(run), width=_BAR_WIDTH)
    line.add_row(bar, _how_far(run))
    yield line
    for words in _details(run):
        yield Text(clean(words), overflow="fold", no_wrap=False)


def _how_far(run: Document) -> str:
    done, total = _done(run), run["to_send"]
    # Only the whole of it is 100%.
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
    """`accepted 120, rejected 1, sending 4`, and what holds the run up."""
    counts = ", ".join(f"{name} {run[name]:,}" for name in _COUNTS[1:-1] if run[name])
    return [counts, *_reasons(run)] if counts else [*_reasons(run)]


def _done(run: Document) -> int:
    return int(run["accepted"] + run["rejected"] + run["unknown"])


def _name(run: Document) -> str:
    return clean(f"{run['campaign']}/{run['run']}")
