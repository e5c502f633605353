"""The results: one row for each row of the recipient file, with its status, its reason and what the provider said.

Made from the plan that was sent and the ledger, streamed, in the order of the file. The same ledger gives the same
rows.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from runner.ledger.ledger import MessageRecord
from runner.ledger.tables import SENDING
from runner.models import ExclusionReason, OutcomeReason, Status
from runner.plan.identity import MessageIds
from runner.plan.parquet import read_frames, replacing, write_frames
from runner.plan.saved import ZONES, carried_columns

if TYPE_CHECKING:
    import polars as pl

COLUMNS = (
    "row", "key", "destination", "country", "status", "reason", "detail", "umid", "client_message_id", "encoding",
    "segments", "attempts", "http_status", "error_code", "error_id", "sent_at", "answered_at", "latency_ms",
)  # fmt: skip
"""The results' columns; the carried ones follow."""

EXAMPLES = 3

Lookup = Callable[[Sequence[str]], Mapping[str, MessageRecord]]
"""Finds the ledger's records of some message ids; those that were never claimed are absent."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """What to say of the messages that were not sent: why the run stopped, or that it didn't come to them."""

    reason: OutcomeReason
    detail: str


@dataclass(slots=True)
class Tally:
    """Rows by status and reason, and a few examples of each as (data row, key, words)."""

    rows: int = 0
    segments_accepted: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    by_reason: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_error_code: Counter[int] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[tuple[int, str | None, str]]] = field(default_factory=dict)


def write_results(plan: Path, ids: MessageIds, lookup: Lookup, unsent: Unsent, *, parquet: Path, csv: Path) -> Tally:
    """Write results.parquet and results.csv; both appear when they are whole."""
    tally = Tally()
    schema = _schema(carried_columns(plan))
    with replacing(parquet) as parquet_file, replacing(csv) as csv_file:
        csv_file.write(_csv_header(schema))
        frames = _frames(plan, schema, ids, lookup, unsent, tally)
        write_frames(parquet_file, schema, _also_as_csv(frames, csv_file))
    return tally


def _frames(
    plan: Path, schema: dict[str, Any], ids: MessageIds, lookup: Lookup, unsent: Unsent, tally: Tally
) -> Iterator["pl.DataFrame"]:
    import polars as pl

    told: set[str] = set()
    for frame in read_frames(plan, lambda lazy: lazy.drop("text", ZONES, strict=False)):
        planned = frame.rows(named=True)
        message_ids = [ids.of(row["key"]) if _may_be_sent(row) else None for row in planned]
        records = lookup([message_id for message_id in message_ids if message_id])
        rows = []
        for row, message_id in zip(planned, message_ids, strict=True):
            record = records.get(message_id) if message_id else None
            if row["reason"] and record:
                # Left out now; but its very message was sent before, when the row or the rules said otherwise.
                was_sent = record.destination == row["destination"] and record.message_id not in told
                told.add(record.message_id)
                record = record if was_sent else None
            rows.append(_row(row, message_id, record, unsent))
        _count(rows, tally)
        yield pl.DataFrame(rows, schema=schema)


def _row(
    planned: Mapping[str, Any], message_id: str | None, record: MessageRecord | None, unsent: Unsent
) -> dict[str, Any]:
    row = {**planned, "client_message_id": message_id}
    if planned["reason"] and record is None:
        return row | {"client_message_id": None, "status": Status.EXCLUDED.value}
    if record is None:
        words = {"reason": unsent.reason.value, "detail": unsent.detail}
        return row | {"status": Status.UNSENT.value, "attempts": 0, **words}
    # What was sent wins over what the plan would send now.
    row |= {name: getattr(record, name) for name in _FROM_LEDGER}
    now = f"would be left out now: {planned['reason']}" if planned["reason"] else planned["detail"]
    row["detail"] = record.detail or now
    if record.status == SENDING:
        words = {"reason": OutcomeReason.IN_FLIGHT.value, "detail": "the answer has not come yet"}
        row |= {"status": Status.UNKNOWN.value, **words}
    if record.sent_at and record.answered_at:
        row["latency_ms"] = (record.answered_at - record.sent_at) / 1000
    return row


def _may_be_sent(planned: Mapping[str, Any]) -> bool:
    """Whether the ledger may know this row's message. A duplicate's key is another row's."""
    return planned["reason"] is None or (planned["reason"] != ExclusionReason.DUPLICATE and planned["key"] is not None)


_FROM_LEDGER = (
    "destination", "country", "encoding", "segments", "status", "reason", "attempts", "umid", "http_status",
    "error_code", "error_id", "sent_at", "answered_at",
)  # fmt: skip


def _count(rows: Sequence[Mapping[str, Any]], tally: Tally) -> None:
    for row in rows:
        status, code = row["status"], row.get("error_code")
        kind = (status, row["reason"])
        tally.rows += 1
        tally.by_status[status] += 1
        tally.by_reason[kind] += 1
        if code is not None:
            tally.by_error_code[code] += 1
        if status == Status.ACCEPTED:
            tally.segments_accepted += row["segments"]
        shown = tally.examples.setdefault(kind, [])
        if len(shown) < EXAMPLES:
            shown.append((row["row"], row["key"], row["detail"] or ""))


def _schema(carried: Sequence[str]) -> dict[str, Any]:
    import polars as pl

    time = pl.Datetime("us", "UTC")
    numbers = {
        "row": pl.Int64, "segments": pl.Int8, "attempts": pl.Int32, "http_status": pl.Int16, "error_code": pl.Int32,
        "sent_at": time, "answered_at": time, "latency_ms": pl.Float64,
    }  # fmt: skip
    return {column: numbers.get(column, pl.String) for column in (*COLUMNS, *carried)}


def _csv_header(schema: Mapping[str, Any]) -> bytes:
    import polars as pl

    names = pl.DataFrame({name: [name] for name in schema})
    return names.select(defused(names)).write_csv(include_header=False).encode()


def _also_as_csv(frames: Iterator["pl.DataFrame"], file: IO[bytes]) -> Iterator["pl.DataFrame"]:
    for frame in frames:
        safe = frame.select(defused(frame))
        safe.write_csv(file, include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ", float_precision=3)
        yield frame


def defused(frame: "pl.DataFrame") -> list["pl.Expr"]:
    """All columns, with a quote before each text that a spreadsheet would run as a formula.

    A plain signed number (an E.164 number is one) is only a number in a spreadsheet too, and stays as it is. Source:
    OWASP, "CSV Injection".
    """
    import polars as pl

    def safe(name: str) -> pl.Expr:
        text = pl.col(name)
        formula = text.str.contains(r"^\s*[=+\-@＝＋－＠\t\r]") & ~text.str.contains(r"^[+-]?\d+(\.\d+)?$")
        return pl.when(formula).then(pl.lit("'") + text).otherwise(text).alias(name)

    return [safe(name) if kind == pl.String else pl.col(name) for name, kind in frame.schema.items()]
