"""Approvals: what a plan's fingerprint covers, and whether a plan is the one that was approved.

An approval covers one send. It is spent when its run is complete. Until then, the run can be interrupted and continued
with it; then only the part `ledger` may differ, and only if the newest session was sent under the same approval.
"""

import contextlib
import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from runner.base.audit import current_actor
from runner.base.clock import iso, now_us, us_of
from runner.base.errors import InputError
from runner.base.files import write_atomically
from runner.base.text import quoted
from runner.campaign import Campaign
from runner.ledger.approvals import Approval, find_approval, note_approval
from runner.plan.summary import Fingerprint
from runner.run.open import Run
from runner.run.plan import as_text, described_options

# What the fingerprint covers, in the order in which it is hashed and shown.
PARTS = ("run", "account", "rate", "times", "limits", "options", "messages", "ledger")

_NOTHING = "nothing was sent"
_REVIEW = "review it with `campaign plan`, then approve the new fingerprint"
_SEPARATOR = "; "
# The options that are in the parts `account` and `times`.
_ELSEWHERE = ("account.subAccountId", "account.region", "window")


def parts_of(run: Run) -> dict[str, str]:
    """Everything that decides who gets what, when and how fast, as text by part. The plan has been made."""
    campaign = run.campaign
    options = described_options(campaign)
    return {
        "run": f"{run.name}/{run.run}",
        "account": f"{campaign.account.sub_account_id}, {campaign.account.region}",
        "rate": f"{campaign.rate}" + (f", sub-account {run.account_rate}" if run.account_rate else ""),
        "times": _listed(_times(campaign)) or "any time",
        "limits": _listed(_limits(run)),
        "options": _listed({path: value for path, value in options.items() if path not in _ELSEWHERE}),
        "messages": run.summary.messages_digest,
        "ledger": run.ledger_state,
    }


def fingerprint_of(parts: Mapping[str, str]) -> str:
    """SHA-256 over the names and texts of the parts: 64 hex digits."""
    return Fingerprint(*(text for part in PARTS for text in (part, parts[part]))).hexdigest()


def plan_to_approve(run: Run) -> Approval:
    """The run's plan, planned now by the person who runs this process."""
    parts = parts_of(run)
    return Approval(run.name, run.run, fingerprint_of(parts), parts, now_us(), current_actor().name)


def _times(campaign: Campaign) -> dict[str, object]:
    window = campaign.window.in_words(campaign.timezone) if campaign.window else None
    times = {"notBefore": campaign.not_before, "notAfter": campaign.not_after}
    in_words: dict[str, object] = {
        key: as_text(moment) if isinstance(moment, datetime) else f"{moment:%H:%M:%S} {campaign.timezone}"
        for key, moment in times.items()
        if moment is not None
    }
    return ({"window": window} if window else {}) | in_words


def _limits(run: Run) -> dict[str, object]:
    campaign = run.campaign
    limits, fuses, cooldown = campaign.limits, campaign.stop_when, campaign.recipients.cooldown
    found = {
        "--limit": run.limit,
        "limits.messages": limits.messages,
        "limits.segments": limits.segments,
        "limits.cost": " ".join(map(str, limits.cost)) if limits.cost else None,
        "cooldown": f"{cooldown.messages} in {int(cooldown.per.total_seconds())} s" if cooldown else None,
        "stopWhen.unknownInARow": fuses.unknown_in_a_row,
        "stopWhen.unknownShare": _percent(fuses.unknown_share),
        "stopWhen.rejectedShare": _percent(fuses.rejected_share),
        "giveUpAfter": f"{int(campaign.give_up_after.total_seconds())} s",
    }
    return {key: value for key, value in found.items() if value is not None}


def _percent(share: float) -> str:
    """`20%`, as in the campaign file. Exact, so that no change is hidden."""
    return f"{(Decimal(repr(share)) * 100).normalize():f}%"


def _listed(values: Mapping[str, object]) -> str:
    """`--limit 5; limits.messages 6`. A value with a semicolon or a quote is quoted, so that none imitates another."""
    return _SEPARATOR.join(f"{key} {_quoted(str(value))}" for key, value in values.items())


def _quoted(text: str) -> str:
    return json.dumps(text) if ";" in text or '"' in text else text


@dataclass(frozen=True, slots=True)
class Approved:
    """The value of `--approve`: a fingerprint or its first digits, or the plan in an approval file."""

    digits: str
    plan: Approval | None = None


def read_approved(value: str) -> Approved:
    """Read the value of `--approve`: an approval file, or else 12 to 64 hex digits. Raises InputError."""
    if os.path.isfile(value):  # noqa: PTH113 (Path.is_file raises if the value is too long for a name)
        plan = _read_file(Path(value))
        return Approved(plan.fingerprint, plan)
    digits = value.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{12,64}", digits):
        raise InputError.of(
            f"--approve: {quoted(value, 80)} is neither a fingerprint nor a file",
            "copy the 12 to 64 digits that `campaign plan` shows, or name a file that `campaign plan --out-approval` "
            "wrote",
        )
    return Approved(digits)


def write_approval(path: Path, plan: Approval, figures: Mapping[str, Any]) -> None:
    """Write an approval file, readable by its owner alone, with the plan's figures.

    Raises InputError if the file exists and is something else, StoppedError if it can't be written.
    """
    if path.is_file() and path.stat().st_size and not _is_approval(path):
        raise InputError.of(
            f"--out-approval: {path} is not an approval file, so it was not replaced", "name another file"
        )
    actor = current_actor()
    document = {
        "fingerprint": plan.fingerprint,
        "campaign": plan.name,
        "run": plan.run,
        "planned_at": iso(plan.planned_at),
        "planned_by": plan.planned_by,
        "machine": actor.machine,
        "version": actor.version,
        "parts": plan.parts,
        "figures": figures,
    }
    write_atomically(path, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _is_approval(path: Path) -> bool:
    """Whether the file was written by `write_approval`, of any version."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return {"fingerprint", "parts"} <= set(orjson.loads(path.read_bytes()))
    return False


def _read_file(path: Path) -> Approval:
    again = "write it again with `campaign plan --out-approval`"
    try:
        plan = _parsed(orjson.loads(path.read_bytes()))
    except OSError as error:
        raise InputError.of(f"--approve: {path} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError.of(f"--approve: {path} is not an approval file of this version", again) from error
    if plan.fingerprint != fingerprint_of(plan.parts) or plan.parts["run"] != f"{plan.name}/{plan.run}":
        raise InputError.of(f"--approve: {path} was changed after it was written", again)
    return plan


def _parsed(document: Any) -> Approval:  # noqa: ANN401 (any JSON)
    """The approval in an approval file. Any other content raises one of the errors that `_read_file` catches."""
    parts, planned_at = document["parts"], datetime.fromisoformat(document["planned_at"])
    texts = [document[key] for key in ("campaign", "run", "fingerprint", "planned_by")]
    if set(parts) != set(PARTS) or not all(isinstance(text, str) for text in (*texts, *parts.values())):
        raise ValueError
    name, run, fingerprint, planned_by = texts
    return Approval(name, run, fingerprint, parts, us_of(planned_at), planned_by)


def approval_for(run: Run, approved: Approved) -> Approval:
    """The approval of the run's plan. Raises InputError if the plan isn't the approved one, with the parts that differ.

    `refuse_stale` then checks the part `ledger`, if messages are left to send.
    """
    now = plan_to_approve(run)
    known = find_approval(run.ledger, run.name, run.run, approved.digits) or approved.plan
    if known is None and not now.fingerprint.startswith(approved.digits):
        parts = "".join(f"\n  {part}: {text}" for part, text in now.parts.items())
        raise InputError.of(
            f"--approve: the plan is now {now.fingerprint}, not {approved.digits[:12]}, which this ledger has never "
            f"seen. The plan now:{parts}\n{_NOTHING}",
            _REVIEW,
        )
    known = known or now
    differing = _differing(run, known, now)
    if differing - {"ledger"}:
        raise _other_plan(known, now, differing)
    return known


def refuse_stale(run: Run, approval: Approval) -> None:
    """Raise InputError if the approval is used up, or if the ledger has changed since the plan was made."""
    if approval.spent_at is not None:
        raise InputError.of(
            f"--approve: this approval was used up on {iso(approval.spent_at)}, when the run was complete; it doesn't "
            f"cover the messages that are left to send now; {_NOTHING}",
            "plan again with `campaign plan`, then approve the new fingerprint",
        )
    now = plan_to_approve(run)
    if differing := _differing(run, approval, now):
        raise _other_plan(approval, now, differing)


def _differing(run: Run, known: Approval, now: Approval) -> set[str]:
    """The parts that differ. A run that is continued under its newest session's approval may have sent messages."""
    differing = {part for part in PARTS if known.parts.get(part) != now.parts[part]}
    is_continued = run.previous is not None and run.previous.fingerprint == known.fingerprint
    if is_continued and known.approved_at is not None:
        differing.discard("ledger")
    return differing


def _other_plan(known: Approval, now: Approval, differing: Collection[str]) -> InputError:
    words = "".join(
        f"\n  {part}: {_difference(known.parts.get(part, ''), now.parts[part])}" for part in PARTS if part in differing
    )
    return InputError.of(
        f"--approve: the plan is now {now.fingerprint}, not {known.fingerprint[:12]}:{words}\n{_NOTHING}", _REVIEW
    )


def approve(run: Run, how: str, messages: int, approval: Approval | None) -> None:
    """Record who lets the run's messages be sent, and how: yes, asked, fingerprint or file. Raises LedgerError."""
    run.fingerprint = approval.fingerprint if approval else fingerprint_of(parts_of(run))
    detail: dict[str, Any] = {"how": how, "fingerprint": run.fingerprint, "messages": messages}
    if approval:
        detail |= {"planned_by": approval.planned_by, "planned_at": iso(approval.planned_at)}
    note_approval(run.ledger, f"{run.name}/{run.run}", detail, approval, now=now_us())


def _difference(approved: str, now: str) -> str:
    """`approved 10/s, now 20/s`; of a list, only what differs; digests are shortened."""
    lists = [approved.split(_SEPARATOR), now.split(_SEPARATOR)]
    only = [[text for text in lists[side] if text not in lists[1 - side]] for side in (0, 1)]
    before, after = (_SEPARATOR.join(texts) or "not set" for texts in only)
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", f"approved {before}, now {after}")
