"""What a run's results come to: counted while they are written, and so for any number of rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from runner.models import DeliveryState, Status
from runner.provider.delivery import AT_OPERATOR
from runner.report.figures import Reach, reach_of

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


def count_rows(rows: Sequence[Mapping[str, Any]], tally: Tally) -> None:
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
            _count_delivery(row, tally)
        shown = tally.examples.setdefault(kind, [])
        if len(shown) < EXAMPLES:
            shown.append((row["row"], row["key"], row["detail"] or ""))


def _count_delivery(row: Mapping[str, Any], tally: Tally) -> None:
    country = row["country"] or NO_COUNTRY
    tally.accepted[country] += 1
    if reach_of(row["delivery_state"], row["delivery_detail"]) is Reach.DELIVERED:
        tally.delivered[country] += 1
    if row["delivery_state"]:
        at_operator = row["delivery_state"] == DeliveryState.DELIVERED and row["delivery_detail"] == AT_OPERATOR
        tally.by_delivery[AT_OPERATOR if at_operator else row["delivery_state"]] += 1
    if row["delivery_error"]:
        tally.by_delivery_error[row["delivery_error"]] += 1
    tally.segments_billed += row["billed_segments"] or 0
    if row["billed_price"] is not None:
        currency = row["billed_currency"] or ""
        tally.billed[currency] = tally.billed.get(currency, Decimal(0)) + row["billed_price"]
    if row["outcome"]:
        tally.converted[row["outcome"]] += 1
