"""The results: one row for each row of the recipient file, with its status, reason and the provider's answer.

They are streamed from the plan that was sent and the ledger, in file order. The same ledger always gives the same rows.
`runner/base/result_columns.py` declares the columns.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, get_type_hints

import polars as pl

from runner.base.conversions import Conversion
from runner.base.delivery import Receipt
from runner.base.exclusions import ExclusionReason
from runner.base.files import replacing
from runner.base.outcomes import OutcomeReason, Status
from runner.base.result_columns import RESULT_COLUMNS, Masking
from runner.base.text import defused_column
from runner.ledger.ledger import MessageRecord
from runner.plan.message_ids import MessageIds
from runner.plan.parquet import read_frames, write_frames
from runner.plan.plan_file import COLUMNS as PLAN_COLUMNS
from runner.plan.plan_file import MESSAGE_ID, ZONES, carried_columns
from runner.report.masking import masked_cell, masked_detail
from runner.report.result_counts import parts_of
from runner.report.spreadsheet import spreadsheet

BATCH_ROWS = 10_000
_CSV_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"

# Plans can't carry columns with these names. A plan of an earlier version may: the results didn't have the column then.
_OUR_NAMES = frozenset({*(column.name for column in RESULT_COLUMNS), MESSAGE_ID})


@dataclass(frozen=True, slots=True)
class LedgerEntries:
    """The ledger's entries for some messages, by message id; messages that were never claimed are missing.

    `cancelled` has the times of cancellation (microseconds since the epoch).
    """

    records: Mapping[str, MessageRecord]
    receipts: Mapping[str, Receipt] = field(default_factory=dict)
    conversions: Mapping[str, Conversion] = field(default_factory=dict)
    cancelled: Mapping[str, int] = field(default_factory=dict)


# Looks up the ledger's entries for distinct message ids.
Lookup = Callable[[Sequence[str]], LedgerEntries]


@dataclass(frozen=True, slots=True)
class WhyUnsent:
    """The reason for all messages that were not sent: why the run stopped, or that it didn't reach them.

    `stopped_by` has the facts about the message whose answer stopped the run, as fields of `MessageRecord`.
    """

    reason: OutcomeReason
    detail: str
    stopped_by: Mapping[str, Any] = field(default_factory=dict)


def write_results(
    plan: Path,
    ids: MessageIds,
    lookup: Lookup,
    unsent: WhyUnsent,
    *,
    parquet: Path,
    csv: Path,
    xlsx: Path | None = None,
    mask: bool = False,
) -> None:
    """Write results.parquet and results.csv, and with `xlsx` a spreadsheet, each atomically.

    `mask` hides the middle digits of phone numbers in every column, and the cells that `detail` quotes. Raises
    StoppedError if the disk is full.
    """
    schema = {column.name: column.polars_type for column in RESULT_COLUMNS}
    schema |= {name: pl.String for name in carried_columns(plan) if name not in _OUR_NAMES}
    with ExitStack() as stack:
        parquet_file, csv_file = (stack.enter_context(replacing(path)) for path in (parquet, csv))
        sheets = None
        if xlsx:
            xlsx_file = stack.enter_context(replacing(xlsx))
            sheets = stack.enter_context(spreadsheet(xlsx_file, schema, scratch_of(xlsx)))

        def frames() -> Iterator[pl.DataFrame]:
            for frame in _frames(plan, schema, ids, lookup, unsent):
                shown = masked_rows(frame) if mask else frame
                _for_csv(shown).write_csv(csv_file, include_header=False, datetime_format=_CSV_TIME, float_precision=3)
                if sheets:
                    sheets.add(shown)
                yield shown

        header = pl.DataFrame({name: [name] for name in schema})
        header.select(map(defused_column, schema)).write_csv(csv_file, include_header=False)
        write_frames(parquet_file, schema, frames())


def scratch_of(xlsx: Path) -> Path:
    """The temporary folder for a spreadsheet; a killed process leaves it behind."""
    return xlsx.with_name(f".{xlsx.name}.rows.part")


def _frames(
    plan: Path, schema: Mapping[str, Any], ids: MessageIds, lookup: Lookup, unsent: WhyUnsent
) -> Iterator[pl.DataFrame]:
    repeats = _repeats(plan)
    dropped = ["text", ZONES, *_OUR_NAMES - {*PLAN_COLUMNS, MESSAGE_ID}]
    for planned in read_frames(plan, lambda lazy: lazy.drop(dropped, strict=False)):
        message_ids = _message_ids(planned, ids)
        # Sorted, because neighbours share a page of the ledger; each message is looked up once.
        entries = lookup(sorted({message_id for message_id in message_ids if message_id}))
        message_ids = _without_unsent(message_ids, planned, entries, repeats)
        entries = _with_stop(entries, planned, message_ids, unsent)
        carried = planned.select(name for name in schema if name not in _OUR_NAMES)
        yield result_rows(planned, message_ids, entries, unsent).hstack(carried)


def _with_stop(
    entries: LedgerEntries, planned: pl.DataFrame, message_ids: Sequence[str | None], unsent: WhyUnsent
) -> LedgerEntries:
    """The entries with the message whose answer stopped the run, if it is one of these rows and still unsent."""
    message_id = unsent.stopped_by.get("message_id")
    if message_id is None or message_id not in message_ids or message_id in entries.records:
        return entries
    row = planned.row(message_ids.index(message_id), named=True)
    facts: dict[str, Any] = dict.fromkeys(MessageRecord._fields)
    facts |= {name: row[name] for name in ("country", "encoding", "segments")}
    facts |= {"destination": row["destination"] or "", "status": Status.UNSENT.value}
    facts |= {"reason": unsent.reason.value, "detail": unsent.detail, **unsent.stopped_by}
    return replace(entries, records={**entries.records, message_id: MessageRecord(**facts)})


def result_rows(
    planned: pl.DataFrame, message_ids: Sequence[str | None], entries: LedgerEntries, unsent: WhyUnsent
) -> pl.DataFrame:
    """The declared columns of the results for rows of a plan, without the carried columns.

    `message_ids` has the message id of each row, None for an excluded row that wasn't sent to before.
    """
    expressions = [pl.sql_expr(column.sql).cast(column.polars_type).alias(column.name) for column in RESULT_COLUMNS]
    sources = {name for expression in expressions for name in expression.meta.root_names()}
    wanted = sorted(sources | {"receipt_price", "message_log_price"})
    claimed = [key if key in entries.records else None for key in message_ids]
    rows = planned.select(pl.all().name.prefix("plan_")).with_columns(
        pl.Series("message_id", message_ids, dtype=pl.String),
        *_columns_of("message_", wanted, MessageRecord, claimed, entries.records),
        *_columns_of("receipt_", wanted, Receipt, claimed, entries.receipts),
        *_columns_of("conversion_", wanted, Conversion, claimed, entries.conversions),
        pl.Series("cancelled_at", [entries.cancelled.get(key or "") for key in claimed], dtype=pl.Int64),
        unsent_reason=pl.lit(unsent.reason.value),
        unsent_detail=pl.lit(unsent.detail),
    )
    amount = pl.coalesce("receipt_price", "message_log_price").str.strip_chars().cast(pl.Decimal(18, 6), strict=False)
    return rows.with_columns(billed_amount=amount).select(expressions)


def _columns_of(
    prefix: str, wanted: Iterable[str], kind: type, message_ids: Sequence[str | None], known: Mapping[str, Any]
) -> Iterator[pl.Series]:
    """The `wanted` fields of `kind` for each message; null for messages that aren't in `known`."""
    hints = get_type_hints(kind)
    fields = [name for column in wanted if (name := column.removeprefix(prefix)) != column and name in hints]
    values_of, nothing = attrgetter(*fields), (None,) * len(fields)
    # Skips the lookup if nothing is known: most runs have no conversions, and many no receipts.
    rows = [values_of(known[key]) if key and key in known else nothing for key in message_ids] if known else []
    columns = zip(*rows, strict=True) if rows else [[None] * len(message_ids)] * len(fields)
    for name, values in zip(fields, columns, strict=True):
        yield pl.Series(prefix + name, values, dtype=pl.Int64 if hints[name] in (int, int | None) else pl.String)


def _message_ids(planned: pl.DataFrame, ids: MessageIds) -> list[str | None]:
    """The message ids of rows that may have been sent; a purged plan has them instead of the keys."""
    purged = planned[MESSAGE_ID] if MESSAGE_ID in planned.columns else [None] * len(planned)
    return [
        # A duplicate has the key of another row.
        purged_id if key is None else ids.of(key) if reason != ExclusionReason.DUPLICATE else None
        for key, reason, purged_id in zip(planned["key"], planned["reason"], purged, strict=True)
    ]


def _repeats(plan: Path) -> set[int]:
    """Excluded rows with the key of an earlier excluded row. They share one message; only the first row shows it.

    Keys are compared by hash first, because millions of rows may be excluded after sending, and few share a key.
    """
    key = pl.coalesce("key", MESSAGE_ID) if MESSAGE_ID in pl.read_parquet_schema(plan) else pl.col("key")
    is_excluded = pl.col("reason").is_not_null() & (pl.col("reason") != ExclusionReason.DUPLICATE.value)
    keys = [part.filter(is_excluded).select("row", key=key).drop_nulls() for part in parts_of(plan)]
    hashes = pl.concat([part.select(pl.col("key").hash()).collect() for part in keys]).to_series().sort()
    repeated = hashes.filter(hashes == hashes.shift()).unique()
    rows = pl.concat([part.filter(pl.col("key").hash().is_in(repeated.implode())).collect() for part in keys])
    return set(rows.filter(~pl.col("key").is_first_distinct())["row"])


def _without_unsent(
    message_ids: Sequence[str | None], planned: pl.DataFrame, entries: LedgerEntries, repeats: Collection[int]
) -> list[str | None]:
    """The message ids, with None for excluded rows that weren't sent to before."""

    def was_sent(message_id: str | None, row: int, destination: str | None) -> bool:
        record = entries.records.get(message_id or "")
        # A different number means a different message.
        return record is not None and record.destination == (destination or "") and row not in repeats

    rows = planned.select("row", "destination", "reason").iter_rows()
    return [
        message_id if reason is None or was_sent(message_id, row, destination) else None
        for message_id, (row, destination, reason) in zip(message_ids, rows, strict=True)
    ]


def masked_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with phone numbers masked, in carried columns too."""
    masking = {column.name: column.masking for column in RESULT_COLUMNS}
    columns = {}
    for name in rows.select(pl.col(pl.String)).columns:
        match masking.get(name, Masking.NUMBERS):
            case Masking.NUMBERS:
                columns[name] = [masked_cell(cell) if cell else cell for cell in rows[name]]
            case Masking.DETAIL:
                details = rows.select(name, "reason").iter_rows()
                columns[name] = [masked_detail(detail, reason) if detail else None for detail, reason in details]
    return rows.with_columns(pl.Series(name, cells, dtype=pl.String) for name, cells in columns.items())


def _for_csv(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame for CSV: formulas are defused, and amounts lose trailing zeros."""
    return frame.with_columns(
        *map(defused_column, frame.select(pl.col(pl.String)).columns),
        pl.col(pl.Decimal).cast(pl.String).str.strip_chars_end("0").str.strip_chars_end("."),
    )
