"""What `campaign report --since` and `--campaign` show: runs side by side, at 80 columns."""

from typing import TYPE_CHECKING

from runner.cli.console import clean

if TYPE_CHECKING:
    from rich.console import Console

    from runner.run.compare import Comparison

MOST_ROWS = 40


def show_comparison(console: "Console", comparison: "Comparison") -> None:
    """A line for each run, the newest last; then where the files are."""
    from datetime import UTC, datetime

    from rich.table import Table

    from runner.report.compare_page import UNKNOWN, cost, percent

    listed = comparison.runs[-MOST_ROWS:]
    columns = {
        "started": [f"{datetime.fromtimestamp(run.record.started_at / 1e6, UTC):%Y-%m-%d}" for run in listed],
        "accepted": [f"{run.figures.accepted:,}" for run in listed],
        "rejected": [percent(run.figures.rejection_rate) for run in listed],
        "delivered": [percent(run.figures.delivery_rate) for run in listed],
        "converted": [percent(run.figures.conversion_rate) for run in listed],
        "per delivered": [clean(cost(run.figures.cost_per_delivered, run.figures.currency)) for run in listed],
    }
    columns = {label: cells for label, cells in columns.items() if set(cells) != {UNKNOWN}}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run", overflow="fold", vertical="bottom")
    for label in columns:
        table.add_column(label.replace(" ", "\n"), justify="right", overflow="fold", vertical="bottom")
    for run, *cells in zip(listed, *columns.values(), strict=True):
        table.add_row(clean(run.name), *cells)
    console.print(table)
    if len(comparison.runs) > MOST_ROWS:
        console.print(f"the newest {MOST_ROWS} of {len(comparison.runs):,} runs")
    console.print()
    console.print(f"{'figures':<17} {comparison.parquet}")
    console.print(f"{'report':<17} {comparison.page}")
