"""The newest conversion of each message, out of all rows of a file.

A file may tell of a message twice, a million rows apart, and only what the file says in the end may be noted: else each
start would tell the provider both, one after the other. A million rows take 200 MB.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from runner.base.conversions import Conversion, ConversionOutcome

if TYPE_CHECKING:
    import polars as pl


class NewestConversions:
    """Takes the conversions of messages, and gives back the newest of each. Nothing can be added after that.

    Of two conversions of a message the one with the newer time counts, else that of the later row; one with a time
    counts more than one without.
    """

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []
        self.added = 0

    def add(self, told: Sequence[tuple[str, Conversion]]) -> None:
        """Add what some rows say, as (message id, conversion), in the order of the file."""
        import polars as pl

        rows = [(message_id, one.outcome.value, one.at) for message_id, one in told]
        schema = {"message_id": pl.String, "outcome": pl.Categorical, "at": pl.Int64}
        self._parts.append(pl.DataFrame(rows, schema, orient="row"))
        self.added += len(told)

    def counts(self) -> dict[str, int]:
        """How many messages have a conversion, by outcome."""
        return dict(self._newest["outcome"].cast(str).value_counts().iter_rows())

    def batches(self, size: int) -> Iterator[list[tuple[str, Conversion]]]:
        """All newest conversions, in the order of the message ids."""
        for part in self._newest.iter_slices(size):
            yield [(message_id, Conversion(ConversionOutcome(outcome), at)) for message_id, outcome, at in part.rows()]

    @cached_property
    def _newest(self) -> "pl.DataFrame":
        import polars as pl

        rows = pl.concat(self._parts) if self._parts else pl.DataFrame(schema=("message_id", "outcome", "at"))
        # No time sorts before any time, and rows with the same time keep their order: the last of a message counts.
        rows = rows.sort("message_id", "at", nulls_last=False, maintain_order=True)
        return rows.filter(pl.col("message_id").ne_missing(pl.col("message_id").shift(-1)))
