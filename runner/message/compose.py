"""A row's fields → the text that its phone will show, or why there is none."""

from collections.abc import Mapping

from runner.errors import InputError, Problem
from runner.message.environment import MAX_LENGTH, EmptyFieldError
from runner.message.fields import field_names
from runner.message.gsm import outside_gsm7
from runner.message.segments import MAX_SEGMENTS, encoding_of, segments
from runner.message.template import Template, TooLongError
from runner.message.unsendable import UNSENDABLE, named
from runner.models import Encoding, Exclusion, ExclusionReason, Text

_SHOWN = 5


class Composer:
    """Composes the messages of one campaign: 10 µs each for a template with two fields.

    `max_segments` beyond 10 means 10: the provider would cut off the rest without a word.
    """

    def __init__(self, template: Template, encoding: Encoding = Encoding.AUTO, max_segments: int = 10) -> None:
        self._template = template
        self._encoding = encoding
        self._max_segments = min(max_segments, MAX_SEGMENTS)
        self._names = [name for name, _ in template.variables()]
        self._columns: dict[str, str] | None = None

    def compose(self, fields: Mapping[str, str]) -> Text | Exclusion:
        """The text for one row's columns. Every call is for a row of the same file, with the same columns.

        Raises InputError when the template itself fails on the row, or calls for a column that isn't there.
        """
        columns = self._columns or self._bind(fields)
        try:
            rendered = self._template.render({name: fields[column] for name, column in columns.items()})
        except EmptyFieldError as error:
            words = f"{columns[error.name]} is empty, and the text needs it"
            return Exclusion(ExclusionReason.MISSING_FIELD, words)
        except TooLongError:
            words = f"the text is longer than {MAX_LENGTH:,} characters"
            return Exclusion(ExclusionReason.TOO_MANY_SEGMENTS, words)
        text = rendered.strip()
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return self._judge(text)

    def _bind(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Template name → column, found out once: the columns of a file don't change from row to row."""
        known = field_names(list(fields))
        problems = [
            Problem(f'there is no column "{name}"', where=where)
            for name, where in self._template.variables()
            if name not in known
        ]
        if problems:
            raise InputError(problems)
        self._columns = {name: known[name] for name in self._names}
        return self._columns

    def _judge(self, text: str) -> Text | Exclusion:
        if not text:
            return Exclusion(ExclusionReason.EMPTY_MESSAGE, "the text is empty")
        if match := UNSENDABLE.search(text):
            words = f"{named(match.group())} at {match.start() + 1} cannot be sent; remove it from the file"
            return Exclusion(ExclusionReason.INVALID_TEXT, words)
        encoding = encoding_of(text) if self._encoding is Encoding.AUTO else self._encoding
        if encoding is Encoding.GSM7 and self._encoding is Encoding.GSM7 and (outside := outside_gsm7(text)):
            return Exclusion(ExclusionReason.NOT_GSM7, _not_gsm7(outside))
        count = segments(text, encoding)
        if count > self._max_segments:
            words = f"needs {count} segments ({len(text):,} characters, {encoding}); the most is {self._max_segments}"
            return Exclusion(ExclusionReason.TOO_MANY_SEGMENTS, words)
        return Text(text, encoding, count)


def _not_gsm7(outside: list[tuple[int, str]]) -> str:
    first: dict[str, int] = {}
    for index, character in outside:
        first.setdefault(character, index + 1)
    shown = ", ".join(f"{named(character)} at {place}" for character, place in list(first.items())[:_SHOWN])
    more = f" and {len(first) - _SHOWN} more" if len(first) > _SHOWN else ""
    return f"{shown}{more}: not in GSM-7"
