"""What a run's results come to: counted while they are written, and so for any number of rows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runner.models import DeliveryState, Status
from runner.provider.delivery import AT_OPERATOR
from runner.report.figures import Reach, reach_of

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = 3
NO_COUNTRY = "?"
"""Of numbers that belong to none, such as those of satellite phones."""


@dataclass(slots=True)
class Tally:
    """Rows by status and reason, and a few examples of each as (data row, key, words).

    Of accepted messages: `accepted` by country, and of these `delivered` to the phone; `by_delivery` by the state that
    receipts or the provider's log tell (that the operator has it is `delivered_to_operator`), `by_delivery_error` by
    error code, `billed` what they cost by currency, `converted` by what was told of their effect.
    """

    rows: int = 0
    segments_accepted: int = 0
    segments_billed: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    by_delivery: Counter[str] = field(default_factory=Counter)
    by_delivery_error: Counter[int] = field(default_factory=Counter)
    billed: dict[str, Decimal] = field(default_factory=dict)
    converted: Counter[str] = field(default_factory=Counter)
    by_status: Counter[str] = field(default_factory=Counter)
    by_reason: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_error_code: Counter[int] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[tuple[int, str | None, str]]] = field(default_factory=dict)


def count_rows(rows: "pl.DataFrame", tally: Tally) -> None:
    """Add rows of the results."""
    import polars as pl

    tally.rows += len(rows)
    alike = rows.group_by(_ALIKE, maintain_order=True).agg(
        pl.len().alias("count"),
        pl.col("segments").cast(pl.Int64).sum(),
        pl.col("billed_segments").cast(pl.Int64).sum(),
        pl.col("billed_price").cast(pl.Decimal(38, 6)).sum().alias("billed"),
        pl.col("billed_price").count().alias("with_price"),
    )
    for group in alike.iter_rows(named=True):
        count = group["count"]
        tally.by_status[group["status"]] += count
        tally.by_reason[group["status"], group["reason"]] += count
        if group["error_code"] is not None:
            tally.by_error_code[group["error_code"]] += count
        if group["status"] == Status.ACCEPTED:
            tally.segments_accepted += group["segments"]
            _count_delivery(group, tally)
    firsts = rows.select("status", "reason", "row", "key", "detail").group_by("status", "reason", maintain_order=True)
    for status, reason, row, key, detail in firsts.head(EXAMPLES).iter_rows():
        shown = tally.examples.setdefault((status, reason), [])
        if len(shown) < EXAMPLES:
            shown.append((row, key, detail or ""))


_ALIKE = (
    "status", "reason", "error_code", "country", "delivery_state", "delivery_detail", "delivery_error",
    "billed_currency", "outcome",
)  # fmt: skip


def _count_delivery(group: Mapping[str, Any], tally: Tally) -> None:
    count, country = group["count"], group["country"] or NO_COUNTRY
    tally.accepted[country] += count
    if reach_of(group["delivery_state"], group["delivery_detail"]) is Reach.DELIVERED:
        tally.delivered[country] += count
    if group["delivery_state"]:
        at_operator = group["delivery_state"] == DeliveryState.DELIVERED and group["delivery_detail"] == AT_OPERATOR
        tally.by_delivery[AT_OPERATOR if at_operator else group["delivery_state"]] += count
    if group["delivery_error"]:
        tally.by_delivery_error[group["delivery_error"]] += count
    tally.segments_billed += group["billed_segments"]
    if group["with_price"]:
        currency = group["billed_currency"] or ""
        tally.billed[currency] = tally.billed.get(currency, Decimal(0)) + group["billed"]
    if group["outcome"]:
        tally.converted[group["outcome"]] += count
