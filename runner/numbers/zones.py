"""In which time zones a phone may be: what the recipient file says, or else what the number tells.

A number tells little: every zone of its country, or of its area code where it has one. So all of them count, and none
is dropped: with a zone less, a text might arrive at night.
"""

import zoneinfo
from difflib import get_close_matches
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumberType, is_number_type_geographical
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from runner.base.text import quoted
from runner.numbers.phone import Number
from runner.numbers.ranges import KIND_OF_TYPE

_TYPE_OF_KIND = {kind: number_type for number_type, kind in KIND_OF_TYPE.items()}

# These stand in zoneinfo's folder and are no places: the zone of this very computer, and of one never set up.
_NO_PLACES = frozenset({"localtime", "posixrules", "Factory"})

# A likeness is looked for among 600 names, and a column with names of streets may have a million to look for.
_MOST_SUGGESTIONS = 200
_suggested: dict[str, str] = {}


def zones_of(number: Number) -> tuple[str, ...]:
    """The IANA zones in which the phone of a number may be, sorted; () when not known.

    As `phonenumbers.timezone.time_zones_for_number` has it, which spends most of its time on finding out the kind and
    the region again. Unknown is also a zone that this computer doesn't know.
    """
    digits = number.destination[1:]
    code = next((digits[:length] for length in (1, 2, 3) if int(digits[:length]) in COUNTRY_CODE_TO_REGION_CODE), "")
    prefix = digits if _has_area(number.kind, code) else code
    for length in range(min(TIMEZONE_LONGEST_PREFIX, len(prefix)), 0, -1):
        if zones := TIMEZONE_DATA.get(prefix[:length]):
            return _sorted(zones)
    return ()


def is_zone(name: str) -> bool:
    """Whether `name` is that of an IANA time zone, letter by letter."""
    return name in _known()


def not_a_zone(name: str) -> str:
    """Words for a name that `is_zone` doesn't know, with the one that was meant, if any."""
    meant = _meant(name)
    remedy = f'did you mean "{meant}"?' if meant else 'write an area and a city, such as "Asia/Singapore"'
    return f"{quoted(name)} is not a time zone; {remedy}"


@cache
def _has_area(kind: str, code: str) -> bool:
    number_type = _TYPE_OF_KIND.get(kind, PhoneNumberType.UNKNOWN)
    return bool(code) and is_number_type_geographical(number_type, int(code))


@cache
def _sorted(zones: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(zones)) if _known().issuperset(zones) else ()


@cache
def _known() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - _NO_PLACES)


@cache
def _spellings() -> dict[str, str]:
    """Zones by their names in small letters, and by their cities.

    Not those of offsets: GMT+8 is meant for Singapore, and Etc/GMT+8 is in the Pacific, with its sign reversed.
    """
    places = sorted(zone for zone in _known() if "/" in zone and not zone.startswith("Etc/"))
    cities = {zone.rpartition("/")[2].casefold(): zone for zone in reversed(places)}
    return cities | {zone.casefold(): zone for zone in places}


def _meant(name: str) -> str | None:
    folded = name.strip().casefold().replace(" ", "_")
    if folded not in _suggested and len(_suggested) < _MOST_SUGGESTIONS and len(folded) <= 40:
        _suggested[folded] = next(iter(get_close_matches(folded, _spellings(), n=1, cutoff=0.75)), folded)
    return _spellings().get(_suggested.get(folded, folded))
