"""In which country's number ranges a number lies, and of which kind it is: one look for both. Pure.

The public functions of phonenumbers look for the region three times over to answer this (`region_code_for_number`,
`is_valid_number`, `number_type`), and `parse` takes most of its time to tell plain digits from a text. So this is the
one place that knows what is under them (`_number_type_helper`, the metadata); tests hold it against them on numbers of
every country and kind. `python -m benchmarks.steps` measures both ways.
"""

import re
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberType
from phonenumbers.phonenumberutil import _number_type_helper as type_in

from runner.audience import kinds

WORLD = "001"
"""What phonenumbers calls the country of numbers that belong to none."""

KIND_OF_TYPE = {
    PhoneNumberType.FIXED_LINE: kinds.FIXED_LINE,
    PhoneNumberType.MOBILE: kinds.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed-line-or-mobile",
    PhoneNumberType.TOLL_FREE: "toll-free",
    PhoneNumberType.PREMIUM_RATE: "premium-rate",
    PhoneNumberType.SHARED_COST: "shared-cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: kinds.PERSONAL,
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.VOICEMAIL: "voicemail",
}

# ITU-T E.164 annex: 870 is Inmarsat, 881 are the satellite systems, 882 and 883 worldwide networks (Thuraya among
# them), 878 is universal personal telecommunication. phonenumbers calls some of them mobile or VoIP, but an SMS to
# them costs many times as much.
_WORLDWIDE = {
    870: kinds.SATELLITE,
    881: kinds.SATELLITE,
    882: kinds.SATELLITE,
    883: kinds.SATELLITE,
    878: kinds.PERSONAL,
}

# Reserved for fiction by Ofcom, so phonenumbers calls them invalid. Examples and tests hold them because they reach
# no phone, which is just why they must pass here.
_UK_FICTION = re.compile(r"7700900[0-9]{3}")


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


def look_up(code: int, national: str) -> tuple[str | None, str] | None:
    """The country (alpha-2; None: the number belongs to no country) and the kind of +`code` `national`.

    None when no range holds it: the number is not valid, whatever its length.
    """
    if code == 44 and _UK_FICTION.fullmatch(national):
        return "GB", kinds.MOBILE
    for region, leading, metadata in _homes(code):
        if leading is not None and not leading.match(national):
            continue
        found = type_in(national, metadata)
        if found != PhoneNumberType.UNKNOWN:
            kind = _WORLDWIDE.get(code) or KIND_OF_TYPE.get(found, kinds.UNKNOWN)
            return None if region == WORLD else region, kind
        if leading is not None:
            return None
    return None


@cache
def _inland_prefix(code: int) -> re.Pattern[str] | None:
    metadata = _homes(code)[0][2]
    return re.compile(metadata.national_prefix_for_parsing) if metadata.national_prefix_for_parsing else None


@cache
def _homes(code: int) -> tuple[tuple[str, re.Pattern[str] | None, PhoneMetadata], ...]:
    """The regions of a country code, the main one first; some own all the numbers that begin in a certain way."""
    regions = COUNTRY_CODE_TO_REGION_CODE.get(code, ())
    homes = []
    for region in regions:
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        if metadata is not None:
            leading = metadata.leading_digits if len(regions) > 1 else None
            homes.append((region, re.compile(leading) if leading else None, metadata))
    return tuple(homes)
