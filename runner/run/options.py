"""What a campaign says about every message alike: for the wire, for the fingerprint, and in words."""

from datetime import UTC, datetime, timedelta

import orjson

from runner.campaign.field_types import Day
from runner.campaign.model import Campaign
from runner.models import SendOptions


def send_options(campaign: Campaign) -> SendOptions:
    """What the campaign says about every message alike."""
    message = campaign.message
    track = {True: "Outcome", False: "None", None: None}[message.conversion_tracking]
    return SendOptions(
        source=message.source,
        encoding=message.encoding,
        scheduled=message.scheduled,
        expiry=message.expiry,
        dlr_callback_url=campaign.callback_url,
        client_ip=message.client_ip,
        track=track,
        send_country=campaign.recipients.country is not None,
    )


def described_options(campaign: Campaign) -> dict[str, str]:
    """Every option that changes what is sent, as text, by its path in the campaign file."""
    message = campaign.message
    values = {
        "account.subAccountId": campaign.account.sub_account_id,
        "account.region": campaign.account.region,
        "message.source": message.source,
        "message.encoding": message.encoding.value,
        "message.conversionTracking": message.conversion_tracking,
        "message.scheduled": message.scheduled,
        "message.expiry": message.expiry,
        "message.dlrCallbackUrl": campaign.callback_url,
        "message.clientIp": message.client_ip,
        "recipients.country": campaign.recipients.country is not None,
        "window": _hours(campaign),
    }
    return {path: _as_text(value) for path, value in values.items() if value is not None}


def _hours(campaign: Campaign) -> str | None:
    """The sending hours in words: `09:00 to 20:00, mon tue, recipient, wait`."""
    if campaign.window is None:
        return None
    window = campaign.window
    hours = window.hours(campaign.timezone)
    opens, closes = (f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (hours.opens, hours.closes))
    days = " ".join([day.value for day in Day if day in window.days])
    return f"{opens} to {closes}, {days}, {hours.zone or 'recipient'}, {hours.outside}"


def _as_text(value: object) -> str:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case timedelta():
            return f"{int(value.total_seconds())} s after the send"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def changed_options(before: dict[str, str], now: dict[str, str]) -> list[str]:
    return [
        f"{path} was {before.get(path, 'absent')}, is {now.get(path, 'absent')}"
        for path in sorted({*before, *now})
        if before.get(path) != now.get(path)
    ]


def canonical(options: dict[str, str]) -> str:
    """The described options as one text that is the same for the same options."""
    return orjson.dumps(options, option=orjson.OPT_SORT_KEYS).decode()
