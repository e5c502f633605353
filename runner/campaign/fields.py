"""How single values of the campaign file are read, what the JSON Schema says of them, and how the guide names them.

The rules are in `values` and `times`; here they become types for the model, which then reads as a list of keys.
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
from runner.base.text import closest, joined, quoted
from runner.campaign import times, values
from runner.campaign.values import COUNTRIES, InvalidValue


class Section(BaseModel):
    """A mapping of the campaign file. Code may use attribute names; `normalize` lets no file use them."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_alias=True, validate_by_name=True
    )


def setting(description: str, example: object, default: Any = ..., *, alias: str | None = None) -> Any:  # noqa: ANN401
    """A key of a section. Without a default the key is required; an alias replaces its name in camelCase."""
    return Field(default, description=description, examples=[example], alias=alias)


def optional(description: str, example: object) -> Any:  # noqa: ANN401
    """A key that may be absent; its value is then None."""
    return setting(description, example, None)


class Region(StrEnum):
    """Where the account lives; each region has its own base URL."""

    ASIA = "asia"
    NORTH_AMERICA = "north-america"
    EUROPE = "europe"
    INDONESIA = "indonesia"


class Missing(StrEnum):
    """What happens when a field that the text needs is empty."""

    EXCLUDE = "exclude"  # the row is left out
    ERROR = "error"  # the plan fails


class NumberType(StrEnum):
    """The kinds of numbers, as numbering plans distinguish them."""

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


# What a campaign is for, what the results can be written as, and the days of sending hours.
CampaignKind = StrEnum("CampaignKind", "MARKETING TRANSACTIONAL")
ReportFormat = StrEnum("ReportFormat", "PARQUET CSV XLSX")
Day = StrEnum("Day", "MON TUE WED THU FRI SAT SUN")


@dataclass(frozen=True, eq=False)  # typing hashes annotations, and a mapping has no hash
class TextRule:
    """The rule of a value that is written as text.

    `parse` turns the text into a value or raises InvalidValue. Instances of `parsed` pass as they are, so that code can
    build models too. `singular` and `plural` are the guide's words for such a value and for a list of them, `schema` is
    its JSON Schema beside the type.
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
    """The rule of a number from 1 on. `wrong` and `remedy` are the words for another one; `{}` is the number."""

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


def pattern(parse: Callable[[str], object], regex: str, singular: str, *parsed: type) -> TextRule:
    """A text of one form."""
    return TextRule(parse, {"pattern": regex}, singular, parsed=parsed)


def choice(kind: type[StrEnum]) -> TextRule:
    """One of a few words."""

    def parse(text: str) -> object:
        if text in list(kind):
            return kind(text)
        meant = closest(text, kind)
        remedy = f'did you mean "{meant}"?' if meant else f"write {joined(kind, 'or')}"
        raise InvalidValue(f"{quoted(text)} is not known", remedy)

    words = [f"`{word}`" for word in kind]
    return TextRule(parse, {"enum": list(kind)}, joined(words, "or"), ", ".join(words), (kind,))


def _unique(items: tuple[str, ...]) -> tuple[str, ...]:
    repeated = [item for item in items if items.count(item) > 1]
    if repeated:
        raise InvalidValue(f"lists {quoted(min(repeated))} twice", "list each of them once")
    return items


def _not_empty(items: tuple[str, ...]) -> tuple[str, ...]:
    if not items:
        raise InvalidValue("is an empty list", "list at least one, or leave the key out")
    return items


UNIQUE = AfterValidator(_unique)
NOT_EMPTY = AfterValidator(_not_empty)

_DURATION = (times.DURATION_PATTERN, "a length of time in s, min, h or d")
_SHARE = (values.SHARE_PATTERN, "a share in per cent")
_TIME_OF_DAY = "a time of day in quotes"


def _or_moment(parse: Callable[[str], object], regex: str, singular: str, other: type) -> TextRule:
    schema = {"anyOf": [{"pattern": regex}, {"format": "date-time"}]}
    return TextRule(parse, schema, f"{singular} or a moment with its offset from UTC", parsed=(datetime, other))


FilePath = Annotated[Path, TextRule(values.file_name, singular="a path", plural="paths", parsed=(Path,))]
Column = Annotated[str, TextRule(values.column, singular="the name of a column", plural="names of columns")]
CountryCode = Annotated[
    str, TextRule(values.country, {"enum": sorted(COUNTRIES)}, "a two-letter country code", "two-letter country codes")
]
WebAddress = Annotated[str, pattern(values.web_address, "^https?://", "a web address")]
_IP_FORMATS = {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
IpAddress = Annotated[str, TextRule(values.ip_address, _IP_FORMATS, "an IPv4 address or an IPv6 address")]
Duration = Annotated[timedelta, pattern(times.duration, *_DURATION, timedelta)]
PositiveDuration = Annotated[timedelta, pattern(times.positive_duration, *_DURATION, timedelta)]
Moment = Annotated[datetime | timedelta, _or_moment(times.moment, *_DURATION, timedelta)]
Deadline = Annotated[datetime | time, _or_moment(times.deadline, times.TIME_PATTERN, _TIME_OF_DAY, time)]
OpeningTime = Annotated[int, pattern(times.opening_minute, times.TIME_PATTERN, _TIME_OF_DAY)]
ClosingTime = Annotated[int, pattern(times.minute_of_day, times.CLOSING_PATTERN, _TIME_OF_DAY)]
Share = Annotated[float, pattern(values.share, *_SHARE, float)]
PositiveShare = Annotated[float, pattern(values.positive_share, *_SHARE, float)]
_AMOUNT = "an amount and the three letters of its currency"
Cost = Annotated[tuple[Decimal, str], pattern(values.cost, values.COST_PATTERN, _AMOUNT, tuple)]
_CUT_OFF = f"write 1 to {MAX_SEGMENTS}: the provider cuts off what is longer"
Segments = Annotated[int, WholeNumberRule("{} segments", _CUT_OFF, maximum=MAX_SEGMENTS)]
Maximum = Annotated[int, WholeNumberRule("{} leaves nobody to send to")]
Count = Annotated[int, WholeNumberRule("{} would stop every run at once")]
Port = Annotated[int, WholeNumberRule("{} is not a port", "write 1 to 65535", maximum=65535)]
