"""Compose a row's text from its fields, or say why the row gets no message. Pure."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace

from runner.base.cells import Kind, Kinds
from runner.base.errors import InputError, Problem
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.messages import MAX_SEGMENTS, Encoding, Remark, RemarkKind, Text
from runner.base.placeholders import NO_VALUES, ROUNDED, SPREADSHEET_ERRORS, WHY_ROUNDED, error_in_words
from runner.base.text import folded, quoted
from runner.message.environment import MAX_LENGTH, EmptyFieldError
from runner.message.garbled import may_be_garbled, mended
from runner.message.links import link_remarks, link_spans, may_hold_link
from runner.message.segments import GSM7, UNSENDABLE, described, is_gsm7, outside_gsm7, segments, septet_segments
from runner.message.template import COMPUTED, RenderError, Template, TooLongError, TooMuchWorkError
from runner.message.transliteration import has_visible, in_gsm7, likeness, replacements

# Words with another meaning in Jinja; a template can't use them as column names.
_RESERVED = frozenset(
    ("and", "else", "false", "False", "if", "in", "is", "loop", "none", "None", "not", "or", "self", "super", "true",
     "True", "caller", "varargs", "kwargs"),
)  # fmt: skip
# How many rows may take too much memory or time before the plan stops. A few may have a hostile cell.
_MOST_TOO_MUCH = 20
# The maximum number of characters named in an exclusion.
_MOST_NAMED = 5
# A text with more different characters outside GSM-7 is in another script: it is UCS-2 on purpose, and a remark for
# each letter would not help.
_MOST_REMARKS = 10
# One cheap check of a row's cells, so that nearly every row needs no more.
_SUSPECTS = SPREADSHEET_ERRORS | NO_VALUES
# What decoders write for bytes that are no character.
_LOST = "\ufffd"
# A number that was stored with too few digits, as the file reader marks it.
_ROUNDED = re.compile(rf"{ROUNDED}-?(?:[0-9]{{8,}}|[0-9.]+e\+?[0-9]+)")


@dataclass(slots=True)
class Composer:
    """Composes the messages of one campaign; `python -m benchmarks.steps` measures the time per message.

    `max_segments` is at most 10: the provider would truncate longer texts silently. `smart_encoding` replaces
    typographic characters with GSM-7 ones if the whole text then fits. `require_text` are words such as STOP that each
    text must contain, in upper or lower case. `repair` mends garbled cells (see `garbled`). `kinds` are the kinds of
    cells by name in the template, for `Template.render`.
    """

    template: Template
    encoding: Encoding = Encoding.AUTO
    max_segments: int = MAX_SEGMENTS
    _: KW_ONLY
    smart_encoding: bool = False
    require_text: Sequence[str] = ()
    repair: bool = False
    kinds: Kinds | None = None
    _too_much: int = field(default=0, init=False, compare=False)

    def __post_init__(self) -> None:
        self.max_segments = min(self.max_segments, MAX_SEGMENTS)

    def remarks(self) -> list[str]:
        """Sentences on how fields are shown."""
        if self.template.zone is not None or self.kinds is None:
            return []
        zoned = [name for name, _ in self.template.variables if self.kinds.get(name) is Kind.INSTANT]
        words = "shown as in the file, perhaps in UTC; set the campaign's timezone to convert them with the filter date"
        return [f"{name}: times with a zone are {words}" for name in zoned]

    def columns(self, header: Sequence[str]) -> dict[str, str]:
        """Name in the template → its column. Raises InputError for a missing column."""
        known = field_names(header)
        columns = {name: column_of(name, known) for name, _ in self.template.variables}
        unknown = [(name, where) for name, where in self.template.variables if columns[name] is None]
        if unknown:
            raise InputError(Problem(f'there is no column "{name}"', where=where) for name, where in unknown)
        return {name: column for name, column in columns.items() if column is not None}

    def compose(self, values: Mapping[str, str], columns: Mapping[str, str]) -> Text | Exclusion:
        """The text for one row. `values` is by name in the template, `columns` is the result of `self.columns`.

        Raises InputError if the template takes too much memory or time on many rows, MistakeError like
        `Template.render`.
        """
        remarks: list[Remark] = []
        if self.repair:
            values = self._mend(values, columns, remarks)
        is_suspect = not _SUSPECTS.isdisjoint(values.values())
        if is_suspect and (error := _error_value(values, columns)):
            return error
        try:
            text = self.template.render(values, self.kinds).strip()
        except EmptyFieldError as error:
            words = f"{columns[error.name]} is empty, but the text needs it"
            return Exclusion(ExclusionReason.MISSING_FIELD, words)
        except TooLongError:
            words = f"the text is longer than {MAX_LENGTH:,} characters"
            return Exclusion(ExclusionReason.TOO_MANY_SEGMENTS, words)
        except RenderError as error:
            self._too_much += isinstance(error, TooMuchWorkError)
            if self._too_much > _MOST_TOO_MUCH:  # the template is at fault, and each row takes long
                raise InputError.of(f"the template fails on many rows: {error}", "correct the template") from error
            return Exclusion(ExclusionReason.TEMPLATE_ERROR, str(error))
        if is_suspect or may_be_garbled(text):
            remarks += self._odd_cells(values, columns, text)
        simple = None
        # Nearly every text is plain GSM-7 and needs no more checks.
        count = None if self.encoding is Encoding.UCS2 or self.require_text else septet_segments(text)
        if count is not None and count <= self.max_segments:
            simple = Text(text, Encoding.GSM7, count)
            if not remarks and not may_hold_link(text):
                return simple
        fields = {column: values[name] for name, column in columns.items()}
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        composed = simple or self._check(text, fields)
        if isinstance(composed, Exclusion):
            return composed
        if may_hold_link(text):
            remarks += link_remarks(text, fields, self.template.origins.links, COMPUTED)
        return replace(composed, remarks=(*composed.remarks, *remarks)) if remarks else composed

    def _mend(self, values: Mapping[str, str], columns: Mapping[str, str], remarks: list[Remark]) -> Mapping[str, str]:
        """The values without garbled cells, with a remark on each that was mended."""
        better = {
            name: found for name, cell in values.items() if (found := mended(cell)) != cell and _LOST not in found
        }
        for name, found in better.items():
            change = _change(values[name], found)
            remarks.append(Remark(RemarkKind.MENDED, change, f"the column {columns[name]}"))
        return {**values, **better} if better else values

    def _odd_cells(self, values: Mapping[str, str], columns: Mapping[str, str], text: str) -> list[Remark]:
        """Remarks on cells and words that look wrong in the text. A cell that the text doesn't show gets none."""
        remarks = []
        for name, cell in values.items():
            better = mended(cell)
            if cell in NO_VALUES and cell.casefold() in text.casefold():
                kind, subject, better = RemarkKind.NO_VALUE, quoted(cell), ""
            elif better != cell:
                kind, subject = RemarkKind.GARBLED, _change(cell, better)
            else:
                continue
            if self._differs(text, {**values, name: better}):
                remarks.append(Remark(kind, subject, f"the column {columns[name]}"))
        for word, line in self.template.origins.garbled:
            if word in text:
                remarks.append(Remark(RemarkKind.GARBLED, _change(word, mended(word)), f"the template, line {line}"))
        return remarks

    def _differs(self, text: str, values: Mapping[str, str]) -> bool:
        """Whether these values give another text, or none."""
        try:
            return self.template.render(values, self.kinds).strip() != text
        except Exception:  # no text, for whatever reason
            return True

    def _check(self, text: str, fields: Mapping[str, str]) -> Text | Exclusion:
        if not text:
            return Exclusion(ExclusionReason.EMPTY_MESSAGE, "the text is empty")
        if match := UNSENDABLE.search(text):
            words = f"{described(match.group())} at position {match.start() + 1} can't be sent; remove it from the file"
            return Exclusion(ExclusionReason.INVALID_TEXT, words)
        if not text.isascii() and not has_visible(text):
            return Exclusion(ExclusionReason.EMPTY_MESSAGE, "the text has only invisible characters")
        if ROUNDED in text and (rounded := _rounded(fields)):
            return rounded
        encoded = self._encode(text, fields)
        if isinstance(encoded, Exclusion):
            return encoded
        if encoded.segments > self.max_segments:
            return Exclusion(ExclusionReason.TOO_MANY_SEGMENTS, self._too_many(encoded))
        for required in self.require_text:
            # Check the original text too: a required “STOP” is there, although its quotes were replaced.
            if not any(required.casefold() in written.casefold() for written in (encoded.text, text)):
                words = f'the text does not contain "{required}" (message.requireText)'
                return Exclusion(ExclusionReason.REQUIRED_TEXT, words)
        return encoded

    def _encode(self, text: str, fields: Mapping[str, str]) -> Text | Exclusion:
        """The text in the campaign's encoding, with its segments; an exclusion if GSM7 is required but not possible.

        Smart encoding replaces characters outside GSM-7 if all of them can be replaced, and with AUTO only if this
        takes no more segments (a text of many … could).
        """
        if self.encoding is Encoding.UCS2:
            return Text(text, Encoding.UCS2, segments(text, Encoding.UCS2))
        if is_gsm7(text):
            return Text(text, Encoding.GSM7, segments(text, Encoding.GSM7))
        replaced = in_gsm7(text)
        if replaced is not None:
            replaced = replaced.strip()  # a space that was followed only by invisible characters
        if self.encoding is Encoding.GSM7 and (replaced is None or not self.smart_encoding):
            return Exclusion(ExclusionReason.NOT_GSM7, _not_gsm7(outside_gsm7(text), replaceable=replaced is not None))
        in_ucs2 = segments(text, Encoding.UCS2)
        in_septets = segments(replaced, Encoding.GSM7) if replaced is not None else 0
        if replaced is None or (in_septets > in_ucs2 and self.encoding is Encoding.AUTO):
            return Text(text, Encoding.UCS2, in_ucs2, remarks=self._forcing(text, fields))
        outside = outside_gsm7(text)
        saved = max(in_ucs2 - in_septets, 0)
        if not self.smart_encoding:
            remarks = self._remarks(RemarkKind.REPLACEABLE, outside, fields)
            return Text(text, Encoding.UCS2, in_ucs2, saved, None, remarks)
        note = replacements(Counter((character, likeness(text, index) or "") for index, character in outside))
        remarks = self._remarks(RemarkKind.REPLACED, outside, fields)
        return Text(replaced, Encoding.GSM7, in_septets, saved, note, remarks)

    def _forcing(self, text: str, fields: Mapping[str, str]) -> tuple[Remark, ...]:
        """A remark for each character that can't be replaced: it has no replacement, or is in a link."""
        different = set(text) - GSM7
        if len(different) > _MOST_REMARKS:
            first = next(character for character in text if character in different)
            source = next(iter(self.template.origins.of(first, 1, fields)))
            subject = f"more than {_MOST_REMARKS} different characters"
            return (Remark(RemarkKind.FORCES_UCS2, subject, source, sum(map(text.count, different))),)
        outside = outside_gsm7(text)
        spans = link_spans(text)
        irreplaceable = [
            (index, character)
            for index, character in outside
            if any(start <= index < end for start, end in spans) or likeness(text, index) is None
        ]
        return self._remarks(RemarkKind.FORCES_UCS2, irreplaceable or outside, fields)

    def _remarks(
        self, kind: RemarkKind, outside: list[tuple[int, str]], fields: Mapping[str, str]
    ) -> tuple[Remark, ...]:
        counts = Counter(character for _, character in outside)
        return tuple(
            Remark(kind, described(character), source, taken)
            for character, times in counts.items()
            for source, taken in self.template.origins.of(character, times, fields).items()
        )

    def _too_many(self, text: Text) -> str:
        size = f"{len(text.text):,} characters, {text.encoding}"
        words = f"needs {text.segments} segments ({size}); the maximum is {self.max_segments}"
        if text.saved and not self.smart_encoding and text.segments - text.saved <= self.max_segments:
            return f"{words}; with message.smartEncoding: true it needs {text.segments - text.saved}"
        return words


def _change(cell: str, better: str) -> str:
    return f"{quoted(cell)} → {quoted(better)}"


def _rounded(fields: Mapping[str, str]) -> Exclusion | None:
    """A number whose last digits are lost would be a wrong one, so the row gets no text with it."""
    for column, cell in fields.items():
        if _ROUNDED.fullmatch(cell):
            return Exclusion(ExclusionReason.UNREADABLE_ROW, f"{column}: {quoted(cell)} {WHY_ROUNDED}")
    return None


def _error_value(values: Mapping[str, str], columns: Mapping[str, str]) -> Exclusion | None:
    for name, cell in values.items():
        if words := error_in_words(cell):
            return Exclusion(ExclusionReason.UNREADABLE_ROW, f"{columns[name]} {words}; correct or clear the cell")
    return None


def _not_gsm7(outside: list[tuple[int, str]], *, replaceable: bool) -> str:
    first: dict[str, int] = {}
    for index, character in outside:
        first.setdefault(character, index + 1)
    named = list(first.items())[:_MOST_NAMED]
    shown = ", ".join(f"{described(character)} at position {place}" for character, place in named)
    more = f" and {len(first) - _MOST_NAMED} more" if len(first) > _MOST_NAMED else ""
    remedy = "; message.smartEncoding: true replaces them" if replaceable else ""
    return f"not in GSM-7: {shown}{more}{remedy}"


def field_names(header: Sequence[str]) -> dict[str, str]:
    """Name in the template → column. A column whose name is invalid in a template has an alias: "First Name" is
    First_Name, "2nd-line" is _2nd_line.

    An alias that equals another column's name or alias is omitted, because it would be ambiguous.
    """
    names = {column: column for column in header if _is_callable(column)}
    aliases: dict[str, list[str]] = {}
    for column in header:
        if column not in names:
            alias = re.sub(r"\W", "_", column)
            aliases.setdefault(alias if alias.isidentifier() else f"_{alias}", []).append(column)
    for alias, columns in aliases.items():
        if len(columns) == 1 and alias not in names and _is_callable(alias):
            names[alias] = columns[0]
    return names


def column_of(name: str, columns: Mapping[str, str]) -> str | None:
    """The column that a template calls `name`; `columns` are those of `field_names`. Letter case doesn't matter.

    None if there is none, or if several columns' names differ only in letter case.
    """
    found = {columns[name]} if name in columns else {columns[own] for own in columns if folded(own) == folded(name)}
    return found.pop() if len(found) == 1 else None


def _is_callable(name: str) -> bool:
    return name.isidentifier() and name not in _RESERVED
