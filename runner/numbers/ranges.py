"""Find the country and kind of a number in one lookup. Pure.

The public functions of phonenumbers are many times slower (`python -m benchmarks.steps` measures both). So this module,
and no other, uses their internals: the metadata, and the order in which kinds are tried. Tests compare the results on
numbers of every country and kind.
"""

import re
from functools import cache
from typing import NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberDesc, PhoneNumberType

# phonenumbers' region for numbers without a country.
WORLD = "001"

# The kinds of numbers, as in `recipients.types`: libphonenumber's types, plus satellite for networks without a
# country.
FIXED_LINE = "fixed-line"
MOBILE = "mobile"
SATELLITE = "satellite"
PERSONAL = "personal"
UNKNOWN = "unknown"

# Every kind, with its description: "+6561234567 is …".
KIND_LABELS = {
    MOBILE: "a mobile number",
    FIXED_LINE: "a fixed-line number",
    "fixed-line-or-mobile": "a fixed-line or mobile number",
    "voip": "a VoIP number",
    "toll-free": "a toll-free number",
    "premium-rate": "a premium-rate number",
    "shared-cost": "a shared-cost number",
    PERSONAL: "a personal number",
    "pager": "a pager number",
    "uan": "a universal access number (UAN)",
    "voicemail": "a voicemail number",
    SATELLITE: "a satellite or global network number",
    UNKNOWN: "a number of unknown type",
}

# The kinds' names in phonenumbers' metadata, in the order in which they are tried. `fixed_line_or_mobile` isn't in the
# metadata; it follows from the last two.
_GROUPS = (
    "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail",
    "fixed_line_or_mobile", "fixed_line", "mobile",
)  # fmt: skip
_KIND_OF_GROUP = {name: name.removesuffix("_number").replace("_", "-") for name in _GROUPS}
_TRIED_FIRST = _GROUPS[:-3]
KIND_OF_TYPE: dict[int, str] = {getattr(PhoneNumberType, name.upper()): kind for name, kind in _KIND_OF_GROUP.items()}

# ITU-T E.164 annex: 870 is Inmarsat, 881 is satellite systems, 882 and 883 are international networks (such as
# Thuraya), 878 is universal personal telecommunication. phonenumbers calls some of them mobile or VoIP, but an SMS to
# them costs many times more.
_WORLDWIDE = {870: SATELLITE, 881: SATELLITE, 882: SATELLITE, 883: SATELLITE, 878: PERSONAL}

# Ofcom reserves these for fiction, so phonenumbers calls them invalid. Examples and tests use them.
_UK_FICTION = re.compile(r"7700900[0-9]{3}")

_NOTHING = "(?!)"
_CODES = {str(code): code for code in COUNTRY_CODE_TO_REGION_CODE}


def split_international(digits: str) -> tuple[int, str] | None:
    """Split an international number into country code and national number, like `phonenumbers.parse`.

    None for digits without a country code, and for those that continue like a number dialled inside the country
    (+44 020 …): `parse` must decide which digits count.
    """
    for length in (1, 2, 3):
        if code := _CODES.get(digits[:length]):
            national = digits[length:]
            return None if _national_prefix(code).match(national) else (code, national)
    return None


def split_national(digits: str, country: str) -> tuple[int, str] | None:
    """Split digits as dialled in `country` into country code and national number, like `phonenumbers.parse`.

    They may start with the national prefix (0 in most of Europe) or the country's own code. None if that is not enough
    to decide; then `parse` must decide.
    """
    code, abroad, prefix, numbers, lengths = _dialing_plan(country)
    if abroad.match(digits):
        return None
    if digits.startswith(own := str(code)):
        national = digits[len(own) :]
        # Digits after the country's own code may have the prefix too, and `parse` removes it there by other rules.
        is_plain = not prefix.match(national) and numbers.fullmatch(national) and not numbers.fullmatch(digits)
        return (code, national) if is_plain else None
    found = prefix.match(digits)
    if found is None:
        return code, digits
    national = digits[found.end() :]
    return (code, national) if len(national) in lengths and numbers.fullmatch(national) else None


def dialled_abroad(digits: str, country: str) -> str | None:
    """The rest of digits that start with the prefix for international calls from `country`; None if they don't.

    None for a prefix of one or two digits, which is the national prefix of another country, or a plain 00.
    """
    found = _dialing_plan(country).abroad.match(digits)
    return digits[found.end() :] if found and found.end() > 2 else None


def find_range(code: int, national: str) -> tuple[str | None, str] | None:
    """The country (alpha-2; None: no country) and the kind of +`code` `national`.

    None if the number is in no range: it is not valid, whatever its length.
    """
    if code == 44 and _UK_FICTION.fullmatch(national):
        return "GB", MOBILE
    for region, leading in _regions(code):
        if leading is not None and not leading.match(national):
            continue
        if found := _ranges(code, region, len(national)).fullmatch(national):
            kind = _WORLDWIDE.get(code) or _KIND_OF_GROUP[found.lastgroup or ""]
            return None if region == WORLD else region, kind
        if leading is not None:
            return None
    return None


class _DialingPlan(NamedTuple):
    """A country's dialling rules: the prefixes for `abroad` and for its own `numbers`.

    `lengths` are the lengths of its numbers; empty if the prefix changes a number.
    """

    code: int
    abroad: re.Pattern[str]
    prefix: re.Pattern[str]
    numbers: re.Pattern[str]
    lengths: frozenset[int]


@cache
def _dialing_plan(country: str) -> _DialingPlan:
    metadata = PhoneMetadata.metadata_for_region(country)
    assert metadata is not None
    assert metadata.country_code is not None
    general = metadata.general_desc or PhoneNumberDesc()
    return _DialingPlan(
        code=metadata.country_code,
        abroad=re.compile(metadata.international_prefix or _NOTHING),
        prefix=re.compile(metadata.national_prefix_for_parsing or _NOTHING),
        numbers=re.compile(general.national_number_pattern or _NOTHING),
        lengths=frozenset(general.possible_length if metadata.national_prefix_transform_rule is None else ()),
    )


@cache
def _ranges(code: int, region: str, length: int) -> re.Pattern[str]:
    """All numbers of a region with this length. Each kind is a named group; the first match counts."""
    metadata = _metadata(code, region)

    def pattern(name: str) -> str | None:
        ranges = getattr(metadata, name)
        # No lengths: the region's lengths apply.
        if not ranges or not ranges.national_number_pattern or length not in (ranges.possible_length or [length]):
            return None
        return f"(?:{ranges.national_number_pattern})"

    general, fixed, mobile = pattern("general_desc"), pattern("fixed_line"), pattern("mobile")
    tried = {name: pattern(name) for name in _TRIED_FIRST}
    if metadata.same_mobile_and_fixed_line_pattern:
        tried["fixed_line_or_mobile"] = fixed
    else:
        both = f"(?={fixed}\\Z){mobile}" if fixed and mobile else None
        tried |= {"fixed_line_or_mobile": both, "fixed_line": fixed, "mobile": mobile}
    groups = "|".join(f"(?P<{name}>{pattern})" for name, pattern in tried.items() if pattern)
    return re.compile(f"(?={general}\\Z)(?:{groups})" if general and groups else _NOTHING)


@cache
def _national_prefix(code: int) -> re.Pattern[str]:
    main = COUNTRY_CODE_TO_REGION_CODE[code][0]
    return re.compile(_metadata(code, main).national_prefix_for_parsing or _NOTHING)


@cache
def _regions(code: int) -> tuple[tuple[str, re.Pattern[str] | None], ...]:
    """The regions of a country code, the main one first; some own all numbers that start with a pattern."""
    regions = COUNTRY_CODE_TO_REGION_CODE.get(code, ())
    leading = {region: _metadata(code, region).leading_digits for region in regions if len(regions) > 1}
    return tuple((region, re.compile(digits) if (digits := leading.get(region)) else None) for region in regions)


def _metadata(code: int, region: str) -> PhoneMetadata:
    found = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    assert found is not None
    return found
