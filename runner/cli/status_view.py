"""What `campaign status` shows: tables of all runs, or a live view of the active ones; at 80 columns."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runner.base.clock import now_us
from runner.base.wording import seconds_in_words, share
from runner.cli.console import clean, print_wrapped
from runner.report.counts import DeliveryGroup, delivery_group
from runner.run.status import StatusReader, StatusSnapshot

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# What the ledger says of one run, as `--json` has it.
Document = Mapping[str, Any]
# Cells under their label, one for each run. A label may have two lines.
Columns = Mapping[str, Sequence[str]]

LOOK_EVERY_S = 1.0
LINE_EVERY_S = 5.0
# At most this share of the time is spent reading: millions of messages take seconds to count, on a computer that is
# sending them at the same time.
READING_SHARE = 0.1
_COUNTS = ("to_send", "accepted", "rejected", "unknown", "sending", "unsent")
_BAR = 24
_NAME_WIDTH, _LEAST_NAME_WIDTH = 14, 6
_GROUPS = (DeliveryGroup.FAILED, DeliveryGroup.IN_TRANSIT, DeliveryGroup.CANCELLED, DeliveryGroup.NO_RECEIPT)
_CONVERTED = (("converted", "success"), ("not\nconverted", "failure"))

_HELD_UP = {"throttled": "held up by the provider's rate limit", "unreachable": "the provider can't be reached"}


def show_status(console: "Console", snapshot: StatusSnapshot) -> None:
    """All runs: how far they are, what is known of delivery and conversion since, and how many opted out."""
    if not snapshot.runs:
        console.print("no run yet: start one with `campaign run FILE`")
        return
    _show_table(console, snapshot.runs, _progress(snapshot.runs))
    # A watch that was broken off has no delivery: it would have taken long to count.
    if known := [run for run in snapshot.runs if run.get("delivery") or any(run.get("conversions", {}).values())]:
        for columns in _later(known, console.width):
            console.print()
            _show_table(console, known, columns)
    for run in snapshot.runs:
        for words in _reasons(run):
            print_wrapped(console, f"{_name(run)} {words}")
    if snapshot.optouts:
        numbers = "1 number wants" if snapshot.optouts == 1 else f"{snapshot.optouts:,} numbers want"
        console.print(f"{numbers} no more messages; see `campaign optouts list`")


def _progress(runs: Sequence[Document]) -> Columns:
    columns = {"state": [run["state"] for run in runs]}
    for name in _COUNTS:
        if name == "to_send" or any(run[name] for run in runs):
            columns[name.replace("_", " ")] = [f"{run[name]:,}" for run in runs]
    return columns


def _later(known: Sequence[Document], width: int) -> list[Columns]:
    """Delivery and conversion, of the runs of which anything is known: side by side where `width` allows it."""
    delivery: dict[str, list[str]] = {}
    if any(run["delivery"] for run in known):
        delivery["delivered"] = _group(known, DeliveryGroup.DELIVERED)
        shares = [run["delivered_share"] for run in known]
        delivery["of\naccepted"] = ["" if part is None else share(part, 1) for part in shares]
    for group in _GROUPS:
        cells = _group(known, group)
        if set(cells) - {"", "0"}:
            delivery["\n".join(group.rsplit(" ", 1))] = cells
    conversion = {
        label: [f"{run['conversions'][outcome]:,}" for run in known]
        for label, outcome in _CONVERTED
        if any(run["conversions"][outcome] for run in known)
    }
    together = delivery | conversion
    parts = [together] if _fits(known, together, width, _NAME_WIDTH) else [delivery, conversion]
    return [part for part in parts if part]


def _fits(runs: Sequence[Document], columns: Columns, width: int, name_width: int) -> bool:
    """Whether no cell is broken, and no name before its `name_width`th character."""
    cells = sum(max(map(len, [*label.split("\n"), *column])) + 2 for label, column in columns.items())
    return cells + min(name_width, max(len(_name(run)) for run in runs)) <= width


def _show_table(console: "Console", runs: Sequence[Document], columns: Columns) -> None:
    from rich.table import Table

    rows = list(zip(*columns.values(), strict=True))
    if not _fits(runs, columns, console.width, _LEAST_NAME_WIDTH):
        for run, row in zip(runs, rows, strict=True):
            cells = ", ".join(
                f"{label} {cell}".replace("\n", " ") for label, cell in zip(columns, row, strict=True) if cell
            )
            print_wrapped(console, f"{_name(run)}: {cells}")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run", overflow="fold", vertical="bottom")
    for label in columns:
        table.add_column(label, justify="left" if label == "state" else "right", no_wrap=True, vertical="bottom")
    for run, row in zip(runs, rows, strict=True):
        table.add_row(_name(run), *row)
    console.print(table)


def _group(runs: Sequence[Document], group: DeliveryGroup) -> list[str]:
    """How many accepted messages of each run are in the group; "" where nothing is known of delivery."""
    counts = [sum(n for state, n in run["delivery"].items() if delivery_group(state) is group) for run in runs]
    return [f"{count:,}" if run["delivery"] else "" for run, count in zip(runs, counts, strict=True)]


def _reasons(run: Document) -> Iterable[str]:
    if run["waiting_for"]:
        yield f"waits for {run['waiting_for']}"
    if run["held_up_by"]:
        yield f"goes slowly: {_HELD_UP[run['held_up_by']]}"
    if run["stopped"]:
        yield f"{run['state']}: {run['stopped']['detail']}"


def live_view(snapshot: StatusSnapshot, watched: Iterable[tuple[str, str]], now: int) -> "RenderableType":
    """A few lines for each run that is going, or was when the watch began. `now` is microseconds since the epoch."""
    from rich.console import Group

    wanted = set(watched)
    runs = [run for run in snapshot.runs if (run["campaign"], run["run"]) in wanted]
    return Group(*(part for run in runs for part in _live(run, now)))


def _live(run: Document, now: int) -> Iterable["RenderableType"]:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    # Wrapped, although what the console prints isn't: else a narrow terminal cuts it.
    yield Text(_name(run), style="bold", overflow="fold", no_wrap=False)
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=_BAR)
    line.add_column(overflow="fold")
    line.add_row(ProgressBar(total=max(run["to_send"], 1), completed=_done(run), width=_BAR), _how_far(run, now))
    yield line
    for words in (counts_words(run), *_reasons(run)):
        if words:
            yield Text(clean(words), overflow="fold", no_wrap=False)


def live_line(run: Document, now: int) -> str:
    """The same as one line, for a log."""
    parts = [f"{_name(run)}: {_how_far(run, now)}", counts_words(run), *_reasons(run)]
    return clean(" · ".join(part for part in parts if part))


def _how_far(run: Document, now: int) -> str:
    done, total = _done(run), run["to_send"]
    # Only the whole of it is 100%.
    words = [f"{done:,} of {total:,} ({min(done / total, 1.0 if done >= total else 0.99):.0%})" if total else "empty"]
    if run["state"] != "sending":
        words.append(run["state"])
    else:
        rate = run["rate_now"] or 0.0
        words.append(f"{rate:,.1f}/s" if rate >= 1 or not rate else f"{rate * 60:,.1f}/min")
        if run["eta"] and run["unsent"]:
            seconds = datetime.fromisoformat(run["eta"]).timestamp() - now / 1e6
            words.append(f"{seconds_in_words(max(round(seconds), 0))} left")
    return " · ".join(words)


def counts_words(run: Document) -> str:
    """`accepted 120, rejected 1, sending 4`."""
    return ", ".join(f"{name} {run[name]:,}" for name in _COUNTS[1:-1] if run[name])


def _done(run: Document) -> int:
    return int(run["accepted"] + run["rejected"] + run["unknown"])


def _name(run: Document) -> str:
    return clean(f"{run['campaign']}/{run['run']}")


def watch_status(console: "Console", reader: StatusReader) -> None:
    """Show the runs that are active until none is, or until Ctrl-C; then all that match, as `campaign status` does."""
    snapshots = _Snapshots(reader)
    try:
        if console.is_terminal and not console.is_dumb_terminal:
            _draw(console, snapshots)
        else:
            _tell(console, snapshots)
        show_status(console, reader.read(now_us()))
    except KeyboardInterrupt:  # nothing was broken off but the looking
        if snapshots.newest:
            show_status(console, snapshots.newest)


class _Snapshots:
    """One snapshot after another while any run is active. `watched` are the runs that were active in any of them."""

    def __init__(self, reader: StatusReader) -> None:
        self._reader = reader
        self.newest: StatusSnapshot | None = None
        self.watched: dict[tuple[str, str], None] = {}

    def __iter__(self) -> Iterator[StatusSnapshot]:
        while True:
            before = time.monotonic()
            self.newest = snapshot = self._reader.read(now_us(), quick=True)
            took_s = time.monotonic() - before
            self.watched |= dict.fromkeys((run["campaign"], run["run"]) for run in snapshot.active)
            if not snapshot.active:
                return
            yield snapshot
            time.sleep(max(LOOK_EVERY_S, took_s * (1 / READING_SHARE - 1)))


def _draw(console: "Console", snapshots: _Snapshots) -> None:
    from rich.live import Live

    # Drawn again four times a second, for a terminal that changes its size; looked at less often.
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        for snapshot in snapshots:
            live.update(live_view(snapshot, snapshots.watched, now_us()), refresh=True)


def _tell(console: "Console", snapshots: _Snapshots) -> None:
    said_at = -LINE_EVERY_S
    for snapshot in snapshots:
        if time.monotonic() - said_at < LINE_EVERY_S:
            continue
        said_at = time.monotonic()
        for run in snapshot.active:
            console.print(live_line(run, now_us()))
