"""A campaign as frozen records: what each key is called, means and may hold.

The keys are camelCase in the file and in the JSON Schema, snake_case here. The models know the spelled-out form alone;
`normalize` unfolds the shorthands. `fields` says how a single value is read; `examples` appear in messages too.
The sections `recipients` and `message` have their own modules.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

from pydantic import StrictBool, model_validator

from runner.base.options import FuseLimits, Limits, Outside, Rate, SendingHours
from runner.campaign import fields, times, values
from runner.campaign.fields import NOT_EMPTY, UNIQUE, Section, TextRule, choice, optional, pattern, setting
from runner.campaign.message_section import SENT_KEYS, MessageSection
from runner.campaign.recipients_section import RecipientsSection
from runner.campaign.values import InvalidValue

DEFAULT_PORT: Final = 8090
_FUSES: Final = FuseLimits()

_NAME = "1 to 64 letters, digits, dots, dashes and underscores"
_RUN_ID = "1 to 64 letters, digits, dots, dashes, underscores, {date}, {week}, {month}"
_VARIABLE = "the name of an environment variable"
_SUB_ACCOUNT_ID = "3 to 50 letters, digits and `-._&`"


class AccountSection(Section):
    """Who sends."""

    sub_account_id: Annotated[str, pattern(values.sub_account, values.SUB_ACCOUNT_PATTERN, _SUB_ACCOUNT_ID)] = setting(
        "The 8x8 sub-account that sends and pays, as 8x8 Connect shows it.", "acme_hq"
    )
    region: Annotated[fields.Region, choice(fields.Region)] = setting(
        "Where the account lives: asia, north-america, europe or indonesia.", "asia", fields.Region.ASIA
    )
    account_id: Annotated[str, pattern(values.account_id, values.UUID_PATTERN, "a UUID")] | None = optional(
        "The account that the sub-account belongs to, a UUID. With it, a run holds its cost against the "
        "prepaid balance first.",
        "1f1bf1d0-6e0e-4c1c-9e6c-0a0a2b3c4d5e",
    )


class StopWhenSection(Section):
    """The fuses: what stops a run by itself."""

    unknown_in_a_row: fields.Count = setting(
        "So many requests in a row without proof of what became of them stop the run.", 20, _FUSES.unknown_in_a_row
    )
    unknown_share: fields.Share = setting(
        "A larger share of unknown outcomes among the last 200 (from the 50th on) stops the run.",
        "20%",
        _FUSES.unknown_share,
    )
    rejected_share: fields.Share = setting(
        "A larger share of rejected messages (from the 50th on) stops the run.", "50%", _FUSES.rejected_share
    )

    def limits(self) -> FuseLimits:
        return FuseLimits(self.unknown_in_a_row, self.unknown_share, self.rejected_share)


class LimitsSection(Section):
    """The most that a run may send and cost, however often it is started."""

    messages: fields.Maximum | None = optional("The most messages.", 50000)
    segments: fields.Maximum | None = optional("The most segments.", 80000)
    cost: fields.Cost | None = optional(
        "The most that the messages may cost by the price list in prices, in its currency.", "500 USD"
    )

    def of_run(self) -> Limits:
        amount, currency = self.cost or (None, None)
        return Limits(self.messages, self.segments, amount, currency)


class ReportSection(Section):
    """What the results hold."""

    columns: Annotated[tuple[fields.Column, ...], UNIQUE] = setting(
        "Columns carried from the recipient file into the results.", ["segment", "city"], ()
    )
    formats: Annotated[tuple[Annotated[fields.ReportFormat, choice(fields.ReportFormat)], ...], UNIQUE] = setting(
        "What the results are written as beside parquet and csv, which always are: xlsx.", ["xlsx"], ()
    )
    mask: StrictBool = setting(
        "Mask phone numbers and leave out texts in all report files. The page report.html does so in any case.",
        True,
        False,
    )


class WindowSection(Section):
    """Sending hours."""

    opens: fields.OpeningTime = setting(
        "When they begin, in quotes: YAML would read 21:00 as a number.", "09:00", alias="from"
    )
    closes: fields.ClosingTime = setting(
        'When they end, in quotes; up to "24:00". Not after from: they go on past midnight.', "20:00", alias="to"
    )
    days: Annotated[tuple[Annotated[fields.Day, choice(fields.Day)], ...], UNIQUE, NOT_EMPTY] = setting(
        "The days on which they begin. Absent: every day.", ["mon", "tue", "wed", "thu", "fri"], tuple(fields.Day)
    )
    zone: Annotated[str, TextRule(times.window_zone)] | None = optional(
        "The IANA time zone in which they count, or recipient: each recipient's own, and where that may be "
        "one of several, inside in all of them. Absent: the campaign's timezone.",
        "recipient",
    )
    outside: Annotated[Outside, choice(Outside)] = setting(
        "What becomes of a message whose turn comes outside: wait (the run sleeps until they begin), skip "
        "(it is left out), schedule (the provider sends it when they begin).",
        "wait",
        Outside.WAIT,
    )

    def in_words(self, campaign_zone: str) -> str:
        """The sending hours as one text, which fingerprints hold: `09:00 to 20:00, mon tue, recipient, wait`."""
        opens, closes = (f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (self.opens, self.closes))
        days = " ".join(day for day in fields.Day if day in self.days)
        return f"{opens} to {closes}, {days}, {self.zone or campaign_zone}, {self.outside}"

    def hours(self, campaign_zone: str) -> SendingHours:
        """The window with its zone filled in; None there means each recipient's own."""
        zone = None if self.zone == times.RECIPIENT_ZONE else self.zone or campaign_zone
        days = frozenset(list(fields.Day).index(day) for day in self.days)
        return SendingHours(self.opens, self.closes, days, zone, self.outside)


class ReceiptsSection(Section):
    """How delivery receipts come back; `campaign receipts` takes them."""

    url: fields.WebAddress | None = optional(
        "The public address of `campaign receipts`, which goes along with each message as its "
        "dlrCallbackUrl. Absent: the webhook that the account has.",
        "https://example.com/receipts",
    )
    port: fields.Port = setting("The port on which `campaign receipts` listens here.", 8090, DEFAULT_PORT)
    auth_header_env: Annotated[str, pattern(values.variable, values.VARIABLE_PATTERN, _VARIABLE)] | None = optional(
        "The environment variable that holds the Authorization header with which the provider posts.",
        "RECEIPTS_AUTHORIZATION",
    )


class Campaign(Section):
    """What the user asked for."""

    name: Annotated[str, pattern(values.name, values.NAME_PATTERN, _NAME)] = setting(
        "The campaign's name: the folder of its reports, and a part of every clientMessageId.", "spring-sale"
    )
    run: Annotated[str, pattern(values.run_pattern, values.RUN_PATTERN, _RUN_ID)] = setting(
        "The run's id; each run sends once to each recipient. {date} is 2026-12-01, {week} 2026-W49, {month} 2026-12.",
        "{date}",
        "main",
    )
    kind: Annotated[fields.CampaignKind, choice(fields.CampaignKind)] | None = optional(
        "What it is for: marketing (the plan warns when the texts needn't say how to opt out) or transactional.",
        "marketing",
    )
    timezone: Annotated[str, TextRule(times.time_zone)] = setting(
        "The time zone of {date} and of sending hours, an IANA name.", "Asia/Singapore", "UTC"
    )
    account: AccountSection = setting("The account that sends and pays.", {"subAccountId": "acme_hq"})
    recipients: RecipientsSection = setting(
        "Who is sent to: a file, or a file and what its columns mean.", "recipients/welcome.csv"
    )
    message: MessageSection = setting(
        "What is sent, and how: the text and the options of every message.", {"template": "../templates/welcome.txt.j2"}
    )
    rate: Annotated[Rate, pattern(values.rate, values.RATE_PATTERN, "a whole number per s, min or h", Rate)] = setting(
        f"The most requests that start per second (s), minute (min) or hour (h); at most {values.MAX_PER_SECOND}/s.",
        "10/s",
    )
    window: WindowSection | None = optional(
        "Sending hours. Absent: at any time.", {"from": "09:00", "to": "20:00", "zone": "recipient"}
    )
    not_before: fields.Deadline | None = optional(
        "Before this the run refuses to start: a moment with its offset, or a time of day in the "
        "campaign's timezone, in quotes.",
        "2026-12-01T09:00:00+08:00",
    )
    not_after: fields.Deadline | None = optional(
        "After this nothing leaves any more, so that a job that starts late doesn't text old news: a "
        "moment with its offset, or a time of day in the campaign's timezone, in quotes.",
        "2026-12-01T18:00:00+08:00",
    )
    prices: fields.FilePath | None = optional(
        "A price list: a CSV with the columns country, price (of a segment) and currency. `campaign "
        "prices` saves the provider's.",
        "prices.csv",
    )
    limits: LimitsSection = setting(
        "The most that a run may send and cost; a plan beyond them is refused, and a run stops at them.",
        {"messages": 50000, "cost": "500 USD"},
        LimitsSection(),
    )
    stop_when: StopWhenSection = setting(
        "When a run stops by itself; the defaults hold without this.", {"rejectedShare": "30%"}, StopWhenSection()
    )
    give_up_after: fields.Duration = setting(
        "How long the provider may be out of reach before the run stops.", "10min", timedelta(minutes=10)
    )
    receipts: ReceiptsSection | None = optional(
        "How delivery receipts and replies come back. A run then says how to receive them.",
        {"url": "https://example.com/receipts"},
    )
    report: ReportSection = setting(
        "What the results hold beside their own columns.", {"columns": ["city"]}, ReportSection()
    )

    def run_id(self, now: datetime) -> str:
        """The run's id at `now`, which must be aware: its date is taken in the campaign's time zone."""
        assert now.tzinfo is not None
        return values.fill_in(self.run, now.astimezone(ZoneInfo(self.timezone)))

    @property
    def callback_url(self) -> str | None:
        """Where receipts are posted to; None: to the account's own webhook, if it has one."""
        return self.message.dlr_callback_url or (self.receipts.url if self.receipts else None)

    def provider_options(self) -> dict[str, Any]:
        """What goes to the provider with every message, by attribute of the section `message`. None: not sent."""
        return {name: getattr(self.message, name) for name in SENT_KEYS} | {"dlr_callback_url": self.callback_url}

    @property
    def awaits_receipts(self) -> bool:
        """Whether the file says that receipts come back; to where they come may be the account's own setting."""
        return self.receipts is not None or self.callback_url is not None

    @model_validator(mode="after")
    def _has_one_callback(self) -> Self:
        if self.receipts and self.receipts.url and self.message.dlr_callback_url not in (None, self.receipts.url):
            what = "has another url than message.dlrCallbackUrl"
            raise InvalidValue(what, "keep one of the two", key="receipts")
        return self

    @model_validator(mode="after")
    def _is_sendable(self) -> Self:
        # A time of day is today's for both, so that a run between 22:00 and 06:00 could never start.
        if times.is_not_after(self.not_after, self.not_before):
            remedy = "write a later time, or leave one of the two out"
            raise InvalidValue("is not after notBefore", remedy, key="notAfter")
        if self.limits.cost and self.prices is None:
            remedy = 'add a line such as "prices: prices.csv"'
            raise InvalidValue("cannot hold a cost without prices", remedy, key="limits")
        if self.window and self.message.scheduled is not None:
            # The window is held when a message leaves; what the provider sends later could ring at 3 a.m. all the same.
            what = "are sending hours, but with message.scheduled phones ring at another time than messages leave"
            remedy = "keep one of the two; outside: schedule has the provider send at the opening"
            raise InvalidValue(what, remedy, key="window")
        return self
