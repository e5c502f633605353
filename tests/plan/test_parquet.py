"""Writing Parquet as it comes."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from runner.plan.parquet import read_frames, write_frames

SCHEMA = {"row": pl.Int64}


def frames(count: int, made_in: set[int]) -> Iterator[pl.DataFrame]:
    for number in range(count):
        made_in.add(threading.get_ident())
        yield pl.DataFrame({"row": range(number * 10_000, (number + 1) * 10_000)}, schema=SCHEMA)


def test_in_their_order_and_made_where_signals_arrive(tmp_path: Path) -> None:
    made_in: set[int] = set()
    with (tmp_path / "a.parquet").open("wb") as file:
        write_frames(file, SCHEMA, frames(12, made_in))
    rows = [row for frame in read_frames(tmp_path / "a.parquet") for row in frame["row"]]
    assert list(range(120_000)) == rows
    assert {threading.get_ident()} == made_in


def test_what_breaks_off_the_frames_comes_out_as_it_is(tmp_path: Path) -> None:
    def broken() -> Iterator[pl.DataFrame]:
        yield from frames(3, set())
        raise KeyboardInterrupt

    before = threading.active_count()
    with (tmp_path / "a.parquet").open("wb") as file, pytest.raises(KeyboardInterrupt):
        write_frames(file, SCHEMA, broken())
    assert before == threading.active_count()


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full stands for a full disk")
@pytest.mark.parametrize("count", [0, 1, 300])
def test_a_full_disk_is_told(count: int) -> None:
    with Path("/dev/full").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left on device"):
        write_frames(file, SCHEMA, frames(count, set()))
