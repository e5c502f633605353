"""A plan as it is saved: its columns, the messages in it, and what is otherwise than in an earlier one."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base.messages import Encoding, Message
from runner.plan.message_ids import MessageIds
from runner.plan.parquet import read_frames

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("row", "key", "destination", "country", "text", "encoding", "segments", "reason", "detail")
"""The plan's columns; the carried ones follow. `reason` is null in the rows that will be sent."""

ZONES = "zones"
"""Comes after the carried columns in the plan of a campaign with sending hours: the recipient's time zones."""


def carried_columns(plan: Path) -> list[str]:
    """The columns of the recipient file that a plan carries."""
    import polars as pl

    return [column for column in pl.read_parquet_schema(plan) if column not in (*COLUMNS, ZONES)]


def read_messages(path: Path, ids: MessageIds, *, after: int = 0) -> Iterator[list[Message]]:
    """The messages of a plan that will be sent, from the row `after` on, in batches and in the order of the file."""
    import polars as pl

    wanted = ["row", "key", "destination", "country", "text", "encoding", "segments"]
    where = pl.col(ZONES) if ZONES in pl.read_parquet_schema(path) else pl.lit("")
    to_send = pl.col("reason").is_null()
    for frame in read_frames(path, lambda plan: plan.filter(to_send).select(*wanted, where), after=after):
        yield [
            Message(
                row, key, destination, country, text, Encoding(encoding), segments, ids.of(key), tuple(zones.split())
            )
            for row, key, destination, country, text, encoding, segments, zones in frame.iter_rows()
        ]


def numbers_under_new_keys(old: Path, new: Path, *, examples: int = 3) -> tuple[int, list[tuple[int, str]]]:
    """How many keys are only in the new plan, with a number that the old one has too; the first few as (row, key).

    They would be texted again: most likely it is the key that changed (another column, another spelling).
    """
    import polars as pl

    def recipients(path: Path) -> "pl.LazyFrame":
        plan = pl.scan_parquet(path, glob=False).filter(pl.col("reason").is_null())
        return plan.select("row", "key", pl.col("destination").hash().alias("number"))

    new_keys = recipients(new).join(recipients(old), on="key", how="anti")
    again = new_keys.join(recipients(old).select("number"), on="number", how="semi").select("row", "key")
    found = again.collect(engine="streaming")
    return len(found), found.sort("row").head(examples).rows()


def is_readable(plan: Path) -> bool:
    """Whether a plan is there and whole."""
    import polars as pl

    try:
        pl.read_parquet_schema(plan)
    except (OSError, pl.exceptions.PolarsError):
        return False
    return True


def changed_messages(old: Path, new: Path, *, examples: int = 3) -> tuple[int, list[tuple[int, str]]]:
    """How many keys have another text or number in the new plan than in the old one; the first few as (row, key)."""
    import polars as pl

    def texts(path: Path) -> "pl.LazyFrame":
        plan = pl.scan_parquet(path, glob=False).filter(pl.col("reason").is_null())
        # Hashes keep the join small: 16 bytes for each recipient instead of the texts.
        return plan.select("row", "key", pl.struct("destination", "text").hash().alias("hash"))

    joined = texts(new).join(texts(old).drop("row"), on="key", how="inner", suffix="_old")
    changed = joined.filter(pl.col("hash") != pl.col("hash_old")).select("row", "key").collect(engine="streaming")
    return len(changed), changed.sort("row").head(examples).rows()
