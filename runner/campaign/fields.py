"""Types for the values of the campaign file: how to read them, their JSON Schema, and their names in the reference.

The rules are in `values` and `times`. As types they make the model read like a list of keys.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from os.path import normpath
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationInfo
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from runner.base.messages import MAX_SEGMENTS
from runner.base.options import RowRange, Threshold
from runner.base.text import closest, joined, quoted
from runner.campaign import times, values
from runner.campaign.values import COUNTRIES, InvalidValue


class Section(BaseModel):
    """A mapping in the campaign file. Code may use attribute names; in a file, `normalize` rejects them."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_alias=True, validate_by_name=True
    )


def setting(description: str, example: object, default: Any = ..., *, alias: str | None = None) -> Any:  # noqa: ANN401
    """A key of a section. Without a default the key is required; an alias replaces the camelCase name."""
    return Field(default, description=description, examples=[example], alias=alias)


def optional(description: str, example: object) -> Any:  # noqa: ANN401
    """An optional key; None if absent."""
    return setting(description, example, None)


class Region(StrEnum):
    """The region that hosts the account; each region has its own base URL."""

    ASIA = "asia"
    NORTH_AMERICA = "north-america"
    EUROPE = "europe"
    INDONESIA = "indonesia"


class Missing(StrEnum):
    """What to do if a field used in the text is empty."""

    EXCLUDE = "exclude"  # exclude the row
    ERROR = "error"  # the plan fails


class NumberType(StrEnum):
    """The number types that numbering plans distinguish."""

    MOBILE = "mobile"
    FIXED_LINE_OR_MOBILE = "fixed-line-or-mobile"  # numbers that may be either, as in North America
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


# A campaign's purpose, the file formats of the results, and the days of sending hours.
CampaignKind = StrEnum("CampaignKind", "MARKETING TRANSACTIONAL")
ReportFormat = StrEnum("ReportFormat", "PARQUET CSV XLSX")
Day = StrEnum("Day", "MON TUE WED THU FRI SAT SUN")


@dataclass(frozen=True, eq=False)  # typing hashes annotations, and a mapping has no hash
class TextRule:
    """The rule for a value written as text.

    `parse` turns the text into a value or raises InvalidValue. Instances of `parsed` pass unchanged, so that code can
    build models. `singular` and `plural` name one value and a list of values in the reference. `schema` is the JSON
    Schema without the type.
    """

    parse: Callable[[str], object]
    schema: Mapping[str, Any] = field(default_factory=lambda: {"minLength": 1})
    singular: str = "text"
    plural: str = "texts"
    parsed: tuple[type, ...] = ()

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: object) -> dict[str, Any]:
        return {"type": "string", **self.schema}

    def _validate(self, value: object, info: ValidationInfo) -> object:
        if isinstance(value, self.parsed):
            return value
        if not isinstance(value, str):
            raise PydanticKnownError("string_type")
        result = self.parse(value)
        # Paths are relative to the campaign file's folder, which is the validation's context.
        return Path(normpath((info.context or Path()) / result)) if isinstance(result, Path) else result


@dataclass(frozen=True)
class WholeNumberRule:
    """The rule for a whole number of at least 1. `wrong` and `remedy` describe an invalid one; `{}` is the number."""

    wrong: str
    remedy: str = "write 1 or more"
    maximum: int | None = None

    @property
    def singular(self) -> str:
        return f"a whole number, 1{f' to {self.maximum}' if self.maximum else ' or more'}"

    plural = "whole numbers"

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._validate, core_schema.int_schema(strict=True))

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: object) -> dict[str, Any]:
        return {"type": "integer", "minimum": 1} | ({"maximum": self.maximum} if self.maximum else {})

    def _validate(self, number: int) -> int:
        if number < 1 or (self.maximum is not None and number > self.maximum):
            raise InvalidValue(self.wrong.format(number), self.remedy)
        return number


class ThresholdRule:
    """The rule for a percentage or a whole number of at least 0."""

    singular = "a percentage, or a whole number, 0 or more"
    plural = "percentages or whole numbers"

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: object) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "pattern": values.SHARE_PATTERN}, {"type": "integer", "minimum": 0}]}

    def _validate(self, value: object) -> Threshold:
        if isinstance(value, Threshold):
            return value
        if isinstance(value, str):
            if value.isdecimal():
                raise InvalidValue(f"{quoted(value)} is text", f"write {value} without quotes, or {value}%")
            return values.threshold(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return Threshold(Decimal(value))
        raise InvalidValue("must be a percentage or a whole number", "write a value such as 2% or 10")


def pattern(parse: Callable[[str], object], regex: str, singular: str, *parsed: type) -> TextRule:
    """Text that matches a pattern."""
    return TextRule(parse, {"pattern": regex}, singular, parsed=parsed)


def choice(kind: type[StrEnum]) -> TextRule:
    """One of a fixed set of words."""

    def parse(text: str) -> object:
        if text in list(kind):
            return kind(text)
        meant = closest(text, kind)
        remedy = f'did you mean "{meant}"?' if meant else f"write {joined(kind, 'or')}"
        raise InvalidValue(f"unknown value {quoted(text)}", remedy)

    words = [f"`{word}`" for word in kind]
    return TextRule(parse, {"enum": list(kind)}, joined(words, "or"), ", ".join(words), (kind,))


def _unique(items: tuple[str, ...]) -> tuple[str, ...]:
    repeated = [item for item in items if items.count(item) > 1]
    if repeated:
        raise InvalidValue(f"lists {quoted(min(repeated))} twice", "list each value once")
    return items


def _not_empty(items: tuple[str, ...]) -> tuple[str, ...]:
    if not items:
        raise InvalidValue("the list is empty", "add at least one value, or remove the key")
    return items


UNIQUE = AfterValidator(_unique)
NOT_EMPTY = AfterValidator(_not_empty)

_DURATION = (times.DURATION_PATTERN, "a duration in s, min, h or d")
_SHARE = (values.SHARE_PATTERN, "a percentage")
_TIME_OF_DAY = "a quoted time of day"


def _or_moment(parse: Callable[[str], object], regex: str, singular: str, other: type) -> TextRule:
    schema = {"anyOf": [{"pattern": regex}, {"format": "date-time"}]}
    return TextRule(parse, schema, f"{singular} or a date and time with its UTC offset", parsed=(datetime, other))


FilePath = Annotated[Path, TextRule(values.file_name, singular="a path", plural="paths", parsed=(Path,))]
Column = Annotated[str, TextRule(values.column, singular="a column name", plural="column names")]
CountryCode = Annotated[
    str, TextRule(values.country, {"enum": sorted(COUNTRIES)}, "a two-letter country code", "two-letter country codes")
]
WebAddress = Annotated[str, pattern(values.web_address, "^https?://", "a URL")]
_IP_FORMATS = {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
IpAddress = Annotated[str, TextRule(values.ip_address, _IP_FORMATS, "an IPv4 or IPv6 address")]
Duration = Annotated[timedelta, pattern(times.duration, *_DURATION, timedelta)]
PositiveDuration = Annotated[timedelta, pattern(times.positive_duration, *_DURATION, timedelta)]
Moment = Annotated[datetime | timedelta, _or_moment(times.moment, *_DURATION, timedelta)]
Deadline = Annotated[datetime | time, _or_moment(times.deadline, times.TIME_PATTERN, _TIME_OF_DAY, time)]
OpeningTime = Annotated[int, pattern(times.opening_minute, times.TIME_PATTERN, _TIME_OF_DAY)]
ClosingTime = Annotated[int, pattern(times.minute_of_day, times.CLOSING_PATTERN, _TIME_OF_DAY)]
Share = Annotated[float, pattern(values.share, *_SHARE, float)]
ThresholdValue = Annotated[Threshold, ThresholdRule()]
PositiveShare = Annotated[float, pattern(values.positive_share, *_SHARE, float)]
RowCount = Annotated[RowRange, pattern(values.row_range, values.ROWS_PATTERN, "a range of numbers", RowRange)]
_AT_MOST = "`<=` and a percentage or a whole number, in quotes"
AtMost = Annotated[Threshold, pattern(values.at_most, values.AT_MOST_PATTERN, _AT_MOST, Threshold)]
_AMOUNT = "an amount and a three-letter currency code"
Cost = Annotated[tuple[Decimal, str], pattern(values.cost, values.COST_PATTERN, _AMOUNT, tuple)]
_CUT_OFF = f"write 1 to {MAX_SEGMENTS}; the provider truncates longer messages"
Segments = Annotated[int, WholeNumberRule("{} is not a valid number of segments", _CUT_OFF, maximum=MAX_SEGMENTS)]
Maximum = Annotated[int, WholeNumberRule("with {}, nobody would get a message")]
Count = Annotated[int, WholeNumberRule("{} would stop every run immediately")]
Port = Annotated[int, WholeNumberRule("{} is not a port number", "write 1 to 65535", maximum=65535)]
