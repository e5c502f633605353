"""What a person should look at before a plan is sent: when, what it costs, what is odd about it, what forbids it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runner.base.clock import iso
from runner.base.errors import Problem
from runner.base.exclusions import ExclusionReason
from runner.base.messages import RemarkKind
from runner.base.options import Limits
from runner.base.wording import counted
from runner.campaign import CampaignKind
from runner.prices.costs import Costs, over_limits
from runner.run.open import Run
from runner.schedule.timetable import Slot, deadline, due_of, end_of, local, refusal, span_problems, timetable

_ADVICE = {
    RemarkKind.PLAIN_HTTP: "links without encryption; write https:// where the site has it",
    RemarkKind.LONG_LINK: "long links; a short one leaves room for words",
    RemarkKind.BROKEN_LINK: "links broken by a space in a field; use the filter urlencode in the template",
}

# Why a row is left out whose text had what `message.requireText` asks for.
_AFTER_REQUIRED_TEXT = (
    ExclusionReason.TOO_MANY_SEGMENTS,
    ExclusionReason.NOT_GSM7,
    ExclusionReason.OUTSIDE_WINDOW,
    ExclusionReason.COOLDOWN,
    ExclusionReason.OVER_LIMIT,
)


@dataclass(frozen=True, slots=True)
class Review:
    """A plan as people see it. `problems` forbid sending it; `warnings` are for a person's judgement."""

    run: Run
    slots: list[Slot]
    warnings: list[str]
    problems: list[Problem]

    @property
    def ends(self) -> datetime | None:
        """When the last message would leave, at the campaign's rate and inside of its sending hours."""
        return end_of(self.slots, self.run.now)

    def as_json(self) -> dict[str, Any]:
        """The plan's figures for programs. Times are ISO 8601, UTC."""
        run, summary = self.run, self.run.summary
        return {
            "campaign": run.name,
            "run": run.run,
            **summary.as_json(),
            "rate": str(run.campaign.rate),
            "seconds": round(summary.seconds_at(run.campaign.rate), 3),
            "ends_at": _iso(self.ends),
            "timetable": [
                {
                    "zones": list(slot.zones),
                    "messages": slot.count,
                    "begins_at": _iso(slot.begins),
                    # With `outside: schedule` it is when their requests are done, which says nothing of them.
                    "ends_at": _iso(slot.ends if slot.ends and slot.ends >= slot.begins else None),
                }
                for slot in (self.slots if run.campaign.window else ())
            ],
            "warnings": self.warnings,
            "problems": [str(problem) for problem in self.problems],
            "plan": str(run.paths.plan),
        }


def review(run: Run) -> Review:
    """Look at a run's plan, which has been made."""
    campaign, summary, file = run.campaign, run.summary, run.inputs.file
    window = campaign.window.hours(campaign.timezone) if campaign.window else None
    slots = timetable(window, summary.by_zones, campaign.rate, run.now)
    problems = span_problems(file, due_of(slots, run.now), run.now)
    for problem in _over_limits(run, summary.costs):
        problems.append(file.problem(tuple(problem.path.split(".")), problem.what, problem.remedy))
    # Of some rows a column may hold the required text. When none has it, a run would send nothing and end as if all
    # were well.
    passed = summary.to_send + sum(summary.excluded[reason] for reason in _AFTER_REQUIRED_TEXT)
    if summary.excluded[ExclusionReason.REQUIRED_TEXT] and not passed:
        what, remedy = "no text has what each must have", "write it into the template, or correct it here"
        problems.append(file.problem(("message", "requireText"), what, remedy))
    return Review(run, slots, _warnings(run, slots), problems)


def _over_limits(run: Run, costs: Costs) -> list[Problem]:
    limits = run.campaign.limits.of_run()
    return over_limits(limits, messages=costs.messages, segments=costs.segments, costs=costs)


def _warnings(run: Run, slots: list[Slot]) -> list[str]:
    campaign, summary = run.campaign, run.summary
    found: list[str] = []
    if words := refusal(campaign, run.now):
        found.append(f"`campaign run` would refuse now: {words}")
    end, last = end_of(slots, run.now), deadline(campaign.not_after, campaign, run.now)
    if last and run.now < last and (end is None or end > last):
        when = local(end, campaign.timezone) if end else "in more than a year"
        words = f"the last message would leave {when}, after notAfter ({local(last, campaign.timezone)})"
        found.append(f"{words}; what is left then is not sent")
    # A recipient who was sent to and has left the file since is in no plan, and counts all the same.
    if campaign.limits.of_run() != Limits() and not _over_limits(run, summary.costs):
        found += [
            f"with what was sent before, the run comes to more than {problem.path} allows, and will stop there"
            for problem in _over_limits(run, summary.left.including(run.spent()))
        ]
    if late := sum(slot.late for slot in slots):
        found.append(f"about {late:,} messages can't leave before the sending hours end (window.outside: skip)")
    if shared := summary.shared.rows:
        rows = ", ".join(map(str, summary.shared.examples))
        several = counted(shared, "message goes to a number", "messages go to numbers")
        found.append(f"{several} that an earlier row has too, under another key (row {rows}); is that one person?")
    if campaign.kind is CampaignKind.MARKETING and not campaign.message.require_text:
        words = "this is marketing, and nothing makes sure that each text says how to opt out"
        found.append(f'{words}; write for example requireText: ["STOP"] under message:')
    prices = run.inputs.prices
    if prices and prices.of_others:
        found.append(f"{prices.path} has no prices for {campaign.account.sub_account_id}; those of all are taken")
    if prices and (unpriced := summary.costs.unpriced):
        found.append(f"{prices.path} has no price for {', '.join(unpriced[:8])}: the cost is without them")
    for kind, advice in _ADVICE.items():
        if remarks := summary.remarks_of(kind):  # the first of them is the example
            subject, source, noted = remarks[0]
            place = f"{source}; row {noted.examples[0]}" if source else f"row {noted.examples[0]}"
            texts = counted(summary.remarked[kind], "text has", "texts have")
            found.append(f"{texts} {advice}: {subject} ({place})")
    return found


def _iso(moment: datetime | None) -> str | None:
    return iso(int(moment.timestamp() * 1e6)) if moment else None
