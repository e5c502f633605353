"""A campaign as frozen records: what each key is called, means and may hold.

The keys are camelCase in the file and in the JSON Schema, snake_case here. The models know the spelled-out form alone;
`canonical` unfolds the shorthands. `fields` tells how a single value is read; `examples` are for messages too.
"""

from datetime import datetime, time, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StrictBool, model_validator

from runner.campaign import times, values
from runner.campaign.fields import (
    CampaignKind,
    Column,
    Cost,
    Count,
    Deadline,
    Duration,
    FilePath,
    Format,
    Most,
    Region,
    Share,
    choice,
    parsed,
    schema,
    unique,
)
from runner.campaign.message import Message
from runner.campaign.receipts import Receipts
from runner.campaign.recipients import Recipients
from runner.campaign.section import Section
from runner.campaign.values import Wrong
from runner.campaign.window import Window
from runner.models import FuseLimits, Rate
from runner.models import Limits as RunLimits


class Account(Section):
    """Who sends."""

    sub_account_id: Annotated[str, parsed(values.sub_account), schema(pattern=values.SUB_ACCOUNT_PATTERN)] = Field(
        description="The 8x8 sub-account that sends and pays, as 8x8 Connect shows it.", examples=["acme_hq"]
    )
    region: Annotated[Region, choice(Region), schema(enum=list(Region))] = Field(
        default=Region.ASIA,
        description="Where the account lives: asia, north-america, europe or indonesia.",
        examples=["asia"],
    )
    account_id: Annotated[str, parsed(values.account_id), schema(pattern=values.UUID_PATTERN)] | None = Field(
        default=None,
        description="The account that the sub-account belongs to, a UUID. With it, a run holds its cost against the "
        "prepaid balance first.",
        examples=["1f1bf1d0-6e0e-4c1c-9e6c-0a0a2b3c4d5e"],
    )


class StopWhen(Section):
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


class Limits(Section):
    """The most that a run may send and cost, however often it is started."""

    messages: Most | None = Field(default=None, description="The most messages.", examples=[50000])
    segments: Most | None = Field(default=None, description="The most segments.", examples=[80000])
    cost: Cost | None = Field(
        default=None,
        description="The most that the messages may cost by the price list in prices, in its currency.",
        examples=["500 USD"],
    )

    def of_run(self) -> RunLimits:
        amount, currency = self.cost or (None, None)
        return RunLimits(self.messages, self.segments, amount, currency)


class Report(Section):
    """What the results hold."""

    columns: Annotated[tuple[Column, ...], AfterValidator(unique)] = Field(
        default=(),
        description="Columns carried from the recipient file into the results.",
        examples=[["segment", "city"]],
    )
    formats: Annotated[
        tuple[Annotated[Format, choice(Format), schema(enum=list(Format))], ...], AfterValidator(unique)
    ] = Field(
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


class Campaign(Section):
    """What the user asked for."""

    name: Annotated[str, parsed(values.name), schema(pattern=values.NAME_PATTERN)] = Field(
        description="The campaign's name: the folder of its reports, and a part of every clientMessageId.",
        examples=["spring-sale"],
    )
    run: Annotated[str, parsed(values.run_pattern), schema(pattern=values.RUN_PATTERN)] = Field(
        default="main",
        description="The run's id; each run sends once to each recipient. {date} is 2026-12-01, {week} 2026-W49, "
        "{month} 2026-12.",
        examples=["{date}"],
    )
    kind: Annotated[CampaignKind, choice(CampaignKind), schema(enum=list(CampaignKind))] | None = Field(
        default=None,
        description="What it is for: marketing (the plan warns when the texts needn't say how to opt out) or "
        "transactional.",
        examples=["marketing"],
    )
    timezone: Annotated[str, parsed(times.time_zone), schema(minLength=1)] = Field(
        default="UTC",
        description="The time zone of {date} and of sending hours, an IANA name.",
        examples=["Asia/Singapore"],
    )
    account: Account = Field(description="The account that sends and pays.", examples=[{"subAccountId": "acme_hq"}])
    recipients: Recipients = Field(
        description="Who is sent to: a file, or a file and what its columns mean.", examples=["recipients/welcome.csv"]
    )
    message: Message = Field(
        description="What is sent, and how: the text and the options of every message.",
        examples=[{"template": "../templates/welcome.txt.j2"}],
    )
    rate: Annotated[Rate, parsed(values.rate, Rate), schema(pattern=values.RATE_PATTERN)] = Field(
        description="The most requests that start per second (s), minute (min) or hour (h); at most "
        f"{values.MAX_PER_SECOND}/s.",
        examples=["10/s"],
    )
    window: Window | None = Field(
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
    limits: Limits = Field(
        default=Limits(),
        description="The most that a run may send and cost; a plan beyond them is refused, and a run stops at them.",
        examples=[{"messages": 50000, "cost": "500 USD"}],
    )
    stop_when: StopWhen = Field(
        default=StopWhen(),
        description="When a run stops by itself; the defaults hold without this.",
        examples=[{"rejectedShare": "30%"}],
    )
    give_up_after: Duration = Field(
        default=timedelta(minutes=10),
        description="How long the provider may be out of reach before the run stops.",
        examples=["10min"],
    )
    receipts: Receipts | None = Field(
        default=None,
        description="How delivery receipts and replies come back. A run then says how to receive them.",
        examples=[{"url": "https://example.com/receipts"}],
    )
    report: Report = Field(
        default=Report(),
        description="What the results hold beside their own columns.",
        examples=[{"columns": ["city"]}],
    )

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
            raise Wrong(what, "keep one of the two", key="receipts")
        return self

    @model_validator(mode="after")
    def _is_sendable(self) -> Self:
        first, last = self.not_before, self.not_after
        # A time of day is today's for both, so that a run between 22:00 and 06:00 could never start.
        moments = isinstance(first, datetime) and isinstance(last, datetime) and last <= first
        times = isinstance(first, time) and isinstance(last, time) and last <= first
        if moments or times:
            raise Wrong("is not after notBefore", "write a later time, or leave one of the two out", key="notAfter")
        if self.limits.cost and self.prices is None:
            raise Wrong("cannot hold a cost without prices", 'add a line such as "prices: prices.csv"', key="limits")
        if self.window and self.message.scheduled is not None:
            # The window is held when a message leaves; what the provider sends later could ring at 3 a.m. all the same.
            what = "are sending hours, but with message.scheduled phones ring at another time than messages leave"
            raise Wrong(
                what, "keep one of the two; outside: schedule has the provider send at the opening", key="window"
            )
        return self
