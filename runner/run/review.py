"""The review of a plan before it is sent: timetable, warnings, and problems that forbid sending."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runner.base.clock import iso, us_of
from runner.base.errors import Problem
from runner.base.exclusions import ExclusionReason
from runner.base.messages import RemarkKind
from runner.base.options import Limits
from runner.base.wording import counted
from runner.campaign import CampaignKind
from runner.ledger.approvals import Approval
from runner.ledger.replies import count_waiting
from runner.prices.costs import over_limits
from runner.run.approval import plan_to_approve
from runner.run.open import Run
from runner.run.optouts import review_words
from runner.run.paths import SANDBOX_RUN
from runner.schedule.timetable import Slot, deadline, due_of, end_of, local, refusal, span_problems, timetable

# What is wrong with a link, and what to do about it.
_LINKS = {
    RemarkKind.PLAIN_HTTP: ("an unencrypted link", "use https:// if the site supports it"),
    RemarkKind.LONG_LINK: ("a long link", "use a shortened one to save characters"),
    RemarkKind.BROKEN_LINK: ("a link cut off at a space", "use the filter urlencode in the template"),
}

# Reasons to exclude a row after its text has passed `message.requireText`.
_AFTER_REQUIRED_TEXT = (
    ExclusionReason.TOO_MANY_SEGMENTS,
    ExclusionReason.NOT_GSM7,
    ExclusionReason.OUTSIDE_WINDOW,
    ExclusionReason.COOLDOWN,
    ExclusionReason.OVER_LIMIT,
)


@dataclass(frozen=True, slots=True)
class Review:
    """A plan for review. `problems` forbid sending it; `warnings` don't. `plan` has the fingerprint to approve it."""

    run: Run
    plan: Approval
    slots: list[Slot]
    warnings: list[str]
    problems: list[Problem]

    @property
    def ends(self) -> datetime | None:
        """When the last message would be sent, at the campaign's rate and within its sending hours."""
        return end_of(self.slots, self.run.now)

    def as_json(self) -> dict[str, Any]:
        """The plan's figures for programs. Times are ISO 8601, UTC."""
        run, summary = self.run, self.run.summary
        return {
            "campaign": run.name,
            "run": run.run,
            "fingerprint": self.plan.fingerprint,
            "fingerprint_parts": dict(self.plan.parts),
            "sandbox": run.run == SANDBOX_RUN,
            **summary.as_json(),
            "rate": str(run.rate),
            "seconds": round(summary.seconds_at(run.rate), 3),
            "ends_at": _iso(self.ends),
            "timetable": [
                {
                    "zones": list(slot.zones),
                    "messages": slot.count,
                    "begins_at": _iso(slot.begins),
                    # With `outside: schedule`, this is the end of the requests, not of the messages; so it is left out.
                    "ends_at": _iso(slot.ends if slot.ends and slot.ends >= slot.begins else None),
                }
                for slot in (self.slots if run.campaign.window else ())
            ],
            "warnings": self.warnings,
            "problems": [str(problem) for problem in self.problems],
            "plan": str(run.paths.plan),
        }


def review(run: Run) -> Review:
    """Review the plan of a run. The plan has already been made."""
    campaign, summary, file = run.campaign, run.summary, run.inputs.file
    window = campaign.window.hours(campaign.timezone) if campaign.window else None
    slots = timetable(window, summary.by_zones, run.rate, run.now)
    problems = span_problems(file, due_of(slots, run.now), run.now)
    for problem in over_limits(campaign.limits.of_run(), summary.costs):
        problems.append(file.problem(tuple(problem.path.split(".")), problem.what, problem.remedy))
    # Rows without the required text are excluded. If every row lacks it, the run would send nothing and end without
    # an error.
    passed = summary.to_send + sum(summary.excluded[reason] for reason in _AFTER_REQUIRED_TEXT)
    if summary.excluded[ExclusionReason.REQUIRED_TEXT] and not passed:
        what, remedy = "no message contains the required text", "add it to the template, or correct this key"
        problems.append(file.problem(("message", "requireText"), what, remedy))
    return Review(run, plan_to_approve(run), slots, _warnings(run, slots), problems)


def _warnings(run: Run, slots: list[Slot]) -> list[str]:
    campaign, summary = run.campaign, run.summary
    found: list[str] = []
    if to_review := review_words(count_waiting(run.ledger), run.name, run.run):
        found.append(f"{to_review}; until then, their numbers are texted")
    if words := refusal(campaign, run.now):
        found.append(f"`campaign run` would not send now: {words}")
    end, last = end_of(slots, run.now), deadline(campaign.not_after, campaign, run.now)
    if last and run.now < last and (end is None or end > last):
        when = local(end, campaign.timezone) if end else "in more than a year"
        words = f"the last message would be sent {when}, after notAfter ({local(last, campaign.timezone)})"
        found.append(f"{words}; messages unsent by then are not sent")
    # Recipients who were texted and then removed from the file are not in the plan, but count towards the limits.
    limits = campaign.limits.of_run()
    if limits != Limits() and not over_limits(limits, summary.costs):
        found += [
            f"together with earlier messages, the run exceeds {problem.path} and will stop at that limit"
            for problem in over_limits(limits, summary.left.including(run.spent()))
        ]
    if late := sum(slot.late for slot in slots):
        messages = counted(late, "message")
        found.append(f"about {messages} can't be sent before the sending hours end (window.outside: skip)")
    if shared := summary.shared.rows:
        rows = ", ".join(map(str, summary.shared.examples))
        several = counted(shared, "message goes to a number", "messages go to numbers")
        found.append(f"{several} that an earlier row has under another key (row {rows}): is it the same person?")
    if campaign.kind is CampaignKind.MARKETING and not campaign.message.require_text:
        words = "a marketing campaign should say in every text how to opt out; to check that, write"
        found.append(f'{words} requireText: ["STOP"] under message:')
    prices = run.inputs.prices
    if prices and prices.of_others:
        sub_account = campaign.account.sub_account_id
        found.append(f"{prices.path} has no prices for {sub_account}; using the prices of all sub-accounts")
    if prices and (unpriced := summary.costs.unpriced):
        found.append(f"{prices.path} has no price for {', '.join(unpriced[:8])}: the cost doesn't include them")
    for kind, (what, advice) in _LINKS.items():
        if remarks := summary.remarks_of(kind):  # the first of them is the example
            subject, source, noted = remarks[0]
            origin = f" from {source}" if source else ""
            texts = counted(summary.remarked[kind], "text has", "texts have")
            found.append(f"{texts} {what}, such as {subject}{origin} in row {noted.examples[0]}; {advice}")
    return found


def _iso(moment: datetime | None) -> str | None:
    return iso(us_of(moment)) if moment else None
