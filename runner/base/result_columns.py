"""The columns of results.parquet, results.csv and results.xlsx, each declared once.

All formats, masking, the reserved names of carried columns and the data dictionary in docs/reference/results.md follow
from `RESULT_COLUMNS`. Add new columns at the end.

A column is a polars SQL expression over a row of the plan, joined with the ledger's entries for its message:

| source column | contains |
|---|---|
| `plan_…` | a column of the plan |
| `message_id` | the id of the row's message; null for an excluded row that wasn't sent to before |
| `message_…` | a field of the ledger's `MessageRecord` |
| `receipt_…`, `conversion_…` | a field of `Receipt` or `Conversion` |
| `cancelled_at` | when the provider cancelled the message |
| `billed_amount` | the amount billed, from the receipt or else the provider's log: Decimal(18, 6), null if none |
| `unsent_reason`, `unsent_detail` | why messages without a ledger record were not sent |

Texts are String, whole numbers Int64, times microseconds since the epoch. All except `plan_…` are null if not known.
"""

from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from runner.base.delivery import DeliveryState

_TIME, _PRICE = "Datetime(µs, UTC)", "Decimal(18, 6)"


class Masking(Enum):
    """How a text column is masked."""

    NUMBERS = "hide the middle digits of possible phone numbers"
    DETAIL = "hide the middle digits of phone numbers, and quoted cells"
    NONE = "unchanged: an id contains no phone number, but part of it may look like one"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column. `holds` (the content), `null` (when it is null) and `kind` (the Parquet type) are also the table in
    docs/reference/results.md. `sql` computes the column from the source columns. `width` is the width in a spreadsheet,
    in characters.
    """

    name: str
    holds: str
    null: str
    sql: str
    kind: str = "String"
    masking: Masking = Masking.NUMBERS
    width: int = 14

    @property
    def polars_type(self) -> Any:  # noqa: ANN401 (a polars type, or an instance of one)
        import polars as pl

        types = {_TIME: pl.Datetime("us", "UTC"), _PRICE: pl.Decimal(18, 6)}
        return types.get(self.kind) or getattr(pl, self.kind)


_id = partial(ResultColumn, masking=Masking.NONE, width=38)
_time = partial(ResultColumn, kind=_TIME, width=24)


def _by_status(*, in_flight: str, sent: str, excluded: str, unsent: str) -> str:
    """SQL values for a message being sent, a sent message, an excluded row, and a message not sent yet."""
    return (
        f"CASE WHEN message_status = 'sending' THEN {in_flight} WHEN message_status IS NOT NULL THEN {sent} "
        f"WHEN plan_reason IS NOT NULL THEN {excluded} ELSE {unsent} END"
    )


def _sent_or_planned(name: str) -> str:
    return f"CASE WHEN message_status IS NOT NULL THEN message_{name} ELSE plan_{name} END"


_DETAIL = (
    "CASE WHEN message_detail <> '' THEN message_detail "
    "WHEN plan_reason IS NOT NULL THEN 'would be excluded now: ' || plan_reason ELSE plan_detail END"
)
_STATES = ", ".join(f"'{state}'" for state in DeliveryState)
_STATE = (
    f"COALESCE(receipt_state, CASE WHEN LOWER(message_log_status) IN ({_STATES}) THEN LOWER(message_log_status) END)"
)
# A message with a later delivery state was sent although it was cancelled, so it doesn't count as cancelled.
_IS_CANCELLED = f"cancelled_at IS NOT NULL AND COALESCE({_STATE}, 'queued') IN ('queued', 'unknown')"
_BILLED_SEGMENTS = "COALESCE(receipt_segments, message_log_segments)"

RESULT_COLUMNS = (
    ResultColumn("row", "the data row of the recipient file; the first is 1", "never", "plan_row", "Int64", width=8),
    ResultColumn(
        "key", "the recipient's key: the key column, or else the number",
        "missing, or the run is purged", "plan_key", width=18,
    ),
    ResultColumn(
        "destination", "the phone number in E.164, such as `+12025550142`; if sent, the number it was sent to",
        "no valid number, or the run is purged",
        f"NULLIF({_sent_or_planned('destination')}, '')", width=16,  # '': purged
    ),
    ResultColumn(
        "country", "the country of the number, ISO 3166-1 alpha-2", "not known, or a number without a country",
        _sent_or_planned("country"),
    ),
    ResultColumn(
        "status", "the outcome: see [statuses](#statuses-and-reasons)", "never",
        _by_status(in_flight="'unknown'", sent="message_status", excluded="'excluded'", unsent="'unsent'"),
    ),
    ResultColumn(
        "reason", "the reason for the status, as a code: see [reasons](#statuses-and-reasons)", "never",
        _by_status(in_flight="'in_flight'", sent="message_reason", excluded="plan_reason", unsent="unsent_reason"),
    ),
    ResultColumn(
        "detail",
        "the reason in words: the provider's message, why the row is excluded, or how the number was repaired",
        "no details",
        _by_status(
            in_flight="'no answer yet'", sent=_DETAIL, excluded="plan_detail", unsent="unsent_detail"
        ),
        masking=Masking.DETAIL, width=40,
    ),
    _id("umid", "the provider's ID of the message", "the provider gave none", "message_umid"),
    _id(
        "client_message_id", "this program's ID of the message, `NAME.RUN.TOKEN`, whether sent or not", "excluded",
        "message_id",
    ),
    ResultColumn("encoding", "`GSM7` or `UCS2`", "no text", _sent_or_planned("encoding")),
    ResultColumn(
        "segments", "segments of the text, 1 to 10, counted by this program", "no text",
        _sent_or_planned("segments"), "Int8",
    ),
    ResultColumn(
        "attempts", "the number of requests for the message", "excluded",
        _by_status(in_flight="message_attempts", sent="message_attempts", excluded="NULL", unsent="0"), "Int32",
    ),
    ResultColumn("http_status", "HTTP status of the last answer", "no answer", "message_http_status", "Int16"),
    ResultColumn(
        "error_code", "the provider's error code in the last answer", "none in the answer",
        "message_error_code", "Int32",
    ),
    _id(
        "error_id", "the provider's ID of that error, for its support", "none in the answer",
        "message_error_id",
    ),
    _time("sent_at", "when the last request started", "nothing sent", "message_sent_at"),
    _time("answered_at", "when its answer arrived", "no answer", "message_answered_at"),
    ResultColumn(
        "latency_ms", "from `sent_at` to `answered_at`, in milliseconds", "either one is null",
        "CASE WHEN message_sent_at <> 0 AND message_answered_at <> 0 "
        "THEN (message_answered_at - message_sent_at) / CAST(1000 AS DOUBLE) END", "Float64",
    ),
    ResultColumn(
        "delivery_state", "how far the message got: see [delivery](#delivery)", "not known",
        f"CASE WHEN {_IS_CANCELLED} THEN 'cancelled' ELSE {_STATE} END",
    ),
    ResultColumn(
        "delivery_detail", "the provider's detail of the state, such as `delivered_to_recipient`",
        "no receipt, or none in it", "receipt_detail",
    ),
    ResultColumn(
        "delivery_error", "the receipt's error code: see [delivery errors](#delivery-errors)",
        "no receipt, or none in it (or 0)", "NULLIF(receipt_error_code, 0)", "Int32",
    ),
    _time(
        "delivered_at", "when the phone first received the message, by the provider's clock",
        "no receipt of a delivery", "receipt_delivered_at",
    ),
    ResultColumn(
        "billed_segments", "segments billed by the provider", "not reported",
        f"CASE WHEN {_BILLED_SEGMENTS} < 32768 THEN {_BILLED_SEGMENTS} END", "Int16",
    ),
    ResultColumn(
        "billed_price", "the amount billed by the provider for the message, rounded to six decimals", "not reported",
        "billed_amount", _PRICE,
    ),
    ResultColumn(
        "billed_currency", "currency of that amount, ISO 4217", "not reported",
        "CASE WHEN billed_amount IS NULL THEN NULL WHEN receipt_price IS NOT NULL THEN receipt_currency "
        "ELSE message_log_currency END",
    ),
    ResultColumn(
        "outcome", "the conversion, from `campaign feedback`: `success` or `failure`", "not reported",
        "conversion_outcome",
    ),
    _time("converted_at", "the time of the conversion", "not reported, or without a time", "conversion_at"),
)  # fmt: skip
