"""Rows of a recipient file as its judges left them, one by one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.audience.audience import read_audience
from runner.audience.judge import Judge
from runner.audience.row_batch import RowBatch, Work
from runner.audience.spec import AudienceSpec
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.files.reader import read_header
from runner.files.source import Source


@dataclass(frozen=True, slots=True)
class Row:
    """What a batch has of one row."""

    number: int
    key: str | None = None
    destination: str | None = None
    country: str | None = None
    exclusion: Exclusion | None = None
    note: str | None = None
    zones: tuple[str, ...] = ()

    @property
    def reason(self) -> ExclusionReason | None:
        return self.exclusion.reason if self.exclusion else None

    @property
    def verdict(self) -> str:
        """ "" for a recipient, or else the reason and its words."""
        return f"{self.exclusion.reason}: {self.exclusion.detail}" if self.exclusion else ""


def rows(batches: Iterable[RowBatch]) -> Iterator[Row]:
    for batch in batches:
        columns = (batch.keys, batch.destinations, batch.countries, batch.notes, batch.zones)
        for index, (key, destination, country, note, zones) in enumerate(zip(*columns, strict=True)):
            yield Row(batch.first + index, key, destination, country, batch.exclusions.get(index), note, zones)


def spec_of(source: Source, phone: str = "phone", **options: Any) -> AudienceSpec:  # noqa: ANN401 - the fields of AudienceSpec
    return AudienceSpec(source, tuple(read_header(source)), phone, **options)


def judging(spec: AudienceSpec) -> Work:
    """Judges, and composes no texts."""
    judge = Judge(spec)

    def work(batches: Iterable[RowBatch], _with_texts: bool) -> Iterator[RowBatch]:
        for batch in batches:
            judge.judge(batch)
            yield batch

    return work


def judged(source: Source, phone: str = "phone", *, remarks: list[str] | None = None, **options: Any) -> list[Row]:  # noqa: ANN401 - the fields of AudienceSpec
    """All rows of a file, in batches of two."""
    spec = spec_of(source, phone, **options)
    return list(rows(read_audience(spec, judging(spec), batch_size=2, remarks=remarks)))


def written(folder: Path, content: str) -> Source:
    """A CSV file of this content."""
    path = folder / "people.csv"
    path.write_text(content)
    return Source(path)
