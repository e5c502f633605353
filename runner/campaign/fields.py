"""How single values of the campaign file are read, and what the JSON Schema says of them.

The rules stand in `values`; here they become pydantic's, so that the model reads as a list of keys.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from os.path import normpath
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PlainValidator, StrictInt, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticKnownError

from runner.campaign import times, values
from runner.campaign.countries import COUNTRIES
from runner.campaign.values import MAX_SEGMENTS, Wrong
from runner.campaign.words import quoted


class Region(StrEnum):
    """Where the account lives; each region has a base URL of its own."""

    ASIA = "asia"
    NORTH_AMERICA = "north-america"
    EUROPE = "europe"
    INDONESIA = "indonesia"


class CampaignKind(StrEnum):
    """What a campaign is for."""

    MARKETING = "marketing"
    TRANSACTIONAL = "transactional"


class Missing(StrEnum):
    """What happens when a field that the text needs is empty."""

    EXCLUDE = "exclude"  # the row is left out
    ERROR = "error"  # the plan fails


class NumberType(StrEnum):
    """The kinds of numbers, as numbering plans tell them apart."""

    MOBILE = "mobile"
    FIXED_LINE_OR_MOBILE = "fixed-line-or-mobile"  # where the two look alike, as in North America
    VOIP = "voip"
    FIXED_LINE = "fixed-line"
    TOLL_FREE = "toll-free"
    PREMIUM_RATE = "premium-rate"
    SHARED_COST = "shared-cost"
    PERSONAL = "personal"
    PAGER = "pager"
    UAN = "uan"
    VOICEMAIL = "voicemail"
    SATELLITE = "satellite"
    UNKNOWN = "unknown"


class Format(StrEnum):
    """What the results can be written as."""

    PARQUET = "parquet"
    CSV = "csv"
    XLSX = "xlsx"


class Day(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


def parsed(parse: Callable[[str], object], *made: type) -> PlainValidator:
    """A text that `parse` turns into a value. Instances of `made` pass, so that code can build models too."""

    def validate(value: object) -> object:
        if made and isinstance(value, made):
            return value
        if not isinstance(value, str):
            raise PydanticKnownError("string_type")
        return parse(value)

    return PlainValidator(validate)


def choice(kind: type[StrEnum]) -> PlainValidator:
    return parsed(lambda text: kind(values.one_of(text, kind)), kind)


def schema(**rules: object) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **rules})


def file(value: object, info: ValidationInfo) -> Path:
    """A path from the campaign file's folder, which is the validation's context."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return Path(normpath((info.context or Path()) / values.file_name(value)))


def in_range(segments: int) -> int:
    if not 1 <= segments <= MAX_SEGMENTS:
        raise Wrong(f"{segments} segments", f"write 1 to {MAX_SEGMENTS}: the provider cuts off what is longer")
    return segments


def at_least_one(count: int) -> int:
    if count < 1:
        raise Wrong(f"{count} would stop every run at once", "write 1 or more")
    return count


def unique(items: tuple[str, ...]) -> tuple[str, ...]:
    twice = {item for item in items if items.count(item) > 1}
    if twice:
        raise Wrong(f"lists {quoted(min(twice))} twice", "list each of them once")
    return items


def not_empty(items: tuple[str, ...]) -> tuple[str, ...]:
    if not items:
        raise Wrong("is an empty list", "list at least one, or leave the key out")
    return items


def at_least_one_message(count: int) -> int:
    if count < 1:
        raise Wrong(f"{count} leaves nobody to send to", "write 1 or more")
    return count


def port(number: int) -> int:
    if not 1 <= number <= 65535:
        raise Wrong(f"{number} is not a port", "write 1 to 65535")
    return number


FilePath = Annotated[Path, PlainValidator(file), schema(minLength=1)]
Column = Annotated[str, parsed(values.column), schema(minLength=1)]
CountryCode = Annotated[str, parsed(values.country), schema(enum=sorted(COUNTRIES))]
IpAddress = Annotated[str, parsed(values.ip_address), schema(anyOf=[{"format": "ipv4"}, {"format": "ipv6"}])]
Moment = Annotated[
    datetime | timedelta,
    parsed(times.moment, datetime, timedelta),
    schema(anyOf=[{"pattern": times.DURATION_PATTERN}, {"format": "date-time"}]),
]
Segments = Annotated[
    StrictInt,
    AfterValidator(in_range),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_SEGMENTS}),
]
Duration = Annotated[timedelta, parsed(times.duration, timedelta), schema(pattern=times.DURATION_PATTERN)]
Share = Annotated[float, parsed(values.share, float), schema(pattern=values.SHARE_PATTERN)]
Sample = Annotated[float, parsed(values.sample, float), schema(pattern=values.SHARE_PATTERN)]
SomeTime = Annotated[timedelta, parsed(times.some_time, timedelta), schema(pattern=times.DURATION_PATTERN)]
Deadline = Annotated[
    datetime | time,
    parsed(times.deadline, datetime, time),
    schema(anyOf=[{"pattern": times.TIME_PATTERN}, {"format": "date-time"}]),
]
Opening = Annotated[int, parsed(times.opening_minute), schema(pattern=times.TIME_PATTERN)]
Closing = Annotated[int, parsed(times.minute_of_day), schema(pattern=times.CLOSING_PATTERN)]
Cost = Annotated[tuple[Decimal, str], parsed(values.cost, tuple), schema(pattern=values.COST_PATTERN)]
TextEncoding = Annotated[str, parsed(values.text_encoding), schema(minLength=1)]
Most = Annotated[StrictInt, AfterValidator(at_least_one_message), WithJsonSchema({"type": "integer", "minimum": 1})]
Count = Annotated[StrictInt, AfterValidator(at_least_one), WithJsonSchema({"type": "integer", "minimum": 1})]
Port = Annotated[StrictInt, AfterValidator(port), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 65535})]
