"""Ten million rows: `python -m benchmarks.large [ROWS]`. Takes long, and needs about 10 GB of disk space in TMPDIR.

Measures with a tenth of the rows, then with all of them: plan; resuming a run of which 90% is sent, with nginx as the
server; report. `benchmarks.fill` writes the first 90% into the ledger without sending them.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import rows as recipients
from benchmarks import server
from benchmarks.processes import Took, run
from benchmarks.rows import CAMPAIGN
from benchmarks.sending import ledger_bytes
from benchmarks.server import Server
from benchmarks.table import Row, place, print_rows

ROWS = 10_000_000
SENT_BEFORE = 0.9
TIMES_SECONDS_TARGET = 10.5
PEAK_TARGET_MB = 700
TIMES_PEAK_TARGET = 1.3
FIRST_REQUEST_TARGET_S = 15.0


@dataclass(frozen=True, slots=True)
class Job:
    """The measurements for one size. `first_s`: from the start of the resumed run to its first request at nginx."""

    plan: Took
    run: Took
    report: Took
    first_s: float
    ledger_bytes: int
    plan_bytes: int


def rows(count: int = ROWS) -> Iterator[Row]:
    """Lines for the table."""
    if server.executable() is None:
        yield Row(f"{count:,} rows", server.MISSING)
        return
    small, large = measured(count // 10), measured(count)
    yield Row(f"campaign plan, {count // 10:,} rows", f"{small.plan.seconds:.1f} s")
    times = large.plan.seconds / small.plan.seconds
    figure = f"{large.plan.seconds:.1f} s, {times:.1f} times as long as a tenth"
    met = times <= TIMES_SECONDS_TARGET
    yield Row(f"campaign plan, {count:,} rows", figure, f"at most {TIMES_SECONDS_TARGET} times", met)
    for what, few, many in (
        ("plan", small.plan, large.plan),
        ("run", small.run, large.run),
        ("report", small.report, large.report),
    ):
        times = many.peak_mb / few.peak_mb
        figure = f"{many.peak_mb:.0f} MB, {times:.2f} times that of a tenth"
        met = many.peak_mb <= PEAK_TARGET_MB and times <= TIMES_PEAK_TARGET
        target = f"at most {PEAK_TARGET_MB} MB, {TIMES_PEAK_TARGET} times"
        yield Row(f"campaign {what}, {count:,} rows: peak memory", figure, target, met)
    what = f"resume {count:,} rows, {SENT_BEFORE:.0%} done: first request"
    met = large.first_s <= FIRST_REQUEST_TARGET_S
    yield Row(what, f"after {large.first_s:.1f} s", f"at most {FIRST_REQUEST_TARGET_S:g} s", met)
    yield Row(f"    the same with {count // 10:,} rows", f"after {small.first_s:.1f} s")
    yield Row(f"campaign report, {count:,} rows", f"{large.report.seconds:.1f} s")
    yield Row("ledger, plan", f"{large.ledger_bytes / count:.0f}, {large.plan_bytes / count:.0f} bytes a row")


def measured(count: int) -> Job:
    """Measure with this many rows, in a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="campaign-bench-") as name:
        folder = Path(name)
        campaign = recipients.dirty(folder, count, "20000/s")
        reports = folder / "reports"
        planned = run([CAMPAIGN, "plan", str(campaign)], cwd=folder)
        fill = [sys.executable, "-m", "benchmarks.fill", str(campaign), str(reports), str(SENT_BEFORE)]
        run(fill, cwd=Path.cwd())
        nginx = Server(folder / "nginx")
        with nginx:
            begin_ms = time.time() * 1000
            went_on = run([CAMPAIGN, "run", str(campaign), "--yes"], cwd=folder, env=nginx.environment)
        reported = run([CAMPAIGN, "report", campaign.stem], cwd=folder)
        return Job(
            planned,
            went_on,
            reported,
            first_s=(nginx.seen().at_ms[0] - begin_ms) / 1000,
            ledger_bytes=ledger_bytes(reports),
            plan_bytes=(reports / campaign.stem / "main" / "plan.parquet").stat().st_size,
        )


if __name__ == "__main__":
    print(place(), flush=True)
    print_rows(rows(*map(int, sys.argv[1:])))
