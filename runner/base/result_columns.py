"""The columns of results.parquet, results.csv and results.xlsx, each declared once.

All formats, masking, the names that carried columns can't have and the data dictionary in docs/reference/results.md
follow from `RESULT_COLUMNS`. Add a new column at the end.

A column is an SQL expression, as polars reads it, over a row of the plan joined with the ledger's entries for it:

| source column | is |
|---|---|
| `plan_…` | a column of the plan |
| `message_id` | the id of the row's message, null for a row that is left out and was not sent to before |
| `message_…` | a field of the ledger's `MessageRecord` |
| `receipt_…`, `conversion_…` | a field of `Receipt`, `Conversion` |
| `cancelled_at` | when the provider cancelled the message |
| `billed_amount` | what the provider bills, by the receipt or else its log: Decimal(18, 6), null for no amount |
| `unsent_reason`, `unsent_detail` | why messages without a record were not sent |

Texts are strings, whole numbers Int64; times are microseconds since the epoch. All but `plan_…` are null where nothing
is known.
"""

from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from runner.base.delivery import DeliveryState

_TIME, _PRICE = "Datetime(µs, UTC)", "Decimal(18, 6)"


class Masking(Enum):
    """How masked results show a column of texts."""

    NUMBERS = "what may be a phone number loses its middle"
    DETAIL = "phone numbers lose their middle, and quoted cells go"
    NONE = "an id holds no number, and a part of an id can look like one"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """`holds` (the content), `null` (when there is none) and `kind` (the Parquet type) are the table of
    docs/reference/results.md. `sql` computes the column from the source columns. `width` is in characters of a
    spreadsheet.
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
    "WHEN plan_reason IS NOT NULL THEN 'would be left out now: ' || plan_reason ELSE plan_detail END"
)
_STATES = ", ".join(f"'{state}'" for state in DeliveryState)
_STATE = (
    f"COALESCE(receipt_state, CASE WHEN LOWER(message_log_status) IN ({_STATES}) THEN LOWER(message_log_status) END)"
)
# A cancelled message that was sent all the same was not cancelled.
_IS_CANCELLED = f"cancelled_at IS NOT NULL AND COALESCE({_STATE}, 'queued') IN ('queued', 'unknown')"
_BILLED_SEGMENTS = "COALESCE(receipt_segments, message_log_segments)"

RESULT_COLUMNS = (
    ResultColumn("row", "the data row of the recipient file, from 1", "never", "plan_row", "Int64", width=8),
    ResultColumn(
        "key", "what tells persons apart: the key column, or else the number",
        "it couldn't be told; the run is purged", "plan_key", width=18,
    ),
    ResultColumn(
        "destination", "the number in E.164, `+12025550142`; of a message, the number that it was sent to",
        "there is none; the run is purged",
        f"NULLIF({_sent_or_planned('destination')}, '')", width=16,  # '': it was purged
    ),
    ResultColumn(
        "country", "its country, ISO 3166-1 alpha-2", "it isn't known, or the number belongs to none",
        _sent_or_planned("country"),
    ),
    ResultColumn(
        "status", "what became of the row: [below](#statuses-and-reasons)", "never",
        _by_status(in_flight="'unknown'", sent="message_status", excluded="'excluded'", unsent="'unsent'"),
    ),
    ResultColumn(
        "reason", "why, as a code: [below](#statuses-and-reasons)", "never",
        _by_status(in_flight="'in_flight'", sent="message_reason", excluded="plan_reason", unsent="unsent_reason"),
    ),
    ResultColumn(
        "detail", "why, in words: the provider's own, those for an exclusion, or what was repaired in the number",
        "there is nothing to say",
        _by_status(
            in_flight="'the answer has not come yet'", sent=_DETAIL, excluded="plan_detail", unsent="unsent_detail"
        ),
        masking=Masking.DETAIL, width=40,
    ),
    _id("umid", "the provider's id of the message", "it gave none", "message_umid"),
    _id(
        "client_message_id", "`NAME.RUN.TOKEN`, our id of the message, as it was or would be sent", "excluded",
        "message_id",
    ),
    ResultColumn("encoding", "`GSM7`, `UCS2`", "there is no text", _sent_or_planned("encoding")),
    ResultColumn(
        "segments", "segments of the text, 1 to 10, as this program counts them", "there is no text",
        _sent_or_planned("segments"), "Int8",
    ),
    ResultColumn(
        "attempts", "requests made for it; 0: none", "excluded",
        _by_status(in_flight="message_attempts", sent="message_attempts", excluded="NULL", unsent="0"), "Int32",
    ),
    ResultColumn("http_status", "of the last answer", "no answer came", "message_http_status", "Int16"),
    ResultColumn(
        "error_code", "of the last answer: the provider's API error code", "the answer had none",
        "message_error_code", "Int32",
    ),
    _id(
        "error_id", "the provider's id of that error, to quote to its support", "the answer had none",
        "message_error_id",
    ),
    _time("sent_at", "when the last request began to leave", "none left", "message_sent_at"),
    _time("answered_at", "when its answer was there", "no answer came", "message_answered_at"),
    ResultColumn(
        "latency_ms", "between the two, in milliseconds", "either is",
        "CASE WHEN message_sent_at <> 0 AND message_answered_at <> 0 "
        "THEN (message_answered_at - message_sent_at) / CAST(1000 AS DOUBLE) END", "Float64",
    ),
    ResultColumn(
        "delivery_state", "how far the message got: [below](#delivery)", "nothing is known of it",
        f"CASE WHEN {_IS_CANCELLED} THEN 'cancelled' ELSE {_STATE} END",
    ),
    ResultColumn(
        "delivery_detail", "the provider's word for more on that, such as `delivered_to_recipient`",
        "no receipt came, or it had none", "receipt_detail",
    ),
    ResultColumn(
        "delivery_error", "the receipt's error code: [below](#delivery-errors)",
        "no receipt came, or it had none (or 0)", "NULLIF(receipt_error_code, 0)", "Int32",
    ),
    _time(
        "delivered_at", "when the phone got it, by the provider's clock; the first time, where several are told",
        "no receipt says so", "receipt_delivered_at",
    ),
    ResultColumn(
        "billed_segments", "segments that the provider bills", "it didn't tell",
        f"CASE WHEN {_BILLED_SEGMENTS} < 32768 THEN {_BILLED_SEGMENTS} END", "Int16",
    ),
    ResultColumn(
        "billed_price", "what the provider bills for the whole message, rounded to a millionth", "it didn't tell",
        "billed_amount", _PRICE,
    ),
    ResultColumn(
        "billed_currency", "of that amount, ISO 4217", "it didn't tell",
        "CASE WHEN billed_amount IS NULL THEN NULL WHEN receipt_price IS NOT NULL THEN receipt_currency "
        "ELSE message_log_currency END",
    ),
    ResultColumn(
        "outcome", "what `campaign feedback` was told: `success`, `failure`", "nothing was told",
        "conversion_outcome",
    ),
    _time("converted_at", "when that happened", "nothing was told, or no time", "conversion_at"),
)  # fmt: skip
