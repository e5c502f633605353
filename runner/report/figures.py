"""What the page shows of a run, counted from its results."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from runner.models import ConversionOutcome, DeliveryState, Status
from runner.provider.delivery import AT_OPERATOR
from runner.report.counting import Totals, parts_of, totals
from runner.report.departures import Departures, Durations, bucket_of, departures

if TYPE_CHECKING:
    import polars as pl


class Reach(StrEnum):
    """How far an accepted message got, as far as is known."""

    DELIVERED = "delivered"
    ON_ITS_WAY = "on its way"
    FAILED = "not delivered"
    CANCELLED = "cancelled"
    UNTOLD = "no receipt"


_REACH = {
    DeliveryState.DELIVERED: Reach.DELIVERED, DeliveryState.READ: Reach.DELIVERED,
    DeliveryState.QUEUED: Reach.ON_ITS_WAY, DeliveryState.SENT: Reach.ON_ITS_WAY,
    DeliveryState.UNDELIVERED: Reach.FAILED, DeliveryState.REJECTED: Reach.FAILED, DeliveryState.FAILED: Reach.FAILED,
    DeliveryState.CANCELLED: Reach.CANCELLED, DeliveryState.UNKNOWN: Reach.UNTOLD,
}  # fmt: skip


def reach_of(state: str | None, detail: str | None) -> Reach:
    """The operator's having it isn't the phone's having it."""
    if state == DeliveryState.DELIVERED and detail == AT_OPERATOR:
        return Reach.ON_ITS_WAY
    try:
        return _REACH[DeliveryState(state)] if state else Reach.UNTOLD
    except ValueError:
        return Reach.UNTOLD


@dataclass(slots=True)
class Country:
    """What went to one country (alpha-2; None: not known). `segments` are those of accepted messages."""

    country: str | None
    by_status: Counter[str] = field(default_factory=Counter)
    reach: Counter[Reach] = field(default_factory=Counter)
    segments: int = 0
    conversions: int = 0

    @property
    def sent(self) -> int:
        return sum(self.by_status[status] for status in (Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN))


@dataclass(slots=True)
class Figures:
    """`countries` have the most accepted messages first; `sizes` are accepted messages by (segments, encoding).

    `states` are accepted messages by the provider's state and detail; `errors` those that were not delivered, by the
    receipt's error code; `codes` the refused ones by (reason, the answer's error code). `outcomes` are conversions as
    they were told. `billed` and `billed_messages` are by currency.
    """

    departures: Departures | None
    countries: Sequence[Country]
    sizes: Counter[tuple[int, str]]
    states: Counter[tuple[str | None, str | None]]
    errors: Counter[int | None]
    codes: Counter[tuple[str, int]]
    outcomes: Counter[str]
    billed: dict[str, Decimal]
    billed_messages: Counter[str]
    billed_segments: int
    to_delivery: Durations | None
    to_conversion: Durations | None

    @property
    def accepted(self) -> int:
        return sum(self.states.values())

    @property
    def reach(self) -> Counter[Reach]:
        reached: Counter[Reach] = Counter()
        for (state, detail), count in self.states.items():
            reached[reach_of(state, detail)] += count
        return reached

    @property
    def has_receipts(self) -> bool:
        """Whether the provider told of any message; a cancelling is our own word."""
        return any(state not in (None, DeliveryState.CANCELLED) for state, _ in self.states)


def count_figures(results: Path, per_second: float | None) -> Figures:
    """Read a run's results. `per_second` is the rate that was asked for, where it is known."""
    parts = parts_of(results)
    queries = [_kinds, _sizes, _errors, _codes, _billed, _delivery, _conversion]
    kinds, sizes, errors, codes, bills, delivery, conversion = totals(parts, queries, sums=[1, 1, 1, 1, 3, 1, 1])
    found = Figures(
        departures=departures(parts, per_second),
        countries=(),
        sizes=Counter(),
        states=Counter(),
        errors=Counter(),
        codes=Counter({(reason, code): count for (reason, code), (count,) in codes.items()}),
        outcomes=Counter(),
        billed={currency or "": bill[0] for (currency,), bill in sorted(bills.items(), key=str) if bill[0]},
        billed_messages=Counter({currency or "": count for (currency,), (*_, count) in bills.items()}),
        billed_segments=sum(segments for _, segments, _ in bills.values()),
        to_delivery=_durations(delivery),
        to_conversion=_durations(conversion),
    )
    countries: dict[str | None, Country] = {}
    for (name, status, state, detail, outcome), (count,) in kinds.items():
        country = countries.setdefault(name, Country(name))
        country.by_status[status] += count
        if status == Status.ACCEPTED:
            country.reach[reach_of(state, detail)] += count
            found.states[state, detail] += count
        if outcome is not None:
            found.outcomes[outcome] += count
            country.conversions += count if outcome == ConversionOutcome.SUCCESS else 0
    for (name, number, encoding), (count,) in sizes.items():
        countries[name].segments += (number or 0) * count
        found.sizes[number, encoding] += count
    for (state, detail, code), (count,) in errors.items():
        if reach_of(state, detail) is Reach.FAILED:
            found.errors[code] += count
    sent = [country for country in countries.values() if country.sent]
    found.countries = sorted(sent, key=lambda c: (-c.by_status[Status.ACCEPTED], -c.sent, c.country or "~"))
    return found


def _kinds(part: "pl.LazyFrame") -> "pl.LazyFrame":
    return part.group_by("country", "status", "delivery_state", "delivery_detail", "outcome").len()


def _sizes(part: "pl.LazyFrame") -> "pl.LazyFrame":
    return _accepted(part).group_by("country", "segments", "encoding").len()


def _errors(part: "pl.LazyFrame") -> "pl.LazyFrame":
    return _accepted(part).group_by("delivery_state", "delivery_detail", "delivery_error").len()


def _codes(part: "pl.LazyFrame") -> "pl.LazyFrame":
    import polars as pl

    return part.filter(pl.col("error_code").is_not_null()).group_by("reason", "error_code").len()


def _billed(part: "pl.LazyFrame") -> "pl.LazyFrame":
    """By currency: how much, for how many segments, and messages with a price."""
    import polars as pl

    price = pl.col("billed_price").cast(pl.Decimal(38, 9)).sum().alias("price")
    segments = pl.col("billed_segments").cast(pl.Int64).sum().alias("segments")
    is_billed = pl.col("billed_price").is_not_null() | pl.col("billed_segments").is_not_null()
    return part.filter(is_billed).group_by("billed_currency").agg(price, segments, pl.col("billed_price").count())


def _delivery(part: "pl.LazyFrame") -> "pl.LazyFrame":
    return _took(_accepted(part), "delivered_at")


def _conversion(part: "pl.LazyFrame") -> "pl.LazyFrame":
    import polars as pl

    return _took(part.filter(pl.col("outcome") == ConversionOutcome.SUCCESS.value), "converted_at")


def _accepted(part: "pl.LazyFrame") -> "pl.LazyFrame":
    import polars as pl

    return part.filter(pl.col("status") == Status.ACCEPTED.value)


def _took(part: "pl.LazyFrame", until: str) -> "pl.LazyFrame":
    """How long after the request left, as (bucket, how many)."""
    import polars as pl

    milliseconds = (pl.col(until) - pl.col("sent_at")).dt.total_milliseconds()
    return part.filter(milliseconds.is_not_null()).group_by(bucket_of(milliseconds).alias("bucket")).len()


def _durations(buckets: Totals) -> Durations | None:
    return Durations({bucket: count for (bucket,), (count,) in buckets.items()}) if buckets else None
