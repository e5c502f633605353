"""A saved plan without its people: who was in it, and with which text, is gone; how many and why stays."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.base.exclusions import ExclusionReason
from runner.base.files import replacing
from runner.plan.message_ids import MessageIds
from runner.plan.parquet import read_frames, write_frames

if TYPE_CHECKING:
    import polars as pl

MESSAGE_ID = "message_id"
"""The column that only a purged plan has: the ids of its messages, which the keys can't be asked for any more."""

KEPT = ("row", "country", "encoding", "segments", "reason")
"""What tells of no person, and what the counts are made of."""

SentTo = Callable[[Sequence[str]], Mapping[str, str]]
"""To which numbers some messages were sent, by message id; those that were never claimed are absent."""


def purge_plan(plan: Path, ids: MessageIds, sent_to: SentTo) -> bool:
    """Take numbers, keys, texts, words and carried columns out of a plan; they are null from then on.

    `message_id` names the message of each row that will be, or was, sent to; null in the others: only now can the
    ledger tell, by the number, which of the rows that are left out had one. False when the plan was purged before.
    Streamed; the old file stays until the new one is whole.
    """
    import polars as pl

    columns = pl.read_parquet_schema(plan)
    if MESSAGE_ID in columns:
        return False
    schema: dict[str, Any] = {**columns, MESSAGE_ID: pl.String}
    with replacing(plan) as file:
        write_frames(file, schema, _frames(plan, schema, ids, sent_to))
    return True


def _frames(plan: Path, schema: Mapping[str, Any], ids: MessageIds, sent_to: SentTo) -> Iterator["pl.DataFrame"]:
    import polars as pl

    told: set[str] = set()
    for frame in read_frames(plan, lambda lazy: lazy.select("key", "destination", *KEPT)):
        rows = frame.select("key", "destination", "reason").rows()
        message_ids = pl.Series(MESSAGE_ID, _message_ids(rows, ids, sent_to, told), dtype=pl.String)
        kept = frame.select(KEPT).with_columns(message_ids)
        yield kept.select(
            pl.col(name) if name in kept.columns else pl.lit(None, dtype=kind).alias(name)
            for name, kind in schema.items()
        )


def _message_ids(
    rows: Sequence[tuple[str | None, str | None, str | None]], ids: MessageIds, sent_to: SentTo, told: set[str]
) -> list[str | None]:
    """The message of each (key, destination, reason); None for a row that isn't and wasn't sent to.

    Who has a reason now may have been sent to before, when the row or the rules said otherwise. `told` are the messages
    of such rows so far: one message was sent to one of them.
    """
    found = [
        ids.of(key) if key is not None and reason != ExclusionReason.DUPLICATE else None for key, _, reason in rows
    ]
    doubtful = [message_id for message_id, (_, _, reason) in zip(found, rows, strict=True) if message_id and reason]
    numbers = sent_to(doubtful) if doubtful else {}
    for place, (_, destination, reason) in enumerate(rows):
        message_id = found[place]
        if message_id is None or not reason:
            continue
        was_sent = message_id in numbers and numbers[message_id] == destination and message_id not in told
        told |= {message_id} & numbers.keys()
        found[place] = message_id if was_sent else None
    return found
