"""A stand-in for the composer of a pool's processes. Alone here, because each of them imports this module."""

from collections.abc import Callable
from dataclasses import dataclass

from runner.audience.row_batch import RowBatch


@dataclass
class Doing:
    """In place of the composer: calls something for each batch, with its first row."""

    what: Callable[[int], object]

    def __call__(self, batch: RowBatch, _with_texts: bool) -> RowBatch:
        batch.notes.append(str(self.what(batch.first)))
        return batch
