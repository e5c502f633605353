"""What a plan comes to: the figures that a person looks at before anything is sent."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from runner.models import Exclusion, ExclusionReason, Rate, Row, Text

EXAMPLES = 3
"""Rows that are shown for each reason."""


@dataclass(slots=True)
class PlanSummary:
    """Counts of a plan; `fingerprint` is set when the plan is whole. `examples` are (data row, words)."""

    rows: int = 0
    to_send: int = 0
    segments: int = 0
    repaired: int = 0
    excluded: Counter[ExclusionReason] = field(default_factory=Counter)
    examples: dict[ExclusionReason, list[tuple[int, str]]] = field(default_factory=dict)
    by_encoding: Counter[str] = field(default_factory=Counter)
    by_segments: Counter[int] = field(default_factory=Counter)
    by_country: Counter[str] = field(default_factory=Counter)
    fingerprint: str = ""

    def add_message(self, row: Row, text: Text) -> None:
        self.rows += 1
        self.to_send += 1
        self.segments += text.segments
        self.repaired += row.note is not None
        self.by_encoding[text.encoding.value] += 1
        self.by_segments[text.segments] += 1
        self.by_country[row.country or "?"] += 1

    def add_exclusion(self, row: Row, exclusion: Exclusion) -> None:
        self.rows += 1
        self.excluded[exclusion.reason] += 1
        shown = self.examples.setdefault(exclusion.reason, [])
        if len(shown) < EXAMPLES:
            shown.append((row.number, exclusion.detail))

    def seconds_at(self, rate: Rate) -> float:
        """How long sending takes at least: the first request starts at once."""
        return max(self.to_send - 1, 0) / rate.per_second

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "to_send": self.to_send,
            "segments": self.segments,
            "repaired": self.repaired,
            "excluded": {reason.value: count for reason, count in self.excluded.most_common()},
            "by_encoding": dict(sorted(self.by_encoding.items())),
            "by_segments": {str(segments): count for segments, count in sorted(self.by_segments.items())},
            "by_country": dict(self.by_country.most_common()),
            "fingerprint": self.fingerprint,
        }


class Fingerprint:
    """SHA-256 over the send options and every message, in order.

    The same input gives the same fingerprint on any machine, in any run; a different destination, text or option gives
    another. The fields are prefixed with their lengths, so that no text can imitate a field's end.
    """

    def __init__(self, options: str) -> None:
        self._hash = hashlib.sha256()
        self._add(options)

    def add_message(self, key: str, destination: str, text: Text) -> None:
        for part in (key, destination, text.encoding.value, text.text):
            self._add(part)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def _add(self, part: str) -> None:
        data = part.encode("utf-8", "surrogatepass")
        self._hash.update(b"%d:" % len(data) + data)


def short(fingerprint: str) -> str:
    """The fingerprint as people compare it."""
    return fingerprint[:12]
