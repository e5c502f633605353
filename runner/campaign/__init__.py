"""From a YAML file to a frozen campaign, with the position of each value."""

from runner.campaign.fields import CampaignKind, Missing
from runner.campaign.load import CampaignFile, read
from runner.campaign.message_section import MessageSection
from runner.campaign.model import AccountSection, Campaign, ReportSection
from runner.campaign.recipients_section import CountryColumn, RecipientsSection, SuppressionFile
from runner.campaign.values import check_run_id

__all__ = [
    "AccountSection",
    "Campaign",
    "CampaignFile",
    "CampaignKind",
    "CountryColumn",
    "MessageSection",
    "Missing",
    "RecipientsSection",
    "ReportSection",
    "SuppressionFile",
    "check_run_id",
    "read",
]
