"""A campaign as frozen records: what each key is called, means and may hold.

The keys are camelCase in the file and in the JSON Schema, snake_case here. The models know the spelled-out form alone;
`normalize` unfolds the shorthands. `field_types` says how a single value is read; `examples` appear in messages too.
The sections `recipients` and `message` have their own modules.
"""

from datetime import datetime, time, timedelta
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import Field, StrictBool, model_validator

from runner.campaign import times, values
from runner.campaign.field_types import (
    NOT_EMPTY,
    UNIQUE,
    CampaignKind,
    ClosingTime,
    Column,
    Cost,
    Count,
    Day,
    Deadline,
    Duration,
    FilePath,
    Format,
    Maximum,
    OpeningTime,
    Port,
    Region,
    Section,
    Share,
    WebAddress,
    choice,
    free_text,
    pattern,
)
from runner.campaign.message_section import MessageSection
from runner.campaign.recipients_section import RecipientsSection
from runner.campaign.values import InvalidValue
from runner.models import FuseLimits, Limits, Outside, Rate, Window

DEFAULT_PORT: Final = 8090

_Name = pattern(values.name, values.NAME_PATTERN, "1 to 64 letters, digits, dots, dashes and underscores", "names")
_RunId = pattern(
    values.run_pattern,
    values.RUN_PATTERN,
    "1 to 64 letters, digits, dots, dashes, underscores, {date}, {week}, {month}",
    "run ids",
)
_SubAccountId = pattern(
    values.sub_account, values.SUB_ACCOUNT_PATTERN, "3 to 50 letters, digits and `-._&`", "sub-account ids"
)
_Variable = pattern(
    values.variable,
    values.VARIABLE_PATTERN,
    "the name of an environment variable",
    "names of environment variables",
)


class AccountSection(Section):
    """Who sends."""

    sub_account_id: Annotated[str, _SubAccountId] = Field(
        description="The 8x8 sub-account that sends and pays, as 8x8 Connect shows it.", examples=["acme_hq"]
    )
    region: Annotated[Region, choice(Region)] = Field(
        default=Region.ASIA,
        description="Where the account lives: asia, north-america, europe or indonesia.",
        examples=["asia"],
    )
    account_id: Annotated[str, pattern(values.account_id, values.UUID_PATTERN, "a UUID", "UUIDs")] | None = Field(
        default=None,
        description="The account that the sub-account belongs to, a UUID. With it, a run holds its cost against the "
        "prepaid balance first.",
        examples=["1f1bf1d0-6e0e-4c1c-9e6c-0a0a2b3c4d5e"],
    )


class StopWhenSection(Section):
    """The fuses: what stops a run by itself."""

    unknown_in_a_row: Count = Field(
        default=FuseLimits().unknown_in_a_row,
        description="So many requests in a row without proof of what became of them stop the run.",
        examples=[20],
    )
    unknown_share: Share = Field(
        default=FuseLimits().unknown_share,
        description="A larger share of unknown outcomes among the last 200 (from the 50th on) stops the run.",
        examples=["20%"],
    )
    rejected_share: Share = Field(
        default=FuseLimits().rejected_share,
        description="A larger share of rejected messages (from the 50th on) stops the run.",
        examples=["50%"],
    )

    def limits(self) -> FuseLimits:
        return FuseLimits(self.unknown_in_a_row, self.unknown_share, self.rejected_share)


class LimitsSection(Section):
    """The most that a run may send and cost, however often it is started."""

    messages: Maximum | None = Field(default=None, description="The most messages.", examples=[50000])
    segments: Maximum | None = Field(default=None, description="The most segments.", examples=[80000])
    cost: Cost | None = Field(
        default=None,
        description="The most that the messages may cost by the price list in prices, in its currency.",
        examples=["500 USD"],
    )

    def of_run(self) -> Limits:
        amount, currency = self.cost or (None, None)
        return Limits(self.messages, self.segments, amount, currency)


class ReportSection(Section):
    """What the results hold."""

    columns: Annotated[tuple[Column, ...], UNIQUE] = Field(
        default=(),
        description="Columns carried from the recipient file into the results.",
        examples=[["segment", "city"]],
    )
    formats: Annotated[tuple[Annotated[Format, choice(Format)], ...], UNIQUE] = Field(
        default=(),
        description="What the results are written as beside parquet and csv, which always are: xlsx.",
        examples=[["xlsx"]],
    )
    mask: StrictBool = Field(
        default=False,
        description="Mask phone numbers and leave out texts in all report files. The page report.html does so in any "
        "case.",
        examples=[True],
    )


class WindowSection(Section):
    """Sending hours."""

    opens: OpeningTime = Field(
        alias="from", description="When they begin, in quotes: YAML would read 21:00 as a number.", examples=["09:00"]
    )
    closes: ClosingTime = Field(
        alias="to",
        description='When they end, in quotes; up to "24:00". Not after from: they go on past midnight.',
        examples=["20:00"],
    )
    days: Annotated[tuple[Annotated[Day, choice(Day)], ...], UNIQUE, NOT_EMPTY] = Field(
        default=tuple(Day),
        description="The days on which they begin. Absent: every day.",
        examples=[["mon", "tue", "wed", "thu", "fri"]],
    )
    zone: Annotated[str, free_text(times.window_zone)] | None = Field(
        default=None,
        description="The IANA time zone in which they count, or recipient: each recipient's own, and where that may be "
        "one of several, inside in all of them. Absent: the campaign's timezone.",
        examples=["recipient"],
    )
    outside: Annotated[Outside, choice(Outside)] = Field(
        default=Outside.WAIT,
        description="What becomes of a message whose turn comes outside: wait (the run sleeps until they begin), skip "
        "(it is left out), schedule (the provider sends it when they begin).",
        examples=["wait"],
    )

    def hours(self, campaign_zone: str) -> Window:
        """The window with its zone filled in; None there means each recipient's own."""
        zone = None if self.zone == times.RECIPIENT_ZONE else self.zone or campaign_zone
        days = frozenset(list(Day).index(day) for day in self.days)
        return Window(self.opens, self.closes, days, zone, self.outside)


class ReceiptsSection(Section):
    """How delivery receipts come back; `campaign receipts` takes them."""

    url: WebAddress | None = Field(
        default=None,
        description="The public address of `campaign receipts`, which goes along with each message as its "
        "dlrCallbackUrl. Absent: the webhook that the account has.",
        examples=["https://example.com/receipts"],
    )
    port: Port = Field(
        default=DEFAULT_PORT, description="The port on which `campaign receipts` listens here.", examples=[8090]
    )
    auth_header_env: Annotated[str, _Variable] | None = Field(
        default=None,
        description="The environment variable that holds the Authorization header with which the provider posts.",
        examples=["RECEIPTS_AUTHORIZATION"],
    )


class Campaign(Section):
    """What the user asked for."""

    name: Annotated[str, _Name] = Field(
        description="The campaign's name: the folder of its reports, and a part of every clientMessageId.",
        examples=["spring-sale"],
    )
    run: Annotated[str, _RunId] = Field(
        default="main",
        description="The run's id; each run sends once to each recipient. {date} is 2026-12-01, {week} 2026-W49, "
        "{month} 2026-12.",
        examples=["{date}"],
    )
    kind: Annotated[CampaignKind, choice(CampaignKind)] | None = Field(
        default=None,
        description="What it is for: marketing (the plan warns when the texts needn't say how to opt out) or "
        "transactional.",
        examples=["marketing"],
    )
    timezone: Annotated[str, free_text(times.time_zone)] = Field(
        default="UTC",
        description="The time zone of {date} and of sending hours, an IANA name.",
        examples=["Asia/Singapore"],
    )
    account: AccountSection = Field(
        description="The account that sends and pays.", examples=[{"subAccountId": "acme_hq"}]
    )
    recipients: RecipientsSection = Field(
        description="Who is sent to: a file, or a file and what its columns mean.", examples=["recipients/welcome.csv"]
    )
    message: MessageSection = Field(
        description="What is sent, and how: the text and the options of every message.",
        examples=[{"template": "../templates/welcome.txt.j2"}],
    )
    rate: Annotated[
        Rate, pattern(values.rate, values.RATE_PATTERN, "a whole number per s, min or h", "rates", Rate)
    ] = Field(
        description="The most requests that start per second (s), minute (min) or hour (h); at most "
        f"{values.MAX_PER_SECOND}/s.",
        examples=["10/s"],
    )
    window: WindowSection | None = Field(
        default=None,
        description="Sending hours. Absent: at any time.",
        examples=[{"from": "09:00", "to": "20:00", "zone": "recipient"}],
    )
    not_before: Deadline | None = Field(
        default=None,
        description="Before this the run refuses to start: a moment with its offset, or a time of day in the "
        "campaign's timezone, in quotes.",
        examples=["2026-12-01T09:00:00+08:00"],
    )
    not_after: Deadline | None = Field(
        default=None,
        description="After this nothing leaves any more, so that a job that starts late doesn't text old news: a "
        "moment with its offset, or a time of day in the campaign's timezone, in quotes.",
        examples=["2026-12-01T18:00:00+08:00"],
    )
    prices: FilePath | None = Field(
        default=None,
        description="A price list: a CSV with the columns country, price (of a segment) and currency. `campaign "
        "prices` saves the provider's.",
        examples=["prices.csv"],
    )
    limits: LimitsSection = Field(
        default=LimitsSection(),
        description="The most that a run may send and cost; a plan beyond them is refused, and a run stops at them.",
        examples=[{"messages": 50000, "cost": "500 USD"}],
    )
    stop_when: StopWhenSection = Field(
        default=StopWhenSection(),
        description="When a run stops by itself; the defaults hold without this.",
        examples=[{"rejectedShare": "30%"}],
    )
    give_up_after: Duration = Field(
        default=timedelta(minutes=10),
        description="How long the provider may be out of reach before the run stops.",
        examples=["10min"],
    )
    receipts: ReceiptsSection | None = Field(
        default=None,
        description="How delivery receipts and replies come back. A run then says how to receive them.",
        examples=[{"url": "https://example.com/receipts"}],
    )
    report: ReportSection = Field(
        default=ReportSection(),
        description="What the results hold beside their own columns.",
        examples=[{"columns": ["city"]}],
    )

    def run_id(self, now: datetime) -> str:
        """The run's id at `now`, which must be aware: its date is taken in the campaign's time zone."""
        assert now.tzinfo is not None
        return values.fill_in(self.run, now.astimezone(ZoneInfo(self.timezone)))

    @property
    def callback_url(self) -> str | None:
        """Where receipts are posted to; None: to the account's own webhook, if it has one."""
        return self.message.dlr_callback_url or (self.receipts.url if self.receipts else None)

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
        first, last = self.not_before, self.not_after
        # A time of day is today's for both, so that a run between 22:00 and 06:00 could never start.
        moments = isinstance(first, datetime) and isinstance(last, datetime) and last <= first
        times = isinstance(first, time) and isinstance(last, time) and last <= first
        if moments or times:
            raise InvalidValue(
                "is not after notBefore", "write a later time, or leave one of the two out", key="notAfter"
            )
        if self.limits.cost and self.prices is None:
            raise InvalidValue(
                "cannot hold a cost without prices", 'add a line such as "prices: prices.csv"', key="limits"
            )
        if self.window and self.message.scheduled is not None:
            # The window is held when a message leaves; what the provider sends later could ring at 3 a.m. all the same.
            what = "are sending hours, but with message.scheduled phones ring at another time than messages leave"
            raise InvalidValue(
                what, "keep one of the two; outside: schedule has the provider send at the opening", key="window"
            )
        return self
