"""The newest conversion of each message, out of all rows of a file.

A file may tell of a message twice, a million rows apart, and only what the file says in the end may be noted: else each
start would tell the provider both, one after the other. A million rows take 200 MB.
"""

from collections.abc import Iterable

import polars as pl

from runner.base.conversions import Conversion, ConversionOutcome


def frame_of(conversions: Iterable[tuple[str, Conversion]]) -> pl.DataFrame:
    """Conversions by message id, as compact columns: message_id, outcome, at (microseconds since the epoch)."""
    rows = [(message_id, one.outcome.value, one.at) for message_id, one in conversions]
    return pl.DataFrame(rows, {"message_id": pl.String, "outcome": pl.Categorical, "at": pl.Int64}, orient="row")


def newest_of(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The newest conversion of each message, by message id, of what `frame_of` made, in the order of the file.

    Of two conversions of a message the one with the newer time counts, else that of the later row; one with a time
    counts more than one without.
    """
    # No time sorts before any time, and rows with the same time keep their order: the last of a message counts.
    rows = pl.concat([frame_of([]), *frames]).sort("message_id", "at", nulls_last=False, maintain_order=True)
    return rows.filter(pl.col("message_id").ne_missing(pl.col("message_id").shift(-1)))


def conversions_in(frame: pl.DataFrame) -> dict[str, Conversion]:
    """The conversions of a frame, by message id."""
    return {message_id: Conversion(ConversionOutcome(outcome), at) for message_id, outcome, at in frame.iter_rows()}
