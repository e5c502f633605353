"""A cell of a recipient file as one E.164 number, or the reason why not. Pure.

What can be read in two ways is never guessed: the wrong guess texts a stranger. phonenumbers is made to find numbers
in running text and is more helpful than that. Given "0049 1512 3456789" in a Singaporean file it answers with a number
in India, because 004 is a way to dial abroad there. So it is handed nothing but a plus and digits, and an answer in
another country than the given one is not taken.
"""

import re
from dataclasses import dataclass

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    ValidationResult,
    country_code_for_region,
    is_possible_number_with_reason,
    is_valid_number_for_region,
    national_significant_number,
    parse,
    region_code_for_number,
)

from runner.models import Exclusion, ExclusionReason


@dataclass(frozen=True, slots=True)
class Number:
    """A valid number: E.164 with plus, its ISO 3166-1 alpha-2 country (None: belongs to none), what was repaired."""

    destination: str
    country: str | None
    note: str | None = None


# Spaces, hyphens, dots and brackets separate; a slash or comma may part two numbers, and a line break does.
_SEPARATORS = " \u00a0\u2007\u202f\u2010\u2011\u2012\u2013()."
_WRITTEN = re.compile(rf"(?:\(?\+[ \u00a0(]*|\()?[0-9](?:[{_SEPARATORS}-]*[0-9])*\)?")
_DROP = {ord(character): None for character in f"{_SEPARATORS}-"}
_DECIMAL = re.compile(r"[0-9]+\.0+")
_SCIENTIFIC = re.compile(r"[0-9]+[.,]?[0-9]*E\+?[0-9]+", re.IGNORECASE)
_EXTENSION = re.compile(r"[0-9 )](?:[x#;]|ext).*[0-9]", re.IGNORECASE)
_TWO_NUMBERS = re.compile(r"[0-9]{7,}[^0-9]+[0-9]{7,}|[0-9].*[+/,;|&\n].*[0-9]", re.DOTALL)

# The provider's own bound, and E.164's: country code and number together.
_MIN_DIGITS, _MAX_DIGITS = 7, 15
# A country code before a national number makes at least this many digits; fewer are too likely to be national.
_MIN_INTERNATIONAL = 10

# Reserved for fiction by Ofcom, so phonenumbers calls them invalid. Examples and tests hold them because they reach
# no phone, which is just why they must pass here.
_UK_FICTION = re.compile(r"447700900[0-9]{3}")

_REASONS = {
    ValidationResult.TOO_SHORT: "is too short for a number",
    ValidationResult.TOO_LONG: "is too long for a number",
    ValidationResult.INVALID_LENGTH: "has the wrong number of digits for a number",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
    ValidationResult.INVALID_COUNTRY_CODE: "does not begin with a country code that exists",
    ValidationResult.IS_POSSIBLE: "has the right length, but no such number range exists",
}


def is_country(code: str) -> bool:
    """Whether `code` is an ISO 3166-1 alpha-2 code in capitals for which numbers are known."""
    return code in SUPPORTED_REGIONS


def normalise(raw: str, country: str | None = None) -> Number | Exclusion:
    """Reads a trimmed cell. `country` (alpha-2, any case) is where numbers without a plus are at home.

    Valid means that the number lies in a range in use, not only that its length is right. Whatever is not a number
    comes back as an `invalid_number` exclusion whose detail quotes the cell and says why.
    """
    if country is not None:
        country = country.upper()
        if country not in SUPPORTED_REGIONS:
            return _unknown_country(country)
    if not raw:
        return _excluded("is empty")
    if not _WRITTEN.fullmatch(raw) or _DECIMAL.fullmatch(raw) or _TWO_NUMBERS.search(raw):
        return _excluded(f"{_quoted(raw)} {_why_not_a_number(raw)}")
    digits = raw.translate(_DROP)
    if digits[0] == "+":
        return _international(digits) or _excluded(f"{_quoted(raw)} {_why_invalid(digits, None)}")
    if digits.startswith("00"):
        return _from_00(raw, digits, country)
    if country is not None and (number := _national(digits, country)):
        return number
    if _MIN_INTERNATIONAL <= len(digits) <= _MAX_DIGITS and (number := _international(f"+{digits}")):
        return Number(number.destination, number.country, f"read {_quoted(raw)} as {number.destination}")
    if country is None:
        return _excluded(f"{_quoted(raw)} has no country code; set recipients.country")
    return _excluded(f"{_quoted(raw)} {_why_invalid(digits, country)}")


def _international(number: str) -> Number | None:
    """A plus and digits, if valid."""
    try:
        parsed = parse(number)
    except NumberParseException:
        return None
    return _valid(parsed)


def _national(digits: str, country: str) -> Number | None:
    """Digits as dialled in `country`, with or without its own country code; never as dialled from there to abroad."""
    try:
        parsed = parse(digits, country)
    except NumberParseException:
        return None
    return _valid(parsed) if parsed.country_code == country_code_for_region(country) else None


def _valid(parsed: PhoneNumber) -> Number | None:
    # One look for the region and one for validity: `is_valid_number` would look for the region again (5 µs of 20).
    region = region_code_for_number(parsed)
    # E.164 put together by hand, because format_number spends 2 µs on finding out that there is nothing to format.
    digits = f"{parsed.country_code}{national_significant_number(parsed)}"
    if _UK_FICTION.fullmatch(digits):
        return Number(f"+{digits}", "GB")
    if region is None or not is_valid_number_for_region(parsed, region):
        return None
    if not _MIN_DIGITS <= len(digits) <= _MAX_DIGITS:
        return None
    # phonenumbers calls the world "001": satellite phones and international free numbers have no country.
    return Number(f"+{digits}", None if region == "001" else region)


def _from_00(raw: str, digits: str, country: str | None) -> Number | Exclusion:
    """00 stands for the plus only where one dials abroad with exactly that; in Singapore 001 6… goes to America."""
    metadata = country and PhoneMetadata.metadata_for_region(country, None)
    if not metadata or metadata.international_prefix != "00":
        return _excluded(f"{_quoted(raw)} begins with 00; write + and the country code instead")
    number = f"+{digits[2:]}"
    return _international(number) or _excluded(f"{_quoted(raw)} {_why_invalid(number, None)}")


def _why_not_a_number(raw: str) -> str:
    if _SCIENTIFIC.fullmatch(raw):
        return "was shortened by a spreadsheet, and its digits are lost; format the column as text and export it again"
    if _DECIMAL.fullmatch(raw):
        return "was saved as a decimal number; format the column as text and export it again"
    if raw.startswith("-"):
        return "begins with a minus"
    if _EXTENSION.search(raw):
        return "has an extension; texts cannot be sent to extensions"
    if any(character.isalpha() for character in raw):
        return "holds letters" if any(character.isdigit() for character in raw) else "is not a number"
    if _TWO_NUMBERS.search(raw):
        return "looks like two numbers; give each a row of its own"
    strange = next((c for c in raw if c not in "+-0123456789" and c not in _SEPARATORS), None)
    if strange is not None:
        shown = strange if strange.isprintable() else "a character"
        return f"holds {shown} (U+{ord(strange):04X}), which does not belong in a number"
    return "is not written as a number"


def _why_invalid(digits: str, country: str | None) -> str:
    """Words for a number that phonenumbers doesn't take; only these rows pay for the second look."""
    if len(digits) > _MAX_DIGITS + 5:
        return "is too long for a number"
    try:
        parsed = parse(digits, country)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            return "does not begin with a country code that exists"
        if error.error_type == NumberParseException.TOO_LONG:
            return "is too long for a number"
        return "is too short for a number"
    if country is not None and parsed.country_code != country_code_for_region(country):
        return f"is not a number as written in {country}"
    reason = _REASONS[is_possible_number_with_reason(parsed)]
    home = country or COUNTRY_CODE_TO_REGION_CODE.get(parsed.country_code or 0, ("",))[0]
    return reason if home in ("", "001") else f"{reason} in {home}"


def _unknown_country(country: str) -> Exclusion:
    hint = "GB is the United Kingdom" if country == "UK" else "write two letters, such as SG"
    return _excluded(f"{_quoted(country)} is not a country code; {hint}")


def _excluded(detail: str) -> Exclusion:
    return Exclusion(ExclusionReason.INVALID_NUMBER, detail)


def _quoted(value: str, limit: int = 40) -> str:
    shown = "".join(character if character.isprintable() else " " for character in value[:limit])
    return f'"{shown}…"' if len(value) > limit else f'"{shown}"'
