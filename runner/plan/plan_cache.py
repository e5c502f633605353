"""The plan cache: a plan's inputs and summary, so that an unchanged plan needn't be made again.

Ten million rows take minutes to plan. A run usually continues, or follows `campaign plan`, with the same files. The
contents of the input files decide, never their dates, and the plan file must be unchanged too.
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
from runner.files.sheet_rows import SheetRows
from runner.plan.summary import Noted, PlanSummary
from runner.prices.costs import Costs, Prices


def digest(path: Path) -> str:
    """SHA-256 of a file's contents, about 1 s per gigabyte. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_plan_cache(path: Path, *, key: str, plan: Path, summary: PlanSummary) -> None:
    """Save a plan's inputs and summary in a file beside it."""
    document = {"key": key, "plan": digest(plan), "summary": _dump(summary)}
    write_atomically(path, orjson.dumps(document))


def cached_summary(path: Path, *, key: str, plan: Path, prices: Prices | None) -> PlanSummary | None:
    """The summary of the existing plan, if it has the same inputs; None if a new plan is needed.

    `left` in the summary counts all messages: nothing had been sent when the plan was made.
    """
    try:
        document = orjson.loads(path.read_bytes())
        if document["key"] == key and document["plan"] == digest(plan):
            return _load(document["summary"], prices)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # missing or incomplete: make a new plan
    return None


# The types of the keys in the summary's counters; JSON has only text and lists.
_COUNTERS = {
    "excluded": ExclusionReason,
    "by_phone": str,
    "by_encoding": str,
    "by_segments": int,
    "by_zones": tuple,
    "remarked": RemarkKind,
}


def _dump(summary: PlanSummary) -> dict[str, Any]:
    """All fields except `left`; dictionaries become pairs, because JSON keys are text."""
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
        **{name: {column: Noted(**noted) for column, noted in found[name]} for name in ("repeated", "empty")},
        "sheet_rows": SheetRows([(row, number) for row, number in found["sheet_rows"]["starts"]]),
        "samples": [(row, destination, _text(text)) for row, destination, text in found["samples"]],
    }
    return PlanSummary(**found | counters | restored)


def _text(found: dict[str, Any]) -> Text:
    remarks = tuple(Remark(**remark | {"kind": RemarkKind(remark["kind"])}) for remark in found["remarks"])
    return Text(**found | {"encoding": Encoding(found["encoding"]), "remarks": remarks})
