"""What the audience room is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.base.errors import Position
from runner.base.exclusions import Duplicates
from runner.files.source import Source

# The kinds of numbers that an SMS can reach.
DEFAULT_TYPES = frozenset({"mobile", "fixed-line-or-mobile", "voip"})


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """A file of people who are not sent to. `phone` and `key` are its columns where they can't be found by name."""

    path: Path
    phone: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class AudienceSpec:
    """What the campaign says about its recipients, with every column known to exist.

    `phone`, `country_column`, `key` and `zone_column` are column names. `country` is the alpha-2 country of numbers
    without a plus; a row whose `country_column` is filled says it for itself. Without `key` the number is the key.
    Empty `countries` means that all are allowed but `deny_countries`. `types` are the kinds of numbers that are sent
    to. With `wants_zones` each recipient's time zones are found out: from `zone_column` where it is filled, else from
    the number.

    `header` is the one that all this was held against; reading fails when the file has another one by then. `places`
    says where the campaign file says how the source is read: `recipients.where` → its position.
    """

    source: Source
    header: tuple[str, ...]
    phone: str
    country: str | None = None
    country_column: str | None = None
    key: str | None = None
    duplicates: Duplicates = Duplicates.FIRST
    suppress: tuple[SuppressionList, ...] = ()
    countries: frozenset[str] = frozenset()
    deny_countries: frozenset[str] = frozenset()
    types: frozenset[str] = DEFAULT_TYPES
    wants_zones: bool = False
    zone_column: str | None = None
    places: Mapping[str, Position] = field(default_factory=dict)
