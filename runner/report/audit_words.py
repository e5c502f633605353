"""Entries of the audit trail, in words. Pure."""

from collections.abc import Callable
from typing import Any

from runner.base.audit import AuditAction
from runner.base.text import sanitized
from runner.ledger.audit import RecordedEntry

# The digits of a fingerprint that are shown.
_FINGERPRINT_DIGITS = 12

# How a run was approved.
_HOW = {
    "yes": "with --yes",
    "asked": "by answering yes",
    "fingerprint": "by its fingerprint",
    "file": "with an approval file",
    "sandbox": "without a question",
}


def who(entry: RecordedEntry) -> str:
    """`ana@build-7`."""
    return f"{entry.actor.name}@{entry.actor.machine}"


def what(entry: RecordedEntry) -> str:
    """`opted out`."""
    return entry.action.replace("_", " ")


def details(entry: RecordedEntry, hide: Callable[[str], str]) -> str:
    """The rest of an entry: `fuse: 20 requests in a row have an unknown outcome, accepted 41`. `hide` masks numbers."""
    rest = dict(entry.detail)
    if entry.action in (AuditAction.OPTED_OUT, AuditAction.OPTED_IN):
        word = f' "{rest["word"]}"' if "word" in rest else ""
        return f"{hide(entry.destination or 'a number')} by {rest.get('source')}{word}"
    parts = [hide(entry.destination)] if entry.destination else []
    if "how" in rest:
        how = str(rest.pop("how"))
        parts.append(_HOW.get(how, how))
    if "reason" in rest:
        parts.append(": ".join(str(rest.pop(name)) for name in ("reason", "detail") if name in rest))
    if "option" in rest:
        parts.append(f"{rest.pop('option')}: {'; '.join(map(str, rest.pop('let_through', ())))}")
    parts += [f"{name.replace('_', ' ')} {_in_words(name, value)}" for name, value in rest.items()]
    return sanitized(", ".join(parts))


def _in_words(name: str, value: Any) -> str:  # noqa: ANN401 (any JSON)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,g}" if isinstance(value, float) else f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_in_words(key, each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(_in_words(name, each) for each in value)
    return str(value)[:_FINGERPRINT_DIGITS] if name == "fingerprint" else str(value)
