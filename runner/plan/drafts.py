"""What can be found out about a row by itself: who it is for, and its text. As lists, which go between processes.

`python -m runner.plan.helper` does this work in another process, and what is here must do without polars.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from runner.audience.audience import exclusions, plain
from runner.audience.files import Batch
from runner.audience.rows import Columns, Rows, Verdict
from runner.audience.source import Cells
from runner.message.compose import Composer
from runner.models import Encoding, Remark, RemarkKind, Text
from runner.plan.helpers import Helpers

if TYPE_CHECKING:
    from runner.audience.judge import Judge

Extras = tuple[int, str | None, list[tuple[str, str, str, int]]]
"""`saved`, `note` and the `remarks` of a `Text`; nearly no text has any."""

Job = tuple[bool, list[Cells | str], Sequence[bool] | None]
"""Whether texts are wanted, and a batch as `Judge.judge` takes it."""


@dataclass(slots=True)
class TextColumns(Columns):
    """With the texts of the rows that were not excluded; `refused` are those that get none, by their index."""

    texts: list[str | None] = field(default_factory=list)
    encodings: list[str | None] = field(default_factory=list)
    segments: list[int | None] = field(default_factory=list)
    refused: dict[int, Verdict] = field(default_factory=dict)
    extras: dict[int, Extras] = field(default_factory=dict)


@dataclass(slots=True)
class Drafts(Rows):
    """A batch of rows with their texts. Whoever leaves a row out puts it into `exclusions`."""

    columns: TextColumns

    def text(self, index: int) -> Text:
        columns = self.columns
        text, encoding, segments = columns.texts[index], columns.encodings[index], columns.segments[index]
        assert text is not None
        assert encoding is not None
        assert segments is not None
        saved, note, remarks = columns.extras.get(index, (0, None, []))
        told = tuple(Remark(RemarkKind(kind), subject, source, times) for kind, subject, source, times in remarks)
        return Text(text, Encoding(encoding), segments, saved, note, told)


_GSM7, _UCS2 = Encoding.GSM7.value, Encoding.UCS2.value


class Drafter:
    """Judges rows, and composes the texts of those that pass."""

    def __init__(self, judge: "Judge", composer: Composer) -> None:
        self._judge = judge
        self._composer = composer
        self._columns = composer.columns(judge.header)
        self._places = [(name, judge.header.index(column)) for name, column in self._columns.items()]

    def __call__(self, job: Job) -> tuple[Any, ...]:
        """The values of `Columns`, or of `TextColumns` where texts are wanted, in the order of the fields."""
        wants_texts, rows, kept = job
        judged = self._judge.judge(rows, kept)
        if not wants_texts:
            return _values(judged)
        columns = TextColumns(*_values(judged))
        texts, encodings, segments = columns.texts, columns.encodings, columns.segments
        for index, cells in enumerate(rows):
            composed = None
            if index not in columns.excluded:
                values = {name: cells[place] for name, place in self._places}
                composed = self._composer.compose_values(values, self._columns)
            if isinstance(composed, Text):
                texts.append(composed.text)
                encodings.append(_GSM7 if composed.encoding is Encoding.GSM7 else _UCS2)
                segments.append(composed.segments)
                if composed.saved or composed.note or composed.remarks:
                    columns.extras[index] = _extras(composed)
                continue
            texts.append(None)
            encodings.append(None)
            segments.append(None)
            if composed is not None:
                columns.refused[index] = (composed.reason.value, composed.detail)
        return _values(columns)


def _values(columns: Columns) -> tuple[Any, ...]:
    return tuple(getattr(columns, one.name) for one in fields(columns))


def _extras(text: Text) -> Extras:
    remarks = [(remark.kind.value, remark.subject, remark.source, remark.times) for remark in text.remarks]
    return text.saved, text.note, remarks


class Drafting:
    """Drafts batch after batch: in this process, or with `helpers`."""

    def __init__(self, composer: Composer, helpers: Helpers | None = None) -> None:
        self._composer = composer
        self._helpers = helpers

    def begin(self, judge: "Judge") -> None:
        self._header = judge.header
        self._drafter = Drafter(judge, self._composer)
        if self._helpers is not None:
            self._helpers.begin(self._drafter)

    def judged(self, batches: Iterable[tuple[int, Batch]]) -> Iterator[Rows]:
        for first, batch, values in self._drafted(batches, wants_texts=False):
            columns = Columns(*values)
            yield Rows(self._header, first, batch.rows, columns, exclusions(columns))

    def done(self, batches: Iterable[tuple[int, Batch]]) -> Iterator[Drafts]:
        for first, batch, values in self._drafted(batches, wants_texts=True):
            columns = TextColumns(*values)
            yield Drafts(self._header, first, batch.rows, columns, exclusions(columns))

    def _drafted(
        self, batches: Iterable[tuple[int, Batch]], *, wants_texts: bool
    ) -> Iterator[tuple[int, Batch, tuple[Any, ...]]]:
        def job(batch: Batch) -> Job:
            return wants_texts, plain(batch.rows), batch.kept

        if self._helpers is None:
            for first, batch in batches:
                yield first, batch, self._drafter(job(batch))
        else:
            jobs = ((numbered, job(numbered[1])) for numbered in batches)
            for (first, batch), answer in self._helpers.answers(jobs):
                yield first, batch, answer
