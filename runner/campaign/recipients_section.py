"""The section `recipients` of a campaign: who is sent to."""

from typing import Annotated, Final, Self

from pydantic import BaseModel, Discriminator, Tag, model_validator

from runner.base.exclusions import Duplicates
from runner.campaign import fields, values
from runner.campaign.fields import NOT_EMPTY, UNIQUE, Section, TextRule, choice, optional, setting
from runner.campaign.values import InvalidValue


class CountryColumn(Section):
    """A column that holds each row's country."""

    column: fields.Column = setting("The column with each row's two-letter country code.", "country")


# Pydantic chooses between a short form and a mapping by these tags, and puts the tag into an error's location.
_SHORT, _MAPPING = "<short>", "<mapping>"
FORM_TAGS: Final = (_SHORT, _MAPPING)
_BY_FORM: Final = Discriminator(lambda value: FORM_TAGS[isinstance(value, dict | BaseModel)])
Country = Annotated[Annotated[fields.CountryCode, Tag(_SHORT)] | Annotated[CountryColumn, Tag(_MAPPING)], _BY_FORM]


class SuppressionFile(Section):
    """A suppression list whose columns need naming."""

    file: fields.FilePath = setting(
        "The list: CSV, TSV, Parquet, XLSX or a text file with a number on each line.", "recipients/opted-out.csv"
    )
    phone: fields.Column | None = optional("The column with the numbers that are not sent to.", "msisdn")
    key: fields.Column | None = optional(
        "The column with the keys that are not sent to, to compare with those of recipients.key.", "member_id"
    )


Suppression = Annotated[Annotated[fields.FilePath, Tag(_SHORT)] | Annotated[SuppressionFile, Tag(_MAPPING)], _BY_FORM]


class CooldownSection(Section):
    """How much one person may get."""

    messages: fields.Maximum = setting("The most messages to one number in that time.", 2)
    per: fields.PositiveDuration = setting("The time that is looked back, over all campaigns of the ledger.", "7d")


class RecipientsSection(Section):
    """Who is sent to."""

    file: fields.FilePath = setting(
        "The recipient file: CSV or TSV (plain, gzip or zstd), Parquet, or XLSX; the path is relative to "
        "the campaign file.",
        "recipients/welcome.csv",
    )
    sheet: Annotated[str, TextRule(values.column)] | None = optional(
        "The sheet of a spreadsheet. Absent: the first.", "Members"
    )
    encoding: Annotated[str, TextRule(values.text_encoding)] | None = optional(
        "The encoding of a CSV. Absent: UTF-8, or UTF-16 if its bytes show that. A CSV in another encoding is refused, "
        "with its doubtful words as likely encodings read them.",
        "windows-1252",
    )
    where: Annotated[str, TextRule(values.condition)] | None = optional(
        "A condition in SQL over the file's columns; rows that don't fulfil it are left out. Columns of a "
        "CSV or XLSX are text, an empty cell is NULL. A date is made with DATE(column, '%Y-%m-%d').",
        "consent = 'yes' AND city = 'Penang'",
    )
    phone: fields.Column | None = optional(
        "The column with the numbers. A column named phone, mobile, msisdn, destination or to is found by itself.",
        "mobile",
    )
    country: Country | None = optional(
        "The country that numbers without an international prefix belong to: a two-letter code, or "
        "{column: NAME} for a column with the code of each row.",
        "SG",
    )
    key: fields.Column | None = optional(
        "The column that tells persons apart; each gets one message. Absent: the number.", "customer_id"
    )
    duplicates: Annotated[Duplicates, choice(Duplicates)] = setting(
        "Rows with the same key: send to the first, reject all of them, or send to all.", "first", Duplicates.FIRST
    )
    zone: fields.Column | None = optional(
        "The column with each recipient's IANA time zone, for sending hours in recipients' own zones. A "
        "column named zone is found by itself; where the cell is empty, the number tells.",
        "time_zone",
    )
    suppress: tuple[Suppression, ...] = setting(
        "Files of numbers that are not sent to, or {file, phone, key} where columns need naming. A column "
        "named like recipients.key counts too. An empty file stops the plan: a list that nobody is on is a header "
        "alone. CAMPAIGN_SUPPRESS adds files for every campaign.",
        ["recipients/opted-out.csv", {"file": "recipients/left.csv", "key": "member_id"}],
        (),
    )
    countries: tuple[fields.CountryCode, ...] = setting(
        "Send to numbers of these countries alone. Absent: to all.", ["SG", "MY"], ()
    )
    deny_countries: tuple[fields.CountryCode, ...] = setting(
        "Never send to numbers of these countries; for when countries is absent.", ["US"], ()
    )
    types: Annotated[tuple[Annotated[fields.NumberType, choice(fields.NumberType)], ...], UNIQUE, NOT_EMPTY] = setting(
        "The kinds of numbers that are sent to. Absent: mobile, fixed-line-or-mobile, voip.",
        ["mobile", "fixed-line-or-mobile"],
        (fields.NumberType.MOBILE, fields.NumberType.FIXED_LINE_OR_MOBILE, fields.NumberType.VOIP),
    )
    cooldown: CooldownSection | None = optional(
        "Nobody gets more than so many messages in such a time, over all campaigns of the ledger.",
        {"messages": 2, "per": "7d"},
    )
    sample: fields.PositiveShare | None = optional(
        "Send to this share of the recipients only. The choice depends on the campaign's name and the key "
        "alone: it stays the same, and a larger share holds the smaller one.",
        "1%",
    )
    limit: fields.Maximum | None = optional("Send to the first so many recipients only, as --limit does.", 100)

    @model_validator(mode="after")
    def _countries_agree(self) -> Self:
        if both := set(self.countries) & set(self.deny_countries):
            raise InvalidValue(
                f"denies {min(both)}, which countries allows", "keep it in one of the two", key="denyCountries"
            )
        return self
