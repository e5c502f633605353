"""How single values of the campaign file are read, what the JSON Schema says of them, and how the guide names them.

The rules stand in `values` and `times`; here they become types for the model, which then reads as a list of keys.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from os.path import normpath
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationInfo
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from runner.campaign import times, values
from runner.campaign.values import COUNTRIES, MAX_SEGMENTS, InvalidValue
from runner.text import listed, quoted


class Section(BaseModel):
    """A mapping of the campaign file. Code may use attribute names; `normalize` lets no file use them."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_alias=True, validate_by_name=True
    )


class Region(StrEnum):
    """Where the account lives; each region has its own base URL."""

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


@dataclass(frozen=True, eq=False)  # typing hashes annotations, and a mapping has no hash
class Text:
    """The rule of a value that is written as text.

    `parse` turns the text into a value or raises InvalidValue. Instances of `made` pass as they are, so that code
    can build models too. `one` and `several` are the words for such values in the guide, `schema` their JSON Schema
    beside the type.
    """

    parse: Callable[[str], object]
    one: str
    several: str
    schema: Mapping[str, Any]
    made: tuple[type, ...] = ()

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: object) -> dict[str, Any]:
        return {"type": "string", **self.schema}

    def _validate(self, value: object, info: ValidationInfo) -> object:
        if self.made and isinstance(value, self.made):
            return value
        if not isinstance(value, str):
            raise PydanticKnownError("string_type")
        parsed = self.parse(value)
        # Paths are relative to the campaign file's folder, which is the validation's context.
        return Path(normpath((info.context or Path()) / parsed)) if isinstance(parsed, Path) else parsed


@dataclass(frozen=True)
class WholeNumber:
    """The rule of a whole number. `wrong` are the words for one out of range (`{}` is the number), and the remedy."""

    minimum: int
    wrong: tuple[str, str]
    maximum: int | None = None

    @property
    def one(self) -> str:
        return f"a whole number, {self.minimum}{f' to {self.maximum}' if self.maximum else ' or more'}"

    @property
    def several(self) -> str:
        return "whole numbers"

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._validate, core_schema.int_schema(strict=True))

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: object) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.minimum} | ({"maximum": self.maximum} if self.maximum else {})

    def _validate(self, number: int) -> int:
        if number < self.minimum or (self.maximum is not None and number > self.maximum):
            raise InvalidValue(self.wrong[0].format(number), self.wrong[1])
        return number


def pattern(parse: Callable[[str], object], regex: str, one: str, several: str, *made: type) -> Text:
    """A text of one form."""
    return Text(parse, one, several, {"pattern": regex}, made)


def free_text(parse: Callable[[str], object], one: str = "text", several: str = "texts", *made: type) -> Text:
    """A text of any form that isn't empty."""
    return Text(parse, one, several, {"minLength": 1}, made)


def choice(kind: type[StrEnum]) -> Text:
    """One of a few words."""
    words = [f"`{word}`" for word in kind]
    return Text(
        lambda text: kind(values.one_of(text, kind)), listed(words), ", ".join(words), {"enum": list(kind)}, (kind,)
    )


def _unique(items: Iterable[str]) -> Iterable[str]:
    found = list(items)
    if twice := {item for item in found if found.count(item) > 1}:
        raise InvalidValue(f"lists {quoted(min(twice))} twice", "list each of them once")
    return items


def _not_empty(items: tuple[str, ...]) -> tuple[str, ...]:
    if not items:
        raise InvalidValue("is an empty list", "list at least one, or leave the key out")
    return items


UNIQUE = AfterValidator(_unique)
NOT_EMPTY = AfterValidator(_not_empty)

_DURATION = (times.DURATION_PATTERN, "a length of time in s, min, h or d", "lengths of time", timedelta)
_SHARE = (values.SHARE_PATTERN, "a share in per cent", "shares", float)
_TIMES_OF_DAY = ("a time of day in quotes", "times of day")

FilePath = Annotated[Path, free_text(values.file_name, "a path", "paths", Path)]
Column = Annotated[str, free_text(values.column, "the name of a column", "names of columns")]
CountryCode = Annotated[
    str,
    Text(values.country, "a two-letter country code", "two-letter country codes", {"enum": sorted(COUNTRIES)}),
]
WebAddress = Annotated[str, pattern(values.web_address, "^https?://", "a web address", "web addresses")]
IpAddress = Annotated[
    str,
    Text(
        values.ip_address,
        "an IPv4 address or an IPv6 address",
        "IP addresses",
        {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    ),
]
Duration = Annotated[timedelta, pattern(times.duration, *_DURATION)]
PositiveDuration = Annotated[timedelta, pattern(times.positive_duration, *_DURATION)]
Moment = Annotated[
    datetime | timedelta,
    Text(
        times.moment,
        "a length of time in s, min, h or d or a moment with its offset from UTC",
        "moments",
        {"anyOf": [{"pattern": times.DURATION_PATTERN}, {"format": "date-time"}]},
        (datetime, timedelta),
    ),
]
Deadline = Annotated[
    datetime | time,
    Text(
        times.deadline,
        "a time of day in quotes or a moment with its offset from UTC",
        "moments",
        {"anyOf": [{"pattern": times.TIME_PATTERN}, {"format": "date-time"}]},
        (datetime, time),
    ),
]
OpeningTime = Annotated[int, pattern(times.opening_minute, times.TIME_PATTERN, *_TIMES_OF_DAY)]
ClosingTime = Annotated[int, pattern(times.minute_of_day, times.CLOSING_PATTERN, *_TIMES_OF_DAY)]
Share = Annotated[float, pattern(values.share, *_SHARE)]
PositiveShare = Annotated[float, pattern(values.positive_share, *_SHARE)]
Cost = Annotated[
    tuple[Decimal, str],
    pattern(values.cost, values.COST_PATTERN, "an amount and the three letters of its currency", "amounts", tuple),
]
Segments = Annotated[
    int,
    WholeNumber(1, ("{} segments", f"write 1 to {MAX_SEGMENTS}: the provider cuts off what is longer"), MAX_SEGMENTS),
]
Maximum = Annotated[int, WholeNumber(1, ("{} leaves nobody to send to", "write 1 or more"))]
Count = Annotated[int, WholeNumber(1, ("{} would stop every run at once", "write 1 or more"))]
Port = Annotated[int, WholeNumber(1, ("{} is not a port", "write 1 to 65535"), 65535)]
