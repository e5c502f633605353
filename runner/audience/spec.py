"""What the audience room is asked for."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class AudienceSpec:
    """What the campaign says about its recipients, with every column known to exist.

    `phone`, `country_column` and `key` are column names. `country` is the alpha-2 country of numbers without a plus;
    a row whose `country_column` is filled says it for itself. Without `key` the number is the key. `duplicates` is
    first, reject or all. Empty `countries` means that all are allowed.
    """

    file: Path
    phone: str
    country: str | None = None
    country_column: str | None = None
    key: str | None = None
    duplicates: str = "first"
    suppress: tuple[Path, ...] = ()
    countries: frozenset[str] = frozenset()
