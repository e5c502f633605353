"""Start-up time, planning a million dirty rows, and the size of the plan: `python -m benchmarks.planning [ROWS]`."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import rows as recipients
from benchmarks.processes import run
from benchmarks.rows import CAMPAIGN
from benchmarks.table import Row, print_rows

ROWS = 1_000_000
SECONDS_TARGET = 15.0
START_TARGET_S = 0.25
BEST_OF = 7
PEAK_TARGET_MB = 700


def rows(count: int = ROWS) -> Iterator[Row]:
    """Lines for the table."""
    with tempfile.TemporaryDirectory(prefix="campaign-bench-") as name:
        folder = Path(name)
        yield from _start(folder)
        campaign = recipients.dirty(folder, count, "3000/s")
        took = run([CAMPAIGN, "plan", str(campaign)], cwd=folder)
        what = f"campaign plan, {count:,} dirty rows"
        limit = SECONDS_TARGET * count / ROWS
        yield Row(
            what, f"{took.seconds:.1f} s, processor {took.cpu_s:.1f} s", f"at most {limit:g} s", took.seconds <= limit
        )
        is_flat = took.peak_mb <= PEAK_TARGET_MB
        yield Row(f"{what}: peak memory", f"{took.peak_mb:.0f} MB", f"at most {PEAK_TARGET_MB} MB", is_flat)
        plan = folder / "reports" / campaign.stem / "main" / "plan.parquet"
        yield Row("plan", f"{plan.stat().st_size / count:.0f} bytes a row")


def _start(folder: Path) -> Iterator[Row]:
    campaign = recipients.clean(folder, 10, "10/s")
    for what, command in (("campaign --help", ["--help"]), ("campaign check", ["check", str(campaign)])):
        best = min(run([CAMPAIGN, *command], cwd=folder).seconds for _ in range(BEST_OF))
        yield Row(what, f"{best * 1000:.0f} ms", f"at most {START_TARGET_S * 1000:.0f} ms", best <= START_TARGET_S)


if __name__ == "__main__":
    print_rows(rows(*map(int, sys.argv[1:])))
