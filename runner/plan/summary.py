"""The summary of a plan: the figures to check before anything is sent."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from runner.audience.row_batch import RowBatch
from runner.base.exclusions import ExclusionReason
from runner.base.messages import RemarkKind, Text
from runner.base.options import Rate
from runner.files.sheet_rows import SheetRows
from runner.prices.costs import Costs

# Example rows per reason.
EXAMPLES = 3

# The maximum number of different remarks: a different link in each of a million texts must not fill the memory.
MOST_REMARKS = 1_000

OTHERS = "others"


@dataclass(slots=True)
class Noted:
    """The rows with a remark, the total number of occurrences, and some example rows."""

    rows: int = 0
    times: int = 0
    examples: list[int] = field(default_factory=list)

    def add(self, row: int, times: int) -> None:
        self.rows += 1
        self.times += times
        if len(self.examples) < EXAMPLES:
            self.examples.append(row)


@dataclass(slots=True)
class PlanSummary:
    """Counts of a plan; `messages_digest` is set when the plan is complete. `examples` are (data row, detail);
    `sheet_rows` has the row numbers that people see.

    `by_phone` counts the messages by the column of their number, if there are several such columns. `remarks` are by
    (kind, subject, source); `remarked` counts the messages with a remark of each kind. `saved` is the number of
    segments that smart encoding saved or would save. `by_zones` counts the remaining messages by time zones; a message
    must be within sending hours in all of its zones. `costs` is the cost of all messages by country, `left` the cost of
    those that no session has sent. `shared` are messages whose number is also in an earlier row, with another key.
    `reading` describes how the files were read, `warnings` what may be wrong with them. `samples` are the first
    messages as (data row, number, text).

    For `recipients.expect`: by column, the rows with a value of an earlier row (`repeated`) and those without a value
    (`empty`); and the newest time of a column, ISO 8601: one without and one with an offset.
    """

    rows: int = 0
    to_send: int = 0
    segments: int = 0
    repaired: int = 0
    saved: int = 0
    excluded: Counter[ExclusionReason] = field(default_factory=Counter)
    examples: dict[ExclusionReason, list[tuple[int, str]]] = field(default_factory=dict)
    by_phone: Counter[str] = field(default_factory=Counter)
    by_encoding: Counter[str] = field(default_factory=Counter)
    by_segments: Counter[int] = field(default_factory=Counter)
    costs: Costs = field(default_factory=Costs)
    left: Costs = field(default_factory=Costs)
    by_zones: Counter[tuple[str, ...]] = field(default_factory=Counter)
    remarks: dict[tuple[RemarkKind, str, str], Noted] = field(default_factory=dict)
    remarked: Counter[RemarkKind] = field(default_factory=Counter)
    shared: Noted = field(default_factory=Noted)
    repeated: dict[str, Noted] = field(default_factory=dict)
    empty: dict[str, Noted] = field(default_factory=dict)
    newest: list[str] = field(default_factory=list)
    reading: list[str] = field(default_factory=list)
    sheet_rows: SheetRows = field(default_factory=SheetRows)
    warnings: list[str] = field(default_factory=list)
    samples: list[tuple[int, str, Text]] = field(default_factory=list)
    messages_digest: str = ""

    def add(self, batch: RowBatch, left: Sequence[int], sent: Collection[int]) -> None:
        """Count a batch. `left` are the indexes of its messages, `sent` those sent by an earlier session."""
        self.rows += len(batch)
        self.to_send += len(left)
        unsent = [index for index in left if index not in sent] if sent else left
        for costs, counted in ((self.costs, left), (self.left, unsent)):
            costs.sizes.update((batch.countries[index], batch.segments[index] or 0) for index in counted)
        by_segments = Counter(batch.segments[index] or 0 for index in left)
        self.by_segments.update(by_segments)
        self.segments += sum(segments * times for segments, times in by_segments.items())
        if batch.numbers:
            self.by_phone.update(batch.numbers[index][0][0] for index in left)
        self.by_encoding.update(batch.encodings[index] or "" for index in left)
        self.by_zones.update(batch.zones[index] for index in unsent)
        self.repaired += sum(batch.notes[index] is not None for index in left)
        for index in left[: EXAMPLES - len(self.samples)]:
            self.samples.append((batch.first + index, batch.destinations[index] or "", batch.text(index)))
        for index in batch.extras:
            if index not in batch.exclusions:
                self._remark(batch.first + index, batch.text(index))
        for index, exclusion in sorted(batch.exclusions.items()):
            self.excluded[exclusion.reason] += 1
            shown = self.examples.setdefault(exclusion.reason, [])
            if len(shown) < EXAMPLES:
                shown.append((batch.first + index, exclusion.detail))

    def _remark(self, row: int, text: Text) -> None:
        self.saved += text.saved
        self.remarked.update({remark.kind for remark in text.remarks})
        for remark in text.remarks:
            key = (remark.kind, remark.subject, remark.source)
            if key not in self.remarks and len(self.remarks) >= MOST_REMARKS:
                key = (remark.kind, OTHERS, "")
            self.remarks.setdefault(key, Noted()).add(row, remark.times)

    def remarks_of(self, wanted: RemarkKind) -> list[tuple[str, str, Noted]]:
        """(subject, source, noted) for a kind, the most frequent first, and `OTHERS` last."""
        found = [(subject, source, noted) for (kind, subject, source), noted in self.remarks.items() if kind is wanted]
        return sorted(found, key=lambda item: (item[0] == OTHERS, -item[2].rows))

    def seconds_at(self, rate: Rate) -> float:
        """The minimum sending time in seconds; the first request starts immediately."""
        return max(self.to_send - 1, 0) / rate.per_second

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "to_send": self.to_send,
            "segments": self.segments,
            "repaired": self.repaired,
            "excluded": {reason.value: count for reason, count in self.excluded.most_common()},
            "examples": {
                reason.value: [{"row": row, "detail": detail} for row, detail in shown]
                for reason, shown in self.examples.items()
            },
            "by_phone": dict(self.by_phone),
            "by_encoding": dict(sorted(self.by_encoding.items())),
            "by_segments": {str(segments): count for segments, count in sorted(self.by_segments.items())},
            "by_country": {row.country: row.messages for row in self.costs.rows()},
            "cost": self.costs.as_json(),
            "segments_saved": self.saved if self.remarked[RemarkKind.REPLACED] else 0,
            "segments_savable": self.saved if self.remarked[RemarkKind.REPLACEABLE] else 0,
            "remarks": [
                {"kind": kind.value, "subject": subject, "source": source, "rows": noted.rows, "times": noted.times,
                 "examples": noted.examples}
                for (kind, subject, source), noted in self.remarks.items()
            ],
            "shared_numbers": {"rows": self.shared.rows, "examples": self.shared.examples},
            "reading": self.reading,
        }  # fmt: skip


class Fingerprint:
    """SHA-256 over some parts, or over every message of a plan, in order.

    The same input gives the same fingerprint on any machine. Each part is prefixed with its length, so that no text can
    imitate the end of a part.
    """

    def __init__(self, *parts: str) -> None:
        self._hash = hashlib.sha256()
        self._add(parts)

    def add(self, batch: RowBatch, left: Sequence[int]) -> None:
        """Add the messages of a batch, by index: key, destination, encoding and text of each.

        Zones follow, because they decide when a message is sent. A campaign has zones for all messages or for none.
        """
        parts: list[str | None] = []
        for index in left:
            parts += (batch.keys[index], batch.destinations[index], batch.encodings[index], batch.texts[index])
            if zones := batch.zones[index]:
                parts.append(" ".join(zones))
        self._add(cast("list[str]", parts))  # a message has all of them

    def _add(self, parts: Iterable[str]) -> None:
        fields = [f"{len(part) if part.isascii() else len(_bytes(part))}:{part}" for part in parts]
        self._hash.update(_bytes("".join(fields)))

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
