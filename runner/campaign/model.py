"""A campaign as frozen records: the name, meaning and allowed values of each key.

The keys are camelCase in the file and in the JSON Schema, snake_case here. The models know only the full form;
`normalize` expands the shorthands. `fields` defines how to read a single value. Error messages quote the `examples`.
The sections `recipients` and `message` have their own modules.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

from pydantic import StrictBool, model_validator

from runner.base.options import FuseLimits, Limits, Outside, Rate, SendingHours, Threshold
from runner.campaign import fields, times, values
from runner.campaign.fields import NOT_EMPTY, UNIQUE, Section, TextRule, choice, optional, pattern, setting
from runner.campaign.message_section import SENT_KEYS, MessageSection
from runner.campaign.recipients_section import RecipientsSection
from runner.campaign.values import InvalidValue

DEFAULT_PORT: Final = 8090
_FUSES: Final = FuseLimits()

_NAME = "1 to 64 letters, digits, dots, dashes and underscores"
_RUN_ID = "1 to 64 letters, digits, dots, dashes, underscores, {date}, {week}, {month}"
_VARIABLE = "an environment variable name"
_SUB_ACCOUNT_ID = "3 to 50 letters, digits and `-._&`"


class AccountSection(Section):
    """The account that sends."""

    sub_account_id: Annotated[str, pattern(values.sub_account, values.SUB_ACCOUNT_PATTERN, _SUB_ACCOUNT_ID)] = setting(
        "The ID of the 8x8 sub-account that sends and pays, as shown in 8x8 Connect.", "acme_hq"
    )
    region: Annotated[fields.Region, choice(fields.Region)] = setting(
        "The region of the account: asia, north-america, europe or indonesia.", "asia", fields.Region.ASIA
    )
    account_id: Annotated[str, pattern(values.account_id, values.UUID_PATTERN, "a UUID")] | None = optional(
        "The UUID of the 8x8 account that owns the sub-account. If given, a run compares its cost with the prepaid "
        "balance before it starts.",
        "1f1bf1d0-6e0e-4c1c-9e6c-0a0a2b3c4d5e",
    )


class StopWhenSection(Section):
    """The fuses: limits that stop a run automatically."""

    unknown_in_a_row: fields.Count = setting(
        "Stop the run after this many consecutive unknown outcomes.", 20, _FUSES.unknown_in_a_row
    )
    unknown_share: fields.Share = setting(
        "Stop the run if a larger share of the last 200 outcomes is unknown. Checked from the 50th outcome on.",
        "20%",
        _FUSES.unknown_share,
    )
    rejected_share: fields.Share = setting(
        "Stop the run if a larger share of the session's messages is rejected. Checked from the 50th outcome on, and "
        "only if the share is significant: the lower bound of its 95% confidence interval (Wilson) must be above this "
        "limit.",
        "50%",
        _FUSES.rejected_share,
    )

    def limits(self) -> FuseLimits:
        return FuseLimits(self.unknown_in_a_row, self.unknown_share, self.rejected_share)


class ThresholdsSection(Section):
    """What makes a finished run fail, with exit code 1. The defaults allow no rejected and no unknown message."""

    rejected: fields.ThresholdValue = setting(
        "The most rejected messages: a percentage of the messages sent (accepted, rejected and unknown), or a whole "
        "number.",
        "2%",
        Threshold(Decimal(0)),
    )
    unknown: fields.ThresholdValue = setting(
        "The most messages with an unknown outcome: a percentage of the messages sent, or a whole number.",
        10,
        Threshold(Decimal(0)),
    )
    undelivered: fields.ThresholdValue | None = optional(
        "The most messages that a delivery receipt reports as failed: a percentage of the accepted messages, or a "
        "whole number. Receipts arrive after the run, so `campaign report` judges it later. Absent: not judged.",
        "10%",
    )

    def as_texts(self) -> dict[str, str]:
        """The thresholds that are judged, as text."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: str(threshold) for name, threshold in found.items() if threshold is not None}


class LimitsSection(Section):
    """Limits for a run, over all its sessions."""

    messages: fields.Maximum | None = optional("The maximum number of messages.", 50000)
    segments: fields.Maximum | None = optional("The maximum number of segments.", 80000)
    cost: fields.Cost | None = optional(
        "The maximum cost of the messages, at the prices of the price list (prices) and in its currency.", "500 USD"
    )

    def of_run(self) -> Limits:
        amount, currency = self.cost or (None, None)
        return Limits(self.messages, self.segments, amount, currency)


class ReportSection(Section):
    """Options of the results."""

    columns: Annotated[tuple[fields.Column, ...], UNIQUE] = setting(
        "Columns to copy from the recipient file to the results.", ["segment", "city"], ()
    )
    formats: Annotated[tuple[Annotated[fields.ReportFormat, choice(fields.ReportFormat)], ...], UNIQUE] = setting(
        "Additional file formats of the results: xlsx. parquet and csv are always written.", ["xlsx"], ()
    )
    mask: StrictBool = setting(
        "Mask phone numbers and omit texts in all report files. report.html always does so. On terminals, mask "
        "numbers too, unless --unmask is given.",
        True,
        False,
    )


class WindowSection(Section):
    """Sending hours."""

    opens: fields.OpeningTime = setting(
        "When sending hours begin. Write the time in quotes: YAML reads an unquoted 21:00 as a number.",
        "09:00",
        alias="from",
    )
    closes: fields.ClosingTime = setting(
        'When sending hours end, in quotes, at most "24:00". A time at or before from is on the next day.',
        "20:00",
        alias="to",
    )
    days: Annotated[tuple[Annotated[fields.Day, choice(fields.Day)], ...], UNIQUE, NOT_EMPTY] = setting(
        "The days on which sending hours begin. Absent: every day.",
        ["mon", "tue", "wed", "thu", "fri"],
        tuple(fields.Day),
    )
    zone: Annotated[str, TextRule(times.window_zone)] | None = optional(
        "The IANA time zone of the sending hours, or recipient for each recipient's own zone. If a number may be in "
        "several zones, it must be within sending hours in all of them. Absent: the campaign's timezone.",
        "recipient",
    )
    outside: Annotated[Outside, choice(Outside)] = setting(
        "What to do with a message outside sending hours. wait: the run waits until they begin. skip: exclude the "
        "message. schedule: the provider delivers the message when they begin.",
        "wait",
        Outside.WAIT,
    )

    def in_words(self, campaign_zone: str) -> str:
        """The sending hours as text for fingerprints: `09:00 to 20:00, mon tue, recipient, wait`."""
        opens, closes = (f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (self.opens, self.closes))
        days = " ".join(day for day in fields.Day if day in self.days)
        return f"{opens} to {closes}, {days}, {self.zone or campaign_zone}, {self.outside}"

    def hours(self, campaign_zone: str) -> SendingHours:
        """The window with its zone filled in; zone None means each recipient's own."""
        zone = None if self.zone == times.RECIPIENT_ZONE else self.zone or campaign_zone
        days = frozenset(list(fields.Day).index(day) for day in self.days)
        return SendingHours(self.opens, self.closes, days, zone, self.outside)


class ReceiptsSection(Section):
    """How delivery receipts arrive; `campaign receipts` receives them."""

    url: fields.WebAddress | None = optional(
        "The public URL of `campaign receipts`, sent with each message as its dlrCallbackUrl. Absent: the account's "
        "webhook is used.",
        "https://example.com/receipts",
    )
    port: fields.Port = setting("The local port on which `campaign receipts` listens.", 8090, DEFAULT_PORT)
    auth_header_env: Annotated[str, pattern(values.variable, values.VARIABLE_PATTERN, _VARIABLE)] | None = optional(
        "The environment variable with the Authorization header that the provider sends with receipts. If it is set, a "
        "run also adds a secret path, derived from it, to `url`.",
        "RECEIPTS_AUTHORIZATION",
    )


class Campaign(Section):
    """The whole campaign file."""

    name: Annotated[str, pattern(values.name, values.NAME_PATTERN, _NAME)] = setting(
        "The campaign's name. It names the reports folder and is part of every clientMessageId.", "spring-sale"
    )
    run: Annotated[str, pattern(values.run_pattern, values.RUN_PATTERN, _RUN_ID)] = setting(
        "The run ID. Each run sends one message to each recipient. {date} becomes 2026-12-01, {week} 2026-W49, "
        "{month} 2026-12.",
        "{date}",
        "main",
    )
    kind: Annotated[fields.CampaignKind, choice(fields.CampaignKind)] | None = optional(
        "The purpose: marketing or transactional. For marketing, the plan warns if requireText is missing.",
        "marketing",
    )
    timezone: Annotated[str, TextRule(times.time_zone)] = setting(
        "The IANA time zone of {date} and of sending hours: an area and a city. If it is set, the filter date shows "
        "times with a UTC offset in it.",
        "Asia/Singapore",
        "UTC",
    )
    account: AccountSection = setting("The account that sends and pays.", {"subAccountId": "acme_hq"})
    recipients: RecipientsSection = setting(
        "The recipients: the path of a file, or a section with the file and its columns.", "recipients/welcome.csv"
    )
    message: MessageSection = setting(
        "The text and the options of every message.", {"template": "../templates/welcome.txt.j2"}
    )
    rate: Annotated[Rate, pattern(values.rate, values.RATE_PATTERN, "a whole number per s, min or h", Rate)] = setting(
        f"The maximum number of requests per second (s), minute (min) or hour (h); at most {values.MAX_PER_SECOND}/s.",
        "10/s",
    )
    window: WindowSection | None = optional(
        "Sending hours. Absent: at any time.", {"from": "09:00", "to": "20:00", "zone": "recipient"}
    )
    not_before: fields.Deadline | None = optional(
        "The earliest start: the run refuses to start before it. A date and time with its UTC offset, or a quoted time "
        "of day in the campaign's timezone.",
        "2026-12-01T09:00:00+08:00",
    )
    not_after: fields.Deadline | None = optional(
        "The deadline: nothing is sent after it, so that a late job doesn't send outdated messages. A date and time "
        "with its UTC offset, or a quoted time of day in the campaign's timezone.",
        "2026-12-01T18:00:00+08:00",
    )
    prices: fields.FilePath | None = optional(
        "The price list: a CSV file with the columns country, price (per segment) and currency. `campaign prices` "
        "saves the provider's prices.",
        "prices.csv",
    )
    limits: LimitsSection = setting(
        "The maximum that a run may send and cost. A plan above a limit is refused, and a run stops at a limit.",
        {"messages": 50000, "cost": "500 USD"},
        LimitsSection(),
    )
    stop_when: StopWhenSection = setting(
        "When a run stops automatically. Absent: the defaults apply.", {"rejectedShare": "30%"}, StopWhenSection()
    )
    thresholds: ThresholdsSection = setting(
        "When a finished run fails, with exit code 1. Absent: if a message is rejected or unknown.",
        {"rejected": "2%", "unknown": 0},
        ThresholdsSection(),
    )
    give_up_after: fields.Duration = setting(
        "How long to retry while the provider or a proxy is unreachable, or every request is throttled, before the run "
        "stops.",
        "10min",
        timedelta(minutes=10),
    )
    receipts: ReceiptsSection | None = optional(
        "Delivery receipts and replies: how they arrive. If given, a run prints how to receive them.",
        {"url": "https://example.com/receipts"},
    )
    report: ReportSection = setting(
        "Additional columns and formats of the results.", {"columns": ["city"]}, ReportSection()
    )

    def run_id(self, now: datetime) -> str:
        """The run ID at `now` (aware), with the date in the campaign's time zone."""
        assert now.tzinfo is not None
        return values.fill_in(self.run, now.astimezone(ZoneInfo(self.timezone)))

    @property
    def callback_url(self) -> str | None:
        """The URL for receipts; None: the account's webhook, if there is one."""
        return self.message.dlr_callback_url or (self.receipts.url if self.receipts else None)

    def provider_options(self) -> dict[str, Any]:
        """The options sent with every message, by attribute of the section `message`. None: not sent."""
        return {name: getattr(self.message, name) for name in SENT_KEYS} | {"dlr_callback_url": self.callback_url}

    @property
    def awaits_receipts(self) -> bool:
        """Whether the campaign expects receipts; their URL may be set in the account instead."""
        return self.receipts is not None or self.callback_url is not None

    @model_validator(mode="after")
    def _has_one_callback(self) -> Self:
        if self.receipts and self.receipts.url and self.message.dlr_callback_url not in (None, self.receipts.url):
            what = "url differs from message.dlrCallbackUrl"
            raise InvalidValue(what, "remove one of them", key="receipts")
        return self

    @model_validator(mode="after")
    def _is_sendable(self) -> Self:
        # Times of day refer to the same day, so a run between 22:00 and 06:00 could never start.
        if times.is_not_after(self.not_after, self.not_before):
            remedy = "write a later time, or remove one of them"
            raise InvalidValue("must be after notBefore", remedy, key="notAfter")
        if self.limits.cost and self.prices is None:
            remedy = 'add a line such as "prices: prices.csv"'
            raise InvalidValue("cost needs a price list", remedy, key="limits")
        if self.window and self.message.scheduled is not None:
            # The window applies when a request leaves. A message that is delivered later could arrive at 3 a.m.
            what = "can't be combined with message.scheduled: messages could arrive outside sending hours"
            remedy = "remove one of them; to deliver when sending hours begin, set outside: schedule"
            raise InvalidValue(what, remedy, key="window")
        return self
