"""From a YAML file to a frozen campaign, with the place of everything in it."""

from runner.campaign.fields import CampaignKind, Format, Missing
from runner.campaign.load import CampaignFile, load, read
from runner.campaign.message import Message
from runner.campaign.model import Account, Campaign, Report
from runner.campaign.recipients import CountryColumn, Recipients, SuppressionFile
from runner.campaign.runs import check_run_id, run_id

__all__ = [
    "Account",
    "Campaign",
    "CampaignFile",
    "CampaignKind",
    "CountryColumn",
    "Format",
    "Message",
    "Missing",
    "Recipients",
    "Report",
    "SuppressionFile",
    "check_run_id",
    "load",
    "read",
    "run_id",
]
