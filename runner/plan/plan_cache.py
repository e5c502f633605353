"""A plan that still holds: what it was made of, and its summary, so that the same plan needn't be made twice.

Ten million rows take minutes to plan, and a run is continued, or sent after `campaign plan`, with the same files as a
rule. What a plan is made of is told by the contents of its files, never by their dates; and the plan itself must be the
very file that was written.
"""

import hashlib
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import orjson

from runner.base.exclusions import ExclusionReason
from runner.base.files import write_atomically
from runner.base.messages import Encoding, Remark, RemarkKind, Text
from runner.plan.summary import Noted, PlanSummary
from runner.prices.costs import Costs, Prices


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


# What the keys of the summary's counters are made of, which JSON has as texts and lists.
_COUNTERS = {
    "excluded": ExclusionReason,
    "by_encoding": str,
    "by_segments": int,
    "by_zones": tuple,
    "remarked": RemarkKind,
}


def _dump(summary: PlanSummary) -> dict[str, Any]:
    """All but `left`; what has keys that JSON hasn't becomes pairs."""
    found = {one.name: getattr(summary, one.name) for one in fields(summary) if one.name != "left"}
    pairs = {name: list(value.items()) for name, value in found.items() if isinstance(value, dict)}
    return found | pairs | {"costs": list(summary.costs.sizes.items())}


def _load(found: dict[str, Any], prices: Prices | None) -> PlanSummary:
    counters = {name: Counter({make(key): count for key, count in found[name]}) for name, make in _COUNTERS.items()}
    sizes = Counter({(country, segments): times for (country, segments), times in found["costs"]})
    restored = {
        "examples": {ExclusionReason(reason): [*map(tuple, shown)] for reason, shown in found["examples"]},
        "costs": Costs(prices, sizes),
        "left": Costs(prices, sizes.copy()),
        "remarks": {(RemarkKind(kind), *texts): Noted(**noted) for (kind, *texts), noted in found["remarks"]},
        "shared": Noted(**found["shared"]),
        "samples": [(row, destination, _text(text)) for row, destination, text in found["samples"]],
    }
    return PlanSummary(**found | counters | restored)


def _text(found: dict[str, Any]) -> Text:
    remarks = tuple(Remark(**remark | {"kind": RemarkKind(remark["kind"])}) for remark in found["remarks"])
    return Text(**found | {"encoding": Encoding(found["encoding"]), "remarks": remarks})
