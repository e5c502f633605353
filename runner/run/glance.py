"""Rows as a plan would judge them, for looking at texts without a run: no ledger, no sending hours, no limit."""

from collections.abc import Iterator

from runner.plan.inputs import Inputs
from runner.plan.narrowing import Sample
from runner.plan.planner import Judged, Planner, Rules


def judged_rows(inputs: Inputs, *, sampled: bool) -> Iterator[Judged]:
    """Every row with its text, or with why it gets none; in the order of the file.

    `sampled`: rows outside of `recipients.sample` are left out, as in a run. Somebody who asks for a row by its number
    wants to see its text all the same.
    """
    share = inputs.campaign.recipients.sample if sampled else None
    rules = Rules(sample=Sample(inputs.campaign.name, share)) if share else None
    yield from Planner(inputs.audience, inputs.composer, options="", rules=rules).judged()
