"""Runs compared: counts, rates and money of each, in compare.parquet with one row a run. No person is in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path
from typing import Any, Self

from runner.atomic import replacing
from runner.ledger.figures import Figures
from runner.ledger.ledger import RunRecord
from runner.ledger.tables import SENDING
from runner.models import ConversionOutcome, DeliveryState, Status

MONEY = (38, 9)
"""Precision and scale of an amount. Sums of prices are exact to a billionth."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One run in figures, or several added up. A rate is None where there is nothing to rate, or nothing is known.

    `receipts`, `delivered` and `undelivered` count accepted messages: of which the provider told anything, that reached
    the phone, and that will not. The last three are what the rates are of: the accepted messages of runs that have
    receipts, those of runs of which a conversion was told, and the delivered ones of runs that were billed.
    """

    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    unsent: int = 0
    excluded: int = 0
    segments_accepted: int = 0
    receipts: int = 0
    delivered: int = 0
    undelivered: int = 0
    cancelled: int = 0
    converted: int = 0
    not_converted: int = 0
    billed_segments: int = 0
    bills: tuple[tuple[str, Decimal], ...] = ()
    of_receipts: int = 0
    of_conversions: int = 0
    of_bills: int = 0

    @classmethod
    def of(cls, record: RunRecord, figures: Figures) -> Self:
        """What the ledger knows of one run. What is being sent at this moment counts as unknown, as in the results."""
        status, delivery, outcomes = figures.by_status, figures.delivery, figures.outcomes
        accepted, claimed = status[Status.ACCEPTED], status.total()
        return cls(
            accepted=accepted,
            rejected=status[Status.REJECTED],
            unknown=status[Status.UNKNOWN] + status[SENDING],
            unsent=max(record.to_send - claimed, 0),
            excluded=max(record.rows - record.to_send, 0),
            segments_accepted=figures.segments_accepted,
            receipts=delivery.told,
            delivered=delivery.delivered,
            undelivered=delivery.failed,
            cancelled=delivery[DeliveryState.CANCELLED],
            converted=outcomes[ConversionOutcome.SUCCESS],
            not_converted=outcomes[ConversionOutcome.FAILURE],
            billed_segments=figures.billed_segments,
            bills=tuple(sorted(figures.billed.items())),
            of_receipts=accepted if delivery.told else 0,
            of_conversions=accepted if outcomes else 0,
            of_bills=delivery.delivered if figures.billed else 0,
        )

    @property
    def rejection_rate(self) -> float | None:
        """Of the messages that the provider took or refused."""
        return _rate(self.rejected, self.accepted + self.rejected)

    @property
    def delivery_rate(self) -> float | None:
        """Of the accepted messages."""
        return _rate(self.delivered, self.of_receipts)

    @property
    def conversion_rate(self) -> float | None:
        """Of the accepted messages."""
        return _rate(self.converted, self.of_conversions)

    @property
    def currency(self) -> str | None:
        """In which it was billed, `EUR`; or all of them, `EUR, USD`. None where nothing was billed."""
        return ", ".join(currency or "?" for currency, _ in self.bills) or None

    @property
    def billed(self) -> Decimal | None:
        """None where nothing was billed, or in several currencies, which can't be added."""
        return self.bills[0][1] if len(self.bills) == 1 else None

    @property
    def cost_per_delivered(self) -> Decimal | None:
        """What was billed, over the messages that reached the phone."""
        return self.billed / self.of_bills if self.billed is not None and self.of_bills else None


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run, its `state` as `campaign status` calls it, and its figures."""

    record: RunRecord
    state: str
    figures: Compared

    @property
    def name(self) -> str:
        return f"{self.record.name}/{self.record.run}"


def together(parts: Iterable[Compared]) -> Compared:
    """Several runs as one; a rate counts only the runs of which what it takes is known."""
    sums: dict[str, Any] = {field.name: 0 for field in fields(Compared) if field.name != "bills"}
    bills: dict[str, Decimal] = {}
    for part in parts:
        for name in sums:
            sums[name] += getattr(part, name)
        for currency, amount in part.bills:
            bills[currency] = bills.get(currency, Decimal(0)) + amount
    return Compared(**sums, bills=tuple(sorted(bills.items())))


def by_campaign(runs: Sequence[ComparedRun]) -> dict[str, list[ComparedRun]]:
    """The runs by campaign; the campaign with the most accepted messages first."""
    found: dict[str, list[ComparedRun]] = {}
    for run in runs:
        found.setdefault(run.record.name, []).append(run)
    most = {name: sum(run.figures.accepted for run in several) for name, several in found.items()}
    return {name: found[name] for name in sorted(found, key=lambda name: (-most[name], name))}


def schema() -> dict[str, Any]:
    """The columns of compare.parquet, in their order, with their polars types."""
    import polars as pl

    time = pl.Datetime("us", "UTC")
    rates = ("rejection_rate", "delivery_rate", "conversion_rate")
    return (
        {"campaign": pl.String, "run": pl.String, "fingerprint": pl.String, "state": pl.String}
        | dict.fromkeys(("created_at", "started_at", "ended_at"), time)
        | dict.fromkeys(("rows", "to_send", *COUNTS), pl.Int64)
        | {"billed": pl.Decimal(*MONEY), "currency": pl.String}
        | dict.fromkeys(rates, pl.Float64)
        | {"cost_per_delivered": pl.Decimal(*MONEY)}
    )


COUNTS = (
    "accepted", "rejected", "unknown", "unsent", "excluded", "segments_accepted", "receipts", "delivered",
    "undelivered", "cancelled", "converted", "not_converted", "billed_segments",
)  # fmt: skip


def row_of(run: ComparedRun) -> dict[str, Any]:
    """A run's row; times are microseconds since the epoch."""
    record, figures = run.record, run.figures
    return {
        "campaign": record.name,
        "run": record.run,
        "fingerprint": record.fingerprint,
        "state": run.state,
        "created_at": record.created_at,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "rows": record.rows,
        "to_send": record.to_send,
        **{name: getattr(figures, name) for name in COUNTS},
        "billed": _exact(figures.billed),
        "currency": figures.currency,
        "rejection_rate": figures.rejection_rate,
        "delivery_rate": figures.delivery_rate,
        "conversion_rate": figures.conversion_rate,
        "cost_per_delivered": _exact(figures.cost_per_delivered),
    }


def write_parquet(path: Path, runs: Sequence[ComparedRun]) -> None:
    """Write compare.parquet; it appears when it is whole. Raises StoppedError when it can't be written."""
    import polars as pl

    frame = pl.DataFrame([row_of(run) for run in runs], schema=schema(), orient="row")
    with replacing(path) as file:
        frame.write_parquet(file)


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _exact(amount: Decimal | None) -> Decimal | None:
    """To a billionth, and None where that is more than a column can hold: a hostile receipt must not end a report."""
    if amount is None or abs(amount) >= Decimal(10) ** (MONEY[0] - MONEY[1]):
        return None
    with localcontext(prec=MONEY[0]):
        return amount.quantize(Decimal(1).scaleb(-MONEY[1]), ROUND_HALF_EVEN)
