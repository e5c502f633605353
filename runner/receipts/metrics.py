"""What the server counts, for Prometheus and for the lines it prints. Never a number, a text or an id."""

from collections import Counter
from typing import Any


class Metrics:
    """Counts of one server, in a registry of its own. `counts` are the events by kind, for people."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Gauge, Histogram
        from prometheus_client import Counter as Counting

        self.registry = CollectorRegistry()
        self.counts: Counter[str] = Counter()
        common: dict[str, Any] = {"registry": self.registry}
        self._events = Counting("campaign_receipts_events", "Events taken, by kind.", ["kind"], **common)
        self._states = Counting("campaign_receipts_states", "Delivery receipts, by state.", ["state"], **common)
        self._refused = Counting("campaign_receipts_refused", "Requests refused, by status.", ["status"], **common)
        self._settled = Counting("campaign_receipts_settled", "Unknown messages that a receipt settled.", **common)
        self._commit = Histogram("campaign_receipts_commit_seconds", "How long a commit takes.", **common)
        self._group = Histogram(
            "campaign_receipts_group_size",
            "Events in a commit.",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
            **common,
        )
        self._waiting = Gauge("campaign_receipts_waiting", "Events that wait for a commit.", **common)
        self._healthy = Gauge("campaign_receipts_healthy", "1 while the ledger can be written.", **common)
        self._healthy.set(1)

    def event(self, kind: str, state: str | None = None) -> None:
        """One event of a kind: receipt, opt_out, opt_in, reply, unusable or ignored."""
        self.counts[kind] += 1
        self._events.labels(kind).inc()
        if state is not None:
            self._states.labels(state).inc()

    def refused(self, status: int) -> None:
        self.counts["refused"] += 1
        self._refused.labels(str(status)).inc()

    def committed(self, events: int, seconds: float, settled: int) -> None:
        self._group.observe(events)
        self._commit.observe(seconds)
        self._settled.inc(settled)
        self.recovered()

    def recovered(self) -> None:
        self._healthy.set(1)

    def failed(self) -> None:
        self._healthy.set(0)

    def waiting(self, events: int) -> None:
        self._waiting.set(events)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
