"""The section `recipients` of a campaign: who is sent to."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, Discriminator, Field, Tag, model_validator

from runner.campaign import values
from runner.campaign.fields import (
    Column,
    CountryCode,
    FilePath,
    Most,
    NumberType,
    Sample,
    SomeTime,
    TextEncoding,
    choice,
    not_empty,
    parsed,
    schema,
    unique,
)
from runner.campaign.section import Section
from runner.campaign.values import Wrong
from runner.models import Duplicates


class CountryColumn(Section):
    """A column that holds each row's country."""

    column: Column = Field(description="The column with each row's two-letter country code.", examples=["country"])


# How pydantic tells a short form from a mapping; it puts the tag into an error's location.
_SHORT, _MAPPING = "<short>", "<mapping>"
FORM_TAGS: Final = (_SHORT, _MAPPING)
_BY_FORM: Final = Discriminator(lambda value: FORM_TAGS[isinstance(value, dict | BaseModel)])
Country = Annotated[Annotated[CountryCode, Tag(_SHORT)] | Annotated[CountryColumn, Tag(_MAPPING)], _BY_FORM]


class SuppressionFile(Section):
    """A suppression list whose columns can't be told by their names."""

    file: FilePath = Field(
        description="The list: CSV, TSV, Parquet, XLSX or a text file with a number on each line.",
        examples=["recipients/opted-out.csv"],
    )
    phone: Column | None = Field(
        default=None, description="The column with the numbers that are not sent to.", examples=["msisdn"]
    )
    key: Column | None = Field(
        default=None,
        description="The column with the keys that are not sent to, to compare with those of recipients.key.",
        examples=["member_id"],
    )


Suppression = Annotated[Annotated[FilePath, Tag(_SHORT)] | Annotated[SuppressionFile, Tag(_MAPPING)], _BY_FORM]


class Cooldown(Section):
    """How much one person may get."""

    messages: Most = Field(description="The most messages to one number in that time.", examples=[2])
    per: SomeTime = Field(
        description="The time that is looked back, over all campaigns of the ledger.",
        examples=["7d"],
    )


class Recipients(Section):
    """Who is sent to."""

    file: FilePath = Field(
        description="The recipient file: CSV or TSV (plain, gzip or zstd), Parquet, or XLSX; the path is relative to "
        "the campaign file.",
        examples=["recipients/welcome.csv"],
    )
    sheet: Annotated[str, parsed(values.column), schema(minLength=1)] | None = Field(
        default=None, description="The sheet of a spreadsheet. Absent: the first.", examples=["Members"]
    )
    encoding: TextEncoding | None = Field(
        default=None,
        description="The encoding of a CSV. Absent: UTF-8, or UTF-16 if its bytes show that. A CSV in another encoding "
        "is refused, with its doubtful words as likely encodings read them.",
        examples=["windows-1252"],
    )
    where: Annotated[str, parsed(values.condition), schema(minLength=1)] | None = Field(
        default=None,
        description="A condition in SQL over the file's columns; rows that don't fulfil it are left out. Columns of a "
        "CSV or XLSX are text, an empty cell is NULL. A date is made with DATE(column, '%Y-%m-%d').",
        examples=["consent = 'yes' AND city = 'Penang'"],
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
    zone: Column | None = Field(
        default=None,
        description="The column with each recipient's IANA time zone, for sending hours in recipients' own zones. A "
        "column named zone is found by itself; where the cell is empty, the number tells.",
        examples=["time_zone"],
    )
    suppress: tuple[Suppression, ...] = Field(
        default=(),
        description="Files of numbers that are not sent to, or {file, phone, key} where columns need naming. A column "
        "named like recipients.key counts too. An empty file stops the plan: a list that nobody is on is a header "
        "alone. CAMPAIGN_SUPPRESS adds files for every campaign.",
        examples=[["recipients/opted-out.csv", {"file": "recipients/left.csv", "key": "member_id"}]],
    )
    countries: tuple[CountryCode, ...] = Field(
        default=(), description="Send to numbers of these countries alone. Absent: to all.", examples=[["SG", "MY"]]
    )
    deny_countries: tuple[CountryCode, ...] = Field(
        default=(),
        description="Never send to numbers of these countries; for when countries is absent.",
        examples=[["US"]],
    )
    types: Annotated[
        tuple[Annotated[NumberType, choice(NumberType), schema(enum=list(NumberType))], ...],
        AfterValidator(unique),
        AfterValidator(not_empty),
    ] = Field(
        default=(NumberType.MOBILE, NumberType.FIXED_LINE_OR_MOBILE, NumberType.VOIP),
        description="The kinds of numbers that are sent to. Absent: mobile, fixed-line-or-mobile, voip.",
        examples=[["mobile", "fixed-line-or-mobile"]],
    )
    cooldown: Cooldown | None = Field(
        default=None,
        description="Nobody gets more than so many messages in such a time, over all campaigns of the ledger.",
        examples=[{"messages": 2, "per": "7d"}],
    )
    sample: Sample | None = Field(
        default=None,
        description="Send to this share of the recipients only. The choice depends on the campaign's name and the key "
        "alone: it stays the same, and a larger share holds the smaller one.",
        examples=["1%"],
    )
    limit: Most | None = Field(
        default=None, description="Send to the first so many recipients only, as --limit does.", examples=[100]
    )

    @model_validator(mode="after")
    def _countries_agree(self) -> Self:
        if both := set(self.countries) & set(self.deny_countries):
            raise Wrong(f"denies {min(both)}, which countries allows", "keep it in one of the two", key="denyCountries")
        return self
