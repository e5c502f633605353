"""What narrows a run's plan down: the campaign's rules, the command line's limit, and what the ledger knows."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from runner.campaign import Campaign, Missing
from runner.ledger.cooldown import prepare, recent
from runner.ledger.ledger import Ledger
from runner.ledger.optouts import is_anybody_out, opted_out
from runner.models import Cooldown, Exclusion
from runner.plan.inputs import Inputs
from runner.plan.narrowing import Limit, OptedOut, Recent, Sample, Sent, Timing
from runner.plan.planner import Rules
from runner.run.optouts import exclusion_of


def rules_of(inputs: Inputs, *, limit: int | None, now: datetime, ledger: Ledger, sent: Sent | None) -> Rules:
    """The rules for a plan that is made at `now` (aware). `sent` tells whom the run has sent to, None for a new run."""
    campaign = inputs.campaign
    recipients = campaign.recipients
    cooldown = cooldown_of(campaign)
    return Rules(
        carried=campaign.report.columns,
        missing_fails=campaign.message.missing is Missing.ERROR,
        opted_out=_opted_out(ledger),
        sample=Sample(campaign.name, recipients.sample) if recipients.sample else None,
        timing=Timing(campaign.window.hours(campaign.timezone), now) if campaign.window else None,
        cooldown=(cooldown, _recent(ledger, cooldown, now)) if cooldown else None,
        limit=_limit(limit, recipients.limit),
        prices=inputs.prices,
        sent=sent,
    )


def cooldown_of(campaign: Campaign) -> Cooldown | None:
    cooldown = campaign.recipients.cooldown
    return Cooldown(cooldown.messages, int(cooldown.per.total_seconds())) if cooldown else None


def _opted_out(ledger: Ledger) -> OptedOut | None:
    if not is_anybody_out(ledger):  # who opts out while the plan is made is refused when their message is claimed
        return None

    def of(destinations: Sequence[str]) -> Mapping[str, Exclusion]:
        found = opted_out(ledger, destinations)
        return {destination: exclusion_of(one) for destination, one in found.items()}

    return of


def _recent(ledger: Ledger, cooldown: Cooldown, now: datetime) -> Recent:
    prepare(ledger)
    since = int((now.timestamp() - cooldown.per_s) * 1e6)

    def of(destinations: Sequence[str]) -> Mapping[str, int]:
        return recent(ledger, destinations, since=since)

    return of


def _limit(option: int | None, key: int | None) -> Limit | None:
    """The smaller of the two, by its name."""
    limits = [Limit(option, "--limit")] if option is not None else []
    limits += [Limit(key, "recipients.limit")] if key is not None else []
    return min(limits, key=lambda limit: limit.messages, default=None)
