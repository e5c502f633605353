"""From a YAML file to a frozen campaign, with the place of everything in it."""

from runner.campaign.load import CampaignFile, load, read
from runner.campaign.model import Account, Campaign, CountryColumn, Message, Recipients, Report
from runner.campaign.runs import check_run_id, run_id

__all__ = [
    "Account",
    "Campaign",
    "CampaignFile",
    "CountryColumn",
    "Message",
    "Recipients",
    "Report",
    "check_run_id",
    "load",
    "read",
    "run_id",
]
