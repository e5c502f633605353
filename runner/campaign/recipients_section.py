"""The campaign section `recipients`: who gets a message."""

from typing import Annotated, Final, Self

from pydantic import BaseModel, Discriminator, StrictBool, Tag, model_validator

from runner.base.exclusions import Duplicates
from runner.campaign import fields, values
from runner.campaign.fields import NOT_EMPTY, UNIQUE, Section, TextRule, choice, optional, setting
from runner.campaign.values import InvalidValue

# What to do about a list, a folder or a pattern where the recipient file should be.
ONE_FILE: Final = "write the path of a file; until a later version reads several files, merge them into one"


class CountryColumn(Section):
    """A column with the country of each row."""

    column: fields.Column = setting("The column with the country of each row, as a code or a name.", "country")


# Pydantic uses these tags to choose between a short form and a mapping, and adds the tag to an error's location.
_SHORT, _MAPPING, _LIST = "<short>", "<mapping>", "<list>"
FORM_TAGS: Final = (_SHORT, _MAPPING, _LIST)
_BY_FORM: Final = Discriminator(lambda value: _MAPPING if isinstance(value, dict | BaseModel) else _SHORT)
_ONE_OR_MORE: Final = Discriminator(lambda value: _LIST if isinstance(value, list | tuple) else _SHORT)
Country = Annotated[Annotated[fields.CountryCode, Tag(_SHORT)] | Annotated[CountryColumn, Tag(_MAPPING)], _BY_FORM]

Columns = Annotated[tuple[fields.Column, ...], UNIQUE, NOT_EMPTY]
PhoneColumns = Annotated[Annotated[fields.Column, Tag(_SHORT)] | Annotated[Columns, Tag(_LIST)], _ONE_OR_MORE]


class SuppressionFile(Section):
    """A suppression list with named columns."""

    file: fields.FilePath = setting(
        "The list: CSV, TSV, Parquet, XLSX, or a text file with one number per line.", "recipients/opted-out.csv"
    )
    phone: PhoneColumns | None = optional(
        "The column with the numbers to suppress, or a list of such columns.", "msisdn"
    )
    key: fields.Column | None = optional(
        "The column with the keys to suppress. They are compared with the column of recipients.key.", "member_id"
    )


Suppression = Annotated[Annotated[fields.FilePath, Tag(_SHORT)] | Annotated[SuppressionFile, Tag(_MAPPING)], _BY_FORM]


class CooldownSection(Section):
    """The frequency cap."""

    messages: fields.Maximum = setting("The maximum number of messages to one number in this period.", 2)
    per: fields.PositiveDuration = setting("The period before now, over all campaigns in the ledger.", "7d")


class FreshColumn(Section):
    """A column with times, and how old the newest one may be."""

    column: fields.Column = setting(
        "The column with dates or times, such as 2026-12-01 or 2026-12-01 10:00. Without an offset, they are in the "
        "campaign's timezone.",
        "updated_at",
    )
    within: fields.PositiveDuration = setting("How old the newest of them may be.", "2d")


Freshness = Annotated[Annotated[fields.PositiveDuration, Tag(_SHORT)] | Annotated[FreshColumn, Tag(_MAPPING)], _BY_FORM]


class ExpectSection(Section):
    """What is usual for the recipient file. A plan that breaks an expectation is refused, with the figures."""

    rows: fields.RowCount | None = optional(
        "How many rows the file has, excluded ones too. 1000.. means at least 1000, ..5000 at most 5000.", "1000..5000"
    )
    excluded: fields.AtMost | None = optional(
        "How many rows may be excluded: a share of all rows, or a number. Rows outside recipients.sample and above a "
        "limit don't count.",
        "<= 10%",
    )
    unique: Columns | None = optional("Columns in which no value may occur twice. Empty cells don't count.", ["email"])
    not_null: Columns | None = optional("Columns in which no cell may be empty.", ["first_name", "city"])
    fresh_within: Freshness | None = optional(
        "How old the file may be, by the time at which it was last changed; or with {column, within}, by the newest "
        "time in a column. A run that has sent messages continues in any case.",
        {"column": "updated_at", "within": "2d"},
    )


class RecipientsSection(Section):
    """Who gets a message."""

    file: fields.FilePath = setting(
        "The recipient file, relative to the campaign file: CSV or TSV (plain, gzip or zstd), Parquet, or a "
        "spreadsheet such as XLSX.",
        "recipients/welcome.csv",
    )
    sheet: Annotated[str, TextRule(values.column)] | None = optional(
        "The name of the sheet in a spreadsheet. Absent: the first visible sheet.", "Members"
    )
    encoding: Annotated[str, TextRule(values.text_encoding)] | None = optional(
        "The encoding of a CSV. Absent: UTF-8, or UTF-16 if detected. A CSV in another encoding is refused; the error "
        "suggests encodings and shows how each reads the text.",
        "windows-1252",
    )
    where: Annotated[str, TextRule(values.condition)] | None = optional(
        "An SQL condition on the columns of the file; other rows are excluded. Columns of a CSV or XLSX are text, and "
        "an empty cell is NULL. Convert text to a number with CAST(column AS INT) before comparing it with <, > or "
        "BETWEEN, and to a date with DATE(column, '%Y-%m-%d').",
        "consent = 'yes' AND city = 'Penang'",
    )
    repair: StrictBool = setting(
        "Mend garbled cells in the texts: characters that were read in a wrong encoding (SÃ©bastien), HTML entities "
        '(O&#039;Brien), escapes (Zo\\u00eb) and formulas around a value (="00042"). The plan lists the changes. '
        "Numbers, keys and conditions use the cells as they are.",
        True,
        False,
    )
    phone: PhoneColumns | None = optional(
        "The column with the phone numbers. A list of columns, such as [mobile, phone 2]: the first usable number of a "
        "row counts, and if any of its numbers is suppressed or opted out, the row is excluded. Absent: the column "
        "named phone, mobile, msisdn, destination or to.",
        "mobile",
    )
    country: Country | None = optional(
        "The country of numbers without an international prefix: a two-letter code, or {column: NAME} for a column "
        "with the country of each row, as a code (SG, SGP) or a name (Singapore).",
        "SG",
    )
    key: fields.Column | None = optional(
        "The column that identifies a person. Each key gets one message. Absent: the number is the key.", "customer_id"
    )
    duplicates: Annotated[Duplicates, choice(Duplicates)] = setting(
        "What to do with rows that have the same key. first: send to the first row. reject: exclude all of them. "
        "all: send to every row.",
        "first",
        Duplicates.FIRST,
    )
    zone: fields.Column | None = optional(
        "The column with each recipient's IANA time zone, used by window.zone: recipient. Absent: the column named "
        "zone, if there is one. If the cell is empty, the number's zones apply.",
        "time_zone",
    )
    suppress: tuple[Suppression, ...] = setting(
        "Suppression lists: files of numbers that get no message. Use {file, phone, key} to name the columns. A column "
        "with the name of recipients.key suppresses by key too, whatever the letter case of the keys. An empty file "
        "stops the plan; a list without entries needs a header. CAMPAIGN_SUPPRESS adds lists for every campaign.",
        ["recipients/opted-out.csv", {"file": "recipients/left.csv", "key": "member_id"}],
        (),
    )
    countries: tuple[fields.CountryCode, ...] = setting(
        "Send only to numbers of these countries. Absent: all countries.", ["SG", "MY"], ()
    )
    deny_countries: tuple[fields.CountryCode, ...] = setting(
        "Never send to numbers of these countries. Use it instead of countries.", ["US"], ()
    )
    types: Annotated[tuple[Annotated[fields.NumberType, choice(fields.NumberType)], ...], UNIQUE, NOT_EMPTY] = setting(
        "The number types to send to. Absent: mobile, fixed-line-or-mobile, voip.",
        ["mobile", "fixed-line-or-mobile"],
        (fields.NumberType.MOBILE, fields.NumberType.FIXED_LINE_OR_MOBILE, fields.NumberType.VOIP),
    )
    cooldown: CooldownSection | None = optional(
        "The frequency cap per number, over all campaigns in the ledger. Numbers that have reached it are excluded.",
        {"messages": 2, "per": "7d"},
    )
    sample: fields.PositiveShare | None = optional(
        "Send only to this share of the recipients. The choice depends only on the campaign's name and the key: it "
        "never changes, and a larger share includes the smaller one.",
        "1%",
    )
    limit: fields.Maximum | None = optional("Send only to the first N recipients, like --limit N.", 100)
    expect: ExpectSection | None = optional(
        "What is usual for the recipient file. A plan that breaks an expectation is refused.",
        {"rows": "1000..5000", "excluded": "<= 10%"},
    )

    @model_validator(mode="after")
    def _countries_agree(self) -> Self:
        if both := set(self.countries) & set(self.deny_countries):
            raise InvalidValue(
                f"{min(both)} is also in countries", "remove it from one of the two lists", key="denyCountries"
            )
        return self
