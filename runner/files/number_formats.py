"""Number formats of spreadsheets: a number as the sheet shows it (ECMA-376, part 1, 18.8.31). Pure.

Dates aren't formatted, because the template filter `date` needs ISO 8601; neither are numbers in scientific notation,
which would lose digits, and fractions.
"""

import datetime as dt
import operator
import re
import unicodedata
from decimal import ROUND_HALF_UP, Context, Decimal
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
_TEXTS = frozenset(("text", "currency", "%"))
# Excel keeps 15 digits; longer numbers are rounded.
_EXACT = 10**15
_MOST_DECIMALS = 30
# Percent signs and commas that nobody writes.
_MOST_POWER = 30
_CONTEXT = Context(prec=100)


class _Token(NamedTuple):
    """A piece of a section. `kind`: text, currency, part (of a time), elapsed, half (of a day), general, or a code."""

    kind: str
    text: str


class _Section:
    """A format for some numbers: `before` and `after` are its tokens before and after the point, if it has one.

    What each number needs is found once.
    """

    def __init__(
        self, before: list[_Token], after: list[_Token] | None, condition: tuple[str, Decimal] | None, *, has_sign: bool
    ) -> None:
        self.before, self.after, self.condition = before, after, condition
        self.tokens = before + (after or [])
        # Whether the section has the sign of a negative number.
        self.has_sign = has_sign
        kinds = [token.kind for token in self.tokens]
        places = [place for place, kind in enumerate(kinds) if kind in _DIGITS]
        self.has_digits = bool(places)
        self.is_whole = "general" in kinds or "@" in kinds
        # Commas after the last digit divide by a thousand, and a percent sign multiplies by a hundred.
        self.power = 2 * kinds.count("%") - 3 * (kinds[places[-1] :].count(",") if places else 0)
        self.digits_before = [place for place, token in enumerate(before) if token.kind in _DIGITS]
        self.is_grouped = any(token.kind == "," for token in before[: (self.digits_before or [0])[-1]])
        self.least = max(1, sum(token.kind == "0" for token in before))
        decimals = [token.kind for token in after or () if token.kind in _DIGITS][:_MOST_DECIMALS]
        self.needed = max((place for place, kind in enumerate(decimals, 1) if kind == "0"), default=0)
        self.unit = Decimal(1).scaleb(-len(decimals))
        # Only a number, perhaps with commas. Groups of zeros are a code: 0000 0000.
        digits = self.tokens[places[0] : places[-1]] if places else []
        is_code = {token.kind for token in digits} == {"0", "text"}
        texts = "".join(token.text for token in self.tokens if token.kind in ("text", "%", "currency"))
        self.is_plain = (
            self.has_digits and not self.is_whole and not is_code and not texts.strip(" -()" if has_sign else " ")
        )

    def parts(self, number: Decimal) -> tuple[str, str]:
        """The digits of a positive number before and after the point, without leading zeros."""
        scaled = number.scaleb(self.power) if self.power else number
        whole, _, rest = format(scaled.quantize(self.unit, ROUND_HALF_UP, _CONTEXT), "f").partition(".")
        return whole.lstrip("0"), rest[: max(self.needed, len(rest.rstrip("0")))]


class NumberFormat:
    """A format that changes how values are shown, from `number_format`.

    `has_currency`: an amount of money. Its currency would be in the way of the template filter `currency`.
    """

    def __init__(self, sections: list[_Section], *, is_time: bool, has_currency: bool) -> None:
        self._sections, self._is_time, self.has_currency = sections, is_time, has_currency
        self._numbers = sections[:3]
        self._has_conditions = any(section.condition for section in self._numbers)

    def shown(self, value: object) -> str | None:
        """The value as the sheet shows it, "" if it hides it; None if the format doesn't apply to it."""
        if isinstance(value, str):
            return _text(self._sections[-1], value) if len(self._sections) in (1, 4) else None
        if self._is_time:
            return _time(self._sections[0], value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        number = Decimal(f"{value:.15g}")
        section = self._section(number)
        return _number(section, abs(number), "-" if number < 0 and not section.has_sign else "")

    def text(self, value: object) -> str | None:
        """The value for a text: as in `shown`, but an amount of money or a plain number without a currency and commas.

        A plain whole number stays whole, because columns of phone numbers and keys often are shown with two decimals.
        """
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self.shown(value)
        if self._is_time or abs(value) >= _EXACT:
            return None
        number = Decimal(f"{value:.15g}")
        section = self._section(number)
        if not self.has_currency and not section.is_plain:
            return self.shown(value)
        # Zero may be shown as a dash.
        section = section if number and section.has_digits else self._sections[0]
        whole, rest = section.parts(abs(number))
        if not self.has_currency and not rest.strip("0"):
            rest = ""
        sign = "-" if number < 0 and (whole or rest.strip("0")) else ""
        return f"{sign}{whole.zfill(section.least)}.{rest}" if rest else f"{sign}{whole.zfill(section.least)}"

    def _section(self, number: Decimal) -> _Section:
        """The section for the number."""
        numbers = self._numbers
        if len(numbers) == 1:
            return numbers[0]
        for section in numbers:
            if section.condition and _COMPARE[section.condition[0]](number, section.condition[1]):
                return section
        if self._has_conditions:
            return next((section for section in numbers if not section.condition), numbers[-1])
        if number < 0:
            return numbers[1]
        return numbers[2 if number == 0 and len(numbers) > 2 else 0]


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
            # The second of several sections is for negative numbers, unless conditions choose.
            has_sign = len(sections) == 1 and condition is None and sections[0].condition is None
            sections.append(_Section(before, after, condition, has_sign=has_sign))
            before, after, condition = [], None, None
        elif text == "." and kind == "code" and after is None:
            after = []
        elif token := _token(kind, text):
            (before if after is None else after).append(token)
    if all(token.kind in ("general", "@") for section in sections for token in section.tokens):
        return None
    if any(abs(section.power) > _MOST_POWER for section in sections):
        return None
    times = [token for token in sections[0].tokens if token.kind in ("part", "elapsed")]
    if times and not any(token.kind == "elapsed" or token.text[0] != "m" for token in times):
        return None  # only months
    # Several leading zeros are a code, such as CAD000.
    has_currency = sections[0].least == 1 and any(t.kind == "currency" for section in sections for t in section.tokens)
    return NumberFormat(sections, is_time=bool(times), has_currency=has_currency)


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
    if not any(token.kind == "@" for token in section.tokens):
        return None
    return "".join(value if token.kind == "@" else token.text for token in section.tokens)


def _number(section: _Section, number: Decimal, sign: str) -> str:
    if section.is_whole:
        digits = f"{sign}{number:f}"
        return "".join(digits if token.kind in ("general", "@") else token.text for token in section.tokens).strip()
    if not section.has_digits:
        return "".join(token.text for token in section.tokens if token.kind in ("text", "currency")).strip()
    whole, rest = section.parts(number)
    sign = sign if whole or rest.strip("0") else ""
    written = _whole(section, whole)
    if section.after is not None:
        written.append(".")
        for token in section.after:
            written.append(rest[:1] if token.kind in _DIGITS else token.text if token.kind in _TEXTS else "")
            rest = rest[1:] if token.kind in _DIGITS else rest
    return sign + "".join(written).strip()


def _whole(section: _Section, digits: str) -> list[str]:
    """The digits before the point, from the right: each code takes one, and the first code takes the rest."""
    places, left, count = section.digits_before, digits, 0
    written = [] if places else [digits]
    for place, token in reversed([*enumerate(section.before)]):
        if token.kind in _TEXTS:
            written.append(token.text)
        elif token.kind in _DIGITS:
            taken, left = (left, "") if place == places[0] else (left[-1:], left[:-1])
            for digit in reversed(taken or ("0" if token.kind == "0" else "")):
                written += [","] if section.is_grouped and count and count % 3 == 0 else []
                written.append(digit)
                count += 1
    return written[::-1]


def _time(section: _Section, value: object) -> str | None:
    # 9.05 in Finland; a point with zeros after it shows parts of a second.
    point = [_Token("text", ".")] if section.after and section.after[0].kind == "part" else []
    tokens = [*section.before, *point, *(section.after or [])]
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
    return "".join(written).strip()
