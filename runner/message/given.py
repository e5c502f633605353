"""What a filter is given: read strictly, and quoted in words when it can't be."""

from jinja2 import Undefined
from jinja2.exceptions import TemplateRuntimeError

_SHOWN = 40


class FilterError(TemplateRuntimeError):
    """A filter can't do what it is asked to: `str()` says what is wrong and what to write instead."""


def text_of(value: object) -> str:
    """A field's or a number's text. Raises FilterError for what is neither, UndefinedError for what isn't there."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Undefined):
        return str(value)  # raises, in Jinja's words
    raise FilterError(f"a value of the kind {type(value).__name__} is no text")


def quoted(value: str) -> str:
    """A cell in words: short, and without what would steer a terminal."""
    shown = "".join(character if character.isprintable() else " " for character in value[:_SHOWN])
    return f'"{shown}…"' if len(value) > _SHOWN else f'"{shown}"'
