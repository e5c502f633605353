"""The rules for single values: each function parses a text, or raises InvalidValue. Pure.

`times` has the rules for times.
"""

import codecs
import ipaddress
import re
import uuid
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from runner.base.options import Rate, RowRange, Threshold
from runner.base.text import quoted


class InvalidValue(ValueError):  # noqa: N818 - shown as a Problem, never as an exception
    """A value breaks a rule. `key` is the invalid key if the rule is about several keys of a section."""

    def __init__(self, what: str, remedy: str = "", *, key: str = "") -> None:
        self.what = what
        self.remedy = remedy
        self.key = key
        super().__init__(what)

    @classmethod
    def of(cls, text: str, noun: str, remedy: str) -> "InvalidValue":
        """An error for a text that isn't `noun`, such as "a rate"."""
        return cls(f"{quoted(text)} is not {noun}", remedy)


NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
RUN_PATTERN: Final = r"^([A-Za-z0-9]|\{(date|week|month)\})([A-Za-z0-9._-]|\{(date|week|month)\})*$"
SUB_ACCOUNT_PATTERN: Final = r"^[A-Za-z0-9\-._&]{3,50}$"
SOURCE_PATTERN: Final = r"^(\+[0-9]{1,15}|[0-9]{1,16}|[!-_a-~]|[!-_a-~][ -_a-~]{0,9}[!-_a-~])$"
RATE_PATTERN: Final = r"^[1-9][0-9]{0,8}/(s|min|h)$"
SHARE_PATTERN: Final = r"^([0-9]{1,3}(?:\.[0-9]{1,3})?)%$"
AT_MOST_PATTERN: Final = r"^<= ?([0-9]{1,9}(?:\.[0-9]{1,3}(?=%))?)(%?)$"
ROWS_PATTERN: Final = r"^([0-9]{1,9})?\.\.([0-9]{1,9})?$"
COST_PATTERN: Final = r"^[0-9]{1,12}(\.[0-9]{1,6})? [A-Z]{3}$"
UUID_PATTERN: Final = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
VARIABLE_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"

# The run ID of runs with --sandbox.
RESERVED_RUN: Final = "sandbox"
MAX_PER_SECOND: Final = 20_000

# The officially assigned country codes of ISO 3166-1 alpha-2.
COUNTRIES: Final = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY
    BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK
    FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR
    IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK
    ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
    PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF
    TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """.split()  # noqa: SIM905 - 249 quoted strings would hide the codes
)

# Codes that people confuse with the right ones.
_OFTEN_MEANT: Final = {"UK": "GB", "EN": "GB", "EL": "GR", "JA": "JP", "KO": "KR", "ROC": "TW"}


def name(text: str) -> str:
    """A campaign's name or an expanded run ID. It becomes a folder name and part of every clientMessageId."""
    if len(text) > 64:
        raise InvalidValue(f"has {len(text)} characters", "write at most 64 characters")
    if re.fullmatch(NAME_PATTERN, text):
        return text
    remedy = "use letters, digits, dots, dashes and underscores, and start with a letter or digit"
    raise InvalidValue(f"{quoted(text)} is not a valid folder name", remedy)


def run_id(text: str) -> str:
    """An expanded run ID."""
    if name(text).casefold() == RESERVED_RUN:
        raise InvalidValue(f'"{RESERVED_RUN}" is reserved for runs with --sandbox', "choose another run ID")
    return text


def check_run_id(text: str) -> str | None:
    """Why a run ID from the command line is invalid, and what to use instead; None if it is valid."""
    try:
        run_id(text)
    except InvalidValue as invalid:
        return f"{invalid.what}; {invalid.remedy}"
    return None


def run_pattern(text: str) -> str:
    """A run ID that may contain {date}, {week} and {month}."""
    for braced in re.findall(r"\{[^{}]*\}", text):
        if braced not in ("{date}", "{week}", "{month}"):
            raise InvalidValue(f"unknown placeholder {quoted(braced)}", "use {date}, {week} or {month}")
    run_id(fill_in(text, datetime(2026, 12, 31)))  # noqa: DTZ001 - any date will do: only length and characters are checked
    return text


def fill_in(run: str, local: datetime) -> str:
    """The run ID at a local time: `{date}` 2026-12-01, `{week}` the ISO week 2026-W49, `{month}` 2026-12."""
    year, week, _ = local.isocalendar()
    filled = run.replace("{date}", local.strftime("%Y-%m-%d"))
    return filled.replace("{week}", f"{year}-W{week:02}").replace("{month}", local.strftime("%Y-%m"))


def _matching(text: str, pattern: str, noun: str, remedy: str) -> str:
    if not re.fullmatch(pattern, text):
        raise InvalidValue.of(text, noun, remedy)
    return text


def sub_account(text: str) -> str:
    """An 8x8 sub-account ID, within the limits of the provider's API document."""
    remedy = "copy it from 8x8 Connect: 3 to 50 letters, digits and -._&"
    return _matching(text, SUB_ACCOUNT_PATTERN, "a sub-account ID", remedy)


def country(text: str) -> str:
    """An ISO 3166-1 alpha-2 code."""
    if text in COUNTRIES:
        return text
    meant = _OFTEN_MEANT.get(text.upper(), text.upper())
    remedy = f"write {meant}" if meant in COUNTRIES else "write a two-letter ISO 3166 code in capitals, such as SG"
    raise InvalidValue.of(text, "a country code", remedy)


def source(text: str) -> str:
    """A sender ID. The provider's API document allows 16 characters, its guide 11 if they are not all digits."""
    if re.fullmatch(r"\+?[0-9]+", text):
        if len(text) > 16:
            raise InvalidValue(f"has {len(text)} characters", "a numeric sender ID has at most 16, including the plus")
        return text
    if unusual := re.search(r"[^ -_a-~]", text):
        raise InvalidValue(
            f"a sender ID can't contain {quoted(unusual.group())}", "use plain letters, digits and punctuation"
        )
    if not text or text != text.strip():
        raise InvalidValue("is empty, or starts or ends with a space", "write a sender ID such as ACME")
    if len(text) > 11:
        raise InvalidValue(f"{quoted(text)} has {len(text)} characters", "a sender ID with letters has at most 11")
    return text


_UNITS: Final = {"s": 1, "min": 60, "h": 3600}
_OTHER_UNITS: Final = {"sec": "s", "second": "s", "m": "min", "minute": "min", "hr": "h", "hour": "h"}


def rate(text: str) -> Rate:
    """`200/s`, `600/min` or `3600/h`, at most 20,000 per second."""
    match = re.fullmatch(r"\s*([0-9.,_]+)\s*(?:/|per\b)?\s*([a-z]*)\s*", text, re.IGNORECASE)
    if not match:
        raise InvalidValue.of(text, "a rate", "write a rate such as 10/s, 600/min or 3600/h")
    digits, written_unit = re.sub("[_,]", "", match[1]), match[2].lower().removesuffix("s") or match[2].lower()
    unit = _OTHER_UNITS.get(written_unit, written_unit)
    if not unit:
        raise InvalidValue(f"{quoted(text)} has no time unit", f"write {digits}/s, {digits}/min or {digits}/h")
    if unit not in _UNITS or not re.fullmatch("[0-9]{1,9}", digits):
        raise InvalidValue.of(text, "a rate", "write a whole number per s, min or h, such as 10/s or 30/min")
    if not int(digits):
        raise InvalidValue(f"{quoted(text)} would never send anything", "write at least 1/h")
    result = Rate(int(digits), _UNITS[unit])
    if text != str(result):
        raise InvalidValue(f"{quoted(text)} is not in the format of a rate", f"write {result}")
    if result.per_second > MAX_PER_SECOND:
        raise InvalidValue(f"{text} is more than {MAX_PER_SECOND} per second", f"write at most {MAX_PER_SECOND}/s")
    return result


def cost(text: str) -> tuple[Decimal, str]:
    """`500 USD`: an amount and an ISO 4217 currency code."""
    remedy = "write an amount and a currency, such as 500 USD or 99.50 EUR"
    amount, currency = _matching(text, COST_PATTERN, "an amount of money", remedy).split()
    return Decimal(amount), currency


def account_id(text: str) -> str:
    """The UUID of an 8x8 account."""
    remedy = "copy the UUID from 8x8 Connect; write a sub-account's name under subAccountId"
    return str(uuid.UUID(_matching(text, UUID_PATTERN, "an account ID", remedy)))


def text_encoding(text: str) -> str:
    """A text encoding that Python knows: utf-8, windows-1252, shift_jis."""
    try:
        name = codecs.lookup(text).name
        # Rejects codecs that aren't text encodings, such as rot13, or that can't replace invalid bytes, such as idna. A
        # UTF-32 character takes four bytes.
        bytes(4).decode(name, "replace")
    except (LookupError, ValueError):
        raise InvalidValue.of(text, "an encoding", "write an encoding such as utf-8, windows-1252 or utf-16") from None
    return name


def share(text: str) -> float:
    """A percentage, `20%`, as a number from 0 to 1."""
    match = re.fullmatch(SHARE_PATTERN, text)
    if not match or float(match[1]) > 100:
        raise InvalidValue.of(text, "a percentage", "write 0% to 100%, such as 20%")
    return float(match[1]) / 100


def threshold(text: str) -> Threshold:
    """A percentage, `2%`, or a whole number."""
    if re.fullmatch("[0-9]{1,9}", text):
        return Threshold(Decimal(text))
    share(text)
    return Threshold(Decimal(text.removesuffix("%")), is_share=True)


def at_most(text: str) -> Threshold:
    """The most of something: `<= 10%`, or a number of rows such as `<= 50`."""
    match = re.fullmatch(AT_MOST_PATTERN, text)
    if not match or float(match[1]) > (100 if match[2] else 1e9):
        raise InvalidValue.of(text, "a maximum", 'write "<= 10%", or a number of rows such as "<= 50"')
    return Threshold(Decimal(match[1]), is_share=bool(match[2]))


def row_range(text: str) -> RowRange:
    """A number of rows: `1000..5000`, `1000..` (at least), `..5000` (at most)."""
    match = re.fullmatch(ROWS_PATTERN, text)
    if not match or text == "..":
        raise InvalidValue.of(text, "a range of rows", "write a range such as 100..500, 100.. or ..500")
    least, most = int(match[1] or 0), int(match[2]) if match[2] else None
    if most is not None and most < least:
        raise InvalidValue("the range ends before it begins", "write the smaller number first")
    return RowRange(least, most)


def positive_share(text: str) -> float:
    """A percentage above zero."""
    if value := share(text):
        return value
    raise InvalidValue(f"with {text}, nobody would get a message", "write a percentage such as 1%")


def web_address(text: str) -> str:
    """An absolute http or https URL."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]+", text):
        raise InvalidValue.of(text, "a complete URL", "write a URL such as https://example.com/receipts")
    return text


def variable(text: str) -> str:
    """The name of an environment variable. Its value is secret and must not be in the file."""
    if not re.fullmatch(VARIABLE_PATTERN, text):
        # Don't quote the value: it may be the secret.
        raise InvalidValue("not the name of an environment variable", "write a name such as RECEIPTS_AUTHORIZATION")
    return text


def ip_address(text: str) -> str:
    """An IPv4 or IPv6 address, without a zone."""
    try:
        ipaddress.ip_address(text.replace("%", " "))
    except ValueError:
        raise InvalidValue.of(text, "an IP address", "write an address such as 203.0.113.7 or 2001:db8::7") from None
    return text


def column(text: str) -> str:
    """A column name."""
    return _printable(text, "column name", "write the name of a column in the recipient file")


def file_name(text: str) -> Path:
    """A path, relative to the campaign file."""
    return Path(_printable(text, "path", "write a path relative to the campaign file"))


def _printable(text: str, noun: str, remedy: str) -> str:
    if not text.strip() or not text.isprintable():
        raise InvalidValue(f"{quoted(text)} is not a valid {noun}", remedy)
    return text


def required_text(text: str) -> str:
    """Words that each text must contain."""
    return _not_blank(text, 'write words that each text must contain, such as "STOP"').strip()


def condition(text: str) -> str:
    """An SQL condition; `files.condition` parses it."""
    return _not_blank(text, "write a condition such as \"consent = 'yes'\"").strip()


def message_text(text: str) -> str:
    """An inline template."""
    return _not_blank(text, "write the text to send")


def _not_blank(text: str, remedy: str) -> str:
    if not text.strip():
        raise InvalidValue("is empty", remedy)
    return text
