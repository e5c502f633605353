"""Number formats of spreadsheets: a number as the sheet shows it (ECMA-376, part 1, 18.8.31). Pure.

Dates aren't formatted, because the template filter `date` needs ISO 8601; neither are numbers in scientific notation,
which would lose digits, and fractions.
"""

import datetime as dt
import operator
import re
import unicodedata
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

# Formats that a workbook names by number alone, if they change a number. Others are dates, or texts.
_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM",
    20: "h:mm", 21: "h:mm:ss", 45: "mm:ss", 46: "[h]:mm:ss",
    **dict.fromkeys((5, 6), "$#,##0"), **dict.fromkeys((7, 8), "$#,##0.00"), **dict.fromkeys((37, 38), "#,##0"),
    **dict.fromkeys((39, 40, 43), "#,##0.00"), 41: "#,##0", 42: "$#,##0", 44: "$#,##0.00",
}  # fmt: skip
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<currency>[^\]-]*)(?:-[^\]]*)?\]|\[(?P<bracket>[^\]]*)\]|_.|\*.'
    r"|(?P<half>(?i:AM/PM|A/P))|(?P<general>(?i:General))|(?P<part>[hH]+|[mM]+|[sS]+)|(?P<code>[0#?.,%@;])|(?P<other>.)",
    re.DOTALL,
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)(-?[0-9]+(?:\.[0-9]+)?)")
_COMPARE = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "<>": operator.ne
}  # fmt: skip
# Words for a currency, besides its signs.
_CURRENCIES = frozenset(
    ("RM", "Rp", "Rs", "Rs.", "kr", "kr.", "zł", "Kč", "Ft", "lei", "USD", "EUR", "GBP", "SGD", "MYR", "IDR", "PHP",
     "THB", "VND", "INR", "AUD", "NZD", "HKD", "CNY", "JPY", "KRW", "TWD", "BRL", "MXN", "CAD", "CHF", "ZAR", "AED")
)  # fmt: skip
_DIGITS = frozenset("0#?")
_MOST_DECIMALS = 30


class _Token(NamedTuple):
    """A piece of a section. `kind`: text, currency, part (of a time), elapsed, half (of a day), general, or a code."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class _Section:
    """A format for some numbers: `before` and `after` are its tokens before and after the point, if it has one."""

    before: tuple[_Token, ...]
    after: tuple[_Token, ...] | None
    condition: tuple[str, Decimal] | None

    @property
    def tokens(self) -> tuple[_Token, ...]:
        return self.before + (self.after or ())

    def has(self, *kinds: str) -> bool:
        return any(token.kind in kinds for token in self.tokens)


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A format that changes how values are shown, from `number_format`.

    `has_currency`: an amount of money. Its currency would be in the way of the template filter `currency`.
    """

    sections: tuple[_Section, ...]
    is_time: bool
    has_currency: bool

    def shown(self, value: object) -> str | None:
        """The value as the sheet shows it; None if the format doesn't apply to it, or shows nothing."""
        if isinstance(value, str):
            return _text(self.sections[-1], value) if len(self.sections) in (1, 4) else None
        if self.is_time:
            return _time(self.sections[0].tokens, value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        number = Decimal(f"{value:.15g}")
        section, has_sign = self._section(number)
        return _number(section, abs(number), "-" if number < 0 and not has_sign else "") or None

    def digits(self, value: float) -> str:
        """The number with the sheet's decimals, without a currency or commas."""
        number = Decimal(f"{value:.15g}")
        # Zero may be shown as a dash.
        section = self._section(number)[0] if number else self.sections[0]
        return _digits(section, abs(number), "-" if number < 0 else "")

    def text(self, value: object) -> str | None:
        """The value for a text: as in `shown`, but an amount of money or a plain number as in `digits`.

        A whole number stays whole, because columns of phone numbers and keys often are shown with two decimals.
        """
        shown = self.shown(value)
        if shown is None or self.is_time or isinstance(value, bool) or not isinstance(value, int | float):
            return shown
        if self.has_currency:
            return self.digits(value)
        section, has_sign = self._section(Decimal(f"{value:.15g}"))
        texts = "".join(token.text for token in section.tokens if token.kind in ("text", "%", "general", "@"))
        if texts.strip(" -()" if has_sign else " ") or not section.has(*_DIGITS):
            return shown
        whole, _, rest = self.digits(value).partition(".")
        return f"{whole}.{rest}" if rest.strip("0") else whole

    def _section(self, number: Decimal) -> tuple[_Section, bool]:
        """The section for the number, and whether the section itself has the sign of a negative number."""
        numbers = self.sections[:3]
        for section in numbers:
            if section.condition and _COMPARE[section.condition[0]](number, section.condition[1]):
                return section, False
        if any(section.condition for section in numbers):
            return next((section for section in numbers if not section.condition), numbers[-1]), False
        if number < 0 and len(numbers) > 1:
            return numbers[1], True
        return numbers[2 if number == 0 and len(numbers) > 2 else 0], False


@lru_cache(maxsize=1_024)
def number_format(number: int, code: str | None) -> NumberFormat | None:
    """The format with this number and, if the workbook states it, code; None if it doesn't change values."""
    code = _BUILT_IN.get(number, "") if code is None else code
    sections: list[_Section] = []
    before: list[_Token] = []
    after: list[_Token] | None = None
    condition = None
    for match in _TOKEN.finditer(f"{code};"):
        kind, text = match.lastgroup or "", match[match.lastgroup or 0]
        if kind == "other" and text in "yYdDeEgGbB/":
            return None  # a date, scientific notation, or a fraction
        if kind == "bracket" and (found := _CONDITION.fullmatch(text)):
            condition = found[1], Decimal(found[2])
        elif text == ";" and kind == "code":
            sections.append(_Section(tuple(before), None if after is None else tuple(after), condition))
            before, after, condition = [], None, None
        elif text == "." and kind == "code" and after is None:
            after = []
        elif token := _token(kind, text):
            (before if after is None else after).append(token)
    if all(token.kind in ("general", "@") for section in sections for token in section.tokens):
        return None
    times = [token for token in sections[0].tokens if token.kind in ("part", "elapsed")]
    if times and not any(token.kind == "elapsed" or token.text[0] != "m" for token in times):
        return None  # only months
    is_code = sum(token.kind == "0" for token in sections[0].before) > 1
    has_currency = any(token.kind == "currency" for section in sections for token in section.tokens)
    return NumberFormat(tuple(sections), bool(times), has_currency and not is_code)


def _token(kind: str, text: str) -> _Token | None:
    if kind == "bracket":  # otherwise a color
        return _Token("elapsed", text.lower()) if re.fullmatch("[hH]+|[mM]+|[sS]+", text) else None
    if kind in ("quoted", "escaped", "other", "currency"):
        word = text.strip()
        is_currency = word in _CURRENCIES or any(unicodedata.category(character) == "Sc" for character in word)
        is_currency = is_currency or (kind == "currency" and word != "")
        return _Token("currency" if is_currency else "text", text)
    if kind == "code":
        return _Token(text, text)
    return _Token(kind, text.lower() if kind == "part" else text) if kind else None


def _text(section: _Section, value: str) -> str | None:
    if not section.has("@"):
        return None
    return "".join(value if token.kind == "@" else token.text for token in section.tokens)


def _scaled(section: _Section, number: Decimal) -> tuple[str, str]:
    """The digits before and after the point, by the section's percent signs, commas and decimals."""
    kinds = [token.kind for token in section.tokens]
    last = max((place for place, kind in enumerate(kinds) if kind in _DIGITS), default=-1)
    thousands = kinds[last + 1 :].count(",")
    decimals = min(sum(token.kind in _DIGITS for token in section.after or ()), _MOST_DECIMALS)
    number = number.scaleb(2 * kinds.count("%") - 3 * thousands)
    whole, _, rest = format(number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP), "f").partition(".")
    return whole.lstrip("0"), rest


def _decimals(section: _Section, rest: str) -> str:
    """The digits after the point that the section shows."""
    kinds = [token.kind for token in section.after or () if token.kind in _DIGITS][:_MOST_DECIMALS]
    needed = max((place for place, kind in enumerate(kinds, 1) if kind == "0"), default=0)
    return rest[: max(needed, len(rest.rstrip("0")))]


def _digits(section: _Section, number: Decimal, sign: str) -> str:
    whole, rest = _scaled(section, number)
    rest = _decimals(section, rest)
    whole = whole.zfill(max(1, sum(token.kind == "0" for token in section.before)))
    written = f"{whole}.{rest}" if rest else whole
    return f"{sign}{written}" if written.strip("0.") else written


def _number(section: _Section, number: Decimal, sign: str) -> str:
    if section.has("general", "@"):
        plain = f"{sign}{format(number, 'f')}"
        return "".join(plain if token.kind in ("general", "@") else token.text for token in section.tokens).strip()
    if not section.has(*_DIGITS):
        return "".join(token.text for token in section.tokens if token.kind in ("text", "currency")).strip()
    whole, rest = _scaled(section, number)
    rest = _decimals(section, rest)
    places = [place for place, token in enumerate(section.before) if token.kind in _DIGITS]
    is_grouped = any(token.kind == "," for token in section.before[: places[-1] if places else 0])
    written: list[str] = [] if places else [whole]
    left, count = whole, 0
    for place, token in reversed([*enumerate(section.before)]):
        if token.kind in ("text", "currency", "%"):
            written.append(token.text)
        elif token.kind in _DIGITS:
            taken, left = (left, "") if place == places[0] else (left[-1:], left[:-1])
            for digit in reversed(taken or ("0" if token.kind == "0" else "")):
                written += [","] if is_grouped and count and count % 3 == 0 else []
                written.append(digit)
                count += 1
    written.reverse()
    if section.after is not None:
        written.append(".")
        for token in section.after:
            if token.kind in ("text", "currency", "%"):
                written.append(token.text)
            elif token.kind in _DIGITS:
                written.append(rest[:1])
                rest = rest[1:]
    return ("" if not (whole + rest).strip("0") and not whole else sign) + "".join(written).strip()


def _time(tokens: tuple[_Token, ...], value: object) -> str | None:
    if isinstance(value, dt.datetime):
        value = value.time()
    if isinstance(value, dt.time):
        value = dt.timedelta(
            hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
        )
    if not isinstance(value, dt.timedelta) or value < dt.timedelta():
        return None
    seconds = round(value.total_seconds())
    written = []
    elapsed = {token.text[0] for token in tokens if token.kind == "elapsed"}
    has_half = any(token.kind == "half" for token in tokens)
    units = {"h": seconds // 3_600, "m": seconds // 60, "s": seconds}
    for token in tokens:
        if token.kind == "half":
            half = ("AM", "PM")[units["h"] // 12 % 2]
            written.append(half if len(token.text) > 3 else half[0])
        elif token.kind == "elapsed":
            written.append(str(units[token.text[0]]).zfill(len(token.text)))
        elif token.kind == "part":
            number = units[token.text[0]] % (24 if token.text[0] == "h" else 60)
            if token.text[0] == "h" and has_half:
                number = number % 12 or 12
            written.append(str(number).zfill(min(len(token.text), 2)))
        elif token.kind == "text":
            written.append(token.text)
    return "".join(written).strip() if not elapsed or written else None
