"""The counts of a run, which the terminal, the page, `campaign status` and comparisons show.

Here they are taken from the ledger; `report/result_counts.py` takes the same from a results file, with what only the
file can tell.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from runner.base.conversions import ConversionOutcome
from runner.base.delivery import DeliveryState
from runner.base.outcomes import Status
from runner.ledger.counts import PENDING, delivery_of, figures_of, outcomes_of
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.tables import SENDING
from runner.provider.delivery import AT_OPERATOR


class DeliveryGroup(StrEnum):
    """How far an accepted message got, as far as is known."""

    DELIVERED = "delivered"
    IN_TRANSIT = "on its way"
    FAILED = "not delivered"
    CANCELLED = "cancelled"
    NO_RECEIPT = "no receipt"


_GROUPS: Mapping[str, DeliveryGroup] = {
    DeliveryState.DELIVERED: DeliveryGroup.DELIVERED, DeliveryState.READ: DeliveryGroup.DELIVERED,
    DeliveryState.QUEUED: DeliveryGroup.IN_TRANSIT, DeliveryState.SENT: DeliveryGroup.IN_TRANSIT,
    AT_OPERATOR: DeliveryGroup.IN_TRANSIT, DeliveryState.UNDELIVERED: DeliveryGroup.FAILED,
    DeliveryState.REJECTED: DeliveryGroup.FAILED, DeliveryState.FAILED: DeliveryGroup.FAILED,
    DeliveryState.CANCELLED: DeliveryGroup.CANCELLED,
}  # fmt: skip


def delivery_key(state: str | None, detail: str | None) -> str:
    """What a message is counted under in `Counts.delivery`: that the operator has it isn't the phone's having it."""
    return AT_OPERATOR if state == DeliveryState.DELIVERED and detail == AT_OPERATOR else state or PENDING


def delivery_group(key: str) -> DeliveryGroup:
    """The group of a key of `Counts.delivery`. No receipt, and a state that nobody knows, say nothing."""
    return _GROUPS.get(key, DeliveryGroup.NO_RECEIPT)


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a run's rows, or of those of several runs added up. A rate is None where nothing is known.

    `by_status` counts the rows of the recipient file; `in_flight` are those of the unknown ones that are being sent at
    this moment. `delivery` counts accepted messages by the provider's delivery state, AT_OPERATOR or PENDING (nothing
    is told). `billed` is exact, by currency (ISO 4217, "" where none is told).
    The last three are what the rates are of: the accepted messages of runs that have receipts, those of runs of which a
    conversion was told, and the delivered ones of runs that were billed.
    """

    by_status: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    segments_accepted: int = 0
    delivery: Counter[str] = field(default_factory=Counter)
    conversions: Counter[str] = field(default_factory=Counter)
    billed_segments: int = 0
    bills: Mapping[str, Decimal] = field(default_factory=dict)
    of_receipts: int = 0
    of_conversions: int = 0
    of_bills: int = 0

    @property
    def rows(self) -> int:
        return self.by_status.total()

    @property
    def messages(self) -> int:
        return self.rows - self.excluded

    @property
    def accepted(self) -> int:
        return self.by_status[Status.ACCEPTED]

    @property
    def rejected(self) -> int:
        return self.by_status[Status.REJECTED]

    @property
    def unknown(self) -> int:
        return self.by_status[Status.UNKNOWN]

    @property
    def unsent(self) -> int:
        return self.by_status[Status.UNSENT]

    @property
    def excluded(self) -> int:
        return self.by_status[Status.EXCLUDED]

    @property
    def by_group(self) -> Counter[DeliveryGroup]:
        """Accepted messages by how far they got."""
        groups: Counter[DeliveryGroup] = Counter()
        for key, count in self.delivery.items():
            groups[delivery_group(key)] += count
        return groups

    @property
    def known_delivery(self) -> Counter[str]:
        """`delivery` of the messages of which anything is known."""
        return Counter({key: count for key, count in self.delivery.items() if count and key != PENDING})

    @property
    def receipts(self) -> int:
        """Accepted messages of which the provider told anything; a cancelling is our own word."""
        return self.delivery.total() - self.delivery[PENDING] - self.cancelled

    @property
    def delivered(self) -> int:
        """Accepted messages that reached the phone."""
        return self.by_group[DeliveryGroup.DELIVERED]

    @property
    def undelivered(self) -> int:
        """Accepted messages that will not reach the phone."""
        return self.by_group[DeliveryGroup.FAILED]

    @property
    def cancelled(self) -> int:
        return self.delivery[DeliveryState.CANCELLED]

    @property
    def converted(self) -> int:
        return self.conversions[ConversionOutcome.SUCCESS]

    @property
    def not_converted(self) -> int:
        return self.conversions[ConversionOutcome.FAILURE]

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
        return ", ".join(currency or "?" for currency in sorted(self.bills)) or None

    @property
    def billed(self) -> Decimal | None:
        """None where nothing was billed, or in several currencies, which can't be added."""
        return next(iter(self.bills.values())) if len(self.bills) == 1 else None

    @property
    def cost_per_delivered(self) -> Decimal | None:
        """What was billed, over the messages that reached the phone."""
        return self.billed / self.of_bills if self.billed is not None and self.of_bills else None

    def with_rates(self) -> "Counts":
        """The counts of one run, with what its rates are of."""
        return replace(
            self,
            of_receipts=self.delivery.total() if self.receipts else 0,
            of_conversions=self.accepted if self.conversions else 0,
            of_bills=self.delivered if self.bills else 0,
        )


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def added_up(parts: Iterable[Counts]) -> Counts:
    """Several runs as one; a rate counts only the runs of which what it takes is known."""
    by_status, delivery, conversions = Counter[str](), Counter[str](), Counter[str]()
    bills: dict[str, Decimal] = {}
    numbers: Counter[str] = Counter()
    for part in parts:
        by_status.update(part.by_status)
        delivery.update(part.delivery)
        conversions.update(part.conversions)
        numbers.update({name: getattr(part, name) for name in _NUMBERS})
        for currency, amount in part.bills.items():
            bills[currency] = bills.get(currency, Decimal(0)) + amount
    return Counts(by_status=by_status, delivery=delivery, conversions=conversions, bills=bills, **numbers)


_NUMBERS = ("in_flight", "segments_accepted", "billed_segments", "of_receipts", "of_conversions", "of_bills")


def count_ledger(ledger: Ledger, record: RunRecord) -> Counts:
    """Everything that the ledger can count of a run, as it stands at this moment."""
    figures = figures_of(ledger, record.id)
    return replace(
        _of_statuses(record, figures.by_status),
        segments_accepted=figures.segments_accepted,
        delivery=Counter(figures.delivery),
        conversions=figures.outcomes,
        billed_segments=figures.billed_segments,
        bills=figures.billed,
    ).with_rates()


def count_progress(ledger: Ledger, record: RunRecord, since: Sequence[int]) -> tuple[Counts, list[int]]:
    """The statuses alone, in a fraction of the time; and how many messages were claimed since each of these times
    (microseconds since the epoch).
    """
    by_status, claimed = ledger.counts_and_claims(record.id, since)
    return _of_statuses(record, by_status), claimed


def with_delivery(counts: Counts, ledger: Ledger, record: RunRecord) -> Counts:
    """The counts with delivery and conversions."""
    delivery, conversions = delivery_of(ledger, record.id), outcomes_of(ledger, record.id)
    return replace(counts, delivery=Counter(delivery), conversions=conversions).with_rates()


def _of_statuses(record: RunRecord, by_status: Mapping[str, int]) -> Counts:
    """By the ledger's statuses: what is being sent counts as unknown, and what was never claimed isn't among them."""
    found = Counter(by_status)
    in_flight = found.pop(SENDING, 0)
    claimed = found.total() + in_flight
    found[Status.UNKNOWN] += in_flight
    found[Status.UNSENT] = max(record.to_send - claimed, 0)
    found[Status.EXCLUDED] = max(record.rows - record.to_send, 0)
    return Counts(by_status=found, in_flight=in_flight)
