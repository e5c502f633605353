"""The names of IANA time zones: which ones this computer knows, and which one was meant."""

import pkgutil
from difflib import get_close_matches
from functools import cache
from zoneinfo import available_timezones

from runner.base.text import quoted

# These stand in the database and are no places: the zone of this very computer, which differs from the zone of the
# computer that sends the run, and the zone of a computer that was never set up.
_NO_PLACES = frozenset({"localtime", "posixrules", "Factory"})

# A likeness is looked for among 600 names, and a column with names of streets may have a million to look for.
_MOST_SUGGESTIONS = 200
_suggested: dict[str, str] = {}


def is_zone(name: str) -> bool:
    """Whether `name` is that of an IANA time zone, letter by letter."""
    return name in _package_zones() or name in known_zones()


def not_a_zone(name: str) -> str:
    """Words for a name that `is_zone` doesn't know, with the one that was meant, if any."""
    return f"{quoted(name)} is not a time zone; {zone_remedy(name)}"


def zone_remedy(name: str) -> str:
    """What to write instead of a name that `is_zone` doesn't know."""
    folded = name.strip().casefold().replace(" ", "_")
    if folded not in _suggested and len(_suggested) < _MOST_SUGGESTIONS and len(folded) <= 40:
        _suggested[folded] = next(iter(get_close_matches(folded, _spellings(), n=1, cutoff=0.75)), folded)
    meant = _spellings().get(_suggested.get(folded, folded))
    return f'did you mean "{meant}"?' if meant else 'write an area and a city, such as "Asia/Singapore"'


@cache
def known_zones() -> frozenset[str]:
    """The zones of this computer and of the package tzdata."""
    return frozenset(available_timezones() - _NO_PLACES)


@cache
def _package_zones() -> frozenset[str]:
    """The zones of tzdata: one file, where finding out which ones the computer knows opens six hundred."""
    names = pkgutil.get_data("tzdata", "zones") or b""
    return frozenset(names.decode().split()) - _NO_PLACES


@cache
def _spellings() -> dict[str, str]:
    """Zones by their names in small letters, and by their cities.

    Not those of offsets: GMT+8 is meant for Singapore, and Etc/GMT+8 is in the Pacific, with its sign reversed.
    """
    places = sorted(zone for zone in known_zones() if "/" in zone and not zone.startswith("Etc/"))
    cities = {zone.rpartition("/")[2].casefold(): zone for zone in reversed(places)}
    return cities | {zone.casefold(): zone for zone in places}
