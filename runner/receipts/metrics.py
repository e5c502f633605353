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
        common: dict[str, Any] = {"registry": self.registry, "namespace": "campaign_receipts"}
        self._events = Counting("events", "Events taken, by kind.", ["kind"], **common)
        self._states = Counting("states", "Delivery receipts, by state.", ["state"], **common)
        self._refused = Counting("refused", "Requests refused, by status.", ["status"], **common)
        self._settled = Counting("settled", "Unknown messages that a receipt settled.", **common)
        self._commit = Histogram("commit_seconds", "How long a commit takes.", **common)
        sizes = (1, 2, 5, 10, 20, 50, 100, 200, 500)
        self._group = Histogram("group_size", "Events in a commit.", buckets=sizes, **common)
        self._waiting = Gauge("waiting", "Events that wait for a commit.", **common)
        self._healthy = Gauge("healthy", "1 while the ledger can be written.", **common)
        self.healthy(is_healthy=True)

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
        self.healthy(is_healthy=True)

    def healthy(self, *, is_healthy: bool) -> None:
        """Whether the ledger could be written the last time."""
        self._healthy.set(is_healthy)

    def waiting(self, events: int) -> None:
        self._waiting.set(events)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
