"""What a report says of a run beyond its results: taken from the campaign, kept in the run's folder, and read again."""

from runner.atomic import replacing
from runner.campaign import Campaign
from runner.message.blot import blotted
from runner.plan.inputs import Inputs
from runner.plan.money import plain
from runner.plan.summary import PlanSummary
from runner.report.facts import Facts
from runner.run.places import Places


def keep_facts(inputs: Inputs, summary: PlanSummary, places: Places) -> None:
    """Note what the campaign asks for as its plan begins to be sent. It holds a text, so it is its owner's alone."""
    facts = facts_of(inputs, summary)
    with replacing(places.facts) as file:
        file.write(facts.as_bytes())


def kept_facts(places: Places) -> Facts | None:
    """What was noted; None where nothing was, by a version before this one, or where it can't be read any more."""
    try:
        return Facts.from_bytes(places.facts.read_bytes())
    except (OSError, ValueError):
        return None  # the report is made without it


def asks_to_mask(facts: Facts | None, places: Places) -> bool:
    """Whether the report files must show no numbers. Where it can't be read what was asked for, they don't."""
    return facts.mask if facts else places.facts.exists()


def facts_of(inputs: Inputs, summary: PlanSummary) -> Facts:
    campaign = inputs.campaign
    text = summary.samples[0][2].text if summary.samples and not campaign.report.mask else None
    blot = blotted(summary.samples[0][2].text, inputs.composer.own_text) if summary.samples else None
    prices = inputs.prices
    return Facts(
        file=inputs.file.path.name,
        recipients=campaign.recipients.file.name,
        rate=str(campaign.rate),
        per_second=campaign.rate.per_second,
        template_name=campaign.message.template.name if campaign.message.template else "message.text",
        template=_template(campaign),
        example=text,
        example_masked=blot,
        source=campaign.message.source,
        currency=prices.currency if prices else None,
        prices=_by_country(summary),
        tracked=campaign.message.conversion_tracking is True,
        with_receipts=campaign.awaits_receipts,
        mask=campaign.report.mask,
        formats=tuple(kind.value for kind in campaign.report.formats),
    )


def _template(campaign: Campaign) -> str:
    if campaign.message.template is None:
        return campaign.message.text or ""
    try:
        return campaign.message.template.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:  # moved since it was read: that must not keep the run from beginning
        return ""


def _by_country(summary: PlanSummary) -> dict[str, str]:
    """The highest price of each country that occurs."""
    return {row.country: plain(row.price.high) for row in summary.costs.rows() if row.price is not None}
