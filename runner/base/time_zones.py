"""The names of IANA time zones: which ones exist, and suggestions for misspelled ones."""

import pkgutil
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from zoneinfo import available_timezones

from runner.base.text import quoted

# Names in the database that aren't places: the time zone of this computer, which may differ from that of the computer
# that sends the run, and the time zone of a computer that was never configured.
_NO_PLACES = frozenset({"localtime", "posixrules", "Factory"})

# Offsets: they have no summer time, and Etc/GMT+8 is in the Pacific, while people who write GMT+8 mean Singapore.
_OFFSET = re.compile(r"(?:etc/)?(?:gmt|utc)?_?([+-])([0-9]{1,2})(?::?([0-9]{2}))?")
_ONLY_OFFSETS = frozenset({"EST", "MST", "HST"})

# Places for what people write instead of them. An abbreviation has several meanings, and many who write EST all year
# have summer time, so it is never used.
_PLACES: Mapping[str, str] = {
    "EST": '"America/New_York" or "America/Panama" (no summer time)',
    "EDT": '"America/New_York"',
    "CST": '"America/Chicago" or "Asia/Shanghai"',
    "CDT": '"America/Chicago"',
    "MST": '"America/Denver" or "America/Phoenix" (no summer time)',
    "MDT": '"America/Denver"',
    "PST": '"America/Los_Angeles" or "Asia/Manila"',
    "PDT": '"America/Los_Angeles"',
    "HST": '"Pacific/Honolulu"',
    "BST": '"Europe/London" or "Asia/Dhaka"',
    "IST": '"Asia/Kolkata", "Europe/Dublin" or "Asia/Jerusalem"',
    "AEST": '"Australia/Sydney" or "Australia/Brisbane" (no summer time)',
    "WIB": '"Asia/Jakarta"',
    "HKT": '"Asia/Hong_Kong"',
    "-08:00": '"America/Los_Angeles"',
    "-07:00": '"America/Denver"',
    "-06:00": '"America/Chicago"',
    "-05:00": '"America/New_York"',
    "+00:00": '"Europe/London" or "UTC"',
    "+01:00": '"Europe/Berlin"',
    "+05:30": '"Asia/Kolkata"',
    "+07:00": '"Asia/Jakarta" or "Asia/Bangkok"',
    "+09:00": '"Asia/Tokyo"',
    "+10:00": '"Australia/Sydney"',
}

# The most names to find suggestions for. Each is compared with 600 names, and a wrong column may have a million.
_MOST_SUGGESTIONS = 200
_suggested: dict[str, str] = {}


def is_zone(name: str) -> bool:
    """Whether `name` is exactly the name of an IANA time zone of a place, or UTC; not of an offset such as EST."""
    return name in _package_zones() or name in known_zones()


def not_a_zone(name: str) -> str:
    """An error message for a name that isn't a time zone, with a suggestion."""
    return f"{quoted(name)} is not a time zone; {zone_remedy(name)}"


def zone_remedy(name: str) -> str:
    """What to write instead of a name that isn't a time zone."""
    folded = name.strip().casefold().replace(" ", "_")
    # Who writes Etc/GMT+8 may know its sign or not.
    if not folded.startswith("etc/") and (places := _PLACES.get(_offset(folded) or folded.upper())):
        return f"use an area and a city, such as {places}"
    if not _offset(folded) and folded not in _suggested and len(_suggested) < _MOST_SUGGESTIONS and len(folded) <= 40:
        _suggested[folded] = next(iter(get_close_matches(folded, _spellings(), n=1, cutoff=0.75)), folded)
    meant = _spellings().get(_suggested.get(folded, folded))
    return f'did you mean "{meant}"?' if meant else 'use an area and a city, such as "Asia/Singapore"'


@cache
def known_zones() -> frozenset[str]:
    """The time zones of this computer and of the package tzdata."""
    return _of_places(available_timezones())


@cache
def _package_zones() -> frozenset[str]:
    """The time zones of tzdata. Fast: this reads one file, while `known_zones` opens six hundred."""
    names = pkgutil.get_data("tzdata", "zones") or b""
    return _of_places(names.decode().split())


def _of_places(names: Iterable[str]) -> frozenset[str]:
    """The names without offsets and the time zone of this computer."""
    return frozenset(name for name in names if not _offset(name.casefold())) - _NO_PLACES - _ONLY_OFFSETS


def _offset(folded: str) -> str | None:
    """The offset, such as +08:00, that a name in lower case means; None for another name."""
    match = _OFFSET.fullmatch(folded)
    return f"{match[1]}{match[2]:0>2}:{match[3] or '00'}" if match else None


@cache
def _spellings() -> dict[str, str]:
    """Time zones by lower-case name and by city."""
    places = sorted(zone for zone in known_zones() if "/" in zone and not zone.startswith("Etc/"))
    cities = {zone.rpartition("/")[2].casefold(): zone for zone in reversed(places)}
    return cities | {zone.casefold(): zone for zone in places}
