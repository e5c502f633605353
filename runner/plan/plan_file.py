"""The plan file: its columns and messages, comparison with an earlier plan, and purging."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.base.exclusions import ExclusionReason
from runner.base.files import replacing
from runner.base.messages import Encoding, Message
from runner.plan.message_ids import MessageIds
from runner.plan.parquet import read_frames, write_frames

if TYPE_CHECKING:
    import polars as pl

# The plan's columns; carried columns follow. `reason` is null in rows that will be sent.
COLUMNS = ("row", "key", "destination", "country", "text", "encoding", "segments", "reason", "detail")

# The last column if the campaign has sending hours: the recipient's time zones.
ZONES = "zones"

# Only in a purged plan: the message IDs, which can no longer be derived from the keys.
MESSAGE_ID = "message_id"

# Columns without personal data; the counts use them.
_IMPERSONAL = ("row", "country", "encoding", "segments", "reason")

# The numbers that messages were sent to, by message ID; messages never claimed are absent.
SentTo = Callable[[Sequence[str]], Mapping[str, str]]


def carried_columns(plan: Path) -> list[str]:
    """The columns carried from the recipient file into a plan."""
    import polars as pl

    return [column for column in pl.read_parquet_schema(plan) if column not in (*COLUMNS, ZONES)]


def read_messages(path: Path, ids: MessageIds, *, after: int = 0) -> Iterator[list[Message]]:
    """The messages of a plan after the row `after`, in batches, in file order."""
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


def changed_messages(old: Path, new: Path, *, examples: int = 3) -> tuple[int, list[tuple[int, str]]]:
    """The count of keys with another text or number in the new plan, and the first few as (row, key)."""
    import polars as pl

    # Hashes keep the join small: 16 bytes per recipient instead of the texts.
    content = pl.struct("destination", "text").hash().alias("hash")
    joined = _to_send(new, content).join(_to_send(old, content).drop("row"), on="key", how="inner", suffix="_old")
    return _shown(joined.filter(pl.col("hash") != pl.col("hash_old")), examples)


def numbers_under_new_keys(old: Path, new: Path, *, examples: int = 3) -> tuple[int, list[tuple[int, str]]]:
    """The count of keys that are only in the new plan but whose number is also in the old one, and the first few as
    (row, key).

    These people would be texted again. Probably the key changed (another column, another spelling).
    """
    import polars as pl

    number = pl.col("destination").hash().alias("number")
    new_keys = _to_send(new, number).join(_to_send(old, number), on="key", how="anti")
    return _shown(new_keys.join(_to_send(old, number).select("number"), on="number", how="semi"), examples)


def _to_send(plan: Path, column: "pl.Expr") -> "pl.LazyFrame":
    """`row` and `key` of a plan's messages, and one more column."""
    import polars as pl

    return pl.scan_parquet(plan, glob=False).filter(pl.col("reason").is_null()).select("row", "key", column)


def _shown(rows: "pl.LazyFrame", examples: int) -> tuple[int, list[tuple[int, str]]]:
    found = rows.select("row", "key").collect(engine="streaming")
    return len(found), found.sort("row").head(examples).rows()


def is_readable(plan: Path) -> bool:
    """Whether a plan exists and is complete."""
    import polars as pl

    try:
        pl.read_parquet_schema(plan)
    except (OSError, pl.exceptions.PolarsError):
        return False
    return True


def is_purged(plan: Path) -> bool:
    """Whether a readable plan has lost its numbers and keys."""
    import polars as pl

    return MESSAGE_ID in pl.read_parquet_schema(plan)


def purge_plan(plan: Path, ids: MessageIds, sent_to: SentTo) -> bool:
    """Remove numbers, keys, texts, details and carried columns from a plan; they become null.

    `message_id` is the ID of each message that will be or was sent; null for other rows. It must be found now, because
    the ledger needs the number to know which excluded rows were sent. Returns False if the plan is already purged.
    Streamed; the old file stays until the new one is complete.
    """
    import polars as pl

    columns = pl.read_parquet_schema(plan)
    if MESSAGE_ID in columns:
        return False
    schema: dict[str, Any] = {**columns, MESSAGE_ID: pl.String}
    with replacing(plan) as file:
        write_frames(file, schema, _purged(plan, schema, ids, sent_to))
    return True


def _purged(plan: Path, schema: Mapping[str, Any], ids: MessageIds, sent_to: SentTo) -> Iterator["pl.DataFrame"]:
    import polars as pl

    seen: set[str] = set()
    for frame in read_frames(plan, lambda lazy: lazy.select("key", "destination", *_IMPERSONAL)):
        rows = frame.select("key", "destination", "reason").rows()
        message_ids = pl.Series(MESSAGE_ID, _message_ids(rows, ids, sent_to, seen), dtype=pl.String)
        kept = frame.select(_IMPERSONAL).with_columns(message_ids)
        yield pl.concat([pl.DataFrame(schema=schema), kept], how="diagonal")  # the other columns are null


def _message_ids(
    rows: Sequence[tuple[str | None, str | None, str | None]], ids: MessageIds, sent_to: SentTo, seen: set[str]
) -> list[str | None]:
    """The message ID for each (key, destination, reason); None for a row without a message.

    An excluded row may have been sent before, when the row or the rules were different. `seen` are the message IDs of
    such rows so far: each message went to only one of them.
    """
    found = [
        ids.of(key) if key is not None and reason != ExclusionReason.DUPLICATE else None for key, _, reason in rows
    ]
    doubtful = [message_id for message_id, (_, _, reason) in zip(found, rows, strict=True) if message_id and reason]
    numbers = sent_to(doubtful) if doubtful else {}
    for place, (_, destination, reason) in enumerate(rows):
        if reason and (message_id := found[place]):
            was_sent = message_id in numbers and numbers[message_id] == destination and message_id not in seen
            seen |= {message_id} & numbers.keys()
            found[place] = message_id if was_sent else None
    return found
