"""The cost of remembering keys, with `KeyIndex` and its alternatives: `python -m benchmarks.key_index [KEYS]`.

Each alternative runs in a separate process. It gets batches of 5,000 numbers, of which 2% are duplicates.
"""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import polars as pl

from runner.audience.key_index import KeyIndex

KEYS = 1_000_000
BATCH = 5_000

Batch = list[tuple[str, int]]


def _index() -> Callable[[Batch], object]:
    index = KeyIndex()
    return lambda batch: [index.add(key, row) for key, row in batch]


def _dictionary() -> Callable[[Batch], object]:
    rows: dict[bytes, int] = {}
    return lambda batch: [rows.setdefault(blake2b(key.encode(), digest_size=16).digest(), row) for key, row in batch]


def _sqlite() -> Callable[[Batch], object]:
    base = sqlite3.connect("", isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-65536"):
        base.execute(f"PRAGMA {pragma}")
    base.execute("CREATE TABLE keys (key TEXT PRIMARY KEY, row INTEGER, times INTEGER) WITHOUT ROWID")
    base.execute("BEGIN")
    add = "INSERT INTO keys VALUES (?, ?, 1) ON CONFLICT (key) DO UPDATE SET times = times + 1"
    return lambda batch: base.executemany(add, sorted(batch))


def _polars() -> Callable[[Batch], object]:
    """A log-structured merge tree: each batch is joined with a few tables, which are merged as they grow."""
    runs: list[pl.DataFrame] = []

    def add(batch: Batch) -> None:
        rows = pl.DataFrame(batch, schema={"key": pl.String, "row": pl.UInt32}, orient="row")
        rows = rows.select(pl.col("key").hash(1).alias("high"), pl.col("key").hash(2).alias("low"), "row")
        for run in runs:
            rows.join(run, on=["high", "low"], how="left", maintain_order="left")
        runs.append(rows)
        while len(runs) > 1 and runs[-2].height < 2 * runs[-1].height:
            both = pl.concat([runs.pop(-2), runs.pop()])
            runs.append(both.unique(["high", "low"], keep="first", maintain_order=True))

    return add


CANDIDATES = {"KeyIndex": _index, "dictionary of digests": _dictionary, "temporary SQLite": _sqlite, "polars": _polars}


def measure(name: str, count: int) -> str:
    """One line of the table."""
    add, seconds, before = CANDIDATES[name](), 0.0, _resident_mb()
    for first in range(1, count + 1, BATCH):
        rows = range(first, first + BATCH)
        batch = [(f"+447{(row if row % 50 else row - 7) * 2_654_435_761 % 900_000_000:09}", row) for row in rows]
        begin = time.process_time()
        add(batch)
        seconds += time.process_time() - begin
    return f"{name:<24}{seconds:>8.1f} s{_resident_mb() - before:>8.0f} MB"


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(measure(sys.argv[2], int(sys.argv[1])), flush=True)
    else:
        for one in CANDIDATES:
            count = sys.argv[1] if len(sys.argv) > 1 else str(KEYS)
            subprocess.run([sys.executable, "-m", "benchmarks.key_index", count, one], check=True)
