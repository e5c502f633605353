"""The review of a plan before it is sent: timetable, warnings, and problems that forbid sending."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from runner.base.clock import iso, us_of
from runner.base.errors import Problem
from runner.base.exclusions import ExclusionReason
from runner.base.messages import WARNINGS, RemarkKind
from runner.base.options import Limits
from runner.base.wording import counted, listed_counts, seconds_in_words, share
from runner.campaign import CampaignKind
from runner.campaign.recipients_section import FreshColumn
from runner.ledger.approvals import Approval
from runner.ledger.replies import count_waiting
from runner.plan.summary import PlanSummary
from runner.prices.costs import over_limits
from runner.run.approval import plan_to_approve
from runner.run.open import Run
from runner.run.optouts import review_words
from runner.run.paths import SANDBOX_RUN
from runner.schedule.timetable import Slot, deadline, due_of, end_of, local, refusal, span_problems, timetable

# How many subjects a warning about texts names.
_MOST_SUBJECTS = 3

# Reasons to exclude a row after its text has passed `message.requireText`.
_AFTER_REQUIRED_TEXT = (
    ExclusionReason.TOO_MANY_SEGMENTS,
    ExclusionReason.NOT_GSM7,
    ExclusionReason.OUTSIDE_WINDOW,
    ExclusionReason.COOLDOWN,
    ExclusionReason.OVER_LIMIT,
)


# Reasons that a user chose together with a number: `sample: 1%` leaves out 99% on purpose.
_CHOSEN = (ExclusionReason.NOT_SAMPLED, ExclusionReason.OVER_LIMIT)


@dataclass(frozen=True, slots=True)
class Review:
    """A plan for review. `problems` forbid sending it; `warnings` don't. `plan` has the fingerprint to approve it.

    `emptiness` is the first of the warnings if the plan lacks more rows than anybody expects: `--yes` doesn't send it.
    """

    run: Run
    plan: Approval
    slots: list[Slot]
    warnings: list[str]
    problems: list[Problem]
    emptiness: str | None

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
    problems += _broken_expectations(run)
    empty = _emptiness(run)
    warnings = [*([empty] if empty else []), *_warnings(run, slots)]
    return Review(run, plan_to_approve(run), slots, warnings, problems, empty)


def _emptiness(run: Run) -> str | None:
    """Why the plan looks empty by mistake: every row is excluded, or more than half for one reason. None: it doesn't.

    Only the campaign file can say that it is usual, with `recipients.expect.excluded`. A condition or a list of
    countries doesn't: it doesn't say how many rows it leaves out, and a typing error in it leaves out most.
    """
    summary, expect = run.summary, run.campaign.recipients.expect
    if expect and expect.excluded:
        return None
    if not summary.to_send:
        reasons = listed_counts(summary.excluded.most_common())
        return f"nothing is left to send: every row of {run.inputs.audience.source.path} is excluded ({reasons})"
    for reason, count in summary.excluded.items():
        if count * 2 > summary.rows and reason not in _CHOSEN:
            of_all = f"{count:,} of {summary.rows:,} ({share(count, summary.rows)})"
            return f"more than half of the rows are excluded for one reason: {of_all} are {reason}"
    return None


def _broken_expectations(run: Run) -> list[Problem]:
    """What in the recipient file isn't as `recipients.expect` says, with the figures."""
    summary, expect, source = run.summary, run.campaign.recipients.expect, run.inputs.audience.source
    if expect is None:
        return []
    found: list[tuple[str, str]] = []
    if expect.rows and summary.rows not in expect.rows:
        found.append(("rows", f"{source.path} has {counted(summary.rows, 'row')}, expected {expect.rows.in_words}"))
    excluded = summary.excluded.total() - sum(summary.excluded[reason] for reason in _CHOSEN)
    if expect.excluded and expect.excluded.is_crossed(excluded, summary.rows):
        figures = f"{excluded:,} of {counted(summary.rows, 'row')} are excluded ({share(excluded, summary.rows)})"
        found.append(("excluded", f"{figures}, expected at most {expect.excluded}"))
    for key, by_column, what in (
        ("unique", summary.repeated, "a value that an earlier row has"),
        ("notNull", summary.empty, "no value"),
    ):
        for column, noted in by_column.items():
            rows = ", ".join(str(summary.sheet_rows.of(row)) for row in noted.examples)
            more = ", …" if noted.rows > len(noted.examples) else ""
            several = counted(noted.rows, "row has", "rows have")
            found.append((key, f'{several} {what} in the column "{column}" (row {rows}{more})'))
    # A run that has begun continues, however long it takes.
    if expect.fresh_within and not run.counts() and (stale := _stale(run, expect.fresh_within)):
        found.append(("freshWithin", stale))
    remedy = "correct the file, or this expectation"
    return [run.inputs.file.problem(("recipients", "expect", key), what, remedy) for key, what in found]


def _stale(run: Run, fresh: timedelta | FreshColumn) -> str | None:
    """Why the recipient file is too old; None: it isn't."""
    path, zone = run.inputs.audience.source.path, ZoneInfo(run.campaign.timezone)
    if isinstance(fresh, timedelta):
        within, newest = fresh, datetime.fromtimestamp(path.stat().st_mtime, UTC)
        what = f"{path} was last changed"
    else:
        times = [datetime.fromisoformat(text) for text in run.summary.newest]
        if not times:
            return f'no cell of the column "{fresh.column}" is a date or time such as 2026-12-01'
        within, newest = fresh.within, max(at if at.tzinfo else at.replace(tzinfo=zone) for at in times)
        what = f'the newest time in the column "{fresh.column}" is'
    age, what = run.now - newest, f"{what} {local(newest, run.campaign.timezone)}"
    if age < -timedelta(days=1):
        return f"{what}, which is in the future"
    if age <= within:
        return None
    ago, most = (seconds_in_words(span.total_seconds()) for span in (age, within))
    return f"{what}, {ago} ago, expected at most {most}"


def _warnings(run: Run, slots: list[Slot]) -> list[str]:
    campaign, summary = run.campaign, run.summary
    found = list(summary.warnings)
    if to_review := review_words(count_waiting(run.ledger), run.name, run.run):
        found.append(f"{to_review}; until you decide, campaigns text their numbers")
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
        rows = ", ".join(str(summary.sheet_rows.of(row)) for row in summary.shared.examples)
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
    return found + [words for kind in WARNINGS if (words := _about_texts(summary, kind))]


def _about_texts(summary: PlanSummary, kind: RemarkKind) -> str | None:
    """The warning about all texts with a remark of this kind; None if there are none."""
    remarks = summary.remarks_of(kind)
    if not remarks:
        return None
    what, advice = WARNINGS[kind]
    shown = []
    for subject, source, noted in remarks[:_MOST_SUBJECTS]:
        rows = (
            f"row{'s' if noted.rows > 1 else ''} {', '.join(str(summary.sheet_rows.of(row)) for row in noted.examples)}"
        )
        rows += ", …" if noted.rows > len(noted.examples) else ""
        shown.append(f"{subject} (from {source}; {rows})" if source else f"{subject} ({rows})")
    more = f" and {len(remarks) - _MOST_SUBJECTS:,} more" if len(remarks) > _MOST_SUBJECTS else ""
    return f"{counted(summary.remarked[kind], 'text has', 'texts have')} {what}: {', '.join(shown)}{more}; {advice}"


def _iso(moment: datetime | None) -> str | None:
    return iso(us_of(moment)) if moment else None
