"""A whole `campaign run` over TLS against a bare aiohttp loop: `python -m benchmarks.sending [MESSAGES]`.

Both send the same bodies over as many connections to the same nginx, turn by turn; the figures are medians. The run
plans, claims each message durably before it leaves, notes its answer and writes its results; the loop does none of it.
"""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import orjson
import polars as pl

from benchmarks import rows as recipients
from benchmarks import server
from benchmarks.processes import run
from benchmarks.rows import CAMPAIGN
from benchmarks.server import Seen, Server
from benchmarks.table import Row, print_rows
from runner.plan.identity import MessageIds

MESSAGES = 40_000
TURNS = 3
RATE = "20000/s"
"""More than is sent, so that only speed counts."""

UNLIMITED = (sys.executable, "-m", "benchmarks.unlimited")

TARGET = 0.75
TARGET_OF_TWO = 1.7


def rows(messages: int = MESSAGES) -> Iterator[Row]:
    """Lines for the table: what the run reaches, what the loop does, and what that is in shares."""
    if server.executable() is None:
        yield Row("campaign run against a bare aiohttp loop", server.MISSING)
        return
    with tempfile.TemporaryDirectory(prefix="campaign-bench-") as name:
        folder = Path(name)
        campaign = recipients.clean(folder, messages, RATE)
        bodies = _bodies(folder, campaign)
        sending, whole, bare, two = [], [], [], []
        for turn in range(TURNS):
            seen, seconds = sent(folder / f"run-{turn}", campaign)
            sending.append(seen.per_second)
            whole.append(messages / seconds)
            if _has_workers():
                two.append(sent(folder / f"two-{turn}", campaign, "--workers", "2")[0].per_second)
            loop = _posted(folder / f"bare-{turn}", bodies, seen.connections)
            bare.append(loop.per_second)
            if (len(loop.at_ms), loop.body_bytes) != (len(seen.at_ms), seen.body_bytes):
                raise SystemExit("the run and the bare loop did not send the same bodies")
        yield from _lines(bare, sending, whole, seen.connections)
        yield Row("ledger", f"{ledger_bytes(folder / 'run-0' / 'reports') / messages:.0f} bytes a message")
        if two:
            yield _of_two(two, sending)


def _lines(bare: Sequence[float], sending: Sequence[float], whole: Sequence[float], connections: int) -> Iterator[Row]:
    yield Row(f"bare aiohttp loop over TLS 1.3, {connections} connections", f"{_median(bare)} messages/s")
    for what, figures in (("first to last request", sending), ("from start to end", whole)):
        ratio = statistics.median(figures) / statistics.median(bare)
        figure = f"{_median(figures)} messages/s, {ratio:.2f} of the loop"
        yield Row(f"campaign run, {what}", figure, f"at least {TARGET} of the loop", ratio >= TARGET)


def _of_two(two: Sequence[float], one: Sequence[float]) -> Row:
    times = statistics.median(two) / statistics.median(one)
    cores = os.cpu_count() or 1
    few = cores < 4  # nginx takes one, each worker another, and its ledger a part of one
    target = f"at least {TARGET_OF_TWO} times one" + (f"; not with {cores} cores" if few else "")
    met = None if few and times < TARGET_OF_TWO else times >= TARGET_OF_TWO
    return Row("campaign run --workers 2", f"{_median(two)} messages/s, {times:.2f} times one", target, met)


def sent(place: Path, campaign: Path, *options: str) -> tuple[Seen, float]:
    """Run a campaign with everything of its own in `place`; returns what nginx saw, and the seconds it all took."""
    place.mkdir()
    command = [*UNLIMITED, "run", str(campaign), "--yes", "--reports", str(place / "reports"), *options]
    nginx = Server(place / "nginx")
    with nginx:
        took = run(command, cwd=Path.cwd(), env=nginx.environment)
    return nginx.seen(), took.seconds


def ledger_bytes(reports: Path) -> int:
    """What the ledger takes on disk when nothing waits in its journal."""
    with closing(sqlite3.connect(reports / "ledger.sqlite3")) as ledger:
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (reports / "ledger.sqlite3").stat().st_size


def _posted(place: Path, bodies: Path, connections: int) -> Seen:
    place.mkdir()
    nginx = Server(place / "nginx")
    with nginx:
        command = [sys.executable, "-m", "benchmarks.bare", nginx.url + server.PATH, str(bodies), str(connections)]
        run(command, cwd=Path.cwd(), env=nginx.environment)
    return nginx.seen()


def _bodies(folder: Path, campaign: Path) -> Path:
    """The bodies that the run will send, one in each line."""
    run([*UNLIMITED, "plan", str(campaign), "--reports", str(folder / "planned")], cwd=Path.cwd())
    plan = pl.read_parquet(folder / "planned" / campaign.stem / "main" / "plan.parquet")
    ids = MessageIds(campaign.stem, "main")
    path = folder / "bodies.jsonl"
    with path.open("wb") as file:
        for key, destination, text in plan.select("key", "destination", "text").iter_rows():
            fields = {"destination": destination, "text": text, "clientMessageId": ids.of(key), "encoding": "AUTO"}
            file.write(orjson.dumps(fields) + b"\n")
    return path


def _has_workers() -> bool:
    words = subprocess.run([CAMPAIGN, "run", "--help"], capture_output=True, text=True, check=True).stdout
    return "--workers" in words


def _median(figures: Sequence[float]) -> str:
    return f"{statistics.median(figures):,.0f}"


if __name__ == "__main__":
    print_rows(rows(*map(int, sys.argv[1:])))
