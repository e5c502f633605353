"""A row's fields → the text that its phone will show, or why there is none."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from runner.base.errors import InputError, Problem
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.messages import Encoding, Text
from runner.message.characters import UNSENDABLE, is_one_septet_each, named
from runner.message.encode import encode
from runner.message.environment import MAX_LENGTH, EmptyFieldError
from runner.message.links import link_remarks, may_hold_link
from runner.message.origins import COMPUTED
from runner.message.segments import MAX_SEGMENTS, segments_of_units
from runner.message.template import RenderError, Template, TooLongError
from runner.message.transliteration import has_visible

# What Jinja reads as something else, so that no template can call a column by it.
_RESERVED = frozenset(
    ("and", "else", "false", "False", "if", "in", "is", "loop", "none", "None", "not", "or", "self", "super", "true",
     "True", "caller", "varargs", "kwargs"),
)  # fmt: skip
_NOT_IN_NAMES = re.compile(r"\W")


class Composer:
    """Composes the messages of one campaign; `python -m benchmarks.steps` measures what each takes.

    :param max_segments: beyond 10 it means 10: the provider would cut off the rest without a word.
    :param smart_encoding: put likenesses in GSM-7 for typographic characters where the whole text then fits.
    :param require_text: what each text has to hold, in any case; such as STOP.
    """

    def __init__(
        self,
        template: Template,
        encoding: Encoding = Encoding.AUTO,
        max_segments: int = 10,
        *,
        smart_encoding: bool = False,
        require_text: Sequence[str] = (),
    ) -> None:
        self._template = template
        self._encoding = encoding
        self._max_segments = min(max_segments, MAX_SEGMENTS)
        self._smart = smart_encoding
        self._required = [(required, required.casefold()) for required in require_text]
        # Nearly every text is plain GSM-7, and then there is nothing more to check.
        self._is_simple = encoding is not Encoding.UCS2 and not require_text
        self._columns: dict[str, str] | None = None

    @property
    def source(self) -> str:
        """The whole template."""
        return self._template.source

    @property
    def own_text(self) -> str:
        """The template's own text, without what rows put into it."""
        return self._template.origins.own_text

    def compose(self, fields: Mapping[str, str]) -> Text | Exclusion:
        """The text for one row's columns. Every call is for a row of the same file, with the same columns.

        Raises InputError when the template calls for a column that isn't there.
        """
        if self._columns is None:
            self._columns = self.columns(list(fields))
        return self.compose_values({name: fields[column] for name, column in self._columns.items()}, self._columns)

    def columns(self, header: Sequence[str]) -> dict[str, str]:
        """Name in the template → column that it calls for. Raises InputError for one that isn't there."""
        known = field_names(header)
        problems = [
            Problem(f'there is no column "{name}"', where=where)
            for name, where in self._template.variables
            if name not in known
        ]
        if problems:
            raise InputError(problems)
        return {name: known[name] for name, _ in self._template.variables}

    def compose_values(self, values: Mapping[str, str], columns: Mapping[str, str]) -> Text | Exclusion:
        """The text for one row. `values` are by the names in the template, `columns` what `self.columns` says."""
        try:
            rendered = self._template.render(values)
        except EmptyFieldError as error:
            words = f"{columns[error.name]} is empty, and the text needs it"
            return Exclusion(ExclusionReason.MISSING_FIELD, words)
        except TooLongError:
            words = f"the text is longer than {MAX_LENGTH:,} characters"
            return Exclusion(ExclusionReason.TOO_MANY_SEGMENTS, words)
        except RenderError as error:
            return Exclusion(ExclusionReason.TEMPLATE_ERROR, str(error))
        text = rendered.strip()
        simple = None
        if self._is_simple and is_one_septet_each(text):
            segments = segments_of_units(len(text), Encoding.GSM7)
            if segments <= self._max_segments:
                simple = Text(text, Encoding.GSM7, segments)
                if not may_hold_link(text):
                    return simple
        used = {column: values[name] for name, column in columns.items()}
        if simple is not None:
            return self._with_links(simple, text, used)
        return self._judge(text.replace("\r\n", "\n").replace("\r", "\n"), used)

    def _judge(self, text: str, columns: Mapping[str, str]) -> Text | Exclusion:
        if not text:
            return Exclusion(ExclusionReason.EMPTY_MESSAGE, "the text is empty")
        if match := UNSENDABLE.search(text):
            words = f"{named(match.group())} at {match.start() + 1} cannot be sent; remove it from the file"
            return Exclusion(ExclusionReason.INVALID_TEXT, words)
        if not text.isascii() and not has_visible(text):
            return Exclusion(ExclusionReason.EMPTY_MESSAGE, "the text has nothing but invisible characters")
        encoded = encode(text, self._encoding, columns, self._template.origins, smart=self._smart)
        if isinstance(encoded, Exclusion):
            return encoded
        if encoded.segments > self._max_segments:
            return Exclusion(ExclusionReason.TOO_MANY_SEGMENTS, self._too_many(encoded))
        for required, folded in self._required:
            # The text as it was, too: a required “STOP” is there, though its quotes have been replaced.
            if folded not in encoded.text.casefold() and folded not in text.casefold():
                words = f'the text lacks "{required}" (message.requireText)'
                return Exclusion(ExclusionReason.REQUIRED_TEXT, words)
        return self._with_links(encoded, text, columns) if may_hold_link(text) else encoded

    def _with_links(self, encoded: Text, text: str, columns: Mapping[str, str]) -> Text:
        found = link_remarks(text, columns, self._template.origins.links, COMPUTED)
        return replace(encoded, remarks=(*encoded.remarks, *found)) if found else encoded

    def _too_many(self, text: Text) -> str:
        size = f"{len(text.text):,} characters, {text.encoding}"
        words = f"needs {text.segments} segments ({size}); the most is {self._max_segments}"
        if text.saved and not self._smart and text.segments - text.saved <= self._max_segments:
            return f"{words}; message.smartEncoding: true would make it {text.segments - text.saved}"
        return words


def field_names(header: Sequence[str]) -> dict[str, str]:
    """Name in the template → column. A column that cannot be written in a template has an alias: "First Name" is
    First_Name, "2nd-line" is _2nd_line.

    An alias that would also be another column's name or alias is left out: which of the two was meant would be a
    guess.
    """
    names = {column: column for column in header if _callable(column)}
    aliases: dict[str, list[str]] = {}
    for column in header:
        if column not in names:
            aliases.setdefault(_alias(column), []).append(column)
    for alias, columns in aliases.items():
        if len(columns) == 1 and alias not in names and _callable(alias):
            names[alias] = columns[0]
    return names


def _callable(name: str) -> bool:
    return name.isidentifier() and name not in _RESERVED


def _alias(column: str) -> str:
    alias = _NOT_IN_NAMES.sub("_", column)
    return alias if alias.isidentifier() else f"_{alias}"
