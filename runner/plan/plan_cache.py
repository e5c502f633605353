"""A plan that still holds: what it was made of, and its summary, so that the same plan needn't be made twice.

Ten million rows take minutes to plan, and a run is continued, or sent after `campaign plan`, with the same files as a
rule. What a plan is made of is told by the contents of its files, never by their dates; and the plan itself must be the
very file that was written.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import orjson

from runner.base.exclusions import ExclusionReason
from runner.base.files import write_atomically
from runner.base.messages import Encoding, Remark, RemarkKind, Text
from runner.plan.summary import Noted, PlanSummary
from runner.prices.costs import Costs, Prices


class PlanCacheKey:
    """A digest of all that a plan is made of. Add everything in a fixed order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        self._hash.update(b"%d:" % len(data) + data)

    def add_file(self, path: Path) -> None:
        """Its contents. Raises OSError."""
        self.add(digest(path))

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def digest(path: Path) -> str:
    """SHA-256 of a file's contents, about 1 s for a gigabyte. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_plan_cache(path: Path, *, key: str, plan: Path, summary: PlanSummary) -> None:
    """Note beside a plan what it was made of and what it came to."""
    document = {"key": key, "plan": digest(plan), "summary": _dump(summary)}
    write_atomically(path, orjson.dumps(document))


def cached_summary(path: Path, *, key: str, plan: Path, prices: Prices | None) -> PlanSummary | None:
    """The summary of the plan that is there, if it is made of the same; None: it has to be made.

    Its `left` is all of it: nothing of it was sent when it was made.
    """
    try:
        document = orjson.loads(path.read_bytes())
        if document["key"] == key and document["plan"] == digest(plan):
            return _load(document["summary"], prices)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # there is none, or half of one: a plan can always be made
    return None


def _dump(summary: PlanSummary) -> dict[str, Any]:
    """All but `left`; what has keys that JSON hasn't becomes pairs."""
    found = {one.name: getattr(summary, one.name) for one in fields(summary) if one.name != "left"}
    pairs = {name: list(value.items()) for name, value in found.items() if isinstance(value, dict)}
    return found | pairs | {"costs": list(summary.costs.sizes())}


def _load(found: dict[str, Any], prices: Prices | None) -> PlanSummary:
    numbers = {name: int(found[name]) for name in ("rows", "to_send", "segments", "repaired", "saved")}
    return PlanSummary(
        **numbers,
        excluded=Counter({ExclusionReason(reason): count for reason, count in found["excluded"]}),
        examples={
            ExclusionReason(reason): [(row, words) for row, words in shown] for reason, shown in found["examples"]
        },
        by_encoding=Counter(dict(found["by_encoding"])),
        by_segments=Counter(dict(found["by_segments"])),
        costs=_costs(found["costs"], prices),
        left=_costs(found["costs"], prices),
        by_zones=Counter({tuple(zones): count for zones, count in found["by_zones"]}),
        remarks={
            (RemarkKind(kind), subject, source): Noted(**noted) for (kind, subject, source), noted in found["remarks"]
        },
        remarked=Counter({RemarkKind(kind): count for kind, count in found["remarked"]}),
        shared=Noted(**found["shared"]),
        reading=found["reading"],
        samples=[(row, destination, _text(text)) for row, destination, text in found["samples"]],
        fingerprint=found["fingerprint"],
    )


def _costs(sizes: Iterable[tuple[str | None, int, int]], prices: Prices | None) -> Costs:
    costs = Costs(prices)
    for country, segments, times in sizes:
        costs.add(country, segments, times)
    return costs


def _text(found: dict[str, Any]) -> Text:
    remarks = tuple(Remark(**remark | {"kind": RemarkKind(remark["kind"])}) for remark in found["remarks"])
    return Text(**found | {"encoding": Encoding(found["encoding"]), "remarks": remarks})
