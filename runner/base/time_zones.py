"""The names of IANA time zones: which ones exist, and suggestions for misspelled ones."""

import pkgutil
from difflib import get_close_matches
from functools import cache
from zoneinfo import available_timezones

from runner.base.text import quoted

# Names in the database that aren't places: the time zone of this computer, which may differ from that of the computer
# that sends the run, and the time zone of a computer that was never configured.
_NO_PLACES = frozenset({"localtime", "posixrules", "Factory"})

# The most names to find suggestions for. Each is compared with 600 names, and a wrong column may have a million.
_MOST_SUGGESTIONS = 200
_suggested: dict[str, str] = {}


def is_zone(name: str) -> bool:
    """Whether `name` is exactly the name of an IANA time zone."""
    return name in _package_zones() or name in known_zones()


def not_a_zone(name: str) -> str:
    """An error message for a name that isn't a time zone, with a suggestion."""
    return f"{quoted(name)} is not a time zone; {zone_remedy(name)}"


def zone_remedy(name: str) -> str:
    """What to write instead of a name that isn't a time zone."""
    folded = name.strip().casefold().replace(" ", "_")
    if folded not in _suggested and len(_suggested) < _MOST_SUGGESTIONS and len(folded) <= 40:
        _suggested[folded] = next(iter(get_close_matches(folded, _spellings(), n=1, cutoff=0.75)), folded)
    meant = _spellings().get(_suggested.get(folded, folded))
    return f'did you mean "{meant}"?' if meant else 'use an area and a city, such as "Asia/Singapore"'


@cache
def known_zones() -> frozenset[str]:
    """The time zones of this computer and of the package tzdata."""
    return frozenset(available_timezones() - _NO_PLACES)


@cache
def _package_zones() -> frozenset[str]:
    """The time zones of tzdata. Fast: this reads one file, while `known_zones` opens six hundred."""
    names = pkgutil.get_data("tzdata", "zones") or b""
    return frozenset(names.decode().split()) - _NO_PLACES


@cache
def _spellings() -> dict[str, str]:
    """Time zones by lower-case name and by city.

    Without offsets such as Etc/GMT+8: its sign is reversed, so it is in the Pacific, while people who write GMT+8 mean
    Singapore.
    """
    places = sorted(zone for zone in known_zones() if "/" in zone and not zone.startswith("Etc/"))
    cities = {zone.rpartition("/")[2].casefold(): zone for zone in reversed(places)}
    return cities | {zone.casefold(): zone for zone in places}
