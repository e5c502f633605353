"""The time zones in which a phone may be, by its number.

A number gives only the zones of its country, or of its area code if it has one. All of them count: without one of them,
a text may arrive at night.
"""

from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumberType, is_number_type_geographical
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from runner.base.time_zones import known_zones
from runner.numbers.phone import Number
from runner.numbers.ranges import KIND_OF_TYPE

_TYPE_OF_KIND = {kind: number_type for number_type, kind in KIND_OF_TYPE.items()}


def zones_of(number: Number) -> tuple[str, ...]:
    """The IANA zones in which a number's phone may be, sorted; () if unknown.

    Same result as `phonenumbers.timezone.time_zones_for_number`, which spends most of its time on computing kind and
    region again. Also () if this computer doesn't know one of the zones.
    """
    digits = number.destination[1:]
    code = next((digits[:length] for length in (1, 2, 3) if int(digits[:length]) in COUNTRY_CODE_TO_REGION_CODE), "")
    prefix = digits if _has_area(number.kind, code) else code
    for length in range(min(TIMEZONE_LONGEST_PREFIX, len(prefix)), 0, -1):
        if zones := TIMEZONE_DATA.get(prefix[:length]):
            return _sorted(zones)
    return ()


@cache
def _has_area(kind: str, code: str) -> bool:
    number_type = _TYPE_OF_KIND.get(kind, PhoneNumberType.UNKNOWN)
    return bool(code) and is_number_type_geographical(number_type, int(code))


@cache
def _sorted(zones: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(zones)) if known_zones().issuperset(zones) else ()
