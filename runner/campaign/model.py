"""A campaign as frozen records: what each key is called, means and may hold.

The keys are camelCase in the file and in the JSON Schema, snake_case here. The models know the spelled-out form alone;
`canonical` unfolds the shorthands. `fields` tells how a single value is read; `examples` are for messages too.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    model_validator,
)
from pydantic.alias_generators import to_camel

from runner.campaign import values
from runner.campaign.fields import (
    Column,
    Count,
    CountryCode,
    Duplicates,
    Duration,
    FilePath,
    IpAddress,
    Moment,
    Region,
    Segments,
    Share,
    choice,
    parsed,
    schema,
    unique,
)
from runner.campaign.values import MAX_AHEAD, MAX_SEGMENTS, Wrong
from runner.models import Encoding, FuseLimits, Rate


class _Section(BaseModel):
    """A mapping of the campaign file. Names pass beside aliases for code; `canonical` lets no file use them."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_alias=True, validate_by_name=True
    )


class Account(_Section):
    """Who sends."""

    sub_account_id: Annotated[str, parsed(values.sub_account), schema(pattern=values.SUB_ACCOUNT_PATTERN)] = Field(
        description="The 8x8 sub-account that sends and pays, as 8x8 Connect shows it.", examples=["acme_hq"]
    )
    region: Annotated[Region, choice(Region), schema(enum=list(Region))] = Field(
        default=Region.ASIA, description="Where the account lives.", examples=["asia"]
    )


class CountryColumn(_Section):
    """A column that holds each row's country."""

    column: Column = Field(description="The column with each row's two-letter country code.", examples=["country"])


# How pydantic tells the two forms of `country` apart; it puts the tag into an error's location.
COUNTRY_TAGS: Final = ("<code>", "<column>")
Country = Annotated[
    Annotated[CountryCode, Tag("<code>")] | Annotated[CountryColumn, Tag("<column>")],
    Discriminator(lambda value: COUNTRY_TAGS[isinstance(value, dict | CountryColumn)]),
]


class Recipients(_Section):
    """Who is sent to."""

    file: FilePath = Field(
        description="The recipient file, CSV, TSV or Parquet; the path is relative to this file.",
        examples=["recipients/welcome.csv"],
    )
    phone: Column | None = Field(
        default=None,
        description="The column with the numbers. A column named phone, mobile, msisdn, destination or to is found by "
        "itself.",
        examples=["mobile"],
    )
    country: Country | None = Field(
        default=None,
        description="The country that numbers without an international prefix belong to: a two-letter code, or "
        "{column: NAME} for a column with the code of each row.",
        examples=["SG"],
    )
    key: Column | None = Field(
        default=None,
        description="The column that tells persons apart; each gets one message. Absent: the number.",
        examples=["customer_id"],
    )
    duplicates: Annotated[Duplicates, choice(Duplicates), schema(enum=list(Duplicates))] = Field(
        default=Duplicates.FIRST,
        description="Rows with the same key: send to the first, reject all of them, or send to all.",
        examples=["first"],
    )
    suppress: tuple[FilePath, ...] = Field(
        default=(), description="Files of numbers that are not sent to.", examples=[["recipients/opted-out.csv"]]
    )
    countries: tuple[CountryCode, ...] = Field(
        default=(), description="Send to numbers of these countries alone. Absent: to all.", examples=[["SG", "MY"]]
    )


class Message(_Section):
    """What is sent, and how."""

    template: FilePath | None = Field(
        default=None,
        description="The Jinja template of the text; the path is relative to this file.",
        examples=["../templates/welcome.txt.j2"],
    )
    text: Annotated[str, parsed(values.message_text), schema(minLength=1)] | None = Field(
        default=None, description="The Jinja template itself, for short texts.", examples=["Hi {{ first_name }}"]
    )
    source: Annotated[str, parsed(values.source), schema(pattern=values.SOURCE_PATTERN)] | None = Field(
        default=None,
        description="The sender that phones show: at most 11 characters with a letter, at most 16 digits without.",
        examples=["ACME"],
    )
    encoding: Annotated[Encoding, choice(Encoding), schema(enum=list(Encoding))] = Field(
        default=Encoding.AUTO,
        description="AUTO: each text decides. GSM7: leave out texts that need more. UCS2: always.",
        examples=["AUTO"],
    )
    max_segments: Segments = Field(
        default=MAX_SEGMENTS, description="Leave out messages with more segments.", examples=[2]
    )
    conversion_tracking: StrictBool | None = Field(
        default=None,
        description="true: track=Outcome. false: track=None. Absent: as the sub-account is set.",
        examples=[True],
    )
    scheduled: Moment | None = Field(
        default=None,
        description="When the provider sends: a moment with its offset, or a time after sending such as 30min, 4h, 2d; "
        "at most 7 days ahead.",
        examples=["2026-12-01T10:00:00+08:00"],
    )
    expiry: Moment | None = Field(
        default=None,
        description="When the provider stops trying: a moment with its offset, or a time after sending.",
        examples=["4h"],
    )
    dlr_callback_url: Annotated[str, parsed(values.web_address), schema(pattern="^https?://")] | None = Field(
        default=None, description="Where delivery receipts are posted to.", examples=["https://example.com/receipts"]
    )
    client_ip: IpAddress | None = Field(
        default=None, description="The IP address sent along as the client's.", examples=["203.0.113.7"]
    )

    @model_validator(mode="after")
    def _has_one_text(self) -> Self:
        if self.template is not None and self.text is not None:
            raise Wrong("is given beside template", "keep one of the two", key="text")
        if self.template is None and self.text is None:
            raise Wrong("has neither template nor text", 'add a line such as "template: ../templates/welcome.txt.j2"')
        return self

    @model_validator(mode="after")
    def _is_in_time(self) -> Self:
        start, end = self.scheduled, self.expiry
        if isinstance(start, timedelta) and start > MAX_AHEAD:
            raise Wrong("is more than 7 days ahead", "write at most 7d", key="scheduled")
        is_before_start = (isinstance(start, timedelta) and isinstance(end, timedelta) and end <= start) or (
            isinstance(start, datetime) and isinstance(end, datetime) and end <= start
        )
        if is_before_start:
            raise Wrong("is not after scheduled", "write a later time, or leave it out", key="expiry")
        return self


class StopWhen(_Section):
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


class Report(_Section):
    """What the results hold."""

    columns: Annotated[tuple[Column, ...], AfterValidator(unique)] = Field(
        default=(),
        description="Columns carried from the recipient file into the results.",
        examples=[["segment", "city"]],
    )


class Campaign(_Section):
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
    timezone: Annotated[str, parsed(values.time_zone), schema(minLength=1)] = Field(
        default="UTC", description="The time zone of {date} and of sending hours.", examples=["Asia/Singapore"]
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
        description="The most requests that start per second (s), minute (min) or hour (h); at most 5000/s.",
        examples=["10/s"],
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
    report: Report = Field(
        default=Report(),
        description="What the results hold beside their own columns.",
        examples=[{"columns": ["city"]}],
    )
