"""The results: one row for each row of the recipient file, with its status, its reason and what the provider said.

Made from the plan that was sent and the ledger, streamed, in the order of the file. The same ledger gives the same
rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from runner.models import ExclusionReason
from runner.plan.identity import MessageIds
from runner.plan.parquet import read_frames, replacing, write_frames
from runner.plan.saved import COLUMNS as PLAN_COLUMNS
from runner.plan.saved import MESSAGE_ID, ZONES, carried_columns
from runner.report.counting import parts_of
from runner.report.masking import masked_cell, masked_detail
from runner.report.rows import PRICE, Known, Unsent, result_rows
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

BATCH_ROWS = 10_000

Lookup = Callable[[Sequence[str]], Known]
"""Finds what is known of some message ids, each of them given once."""


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

    sent_before = _SentBefore(plan)
    dropped = ["text", ZONES, *_OURS - {*PLAN_COLUMNS, MESSAGE_ID}]
    for planned in read_frames(plan, lambda lazy: lazy.drop(dropped, strict=False), rows=BATCH_ROWS):
        message_ids = _message_ids(planned, ids)
        # In their order, neighbours share a page of the ledger; a message that several rows name is asked for once.
        known = lookup(sorted({message_id for message_id in message_ids if message_id}))
        message_ids = sent_before.narrowed(message_ids, planned, known)
        rows = result_rows(planned, message_ids, known, unsent)
        carried = planned.select(name for name in schema if name not in COLUMNS)
        frame = rows.hstack(carried).select(pl.col(name).cast(kind) for name, kind in schema.items())
        if mask:
            frame = _masked(frame)
        count_rows(frame, tally)
        yield frame


def _message_ids(planned: "pl.DataFrame", ids: MessageIds) -> list[str | None]:
    """The message ids of rows that may have been sent; a plan that was purged has them instead of the keys."""
    kept = planned[MESSAGE_ID] if MESSAGE_ID in planned.columns else [None] * len(planned)
    return [
        # A duplicate's key is another row's.
        kept_id if key is None else ids.of(key) if reason != ExclusionReason.DUPLICATE else None
        for key, reason, kept_id in zip(planned["key"], planned["reason"], kept, strict=True)
    ]


class _SentBefore:
    """Tells which rows that are left out now were sent to before, when the row or the rules said otherwise.

    Several of them may have one key, and one message was sent to one of them: it is told of the first. Only the
    messages of such keys are remembered, so that memory doesn't grow with the people who have been left out since.
    """

    def __init__(self, plan: Path) -> None:
        import polars as pl

        self._key = pl.coalesce("key", MESSAGE_ID) if MESSAGE_ID in pl.read_parquet_schema(plan) else pl.col("key")
        is_one = pl.col("reason").is_not_null() & (pl.col("reason") != ExclusionReason.DUPLICATE.value)
        keys = [part.filter(is_one).select(self._key.drop_nulls().hash()).collect() for part in parts_of(plan)]
        hashes = pl.concat(keys).to_series().sort()
        self._repeated = hashes.filter(hashes == hashes.shift()).unique()
        self._told: set[str] = set()

    def narrowed(self, message_ids: Sequence[str | None], planned: "pl.DataFrame", known: Known) -> list[str | None]:
        """The message ids without those of rows that are left out now and weren't sent to before."""
        import polars as pl

        narrowed = list(message_ids)
        left_out = planned.select(
            "destination",
            pl.col("reason").is_not_null().alias("is_left_out"),
            self._key.hash().is_in(self._repeated.implode()).alias("is_repeated"),
        )
        rows = left_out.with_row_index("place").filter("is_left_out").select("place", "destination", "is_repeated")
        for place, destination, is_repeated in rows.iter_rows():
            message_id = narrowed[place]
            record = known.records.get(message_id) if message_id else None
            narrowed[place] = None
            if record is None or message_id in self._told:
                continue
            if record.destination == (destination or ""):
                narrowed[place] = message_id
            if is_repeated:
                self._told.add(record.message_id)
        return narrowed


def _masked(rows: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    details = rows.select("detail", "reason").iter_rows()
    hidden = {"detail": [masked_detail(detail, reason) if detail else None for detail, reason in details]}
    for name, kind in rows.schema.items():
        if kind == pl.String and name not in _UNMASKED:
            hidden[name] = [cell if cell is None else masked_cell(cell) for cell in rows[name]]
    return rows.with_columns(pl.Series(name, cells, dtype=pl.String) for name, cells in hidden.items())


_UNMASKED = frozenset({"umid", "client_message_id", "error_id", "detail"})
"""Ids hold no number, and a part of them can look like one. Details have a way of their own."""

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
