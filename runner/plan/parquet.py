"""Writing Parquet as it comes, and reading it in batches: neither holds more than a few batches in memory."""

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

ROW_GROUP_ROWS = 50_000
BATCH_ROWS = 2_000


def write_frames(file: IO[bytes], schema: dict[str, Any], frames: Iterator["pl.DataFrame"]) -> None:
    """Write data frames of `schema` (column name to polars type) to an open file, in their order.

    What `frames` raises comes out as it is; a full disk is an OSError. The frames are made in the thread that calls,
    because Python hands signals to the main thread alone: a SIGTERM would otherwise wait for the last of them.
    """
    import polars as pl
    from polars.io.plugins import register_io_source

    made: Queue[pl.DataFrame | None] = Queue(maxsize=1)
    failures: list[Exception] = []

    def source(_columns: object, _predicate: object, _rows: object, _size: object) -> Iterator["pl.DataFrame"]:
        while (frame := made.get()) is not None:
            yield frame
        made.put(None)  # again: should polars fail after the last frame, `write` waits for it

    def write() -> None:
        lazy = register_io_source(source, schema=schema)
        try:
            lazy.sink_parquet(file, row_group_size=ROW_GROUP_ROWS, maintain_order=True, engine="streaming")
        except Exception as error:
            failures.append(error)
            while made.get() is not None:  # who makes the next one waits for room
                pass

    writer = Thread(target=write, daemon=True)
    writer.start()
    try:
        for frame in frames:
            if failures:
                break
            made.put(frame)
    finally:
        made.put(None)
        writer.join()
    if failures:
        [error] = failures
        if isinstance(error, pl.exceptions.ComputeError) and "os error" in str(error):
            # Polars wraps what the operating system says; `replacing` knows which file it is.
            raise OSError(str(error).rpartition(": ")[2]) from error
        raise error


def read_frames(
    path: Path,
    select: Callable[["pl.LazyFrame"], "pl.LazyFrame"] = lambda frame: frame,
    *,
    after: int = 0,
) -> Iterator["pl.DataFrame"]:
    """The rows after the first `after` ones, in batches and in order; `select` narrows each part that is read.

    Part by part, because polars' own batches have no back-pressure: it reads a whole file ahead of a slow reader.
    """
    import polars as pl

    plan = pl.scan_parquet(path, glob=False)
    for first in range(after, plan.select(pl.len()).collect().item(), ROW_GROUP_ROWS):
        yield from select(plan.slice(first, ROW_GROUP_ROWS)).collect().iter_slices(BATCH_ROWS)
