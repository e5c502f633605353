"""Runs compared: counts, rates and money of each, in compare.parquet with one row a run. No person is in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path
from typing import Any

import polars as pl

from runner.base.files import replacing
from runner.ledger.ledger import RunRecord
from runner.report.counts import Counts

_TIME = pl.Datetime("us", "UTC")
# Sums of prices are exact to a billionth.
_MONEY = pl.Decimal(38, 9)
_TOO_MUCH = Decimal(10) ** (38 - 9)
# Columns that are the record's and the counts' own.
_OF_RECORD: dict[str, Any] = {
    "created_at": _TIME, "started_at": _TIME, "ended_at": _TIME, "rows": pl.Int64, "to_send": pl.Int64,
}  # fmt: skip
_OF_COUNTS: dict[str, Any] = {
    **dict.fromkeys(
        ("accepted", "rejected", "unknown", "unsent", "excluded", "segments_accepted", "receipts", "delivered",
         "undelivered", "cancelled", "converted", "not_converted", "billed_segments"), pl.Int64),
    "billed": _MONEY, "currency": pl.String, "rejection_rate": pl.Float64, "delivery_rate": pl.Float64,
    "conversion_rate": pl.Float64, "cost_per_delivered": _MONEY,
}  # fmt: skip
# The columns of compare.parquet, in their order, with their types.
SCHEMA: dict[str, Any] = {
    "campaign": pl.String, "run": pl.String, "fingerprint": pl.String, "state": pl.String, **_OF_RECORD, **_OF_COUNTS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run, its `state` as `campaign status` calls it, and its counts."""

    record: RunRecord
    state: str
    counts: Counts

    @property
    def name(self) -> str:
        return f"{self.record.name}/{self.record.run}"


def by_campaign(runs: Sequence[ComparedRun]) -> dict[str, list[ComparedRun]]:
    """The runs by campaign; the campaign with the most accepted messages first."""
    found: dict[str, list[ComparedRun]] = {}
    for run in runs:
        found.setdefault(run.record.name, []).append(run)
    most = {name: sum(run.counts.accepted for run in several) for name, several in found.items()}
    return {name: found[name] for name in sorted(found, key=lambda name: (-most[name], name))}


def row_of(run: ComparedRun) -> dict[str, Any]:
    """A run's row; times are microseconds since the epoch."""
    record = run.record
    row: dict[str, Any] = {
        "campaign": record.name,
        "run": record.run,
        "fingerprint": record.fingerprint,
        "state": run.state,
    }
    row |= {name: getattr(record, name) for name in _OF_RECORD}
    row |= {name: getattr(run.counts, name) for name in _OF_COUNTS}
    return {name: _exact(value) if isinstance(value, Decimal) else value for name, value in row.items()}


def write_parquet(path: Path, runs: Sequence[ComparedRun]) -> None:
    """Write compare.parquet; it appears when it is whole. Raises StoppedError when it can't be written."""
    frame = pl.DataFrame([row_of(run) for run in runs], schema=SCHEMA, orient="row")
    with replacing(path) as file:
        frame.write_parquet(file)


def _exact(amount: Decimal) -> Decimal | None:
    """To a billionth, and None where that is more than a column can hold: a hostile receipt must not end a report."""
    if abs(amount) >= _TOO_MUCH:
        return None
    with localcontext(prec=38):
        return amount.quantize(Decimal(1).scaleb(-9), ROUND_HALF_EVEN)
