"""Counts of a run for the terminal, the page, `campaign status` and comparisons, and how to count a ledger.

`report/result_counts.py` counts a results file, which has more details.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from runner.base.conversions import ConversionOutcome
from runner.base.delivery import DeliveryState
from runner.base.outcomes import Status
from runner.ledger.counts import PENDING, MessageGroup, delivery_of, message_groups, outcomes_of
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.tables import SENDING
from runner.provider.delivery import AT_OPERATOR


class DeliveryGroup(StrEnum):
    """How far an accepted message is known to have got."""

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
# The states of messages that will not reach the phone.
FAILED_STATES = [state for state, group in _GROUPS.items() if group is DeliveryGroup.FAILED]


def delivery_key(state: str | None, detail: str | None) -> str:
    """The key of an accepted message in `Counts.delivery`. Delivery to the operator is not delivery to the phone."""
    return AT_OPERATOR if state == DeliveryState.DELIVERED and detail == AT_OPERATOR else state or PENDING


def delivery_group(key: str) -> DeliveryGroup:
    """The group of a key of `Counts.delivery`. An unknown state counts as no receipt."""
    return _GROUPS.get(key, DeliveryGroup.NO_RECEIPT)


@dataclass(slots=True)
class Counts:
    """Counts of a run, or of several runs added up. A rate is None without data.

    `by_status` counts the rows of the recipient file; `in_flight` counts the unknown messages that are being sent right
    now. `delivery` counts accepted messages by the provider's delivery state, AT_OPERATOR or PENDING (no data). `bills`
    has exact amounts by currency (ISO 4217, "" if unknown).

    The last three are the denominators of the rates: accepted messages of runs with receipts, accepted messages of runs
    with conversions, and delivered messages of billed runs.
    """

    by_status: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    segments_accepted: int = 0
    delivery: Counter[str] = field(default_factory=Counter)
    conversions: Counter[str] = field(default_factory=Counter)
    billed_segments: int = 0
    bills: dict[str, Decimal] = field(default_factory=dict)
    of_receipts: int = 0
    of_conversions: int = 0
    of_bills: int = 0

    def add(self, group: MessageGroup) -> None:
        """Add a group of rows."""
        self.by_status[group.status] += group.count
        self.billed_segments += group.billed_segments
        if group.amount is not None:
            self.bills[group.currency] = self.bills.get(group.currency, Decimal(0)) + group.amount
        if group.status == Status.ACCEPTED:
            self.segments_accepted += group.segments
            self.delivery[group.delivery] += group.count

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
    def sent(self) -> int:
        """Messages that were sent to the provider."""
        return self.accepted + self.rejected + self.unknown

    @property
    def by_group(self) -> Counter[DeliveryGroup]:
        """Accepted messages by how far they got."""
        groups: Counter[DeliveryGroup] = Counter()
        for key, count in self.delivery.items():
            groups[delivery_group(key)] += count
        return groups

    @property
    def known_delivery(self) -> Counter[str]:
        """`delivery` without PENDING."""
        return Counter({key: count for key, count in self.delivery.items() if count and key != PENDING})

    @property
    def receipts(self) -> int:
        """Accepted messages with a delivery state from the provider, so without cancelled messages."""
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
        """Rejected / (accepted + rejected)."""
        answered = self.accepted + self.rejected
        return self.rejected / answered if answered else None

    @property
    def delivery_rate(self) -> float | None:
        """Delivered / accepted."""
        return self.delivered / self.of_receipts if self.of_receipts else None

    @property
    def conversion_rate(self) -> float | None:
        """Converted / accepted."""
        return self.converted / self.of_conversions if self.of_conversions else None

    @property
    def currency(self) -> str | None:
        """The currency of the bills, `EUR`, or all of them, `EUR, USD`. None if nothing was billed."""
        return ", ".join(currency or "?" for currency in sorted(self.bills)) or None

    @property
    def billed(self) -> Decimal | None:
        """The billed amount. None if nothing was billed, or in several currencies."""
        return next(iter(self.bills.values())) if len(self.bills) == 1 else None

    @property
    def cost_per_delivered(self) -> Decimal | None:
        return self.billed / self.of_bills if self.billed is not None and self.of_bills else None

    def with_rates(self) -> "Counts":
        """The counts of one run with the denominators of its rates."""
        return replace(
            self,
            of_receipts=self.delivery.total() if self.receipts else 0,
            of_conversions=self.accepted if self.conversions else 0,
            of_bills=self.delivered if self.bills else 0,
        )


def added_up(parts: Iterable[Counts]) -> Counts:
    """The counts of several runs added up; a rate includes only runs with a known denominator."""
    sums: dict[str, Any] = {field.name: 0 if field.default == 0 else Counter() for field in fields(Counts)}
    for part in parts:
        for name, before in sums.items():
            if isinstance(before, Counter):
                before.update(getattr(part, name))
            else:
                sums[name] = before + getattr(part, name)
    return Counts(**sums)


def count_ledger(ledger: Ledger, record: RunRecord) -> Counts:
    """The current counts of a run in the ledger."""
    counts = Counts(conversions=outcomes_of(ledger, record.id))
    for group in message_groups(ledger, record.id):
        counts.add(group)
    return _with_unclaimed(counts, record).with_rates()


def count_progress(ledger: Ledger, record: RunRecord, since: Sequence[int]) -> tuple[Counts, list[int]]:
    """Only the statuses, which is much faster; and the number of messages claimed since each of the given times
    (microseconds since the epoch).
    """
    by_status, claimed = ledger.counts_and_claims(record.id, since)
    return _with_unclaimed(Counts(Counter(by_status)), record), claimed


def with_delivery(counts: Counts, ledger: Ledger, record: RunRecord) -> Counts:
    """The counts, with delivery and conversions added."""
    delivery, conversions = delivery_of(ledger, record.id), outcomes_of(ledger, record.id)
    return replace(counts, delivery=delivery, conversions=conversions).with_rates()


def _with_unclaimed(counts: Counts, record: RunRecord) -> Counts:
    """The counts with the run's other rows added. Messages that are being sent have a separate status in the ledger."""
    found = counts.by_status
    claimed = found.total()
    counts.in_flight = found.pop(SENDING, 0)
    found[Status.UNKNOWN] += counts.in_flight
    found[Status.UNSENT] = max(record.to_send - claimed, 0)
    found[Status.EXCLUDED] = max(record.rows - record.to_send, 0)
    return counts
