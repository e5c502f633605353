"""A whole `campaign run` over TLS, compared with a bare aiohttp loop: `python -m benchmarks.sending [MESSAGES]`.

Both send the same bodies over the same number of connections to the same nginx, in turn. The figures are medians. The
run also plans, claims each message durably before it leaves, records its answer and writes the results.
"""

import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import orjson
import polars as pl

from benchmarks import rows as recipients
from benchmarks import server
from benchmarks.processes import Took, run
from benchmarks.rows import CAMPAIGN
from benchmarks.server import Seen, Server
from benchmarks.table import Row, print_rows
from runner.plan.message_ids import MessageIds

MESSAGES = 100_000
TURNS = 3

# Faster than any computer sends, so that only speed counts.
RATE = "20000/s"

TARGET = 0.75


def rows(messages: int = MESSAGES) -> Iterator[Row]:
    """Lines for the table: the speed of the loop, the speed of the run, and the ratio of the two."""
    if server.executable() is None:
        yield Row("campaign run compared with a bare aiohttp loop", server.MISSING)
        return
    with tempfile.TemporaryDirectory(prefix="campaign-bench-") as name:
        folder = Path(name)
        campaign = recipients.clean(folder, messages, RATE)
        bodies = _bodies(folder, campaign)
        runs, loops = [], []
        for turn in range(TURNS):
            ran = sent(folder / f"run-{turn}", campaign)
            loop = _posted(folder / f"bare-{turn}", bodies, ran.seen.connections)
            if (len(loop.seen.at_ms), loop.seen.body_bytes) != (len(ran.seen.at_ms), ran.seen.body_bytes):
                raise SystemExit("the run and the bare loop did not send the same bodies")
            runs.append(ran)
            loops.append(loop)
        yield from _lines(runs, loops)
        yield Row("ledger", f"{ledger_bytes(folder / 'run-0' / 'reports') / messages:.0f} bytes a message")


@dataclass(frozen=True, slots=True)
class Sent:
    """One run over all messages: the requests at nginx, and what the process used from start to end."""

    seen: Seen
    took: Took

    @property
    def per_second(self) -> float:
        """Messages per second, from the first request to the last."""
        return self.seen.per_second

    @property
    def whole_per_second(self) -> float:
        """Messages per second, from the start of the process to its end."""
        return len(self.seen.at_ms) / self.took.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time of the whole process per message, in microseconds."""
        return self.took.cpu_s / len(self.seen.at_ms) * 1e6


def _lines(runs: Sequence[Sent], loops: Sequence[Sent]) -> Iterator[Row]:
    speed, cpu_us = median(one.per_second for one in loops), median(one.cpu_us for one in loops)
    what = f"bare aiohttp loop over TLS 1.3, {loops[0].seen.connections} connections"
    yield Row(what, f"{speed:,.0f} messages/s, processor {cpu_us:.0f} µs each")
    for what, speeds in (
        ("first to last request", [one.per_second for one in runs]),
        ("from start to end", [one.whole_per_second for one in runs]),
    ):
        ratio = median(ours / loop.per_second for ours, loop in zip(speeds, loops, strict=True))
        figure = f"{median(speeds):,.0f} messages/s, {ratio:.2f} of the loop"
        yield Row(f"campaign run, {what}", figure, f"at least {TARGET} of the loop", ratio >= TARGET)
    yield Row("campaign run, from start to end", f"processor {median(one.cpu_us for one in runs):.0f} µs each")


def sent(place: Path, campaign: Path, *options: str) -> Sent:
    """Run a campaign, with all its files in the new folder `place`."""
    command = [str(CAMPAIGN), "run", str(campaign), "--yes", "--reports", str(place / "reports"), *options]
    place.mkdir()
    nginx = Server(place / "nginx")
    with nginx:
        took = run(command, cwd=Path.cwd(), env=nginx.environment)
    return Sent(nginx.seen(), took)


def ledger_bytes(reports: Path) -> int:
    """The size of the ledger's file after its write-ahead log is merged into it."""
    with closing(sqlite3.connect(reports / "ledger.sqlite3")) as ledger:
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (reports / "ledger.sqlite3").stat().st_size


def _posted(place: Path, bodies: Path, connections: int) -> Sent:
    place.mkdir()
    nginx = Server(place / "nginx")
    with nginx:
        command = [sys.executable, "-m", "benchmarks.bare", nginx.url + server.PATH, str(bodies), str(connections)]
        took = run(command, cwd=Path.cwd(), env=nginx.environment)
    return Sent(nginx.seen(), took)


def _bodies(folder: Path, campaign: Path) -> Path:
    """A file with the bodies that the run will send, one per line."""
    run([str(CAMPAIGN), "plan", str(campaign), "--reports", str(folder / "planned")], cwd=Path.cwd())
    plan = pl.read_parquet(folder / "planned" / campaign.stem / "main" / "plan.parquet")
    ids = MessageIds(campaign.stem, "main")
    path = folder / "bodies.jsonl"
    with path.open("wb") as file:
        for key, destination, text in plan.select("key", "destination", "text").iter_rows():
            fields = {"destination": destination, "text": text, "clientMessageId": ids.of(key), "encoding": "AUTO"}
            file.write(orjson.dumps(fields) + b"\n")
    return path


if __name__ == "__main__":
    print_rows(rows(*map(int, sys.argv[1:])))
