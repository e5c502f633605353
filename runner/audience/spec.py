"""The input of the audience room."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.base.errors import Position
from runner.base.exclusions import Duplicates
from runner.files.source import Source

# The kinds of numbers that can receive SMS.
DEFAULT_TYPES = frozenset({"mobile", "fixed-line-or-mobile", "voip"})


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """A file of people who must get no message. `phone` and `key` are its columns, if named in the campaign.

    `phone` may be several columns: the numbers in all of them get no message.
    """

    path: Path
    phone: str | tuple[str, ...] | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class AudienceSpec:
    """The campaign's rules for its recipients; every column exists in the file.

    `phone`, `country_column`, `key` and `zone_column` are column names; `more_phones` are further columns of numbers,
    for rows without a usable number in the columns before. `country` is the alpha-2 country of numbers without a plus;
    a filled `country_column` overrides it for its row. Without `key`, the number is the key. Empty `countries` allows
    all except `deny_countries`. `types` are the kinds of numbers to send to. `wants_zones`: find the time zones of each
    recipient, in `zone_column` if filled, else by the number. `unique`, `not_null` and `fresh_column` are the columns
    of `recipients.expect`.

    `header` is the header that the spec was checked against; reading fails if the file has another one. `places` has
    the positions of campaign keys that describe the source: `recipients.where` → its position.
    """

    source: Source
    header: tuple[str, ...]
    phone: str
    more_phones: tuple[str, ...] = ()
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
    unique: tuple[str, ...] = ()
    not_null: tuple[str, ...] = ()
    fresh_column: str | None = None
    places: Mapping[str, Position] = field(default_factory=dict)

    @property
    def phones(self) -> tuple[str, ...]:
        """All columns of numbers."""
        return (self.phone, *self.more_phones)
