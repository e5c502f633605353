"""Parse a cell of a recipient file as one E.164 number, or give the reason why not. Pure.

Ambiguous numbers are never guessed: a wrong guess texts a stranger. phonenumbers is designed to find numbers in running
text: for "0049 1512 3456789" in a Singaporean file it returns a number in India, because 004 is an international prefix
there. So it gets only a plus and digits, and a result in another country than the given one is not accepted.

Digits without a plus are a number of the given country if possible, otherwise an international number. Both can be
valid: 6592345678 is 659-234-5678 in Alabama and +65 9234 5678 in Singapore. The country of the file decides.
"""

from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult, country_code_for_region

from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.text import INVISIBLE, quoted
from runner.numbers.countries import country_code
from runner.numbers.digits import WrittenNumber, read_digits
from runner.numbers.ranges import FIXED_LINE, WORLD, dialled_abroad, find_range, split_international, split_national


class Number(NamedTuple):
    """A valid number: E.164 with plus, its ISO 3166-1 alpha-2 country (None: no country), its kind.

    `kind` is one of `ranges.KIND_LABELS`; `note` describes a repair.
    """

    destination: str
    country: str | None
    kind: str
    note: str | None = None


# The limits of the provider and of E.164: country code and number together.
_MIN_DIGITS, _MAX_DIGITS = 7, 15
# A number with its country code has at least this many digits; fewer are probably national.
_MIN_INTERNATIONAL = 10

_REASONS = {
    ValidationResult.TOO_SHORT: "is too short for a phone number",
    ValidationResult.TOO_LONG: "is too long for a phone number",
    ValidationResult.INVALID_LENGTH: "has the wrong number of digits for a phone number",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "has no area code",
    ValidationResult.INVALID_COUNTRY_CODE: "does not start with a valid country code",
    ValidationResult.IS_POSSIBLE: "is not in a valid number range",
}

_PARSE_ERRORS = {
    NumberParseException.INVALID_COUNTRY_CODE: "does not start with a valid country code",
    NumberParseException.TOO_LONG: "is too long for a phone number",
}

SET_COUNTRY = "set recipients.country"
_WRITE_PLUS = "write it with + and the country code"
_STYLES = {"national": PhoneNumberFormat.NATIONAL, "international": PhoneNumberFormat.INTERNATIONAL}


def not_a_country(written: str) -> str:
    """The error for what `country_code` doesn't know."""
    return f"{quoted(written)} is not a country; write its code, such as SG, or its name"


def normalise(raw: str, country: str | None = None) -> Number | Exclusion:
    """Parse a cell. `country` is the country of numbers without a plus, as `country_code` reads it.

    A valid number is in a known number range; a right length is not enough. Any kind is accepted here. For anything
    else, the result is an `invalid_number` exclusion whose detail quotes the cell and gives the reason.
    """
    if not raw:
        return _excluded("is empty")
    written = read_digits(raw)
    if isinstance(written, str):
        return _excluded(f"{quoted(raw)} {written}")
    digits = written.digits
    if country is not None and digits[0] != "+":
        code = country_code(country)
        if code is None:
            return _excluded(not_a_country(country))
        country = code
    found = _without_trunk_zero(written, country) if written.bare else _read(digits, country)
    if isinstance(found, str):
        return _excluded(f"{quoted(raw)} {found}")
    # Add a note only if digits were removed or added; a national prefix is neither.
    is_longer = len(digits) >= len(found.destination) or f"+{digits}" == found.destination
    if written.repaired or (is_longer and digits[0] != "+"):
        note = f"read {quoted(raw.strip())} as {found.destination}"
        return found._replace(note=f"{note}, without invisible marks" if INVISIBLE.search(raw) else note)
    return found


def format_phone(written: str, style: str = "international", country: str | None = None) -> str:
    """A number in the format of its country: "8123 4567" (national), "+65 8123 4567" (international).

    `written` and `country` are as for `normalise`. Raises ValueError, with a message for users, for an invalid number
    or style.
    """
    if style not in _STYLES:
        raise ValueError(f'unknown style {quoted(style)}; write "national" or "international"')
    found = normalise(written, country)
    if isinstance(found, Exclusion):
        detail = found.detail.replace(SET_COUNTRY, f'add its country, as in phone("{style}", "SG")')
        raise ValueError(detail if written else '"" is not a number')  # noqa: TRY004 - the value, not its type
    return phonenumbers.format_number(phonenumbers.parse(found.destination), _STYLES[style])


def _read(digits: str, country: str | None) -> Number | str:
    """The one valid number that the digits can be, or why there is none."""
    if digits[0] == "+":
        return _international(digits) or _why_invalid(digits, None)
    if digits.startswith("00"):
        return _from_00(digits, country)
    if country is not None and (number := _national(digits, country)):
        return _with_own_code(number, digits, country)
    if country is not None and (number := _from_abroad(digits, country)):
        return number
    if _MIN_INTERNATIONAL <= len(digits) <= _MAX_DIGITS and (number := _international(f"+{digits}")):
        return number
    if country is None:
        return f"has no country code; {SET_COUNTRY}"
    return _why_invalid(digits, country)


def _international(number: str) -> Number | None:
    """A number with a plus, if valid."""
    parts = split_international(number[1:])
    return _validated(*parts) if parts else _parsed(number)


def _national(digits: str, country: str) -> Number | None:
    """Digits as dialled in `country`, with or without its country code; never with its international prefix."""
    if (parts := split_national(digits, country)) and (number := _validated(*parts)):
        return number
    number = _parsed(digits, country)
    return number if number and number.destination.startswith(f"+{country_code_for_region(country)}") else None


def _parsed(digits: str, country: str | None = None) -> Number | None:
    """The result of phonenumbers, if valid."""
    try:
        parsed = phonenumbers.parse(digits, country)
    except NumberParseException:
        return None
    return _validated(parsed.country_code or 0, phonenumbers.national_significant_number(parsed))


def _validated(code: int, national: str) -> Number | None:
    home = find_range(code, national)
    # Build E.164 directly: format_number would search for a format, and E.164 has none.
    digits = f"{code}{national}"
    if home is None or not _MIN_DIGITS <= len(digits) <= _MAX_DIGITS:
        return None
    return Number(f"+{digits}", *home)


def _with_own_code(national: Number, digits: str, country: str) -> Number | str:
    """Decide for digits that are a national number but also start with the country's own code.

    6281234567890 is how Indonesians write +62 812 3456 7890, but phonenumbers reads it as a fixed line with the area
    code 0628, because it allows numbers longer than any in use. The same happens in Germany, Sweden and Kosovo. There a
    national number starts with a zero. Found by testing numbers of all countries.
    """
    if not digits.startswith(str(country_code_for_region(country))) or national.destination == f"+{digits}":
        return national
    number = _international(f"+{digits}")
    if number is None:
        return national
    return number if national.kind == FIXED_LINE else _ambiguous(national, number)


def _from_abroad(digits: str, country: str) -> Number | None:
    """A number dialled with the international prefix of `country`: 011 65 8123 4567 in America.

    None for a short rest, because the number is probably national. None if the digits may be 00 and a number with a
    typo: 004 is an international prefix in Singapore, but a number there that begins with 0049 is German. Only 001 is
    so usual in Asia that it counts.
    """
    rest = dialled_abroad(digits, country)
    if rest is None or len(rest) < _MIN_INTERNATIONAL:
        return None
    if digits.startswith("00") and not digits.startswith("001") and _is_possible(f"+{digits[2:]}"):
        return None
    return _international(f"+{rest}")


def _from_00(digits: str, country: str | None) -> Number | str:
    """00 means the plus, unless the digits reach another number when dialled as written.

    In Singapore, the international prefixes are 001, 002 and 008: 001 6… may be a number in America or start with +6.
    If the country is unknown, only 001 is ambiguous, because it is a common international prefix in Asia.
    """
    meant = _international(f"+{digits[2:]}")
    if meant is None and country is not None and (number := _from_abroad(digits, country)):
        return number
    if meant is None:
        return f"starts with 00, but the rest {_why_invalid(f'+{digits[2:]}', None)}; {_WRITE_PLUS}"
    dialled = None
    if country is not None:
        dialled = _parsed(digits, country)
    elif digits.startswith("001"):
        dialled = _international(f"+{digits[3:]}")
    if dialled is not None and dialled.destination != meant.destination:
        return _ambiguous(meant, dialled)
    return meant


def _without_trunk_zero(written: WrittenNumber, country: str | None) -> Number | str:
    """+44 (0)20 … is dialled without the zero, +39 (0)6 … with it: accepted if only one of the two is valid."""
    found = _read(written.digits, country)
    bare = _read(written.bare or written.digits, country)
    if isinstance(found, str) or isinstance(bare, str):
        return found if isinstance(bare, str) and not isinstance(found, str) else bare
    return found if found.destination == bare.destination else _ambiguous(found, bare)


def _ambiguous(first: Number, second: Number) -> str:
    return f"may be {first.destination} or {second.destination}; {_WRITE_PLUS}"


def _is_possible(number: str) -> bool:
    """Whether a number with a plus has a country code and the right number of digits."""
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except NumberParseException:
        return False


def _why_invalid(digits: str, country: str | None) -> str:
    """Why phonenumbers rejects a number."""
    if len(digits) > _MAX_DIGITS + 5:
        return "is too long for a phone number"
    try:
        parsed = phonenumbers.parse(digits, country)
    except NumberParseException as error:
        return _PARSE_ERRORS.get(error.error_type, "is too short for a phone number")
    if country is not None and parsed.country_code != country_code_for_region(country):
        return f"is not in the number format of {country}"
    reason = _REASONS[phonenumbers.is_possible_number_with_reason(parsed)]
    home = country or phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(parsed.country_code or 0, ("",))[0]
    return reason if home in ("", WORLD) else f"{reason} in {home}"


def _excluded(detail: str) -> Exclusion:
    return Exclusion(ExclusionReason.INVALID_NUMBER, detail)
