"""How accurate the rate is, counted at nginx, and its processor time: `python -m benchmarks.rate [SECONDS [RATE]]`.

Each rate is measured for 30 s by default. The processor time is that of the campaign's whole process tree while it
sends steadily: from 3 s after the first request to 2 s before the last.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks import rows as recipients
from benchmarks import server
from benchmarks.processes import cpu_s, started
from benchmarks.rows import CAMPAIGN
from benchmarks.server import Seen, Server, most_in
from benchmarks.table import Row, print_rows

SECONDS = 30
RATES = (10, 100, 1_800, 3_000)

# The most of one core to use, at the provider's rate limits for a sub-account and for an IP address.
CORE_TARGETS = {1_800: 0.4, 3_000: 0.65}

SETTLES_S, LEAVES_S = 3, 2


def rows(seconds: int = SECONDS, *rates: int) -> Iterator[Row]:
    """Lines for the table, four for each rate."""
    if server.executable() is None:
        yield Row("rate, counted at the server", server.MISSING)
        return
    for rate in rates or RATES:
        with tempfile.TemporaryDirectory(prefix="campaign-bench-") as name:
            run = kept(Path(name), rate, seconds)
        yield from _lines(rate, run)


@dataclass(frozen=True, slots=True)
class Kept:
    """How accurate the rate of a run was.

    :param sent_us: when each request left according to the run's results, in microseconds, in order.
    :param core: the share of one core that the run's process tree used while it sent steadily.
    """

    seen: Seen
    sent_us: Sequence[int]
    core: float


def kept(folder: Path, rate: int, seconds: int) -> Kept:
    """Run a campaign at this many requests per second, for this long."""
    campaign = recipients.clean(folder, rate * seconds, f"{rate}/s")
    nginx = Server(folder / "nginx")
    command = [CAMPAIGN, "run", str(campaign), "--yes"]
    with nginx, started(command, cwd=folder, env=nginx.environment) as process:
        while not nginx.has_answered() and process.poll() is None:
            time.sleep(0.05)
        time.sleep(SETTLES_S)
        cpu, begin = cpu_s(process.pid), time.perf_counter()
        time.sleep(max(seconds - SETTLES_S - LEAVES_S, 1))
        core = (cpu_s(process.pid) - cpu) / (time.perf_counter() - begin)
    results = pl.read_parquet(folder / "reports" / campaign.stem / "main" / "results.parquet", columns=["sent_at"])
    return Kept(nginx.seen(), results["sent_at"].dt.epoch("us").sort().to_list(), core)


def _lines(rate: int, run: Kept) -> Iterator[Row]:
    at, seen, core = f"at {rate:,}/s", run.seen, run.core
    used = seen.per_second / rate
    yield Row(f"{at}: used share of the rate", f"{used:.2%}", "at least 99%", used >= 0.99)
    # One more request is allowed: at 10/s, two that left 1 s apart sometimes arrive 0.9995 s apart.
    most, limit = most_in(1000, seen.at_ms), int(max(rate * 1.01, rate + 1))
    figure = f"{most:,}, by the run's own times {most_in(1_000_000, run.sent_us):,}"
    yield Row(f"{at}: most requests in any second", figure, f"at most {limit:,}", most <= limit)
    first, limit = seen.in_first(100), int(max(rate * 0.11, rate * 0.1 + 1))
    yield Row(f"{at}: requests in the first 100 ms", f"{first:,}", f"at most {limit:,}", first <= limit)
    target = CORE_TARGETS.get(rate)
    words, met = (f"at most {target} of a core", core <= target) if target else ("", None)
    yield Row(f"{at}: processor of the whole tree", f"{core:.2f} of a core", words, met)


def main(arguments: Sequence[str]) -> None:
    print_rows(rows(*map(int, arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
