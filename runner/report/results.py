"""The results: one row for each row of the recipient file, with its status, its reason and what the provider said.

Made from the plan that was sent and the ledger, streamed, in the order of the file. The same ledger gives the same
rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from runner.plan.identity import MessageIds
from runner.plan.parquet import read_frames, replacing, write_frames
from runner.plan.purged import MESSAGE_ID
from runner.plan.saved import COLUMNS as PLAN_COLUMNS
from runner.plan.saved import ZONES, carried_columns
from runner.report.masking import masked_cell, masked_detail
from runner.report.rows import PRICE, Known, Unsent, message_id_of, row_of
from runner.report.tally import Tally, count_rows
from runner.report.workbook import Workbook, workbook

__all__ = ["COLUMNS", "Known", "Lookup", "Tally", "Unsent", "write_results"]

if TYPE_CHECKING:
    import polars as pl

COLUMNS = (
    "row", "key", "destination", "country", "status", "reason", "detail", "umid", "client_message_id", "encoding",
    "segments", "attempts", "http_status", "error_code", "error_id", "sent_at", "answered_at", "latency_ms",
    "delivery_state", "delivery_detail", "delivery_error", "delivered_at", "billed_segments", "billed_price",
    "billed_currency", "outcome", "converted_at",
)  # fmt: skip
"""The results' columns; the carried ones follow."""

Lookup = Callable[[Sequence[str]], Mapping[str, Known]]
"""Finds what is known of some message ids; those that were never claimed are absent."""


def write_results(
    plan: Path,
    ids: MessageIds,
    lookup: Lookup,
    unsent: Unsent,
    *,
    parquet: Path,
    csv: Path,
    xlsx: Path | None = None,
    mask: bool = False,
) -> Tally:
    """Write results.parquet and results.csv, and with `xlsx` a spreadsheet too; each appears when it is whole.

    `mask`: phone numbers lose their middle digits wherever they stand, and `detail` the cells that it quotes; the
    tally's examples too. Raises StoppedError when the disk is full.
    """
    tally = Tally()
    schema = _schema([column for column in carried_columns(plan) if column not in _OURS])
    with ExitStack() as stack:
        parquet_file, csv_file = (stack.enter_context(replacing(path)) for path in (parquet, csv))
        csv_file.write(_csv_header(schema))
        frames = _also_as_csv(_frames(plan, schema, ids, lookup, unsent, tally, mask=mask), csv_file)
        if xlsx:
            xlsx_file = stack.enter_context(replacing(xlsx))
            frames = _also_as_xlsx(frames, stack.enter_context(workbook(xlsx_file, schema, scratch_of(xlsx))))
        write_frames(parquet_file, schema, frames)
    return tally


def scratch_of(xlsx: Path) -> Path:
    """The folder in which a spreadsheet is made; a process that is killed leaves it behind."""
    return xlsx.with_name(f".{xlsx.name}.rows.part")


def _frames(
    plan: Path, schema: dict[str, Any], ids: MessageIds, lookup: Lookup, unsent: Unsent, tally: Tally, *, mask: bool
) -> Iterator["pl.DataFrame"]:
    import polars as pl

    told: set[str] = set()
    dropped = ["text", ZONES, *_OURS - {*PLAN_COLUMNS, MESSAGE_ID}]
    for frame in read_frames(plan, lambda lazy: lazy.drop(dropped, strict=False)):
        planned = frame.rows(named=True)
        message_ids = [message_id_of(row, ids) for row in planned]
        found = lookup([message_id for message_id in message_ids if message_id])
        rows = []
        for row, message_id in zip(planned, message_ids, strict=True):
            row.pop(MESSAGE_ID, None)
            known = found.get(message_id) if message_id else None
            if row["reason"] and known:
                # Left out now; but its very message was sent before, when the row or the rules said otherwise.
                was_sent = known.record.destination == (row["destination"] or "") and message_id not in told
                told.add(known.record.message_id)
                known = known if was_sent else None
            rows.append(row_of(row, message_id, known, unsent))
        if mask:
            rows = [_masked(row) for row in rows]
        count_rows(rows, tally)
        yield pl.DataFrame(rows, schema=schema)


def _masked(row: Mapping[str, Any]) -> dict[str, Any]:
    detail = masked_detail(row["detail"], row["reason"]) if row.get("detail") else None
    hidden = {name: masked_cell(v) if isinstance(v, str) and name not in _UNMASKED else v for name, v in row.items()}
    return hidden | {"detail": detail}


_UNMASKED = frozenset({"umid", "client_message_id", "error_id"})
"""Ids hold no number, and a part of them can look like one."""

_OURS = frozenset({*COLUMNS, MESSAGE_ID})
"""What a plan can't carry: one of an earlier version may, from before the results had such a column."""


def _schema(carried: Sequence[str]) -> dict[str, Any]:
    import polars as pl

    time = pl.Datetime("us", "UTC")
    numbers = {
        "row": pl.Int64, "segments": pl.Int8, "attempts": pl.Int32, "http_status": pl.Int16, "error_code": pl.Int32,
        "sent_at": time, "answered_at": time, "latency_ms": pl.Float64, "delivery_error": pl.Int32,
        "delivered_at": time, "billed_segments": pl.Int16, "billed_price": pl.Decimal(*PRICE), "converted_at": time,
    }  # fmt: skip
    return {column: numbers.get(column, pl.String) for column in (*COLUMNS, *carried)}


def _csv_header(schema: Mapping[str, Any]) -> bytes:
    import polars as pl

    names = pl.DataFrame({name: [name] for name in schema})
    return names.select(defused(names)).write_csv(include_header=False).encode()


def _also_as_csv(frames: Iterator["pl.DataFrame"], file: IO[bytes]) -> Iterator["pl.DataFrame"]:
    for frame in frames:
        safe = frame.select(defused(frame)).with_columns(_short("billed_price"))
        safe.write_csv(file, include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ", float_precision=3)
        yield frame


def _short(name: str) -> "pl.Expr":
    """An amount without the zeros at its end."""
    import polars as pl

    return pl.col(name).cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")


def _also_as_xlsx(frames: Iterator["pl.DataFrame"], book: Workbook) -> Iterator["pl.DataFrame"]:
    for frame in frames:
        book.add(frame)
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
