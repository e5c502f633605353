"""The newest conversion of each message in a file.

A file may have two rows for one message, a million rows apart. Only the newest may be recorded; otherwise every start
would report both, one after the other. A million rows take 200 MB of memory.
"""

from collections.abc import Iterable

import polars as pl

from runner.base.conversions import Conversion, ConversionOutcome


def frame_of(conversions: Iterable[tuple[str, Conversion]]) -> pl.DataFrame:
    """Conversions by message id, as compact columns: message_id, outcome, at (microseconds since the epoch)."""
    rows = [(message_id, one.outcome.value, one.at) for message_id, one in conversions]
    return pl.DataFrame(rows, {"message_id": pl.String, "outcome": pl.Categorical, "at": pl.Int64}, orient="row")


def newest_of(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The newest conversion of each message, sorted by message id. `frames` are those of `frame_of`, in file order.

    Of two conversions, the one with the newer time counts; with equal times, the later row. A conversion with a time
    counts more than one without.
    """
    # Rows without a time sort first, and rows with equal times keep their order: the last row of a message counts.
    rows = pl.concat([frame_of([]), *frames]).sort("message_id", "at", nulls_last=False, maintain_order=True)
    return rows.filter(pl.col("message_id").ne_missing(pl.col("message_id").shift(-1)))


def conversions_in(frame: pl.DataFrame) -> dict[str, Conversion]:
    """The conversions of a frame, by message id."""
    return {message_id: Conversion(ConversionOutcome(outcome), at) for message_id, outcome, at in frame.iter_rows()}
