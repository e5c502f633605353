"""Audience × message → plan: every row of the recipient file with its exact text, or with why it gets none."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.audience.audience import AudienceSpec, read_audience
from runner.errors import InputError, Problem
from runner.message.compose import Composer
from runner.models import Encoding, Exclusion, ExclusionReason, Message, Row, Text
from runner.plan.identity import MessageIds
from runner.plan.parquet import read_frames, replacing, write_frames
from runner.plan.summary import Fingerprint, PlanSummary

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("row", "key", "destination", "country", "text", "encoding", "segments", "reason", "detail")
"""The plan's columns; the carried ones follow. `reason` is null in the rows that will be sent."""


class Planner:
    """Makes one plan. `summary` grows while the plan is written and is whole afterwards.

    :param options: what the send options come to as one text; it goes into the fingerprint.
    :param carried: columns of the recipient file that are kept for the results.
    :param limit: the most messages; rows beyond it are excluded as `over_limit`. None: no limit.
    """

    def __init__(
        self,
        audience: AudienceSpec,
        composer: Composer,
        *,
        options: str,
        carried: Sequence[str] = (),
        limit: int | None = None,
    ) -> None:
        self._audience = audience
        self._composer = composer
        self._carried = tuple(carried)
        self._limit = limit
        self._fingerprint = Fingerprint(options)
        self.summary = PlanSummary()

    def write(self, path: Path) -> PlanSummary:
        """Write the plan to `path`, streaming. The file appears when it is whole.

        Raises InputError when the recipients can't be read or the template fails on a row.
        """
        with replacing(path) as file:
            write_frames(file, _schema(self._carried), self._frames())
        self.summary.fingerprint = self._fingerprint.hexdigest()
        return self.summary

    def judged(self) -> Iterator[tuple[Row, Text | Exclusion]]:
        """Every row with its text, or with why it gets none; in the order of the file."""
        for batch in self._batches():
            yield from batch

    def _batches(self) -> Iterator[list[tuple[Row, Text | Exclusion]]]:
        with closing(read_audience(self._audience)) as batches:
            for rows in batches:
                yield [(row, self._judge(row)) for row in rows]

    def _judge(self, row: Row) -> Text | Exclusion:
        if row.exclusion:
            verdict: Text | Exclusion = row.exclusion
        else:
            verdict = self._compose(row)
        if isinstance(verdict, Text) and self._limit is not None and self.summary.to_send >= self._limit:
            verdict = Exclusion(ExclusionReason.OVER_LIMIT, f"beyond --limit {self._limit}; run without it to send")
        if isinstance(verdict, Text):
            assert row.key is not None
            assert row.destination is not None
            self.summary.add_message(row, verdict)
            self._fingerprint.add_message(row.key, row.destination, verdict)
        else:
            self.summary.add_exclusion(row, verdict)
        return verdict

    def _compose(self, row: Row) -> Text | Exclusion:
        try:
            return self._composer.compose(row.fields)
        except InputError as error:  # the template fails on this row's values: name the row too
            words = f"{self._audience.file}: the template fails on data row {row.number} (see the line before)"
            raise InputError([*error.problems, Problem(words)]) from error

    def _frames(self) -> Iterator["pl.DataFrame"]:
        import polars as pl

        schema = _schema(self._carried)
        for batch in self._batches():
            records = [self._record(row, verdict) for row, verdict in batch]
            yield pl.DataFrame(records, schema=schema, orient="row")

    def _record(self, row: Row, verdict: Text | Exclusion) -> tuple[Any, ...]:
        carried = tuple(row.fields[column] for column in self._carried)
        identity = (row.number, row.key, row.destination, row.country)
        if isinstance(verdict, Text):
            return (*identity, verdict.text, verdict.encoding.value, verdict.segments, None, row.note, *carried)
        return (*identity, None, None, None, verdict.reason.value, verdict.detail, *carried)


def _schema(carried: Sequence[str]) -> dict[str, Any]:
    import polars as pl

    numbers = {"row": pl.Int64, "segments": pl.Int8}
    return {column: numbers.get(column, pl.String) for column in (*COLUMNS, *carried)}


def read_messages(path: Path, ids: MessageIds) -> Iterator[list[Message]]:
    """The messages of a plan that will be sent, in batches and in the order of the file."""
    import polars as pl

    wanted = ["row", "key", "destination", "country", "text", "encoding", "segments"]
    for frame in read_frames(path, lambda plan: plan.filter(pl.col("reason").is_null()).select(wanted)):
        yield [
            Message(row, key, destination, country, text, Encoding(encoding), segments, ids.of(key))
            for row, key, destination, country, text, encoding, segments in frame.iter_rows()
        ]


def numbers_under_new_keys(old: Path, new: Path, *, examples: int = 3) -> tuple[int, list[tuple[int, str]]]:
    """How many keys are only in the new plan, with a number that the old one has too; the first few as (row, key).

    They would be texted again: most likely it is the key that changed (another column, another spelling).
    """
    import polars as pl

    def recipients(path: Path) -> "pl.LazyFrame":
        plan = pl.scan_parquet(path, glob=False).filter(pl.col("reason").is_null())
        return plan.select("row", "key", pl.col("destination").hash().alias("number"))

    new_keys = recipients(new).join(recipients(old), on="key", how="anti")
    again = new_keys.join(recipients(old).select("number"), on="number", how="semi").select("row", "key")
    found = again.collect(engine="streaming")
    return len(found), found.sort("row").head(examples).rows()


def is_readable(plan: Path) -> bool:
    """Whether a plan is there and whole."""
    import polars as pl

    try:
        pl.read_parquet_schema(plan)
    except (OSError, pl.exceptions.PolarsError):
        return False
    return True


def changed_messages(old: Path, new: Path, *, examples: int = 3) -> tuple[int, list[tuple[int, str]]]:
    """How many keys have another text or number in the new plan than in the old one; the first few as (row, key)."""
    import polars as pl

    def texts(path: Path) -> "pl.LazyFrame":
        plan = pl.scan_parquet(path, glob=False).filter(pl.col("reason").is_null())
        # Hashes keep the join small: 16 bytes for each recipient instead of the texts.
        return plan.select("row", "key", pl.struct("destination", "text").hash().alias("hash"))

    joined = texts(new).join(texts(old).drop("row"), on="key", how="inner", suffix="_old")
    changed = joined.filter(pl.col("hash") != pl.col("hash_old")).select("row", "key").collect(engine="streaming")
    return len(changed), changed.sort("row").head(examples).rows()
