"""The rules of single values: each function takes a text, and returns what it means or raises InvalidValue. Pure.

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

from runner.base.options import Rate
from runner.base.text import quoted


class InvalidValue(ValueError):  # noqa: N818 - people see it as a Problem, never as a program's error
    """A value breaks a rule. `key` names the part at fault when a rule ties several keys of a section together."""

    def __init__(self, what: str, remedy: str = "", *, key: str = "") -> None:
        self.what = what
        self.remedy = remedy
        self.key = key
        super().__init__(what)

    @classmethod
    def of(cls, text: str, noun: str, remedy: str) -> "InvalidValue":
        """The text is not what the noun says, such as "a rate"."""
        return cls(f"{quoted(text)} is not {noun}", remedy)


NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
RUN_PATTERN: Final = r"^([A-Za-z0-9]|\{(date|week|month)\})([A-Za-z0-9._-]|\{(date|week|month)\})*$"
SUB_ACCOUNT_PATTERN: Final = r"^[A-Za-z0-9\-._&]{3,50}$"
SOURCE_PATTERN: Final = r"^(\+[0-9]{1,15}|[0-9]{1,16}|[!-_a-~]|[!-_a-~][ -_a-~]{0,9}[!-_a-~])$"
RATE_PATTERN: Final = r"^[1-9][0-9]{0,8}/(s|min|h)$"
SHARE_PATTERN: Final = r"^([0-9]{1,3}(?:\.[0-9]{1,3})?)%$"
COST_PATTERN: Final = r"^[0-9]{1,12}(\.[0-9]{1,6})? [A-Z]{3}$"
UUID_PATTERN: Final = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
VARIABLE_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"

# The run id of trials with --sandbox.
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

# What people write for a country whose code is something else.
_OFTEN_MEANT: Final = {"UK": "GB", "EN": "GB", "EL": "GR", "JA": "JP", "KO": "KR", "ROC": "TW"}


def name(text: str) -> str:
    """A campaign's name or an expanded run id: it becomes a folder's name and part of every clientMessageId."""
    if len(text) > 64:
        raise InvalidValue(f"has {len(text)} characters", "write at most 64")
    if re.fullmatch(NAME_PATTERN, text):
        return text
    remedy = "write letters, digits, dots, dashes and underscores, starting with a letter or digit"
    raise InvalidValue(f"{quoted(text)} cannot be a folder's name everywhere", remedy)


def run_id(text: str) -> str:
    """A run id, in which nothing is left to fill in."""
    if name(text).casefold() == RESERVED_RUN:
        raise InvalidValue(f'"{RESERVED_RUN}" is reserved for trials with --sandbox', "choose another run id")
    return text


def check_run_id(text: str) -> str | None:
    """What is wrong with a run id given on the command line, and what to give instead; None when nothing is."""
    try:
        run_id(text)
    except InvalidValue as invalid:
        return f"{invalid.what}; {invalid.remedy}"
    return None


def run_pattern(text: str) -> str:
    """A run id that may hold {date}, {week} and {month}."""
    for braced in re.findall(r"\{[^{}]*\}", text):
        if braced not in ("{date}", "{week}", "{month}"):
            raise InvalidValue(f"does not know {quoted(braced)}", "write {date}, {week} or {month}, or plain text")
    run_id(fill_in(text, datetime(2026, 12, 31)))  # noqa: DTZ001 - any moment: only the length and characters count
    return text


def fill_in(run: str, local: datetime) -> str:
    """The run id at a local time: `{date}` 2026-12-01, `{week}` the ISO week 2026-W49, `{month}` 2026-12."""
    year, week, _ = local.isocalendar()
    filled = run.replace("{date}", local.strftime("%Y-%m-%d"))
    return filled.replace("{week}", f"{year}-W{week:02}").replace("{month}", local.strftime("%Y-%m"))


def _matching(text: str, pattern: str, noun: str, remedy: str) -> str:
    if not re.fullmatch(pattern, text):
        raise InvalidValue.of(text, noun, remedy)
    return text


def sub_account(text: str) -> str:
    """An 8x8 sub-account id, as the provider's document limits it."""
    remedy = "write the 3 to 50 letters, digits and -._& that 8x8 Connect shows"
    return _matching(text, SUB_ACCOUNT_PATTERN, "a sub-account id", remedy)


def country(text: str) -> str:
    """An ISO 3166-1 alpha-2 code."""
    if text in COUNTRIES:
        return text
    meant = _OFTEN_MEANT.get(text.upper(), text.upper())
    remedy = f"write {meant}" if meant in COUNTRIES else "write the two capital letters of ISO 3166, such as SG"
    raise InvalidValue.of(text, "a country code", remedy)


def source(text: str) -> str:
    """A sender id. The provider's document allows 16 characters, its guide 11 when they are not all digits."""
    if re.fullmatch(r"\+?[0-9]+", text):
        if len(text) > 16:
            raise InvalidValue(f"has {len(text)} characters", "a number as sender has at most 16, the plus included")
        return text
    if unusual := re.search(r"[^ -_a-~]", text):
        raise InvalidValue(
            f"a sender cannot hold {quoted(unusual.group())}", "write plain letters, digits and punctuation"
        )
    if not text or text != text.strip():
        raise InvalidValue("is empty or has a space at its ends", "write the sender that phones show, such as ACME")
    if len(text) > 11:
        raise InvalidValue(f"{quoted(text)} has {len(text)} characters", "a sender with letters has at most 11")
    return text


_UNITS: Final = {"s": 1, "min": 60, "h": 3600}
_OTHER_UNITS: Final = {"sec": "s", "second": "s", "m": "min", "minute": "min", "hr": "h", "hour": "h"}


def rate(text: str) -> Rate:
    """`200/s`, `600/min` or `3600/h`: at most 20,000 a second."""
    match = re.fullmatch(r"\s*([0-9.,_]+)\s*(?:/|per\b)?\s*([a-z]*)\s*", text, re.IGNORECASE)
    if not match:
        raise InvalidValue.of(text, "a rate", "write 10/s, 600/min or 3600/h")
    digits, written_unit = re.sub("[_,]", "", match[1]), match[2].lower().removesuffix("s") or match[2].lower()
    unit = _OTHER_UNITS.get(written_unit, written_unit)
    if not unit:
        raise InvalidValue(f"{quoted(text)} does not say per what", f"write {digits}/s, {digits}/min or {digits}/h")
    if unit not in _UNITS or not re.fullmatch("[0-9]{1,9}", digits):
        raise InvalidValue.of(text, "a rate", "write a whole number per s, min or h, such as 10/s or 30/min")
    if not int(digits):
        raise InvalidValue("at this rate nothing is ever sent", "write at least 1/h")
    result = Rate(int(digits), _UNITS[unit])
    if text != str(result):
        raise InvalidValue(f"{quoted(text)} is not how a rate is written", f"write {result}")
    if result.per_second > MAX_PER_SECOND:
        raise InvalidValue(f"{text} is more than {MAX_PER_SECOND} a second", f"write at most {MAX_PER_SECOND}/s")
    return result


def cost(text: str) -> tuple[Decimal, str]:
    """`500 USD`: an amount, and the ISO 4217 code of its currency."""
    remedy = "write it plainly, such as 500 USD or 99.50 EUR"
    amount, currency = _matching(text, COST_PATTERN, "an amount of money", remedy).split()
    return Decimal(amount), currency


def account_id(text: str) -> str:
    """The id of an 8x8 account: a UUID."""
    remedy = "write the UUID that 8x8 Connect shows; the sub-account's name is subAccountId"
    return str(uuid.UUID(_matching(text, UUID_PATTERN, "an account id", remedy)))


def text_encoding(text: str) -> str:
    """An encoding of text that Python knows: utf-8, windows-1252, shift_jis."""
    try:
        name = codecs.lookup(text).name
        bytes(4).decode(name)  # refuses what is no text, such as rot13; a character of UTF-32 takes four bytes
    except (LookupError, ValueError):
        raise InvalidValue.of(text, "an encoding", "write for example utf-8, windows-1252 or utf-16") from None
    return name


def share(text: str) -> float:
    """A share in per cent, `20%`, as a number from 0 to 1."""
    match = re.fullmatch(SHARE_PATTERN, text)
    if not match or float(match[1]) > 100:
        raise InvalidValue.of(text, "a share", "write 0% to 100%, such as 20%")
    return float(match[1]) / 100


def positive_share(text: str) -> float:
    """A share that isn't nothing."""
    if value := share(text):
        return value
    raise InvalidValue("of 0% nobody is sent to", "write for example 1%")


def web_address(text: str) -> str:
    """An absolute http or https URL."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]+", text):
        raise InvalidValue.of(text, "a web address", "write it whole, such as https://example.com/receipts")
    return text


def variable(text: str) -> str:
    """The name of an environment variable; what it holds must not stand in the file."""
    if not re.fullmatch(VARIABLE_PATTERN, text):
        # Not quoted: it may be the secret itself.
        raise InvalidValue("is not the name of an environment variable", "write a name such as RECEIPTS_AUTHORIZATION")
    return text


def ip_address(text: str) -> str:
    """An IPv4 or IPv6 address, without a zone."""
    try:
        ipaddress.ip_address(text.replace("%", " "))
    except ValueError:
        raise InvalidValue.of(text, "an IP address", "write one such as 203.0.113.7 or 2001:db8::7") from None
    return text


def column(text: str) -> str:
    """A column's name."""
    return _printable(text, "a column", "write the name of a column of the recipient file")


def file_name(text: str) -> Path:
    """A path, relative to the campaign file."""
    return Path(_printable(text, "a file", "write a path relative to the campaign file"))


def _printable(text: str, noun: str, remedy: str) -> str:
    if not text.strip() or not text.isprintable():
        raise InvalidValue(f"{quoted(text)} cannot be {noun}", remedy)
    return text


def required_text(text: str) -> str:
    """Words that each text must hold."""
    return _not_blank(text, 'write the words that each text must hold, such as "STOP"').strip()


def condition(text: str) -> str:
    """A condition in SQL; the audience room reads it."""
    return _not_blank(text, "write a condition such as \"consent = 'yes'\"").strip()


def message_text(text: str) -> str:
    """An inline template."""
    return _not_blank(text, "write the text to send")


def _not_blank(text: str, remedy: str) -> str:
    if not text.strip():
        raise InvalidValue("is empty", remedy)
    return text
