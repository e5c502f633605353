"""All that a run's plan is made of, as one digest."""

from importlib.metadata import version

from runner.ledger.ledger import Ledger
from runner.ledger.optouts import optouts_state
from runner.plan.inputs import Inputs
from runner.plan.kept import Ingredients
from runner.run.options import canonical, described_options

_PLANNERS = ("campaign-runner", "phonenumbers", "jinja2", "babel", "charset-normalizer", "python-calamine", "polars")
"""Another version of these may plan otherwise."""

_NOT_OF_THE_PLAN = {"rate", "not_before", "not_after", "stop_when", "give_up_after"}
"""What may be changed between two sessions without another plan."""


def ingredients_of(inputs: Inputs, ledger: Ledger, *, limit: int | None) -> str | None:
    """None: the plan depends on the moment (sending hours, a cooldown), or a file can't be read.

    The files' contents are taken before they are planned. If one changes meanwhile, this is the digest of the older
    one, and the next plan is made anew.
    """
    campaign = inputs.campaign
    if campaign.window or campaign.recipients.cooldown:
        return None
    made_of = Ingredients()
    for package in _PLANNERS:
        made_of.add(version(package))
    made_of.add(campaign.model_dump_json(exclude=_NOT_OF_THE_PLAN, warnings=False))
    made_of.add(canonical(described_options(campaign)))
    made_of.add(inputs.composer.source)
    made_of.add(repr(inputs.prices))
    made_of.add(repr(limit))
    made_of.add(ledger.id)
    made_of.add(optouts_state(ledger))
    try:
        made_of.add_file(inputs.audience.source.path)
        for listed in inputs.audience.suppress:
            made_of.add(f"{listed.path} {listed.phone} {listed.key}")
            made_of.add_file(listed.path)
    except OSError:
        return None  # planning says it in words
    return made_of.hexdigest()
