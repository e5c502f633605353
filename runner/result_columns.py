"""The columns of results.parquet, results.csv and results.xlsx: the one declaration of each.

All formats, masking, the names that a recipient file can't use for carried columns and the data dictionary in
docs/results.md follow from `RESULT_COLUMNS`. A new column stands behind the last one.

A column is computed from one row of the plan and what the ledger knows of the row's message, side by side:

| source column | is |
|---|---|
| `plan_…` | a column of the plan |
| `message_id` | the id of the row's message, null for a row that is left out and was not sent to before |
| `message_…` | a field of the ledger's `MessageRecord` |
| `receipt_…`, `conversion_…` | a field of `models.Receipt`, `models.Conversion` |
| `cancelled_at` | when the provider cancelled the message |
| `unsent_reason`, `unsent_detail` | why messages without a record were not sent |

Texts are strings, everything else is Int64; times are microseconds since the epoch. All but `plan_…` are null where
nothing is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import TYPE_CHECKING, Any

from runner.models import DeliveryState, OutcomeReason, Status

if TYPE_CHECKING:
    import polars as pl

_TIME = "Datetime(µs, UTC)"
# Digits in all, and behind the point, of an amount of money: money is not a float.
_PRICE = (18, 6)
_SMALLEST_PRICE = Decimal(1).scaleb(-_PRICE[1])
_TOO_HIGH_PRICE = Decimal(10) ** (_PRICE[0] - _PRICE[1])
_SENDING = "sending"  # the ledger's status of a message whose answer hasn't come yet
_DELIVERY_STATES = [state.value for state in DeliveryState]
_NOT_SENT_YET = [DeliveryState.QUEUED.value, DeliveryState.UNKNOWN.value]


class Masking(Enum):
    """How masked results show a column of texts."""

    NUMBERS = "what may be a phone number loses its middle"
    DETAIL = "phone numbers lose their middle, and quoted cells go"
    NONE = "an id holds no number, and a part of an id can look like one"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One column.

    `kind`, `holds` and `null` stand so in the table of docs/results.md: the Parquet type, the content, and when there
    is none. `source` is a source column, or makes the polars expression. `width` is in characters of a spreadsheet.
    """

    name: str
    kind: str
    holds: str
    null: str
    source: "str | Callable[[], pl.Expr]"
    masking: Masking = Masking.NUMBERS
    width: int = 14

    def expression(self) -> "pl.Expr":
        """Computes the column from the source columns."""
        import polars as pl

        source = pl.col(self.source) if isinstance(self.source, str) else self.source()
        return source.cast(self.polars_type).alias(self.name)

    @property
    def polars_type(self) -> Any:  # noqa: ANN401 (a polars type, or an instance of one)
        import polars as pl

        match self.kind:
            case "Datetime(µs, UTC)":
                return pl.Datetime("us", "UTC")
            case "Decimal(18, 6)":
                return pl.Decimal(*_PRICE)
            case _:
                return getattr(pl, self.kind)


def _sent_or_planned(name: str) -> "Callable[[], pl.Expr]":
    """What was sent, else what is planned."""

    def expression() -> "pl.Expr":
        import polars as pl

        is_sent = pl.col("message_status").is_not_null()
        return pl.when(is_sent).then(f"message_{name}").otherwise(f"plan_{name}")

    return expression


def _destination() -> "pl.Expr":
    import polars as pl

    destination = _sent_or_planned("destination")()
    return pl.when(destination != "").then(destination)  # "": it was purged


def _by_status(*, answered: "pl.Expr", in_flight: str, unsent: "pl.Expr", excluded: "pl.Expr") -> "pl.Expr":
    """What holds for a message that was sent, is being sent, wasn't sent, or for a row that the plan leaves out."""
    import polars as pl

    status = pl.col("message_status")
    return (
        pl.when(status == _SENDING).then(pl.lit(in_flight))
        .when(status.is_not_null()).then(answered)
        .when(pl.col("plan_reason").is_not_null()).then(excluded)
        .otherwise(unsent)
    )  # fmt: skip


def _status() -> "pl.Expr":
    import polars as pl

    return _by_status(
        answered=pl.col("message_status"),
        in_flight=Status.UNKNOWN.value,
        unsent=pl.lit(Status.UNSENT.value),
        excluded=pl.lit(Status.EXCLUDED.value),
    )


def _reason() -> "pl.Expr":
    import polars as pl

    return _by_status(
        answered=pl.col("message_reason"),
        in_flight=OutcomeReason.IN_FLIGHT.value,
        unsent=pl.col("unsent_reason"),
        excluded=pl.col("plan_reason"),
    )


def _detail() -> "pl.Expr":
    import polars as pl

    is_left_out = pl.col("plan_reason").is_not_null()
    now = pl.when(is_left_out).then("would be left out now: " + pl.col("plan_reason")).otherwise("plan_detail")
    return _by_status(
        answered=pl.when(pl.col("message_detail") != "").then("message_detail").otherwise(now),
        in_flight="the answer has not come yet",
        unsent=pl.col("unsent_detail"),
        excluded=pl.col("plan_detail"),
    )


def _attempts() -> "pl.Expr":
    import polars as pl

    is_sent, is_left_out = pl.col("message_status").is_not_null(), pl.col("plan_reason").is_not_null()
    return pl.when(is_sent).then("message_attempts").when(~is_left_out).then(0)


def _latency_ms() -> "pl.Expr":
    import polars as pl

    sent_at, answered_at = pl.col("message_sent_at"), pl.col("message_answered_at")
    return pl.when((sent_at != 0) & (answered_at != 0)).then((answered_at - sent_at) / 1000)


def _delivery_state() -> "pl.Expr":
    """The receipt's, else the log's; a cancelled message that was sent all the same was not cancelled."""
    import polars as pl

    logged = pl.col("message_log_status").str.to_lowercase()
    state = pl.coalesce("receipt_state", pl.when(logged.is_in(_DELIVERY_STATES)).then(logged))
    is_cancelled = pl.col("cancelled_at").is_not_null() & (state.is_null() | state.is_in(_NOT_SENT_YET))
    return pl.when(is_cancelled).then(pl.lit(DeliveryState.CANCELLED.value)).otherwise(state)


def _delivery_error() -> "pl.Expr":
    import polars as pl

    return pl.when(pl.col("receipt_error_code") != 0).then("receipt_error_code")  # 0: there is none


def _billed_segments() -> "pl.Expr":
    import polars as pl

    segments = pl.coalesce("receipt_segments", "message_log_segments")
    return pl.when(segments < 2**15).then(segments)


def _billed_price() -> "pl.Expr":
    import polars as pl

    return pl.coalesce("receipt_price", "message_log_price").map_batches(_amounts, pl.Decimal(*_PRICE))


def _billed_currency() -> "pl.Expr":
    """From where the amount is: the receipt, or the log."""
    import polars as pl

    from_receipt = pl.col("receipt_price").is_not_null()
    currency = pl.when(from_receipt).then("receipt_currency").otherwise("message_log_currency")
    return pl.when(_billed_price().is_not_null()).then(currency)


def _amounts(texts: "pl.Series") -> "pl.Series":
    """Decimal texts as amounts; null for what is none. Few differ, so each is read once."""
    import polars as pl

    different = texts.drop_nulls().unique()
    amounts = pl.Series([_amount(text) for text in different], dtype=pl.Decimal(*_PRICE))
    return texts.replace_strict(different, amounts, default=None, return_dtype=pl.Decimal(*_PRICE))


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text).quantize(_SMALLEST_PRICE)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and abs(amount) < _TOO_HIGH_PRICE else None


RESULT_COLUMNS = (
    ResultColumn("row", "Int64", "the data row of the recipient file, from 1", "never", "plan_row", width=8),
    ResultColumn(
        "key", "String", "what tells persons apart: the key column, or else the number",
        "it couldn't be told; the run is purged", "plan_key", width=18,
    ),
    ResultColumn(
        "destination", "String", "the number in E.164, `+12025550142`; of a message, the number that it was sent to",
        "there is none; the run is purged", _destination, width=16,
    ),
    ResultColumn(
        "country", "String", "its country, ISO 3166-1 alpha-2", "it isn't known, or the number belongs to none",
        _sent_or_planned("country"),
    ),
    ResultColumn(
        "status", "String", "what became of the row: [below](#statuses-and-reasons)", "never", _status,
    ),
    ResultColumn("reason", "String", "why, as a code: [below](#statuses-and-reasons)", "never", _reason),
    ResultColumn(
        "detail", "String",
        "why, in words: the provider's own, those for an exclusion, or what was repaired in the number",
        "there is nothing to say", _detail, masking=Masking.DETAIL, width=40,
    ),
    ResultColumn(
        "umid", "String", "the provider's id of the message", "it gave none", "message_umid",
        masking=Masking.NONE, width=38,
    ),
    ResultColumn(
        "client_message_id", "String", "`NAME.RUN.TOKEN`, our id of the message, as it was or would be sent",
        "excluded", "message_id", masking=Masking.NONE, width=38,
    ),
    ResultColumn("encoding", "String", "`GSM7`, `UCS2`", "there is no text", _sent_or_planned("encoding")),
    ResultColumn(
        "segments", "Int8", "segments of the text, 1 to 10, as this program counts them", "there is no text",
        _sent_or_planned("segments"),
    ),
    ResultColumn("attempts", "Int32", "requests made for it; 0: none", "excluded", _attempts),
    ResultColumn("http_status", "Int16", "of the last answer", "no answer came", "message_http_status"),
    ResultColumn(
        "error_code", "Int32", "of the last answer: the provider's API error code", "the answer had none",
        "message_error_code",
    ),
    ResultColumn(
        "error_id", "String", "the provider's id of that error, to quote to its support", "the answer had none",
        "message_error_id", masking=Masking.NONE, width=38,
    ),
    ResultColumn("sent_at", _TIME, "when the last request began to leave", "none left", "message_sent_at", width=24),
    ResultColumn(
        "answered_at", _TIME, "when its answer was there", "no answer came", "message_answered_at", width=24,
    ),
    ResultColumn("latency_ms", "Float64", "between the two, in milliseconds", "either is", _latency_ms),
    ResultColumn(
        "delivery_state", "String", "how far the message got: [below](#delivery)", "nothing is known of it",
        _delivery_state,
    ),
    ResultColumn(
        "delivery_detail", "String", "the provider's word for more on that, such as `delivered_to_recipient`",
        "no receipt came, or it had none", "receipt_detail",
    ),
    ResultColumn(
        "delivery_error", "Int32", "the receipt's error code: [below](#delivery-errors)",
        "no receipt came, or it had none (or 0)", _delivery_error,
    ),
    ResultColumn(
        "delivered_at", _TIME,
        "when the phone got it, by the provider's clock; the first time, where several are told",
        "no receipt says so", "receipt_delivered_at", width=24,
    ),
    ResultColumn("billed_segments", "Int16", "segments that the provider bills", "it didn't tell", _billed_segments),
    ResultColumn(
        "billed_price", "Decimal(18, 6)", "what the provider bills for the whole message, rounded to a millionth",
        "it didn't tell", _billed_price,
    ),
    ResultColumn("billed_currency", "String", "of that amount, ISO 4217", "it didn't tell", _billed_currency),
    ResultColumn(
        "outcome", "String", "what `campaign feedback` was told: `success`, `failure`", "nothing was told",
        "conversion_outcome",
    ),
    ResultColumn(
        "converted_at", _TIME, "when that happened", "nothing was told, or no time", "conversion_at", width=24,
    ),
)  # fmt: skip
