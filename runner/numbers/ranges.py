"""In which country's number ranges a number lies, and of which kind it is: one look for both. Pure.

The public functions of phonenumbers look for the region three times over to answer this (`region_code_for_number`,
`is_valid_number`, `number_type`), and `parse` takes most of its time to tell plain digits from a text. So this is the
one place that knows what is under them (the metadata, and the order in which kinds are tried); tests hold it against
them on numbers of every country and kind. `python -m benchmarks.steps` measures both ways.
"""

import re
from dataclasses import dataclass
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberDesc, PhoneNumberType

# What phonenumbers calls the country of numbers that belong to none.
WORLD = "001"

# The kinds of numbers, as `recipients.types` names them: the types of libphonenumber, and satellite, for the networks
# that belong to no country.
FIXED_LINE = "fixed-line"
MOBILE = "mobile"
SATELLITE = "satellite"
PERSONAL = "personal"
UNKNOWN = "unknown"

# What a number is, in words: "+6561234567 is …".
IN_WORDS = {
    MOBILE: "a mobile number",
    FIXED_LINE: "a fixed line",
    "fixed-line-or-mobile": "a number of a fixed line or a mobile",
    "voip": "a VoIP number",
    "toll-free": "a toll-free number",
    "premium-rate": "a premium rate number",
    "shared-cost": "a shared cost number",
    PERSONAL: "a personal number",
    "pager": "a pager",
    "uan": "a company's number for the whole country (UAN)",
    "voicemail": "a voicemail box",
    SATELLITE: "a number of a satellite or worldwide network",
    UNKNOWN: "a number of unknown kind",
}
KINDS: tuple[str, ...] = tuple(IN_WORDS)

KIND_OF_TYPE = {
    PhoneNumberType.FIXED_LINE: FIXED_LINE,
    PhoneNumberType.MOBILE: MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed-line-or-mobile",
    PhoneNumberType.TOLL_FREE: "toll-free",
    PhoneNumberType.PREMIUM_RATE: "premium-rate",
    PhoneNumberType.SHARED_COST: "shared-cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: PERSONAL,
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.VOICEMAIL: "voicemail",
}

_TRIED_FIRST = (
    "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail",
)  # fmt: skip
# The groups of `_ranges`; all but one have the names that phonenumbers gives its metadata.
_KIND_OF_GROUP = {
    name: KIND_OF_TYPE[getattr(PhoneNumberType, name.upper())]
    for name in (*_TRIED_FIRST, "fixed_line_or_mobile", "fixed_line", "mobile")
}

# ITU-T E.164 annex: 870 is Inmarsat, 881 are the satellite systems, 882 and 883 worldwide networks (Thuraya among
# them), 878 is universal personal telecommunication. phonenumbers calls some of them mobile or VoIP, but an SMS to
# them costs many times as much.
_WORLDWIDE = {
    870: SATELLITE,
    881: SATELLITE,
    882: SATELLITE,
    883: SATELLITE,
    878: PERSONAL,
}

# Reserved for fiction by Ofcom, so phonenumbers calls them invalid. Examples and tests hold them because they reach
# no phone, which is just why they must pass here.
_UK_FICTION = re.compile(r"7700900[0-9]{3}")


_NOTHING = "(?!)"
_CODES = {str(code): code for code in COUNTRY_CODE_TO_REGION_CODE}


def split(digits: str) -> tuple[int, str] | None:
    """An international number's digits as country code and national number, as `phonenumbers.parse` parts them.

    None for digits that begin with no code, and for those that go on like a number dialled inside of the country
    (+44 020 …): which of its digits count, `parse` must say.
    """
    for length in (1, 2, 3):
        if code := _CODES.get(digits[:length]):
            prefix = _inland_prefix(code)
            national = digits[length:]
            return None if prefix is not None and prefix.match(national) else (code, national)
    return None


def from_inside(digits: str, country: str) -> tuple[int, str] | None:
    """Digits as dialled in `country`, as country code and national number, as `phonenumbers.parse` parts them.

    They may have the national prefix before them (0 in most of Europe), or the country's own code. None where it takes
    more than that to tell; `parse` must say then.
    """
    inside = _inside(country)
    if inside.abroad is not None and inside.abroad.match(digits):
        return None
    with_code = digits.startswith(inside.code_digits)
    # What is behind the country's own code may have the prefix too, and `parse` strips it there by other rules.
    national = digits[len(inside.code_digits) :] if with_code else digits
    prefix = inside.prefix.match(national) if inside.prefix is not None else None
    if with_code:
        if prefix is None and inside.numbers.fullmatch(national) and not inside.numbers.fullmatch(digits):
            return inside.code, national
        return None
    if prefix is None:
        return inside.code, digits
    stripped = national[prefix.end() :]
    if not inside.transforms and len(stripped) in inside.lengths and inside.numbers.fullmatch(stripped):
        return inside.code, stripped
    return None


def begins_with_own_code(digits: str, country: str) -> bool:
    return digits.startswith(_inside(country).code_digits)


def look_up(code: int, national: str) -> tuple[str | None, str] | None:
    """The country (alpha-2; None: the number belongs to no country) and the kind of +`code` `national`.

    None when no range holds it: the number is not valid, whatever its length.
    """
    if code == 44 and _UK_FICTION.fullmatch(national):
        return "GB", MOBILE
    for region, leading, ranges in _homes(code):
        if leading is not None and not leading.match(national):
            continue
        found = ranges[len(national)].fullmatch(national)
        if found is not None:
            kind = _WORLDWIDE.get(code) or _KIND_OF_GROUP[found.lastgroup or ""]
            return None if region == WORLD else region, kind
        if leading is not None:
            return None
    return None


@dataclass(frozen=True, slots=True)
class _Inside:
    """What is dialled inside of a country. `numbers` matches what may be one of its numbers, `lengths` are theirs."""

    code: int
    code_digits: str
    abroad: re.Pattern[str] | None
    prefix: re.Pattern[str] | None
    transforms: bool
    numbers: re.Pattern[str]
    lengths: frozenset[int]


@cache
def _inside(country: str) -> _Inside:
    metadata = PhoneMetadata.metadata_for_region(country)
    assert metadata is not None
    assert metadata.country_code is not None
    general = metadata.general_desc or PhoneNumberDesc()
    return _Inside(
        code=metadata.country_code,
        code_digits=str(metadata.country_code),
        abroad=_compiled(metadata.international_prefix),
        prefix=_compiled(metadata.national_prefix_for_parsing),
        transforms=metadata.national_prefix_transform_rule is not None,
        numbers=re.compile(general.national_number_pattern or _NOTHING),
        lengths=frozenset(general.possible_length),
    )


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    return re.compile(pattern) if pattern else None


class _Ranges(dict[int, re.Pattern[str]]):
    """All ranges of a region by the length of their numbers, each kind a group with its name (`_KIND_OF_GROUP`).

    The kinds are in the order in which phonenumbers tries them: the first that matches counts.
    """

    def __init__(self, metadata: PhoneMetadata) -> None:
        super().__init__()
        self._metadata = metadata

    def __missing__(self, length: int) -> re.Pattern[str]:
        self[length] = made = re.compile(self._pattern(length))
        return made

    def _pattern(self, length: int) -> str:
        metadata = self._metadata
        general = _pattern(metadata.general_desc, length)
        fixed, mobile = _pattern(metadata.fixed_line, length), _pattern(metadata.mobile, length)
        tried = [(name, _pattern(getattr(metadata, name), length)) for name in _TRIED_FIRST]
        if metadata.same_mobile_and_fixed_line_pattern:
            tried.append(("fixed_line_or_mobile", fixed))
        else:
            both = f"(?={fixed}\\Z){mobile}" if fixed and mobile else None
            tried += [("fixed_line_or_mobile", both), ("fixed_line", fixed), ("mobile", mobile)]
        groups = "|".join(f"(?P<{name}>{pattern})" for name, pattern in tried if pattern)
        return f"(?={general}\\Z)(?:{groups})" if general and groups else _NOTHING


def _pattern(ranges: PhoneNumberDesc | None, length: int) -> str | None:
    """The pattern of the numbers of that length; None: there are none. No lengths mean those of the region."""
    if ranges is None or not ranges.national_number_pattern:
        return None
    if ranges.possible_length and length not in ranges.possible_length:
        return None
    return f"(?:{ranges.national_number_pattern})"


@cache
def _inland_prefix(code: int) -> re.Pattern[str] | None:
    return _compiled(_metadata(code)[0][1].national_prefix_for_parsing)


@cache
def _homes(code: int) -> tuple[tuple[str, re.Pattern[str] | None, _Ranges], ...]:
    """The regions of a country code, the main one first; some own all the numbers that begin in a certain way."""
    several = len(COUNTRY_CODE_TO_REGION_CODE.get(code, ())) > 1
    return tuple(
        (region, _compiled(metadata.leading_digits) if several else None, _Ranges(metadata))
        for region, metadata in _metadata(code)
    )


def _metadata(code: int) -> list[tuple[str, PhoneMetadata]]:
    found = (
        (region, PhoneMetadata.metadata_for_region_or_calling_code(code, region))
        for region in COUNTRY_CODE_TO_REGION_CODE.get(code, ())
    )
    return [(region, metadata) for region, metadata in found if metadata is not None]
