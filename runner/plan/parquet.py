"""Write Parquet as a stream, and read it in batches, with only a few batches in memory."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

ROW_GROUP_ROWS = 50_000
BATCH_ROWS = 2_000


def write_frames(file: IO[bytes], schema: dict[str, Any], frames: Iterable["pl.DataFrame"]) -> None:
    """Write data frames of `schema` (column name to polars type) to an open file, in order.

    Exceptions from `frames` are raised unchanged; a full disk is an OSError.
    """
    with frame_writer(file, schema) as add:
        for frame in frames:
            add(frame)


@contextmanager
def frame_writer(file: IO[bytes], schema: dict[str, Any]) -> Iterator[Callable[["pl.DataFrame"], None]]:
    """A function that adds a data frame to an open file, which is complete when the block ends. A full disk is an
    OSError.

    The calling thread makes the frames, because Python delivers signals only to the main thread: otherwise a SIGTERM
    would wait for the last frame.
    """
    import polars as pl
    from polars.io.plugins import register_io_source

    made: Queue[pl.DataFrame | None] = Queue(maxsize=1)
    failures: list[Exception] = []

    def source(_columns: object, _predicate: object, _rows: object, _size: object) -> Iterator["pl.DataFrame"]:
        while (frame := made.get()) is not None:
            yield frame
        made.put(None)  # again: if polars fails after the last frame, `write` waits for it

    def write() -> None:
        lazy = register_io_source(source, schema=schema)
        try:
            lazy.sink_parquet(file, row_group_size=ROW_GROUP_ROWS, maintain_order=True, engine="streaming")
        except Exception as error:
            failures.append(error)
            while made.get() is not None:  # unblock the thread that makes frames
                pass

    def refuse_failure() -> None:
        for error in failures:
            if isinstance(error, pl.exceptions.ComputeError) and "os error" in str(error):
                # Polars wraps the operating system's error; `replacing` adds the file name.
                raise OSError(str(error).rpartition(": ")[2]) from error
            raise error

    def add(frame: pl.DataFrame) -> None:
        refuse_failure()
        made.put(frame)

    writer = Thread(target=write, daemon=True)
    writer.start()
    try:
        yield add
    finally:
        made.put(None)
        writer.join()
    refuse_failure()


def read_frames(
    path: Path,
    select: Callable[["pl.LazyFrame"], "pl.LazyFrame"] = lambda frame: frame,
    *,
    after: int = 0,
) -> Iterator["pl.DataFrame"]:
    """The rows after the first `after` rows, in batches and in order; `select` filters each part.

    Read in parts, because polars' own batches have no back-pressure: it reads a whole file ahead of a slow reader.
    """
    import polars as pl

    plan = pl.scan_parquet(path, glob=False)
    for first in range(after, plan.select(pl.len()).collect().item(), ROW_GROUP_ROWS):
        yield from select(plan.slice(first, ROW_GROUP_ROWS)).collect().iter_slices(BATCH_ROWS)
