"""The filters of this program's own, beside Jinja's: `title`, `currency`, `date`, `phone`, `truncate_gsm`.

Each is described, with examples that a test runs, in docs/templates.md.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runner.message.given import FilterError, text_of
from runner.message.localised import (
    checked_currency,
    checked_locale,
    checked_pattern,
    checked_symbol,
    currency,
    date,
)
from runner.message.names import title
from runner.message.truncate import checked_length, truncate_gsm

PhoneFormat = Callable[..., str]
"""`(number, style, country)` → the number for people; `style` is national or international, `country` alpha-2 or None.
Raises ValueError, in words, for what is no number."""

_STYLES = ("international", "national")

USAGE: Mapping[str, str] = {
    "title": "{{ first_name | title }}",
    "currency": '{{ amount | currency("SGD") }}',
    "date": '{{ day | date("d MMM") }}',
    "phone": '{{ branch | phone("national") }}',
    "truncate_gsm": "{{ product | truncate_gsm(20) }}",
}
"""How each is written: the remedy for one that is called wrongly."""


def own_filters(phone_format: PhoneFormat | None) -> dict[str, Callable[..., object]]:
    """The filters by name. Without `phone_format`, `phone` says that it is not available."""

    def phone(value: object, style: object = "international", country: object = None) -> str:
        if phone_format is None:
            raise FilterError("the filter phone is not available here")
        checked_style(style)
        try:
            return phone_format(text_of(value), style, None if country is None else text_of(country))
        except ValueError as error:
            raise FilterError(str(error)) from error

    own: Sequence[Callable[..., object]] = (title, currency, date, phone, truncate_gsm)
    return {function.__name__: function for function in own}


def checked_style(style: object) -> object:
    """Raises FilterError for what is neither national nor international."""
    if style not in _STYLES:
        raise FilterError('the style is "international" or "national"')
    return style


_CHECKS: Mapping[str, Mapping[str, Callable[[Any], object]]] = {
    "currency": {"code": checked_currency, "locale": checked_locale, "symbol": checked_symbol},
    "date": {"pattern": checked_pattern, "locale": checked_locale},
    "phone": {"style": checked_style},
    "truncate_gsm": {"length": checked_length, "end": text_of},
}

UNKNOWN = object()
"""An argument that only a row tells."""


def misuse(
    name: str, function: Callable[..., object], args: Sequence[object], named: Mapping[str, object]
) -> tuple[str, str] | None:
    """What is wrong with the arguments of a filter of USAGE, and the remedy; None as far as the template tells."""
    try:
        bound = inspect.signature(function).bind(UNKNOWN, *args, **named)
    except TypeError as error:
        return str(error), f"write it like {USAGE[name]}"
    for argument, check in _CHECKS.get(name, {}).items():
        given = bound.arguments.get(argument, UNKNOWN)
        if given is not UNKNOWN:
            try:
                check(given)
            except FilterError as error:
                what, _, remedy = str(error).partition("; ")
                return what, remedy
    return None
