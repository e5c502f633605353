"""The id of a run: the campaign's pattern filled in, or what the command line gave."""

from datetime import datetime
from zoneinfo import ZoneInfo

from runner.campaign import values
from runner.campaign.model import Campaign
from runner.campaign.values import Wrong


def run_id(campaign: Campaign, now: datetime) -> str:
    """The campaign's run id at `now`, which must be aware: its date is taken in the campaign's time zone."""
    assert now.tzinfo is not None
    return values.fill_in(campaign.run, now.astimezone(ZoneInfo(campaign.timezone)))


def check_run_id(text: str) -> str | None:
    """What is wrong with a run id given on the command line, and what to give instead; None when nothing is."""
    try:
        values.run_id(text)
    except Wrong as wrong:
        return f"{wrong.what}; {wrong.remedy}"
    return None
