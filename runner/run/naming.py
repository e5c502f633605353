"""Which run a campaign file means when `run:` has a placeholder such as `{date}`.

Midnight must not turn the rest of an unfinished run into a new run, which would text everybody again.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.base.outcomes import OutcomeReason
from runner.campaign import Campaign
from runner.ledger.ledger import Ledger, RunRecord

# Each placeholder of `run:`: what it becomes, and how long a run has that name, at most. The shortest period is last.
_PLACEHOLDERS = {
    "{month}": (r"\d{4}-\d\d", timedelta(days=31)),
    "{week}": (r"\d{4}-W\d\d", timedelta(days=7)),
    "{date}": (r"\d{4}-\d\d-\d\d", timedelta(days=1)),
}

# How much longer than its period an unfinished run is continued: for a start that comes a little late.
_LATE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Named:
    """The run that a start means, by its ID, and a warning about it, or "".

    `unfinished` is the ID of an earlier run that has messages left, if the start makes a new one beside it.
    """

    run: str
    why: str = ""
    unfinished: str | None = None


def named_run(campaign: Campaign, ledger: Ledger, now: datetime, *, new_run: bool = False) -> Named:
    """The run that a start at `now` (aware) means, if `--run` names none.

    It is the one that the placeholders name, if the ledger has it. If not, an earlier run that is unfinished goes on,
    until it is older than its period and an hour. If the clock was set back, no new run begins either. `new_run`: one
    begins in any case.
    """
    run = campaign.run_id(now)
    earlier = [record for record in ledger.runs(campaign.name) if is_name_of(campaign.run, record.run)]
    if not earlier or run in (record.run for record in earlier):
        return Named(run)
    newest = max(earlier, key=lambda record: record.created_at)
    words = f"{campaign.name}/{newest.run}"
    began = datetime.fromtimestamp(newest.created_at / 1e6, now.tzinfo)
    if began > now and not new_run:
        why = f"this continues {words}: it began at {began:%Y-%m-%d %H:%M} UTC, and the clock was set back since"
        return Named(newest.run, why)
    if not is_unfinished(newest):
        return Named(run)
    if not new_run and now - began < _period(campaign.run) + _LATE:
        why = f"this continues {words}, which is unfinished; to begin {campaign.name}/{run}, add --new-run"
        return Named(newest.run, why)
    why = f"{words} is unfinished, and {campaign.name}/{run} is a new run, which texts the same people again"
    return Named(run, f"{why}; to continue {words}, use --run {newest.run}", newest.run)


def is_unfinished(record: RunRecord) -> bool:
    """Whether the newest session was stopped or killed, or goes on. Unknown messages don't make a run unfinished."""
    return record.ended_at is None or record.stop_reason not in (None, OutcomeReason.OPTED_OUT)


def has_placeholder(pattern: str) -> bool:
    """Whether `run:` gives another run at another time."""
    return any(placeholder in pattern for placeholder in _PLACEHOLDERS)


def is_name_of(pattern: str, run: str) -> bool:
    """Whether the placeholders of `run:` can become this ID."""
    found = re.escape(pattern)
    for placeholder, (shape, _) in _PLACEHOLDERS.items():
        found = found.replace(re.escape(placeholder), shape)
    return re.fullmatch(found, run) is not None


def _period(pattern: str) -> timedelta:
    return min(period for placeholder, (_, period) in _PLACEHOLDERS.items() if placeholder in pattern)
