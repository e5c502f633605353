"""What a campaign says about every message alike: for the wire, for the fingerprint, and in words.

Which keys of the section `message` go to the provider is marked there; nothing here lists them again.
"""

from datetime import UTC, datetime, timedelta

import orjson

from runner.campaign.message_section import SENT_KEYS
from runner.campaign.model import Campaign
from runner.provider.payload import SendOptions

_TRACK = {True: "Outcome", False: "None", None: None}


def send_options(campaign: Campaign) -> SendOptions:
    """The options of every request."""
    options = campaign.provider_options()
    track = _TRACK[options.pop("conversion_tracking")]
    return SendOptions(**options, track=track, send_country=campaign.recipients.country is not None)


def described_options(campaign: Campaign) -> dict[str, str]:
    """Every option that changes what is sent, as text, by its path in the campaign file."""
    values = {
        "account.subAccountId": campaign.account.sub_account_id,
        "account.region": campaign.account.region,
        **{f"message.{SENT_KEYS[name]}": value for name, value in campaign.provider_options().items()},
        "recipients.country": campaign.recipients.country is not None,
        "window": campaign.window.in_words(campaign.timezone) if campaign.window else None,
    }
    return {path: _as_text(value) for path, value in values.items() if value is not None}


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
    """Each option that differs, in words: `message.source was ACME, is absent`."""
    return [
        f"{path} was {before.get(path, 'absent')}, is {now.get(path, 'absent')}"
        for path in sorted({*before, *now})
        if before.get(path) != now.get(path)
    ]


def canonical(options: dict[str, str]) -> str:
    """The described options as one text that is the same for the same options."""
    return orjson.dumps(options, option=orjson.OPT_SORT_KEYS).decode()
