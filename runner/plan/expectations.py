"""Measures the recipient file for `recipients.expect`. `run/review.py` compares the figures with what is usual."""

from contextlib import suppress
from datetime import MAXYEAR, MINYEAR, datetime

from runner.audience.key_index import KeyIndex
from runner.audience.row_batch import RowBatch
from runner.audience.spec import AudienceSpec
from runner.plan.summary import Noted, PlanSummary


class Expectations:
    """Adds to `summary` what batches have in the columns that the campaign has expectations of."""

    def __init__(self, spec: AudienceSpec, summary: PlanSummary) -> None:
        self._summary = summary
        places = {column: spec.header.index(column) for column in (*spec.unique, *spec.not_null)}
        self._unique = [(column, places[column], KeyIndex()) for column in spec.unique]
        self._not_null = [(column, places[column]) for column in spec.not_null]
        self._times = spec.header.index(spec.fresh_column) if spec.fresh_column else None
        # The newest time without and with an offset.
        self._newest: dict[bool, datetime] = {}

    def measure(self, batch: RowBatch) -> None:
        """Measure the next batch, as it is in the file."""
        summary = self._summary
        for column, place, seen in self._unique:
            for row, cell in enumerate(batch.column(place), batch.first):
                if cell and seen.add(cell, row):
                    summary.repeated.setdefault(column, Noted()).add(row, 1)
        for column, place in self._not_null:
            for row, cell in enumerate(batch.column(place), batch.first):
                if not cell:
                    summary.empty.setdefault(column, Noted()).add(row, 1)
        if self._times is not None:
            for cell in batch.column(self._times):
                with suppress(ValueError):
                    at = datetime.fromisoformat(cell)
                    has_offset = at.tzinfo is not None
                    if MINYEAR < at.year < MAXYEAR:  # else it has no time in other zones
                        self._newest[has_offset] = max(at, self._newest.get(has_offset, at))
            summary.newest = [at.isoformat() for at in self._newest.values()]
