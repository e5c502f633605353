"""Audience × message → plan: every row of the recipient file with its exact text or its exclusion."""

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.audience.audience import read_audience
from runner.audience.key_index import KeyIndex
from runner.audience.row_batch import RowBatch, Work
from runner.audience.spec import AudienceSpec
from runner.base.errors import InputError, Problem
from runner.base.exclusions import Duplicates, Exclusion, ExclusionReason
from runner.base.files import replacing
from runner.base.messages import RemarkKind
from runner.files.columns import find_column
from runner.files.sheet_rows import SheetRows
from runner.message.compose import Composer
from runner.plan.expectations import Expectations
from runner.plan.inputs import Inputs
from runner.plan.parquet import write_frames
from runner.plan.plan_file import COLUMNS, ZONES
from runner.plan.pool import RowComposer, composing, processes_wanted
from runner.plan.restrictions import FrequencyCap, Limit, OptedOut, OutsideHours, Sample, Sent
from runner.plan.summary import Fingerprint, PlanSummary
from runner.prices.costs import Costs, Prices

if TYPE_CHECKING:
    import polars as pl

# Smaller recipient files (about 20,000 rows) are planned before another process would have started.
SMALL_BYTES = 1 << 20

# The maximum number of rows named in the errors of a failed plan.
MAX_FAILURES = 10


Also = Callable[["pl.DataFrame", Sequence[int], Sequence[str | None]], None]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that exclude recipients after audience and texts, and other options of a plan.

    `carried` are columns of the recipient file to copy to the results. With `missing_fails`, an empty field that a text
    needs stops the plan. None: no rule.

    No rule excludes a recipient to whom this run has already `sent`: the message can't be taken back, and the results
    must show it.
    """

    carried: tuple[str, ...] = ()
    missing_fails: bool = False
    opted_out: OptedOut | None = None
    sample: Sample | None = None
    timing: OutsideHours | None = None
    cooldown: FrequencyCap | None = None
    limit: Limit | None = None
    prices: Prices | None = None
    sent: Sent | None = None


class Planner:
    """Makes one plan. `summary` grows while the plan is written, and is complete afterwards.

    `also` gets all rows of the plan too: frames with the plan's columns, the rows' numbers in the sheet, and the
    warnings about their texts.
    """

    def __init__(
        self, audience: AudienceSpec, composer: Composer, *, rules: Rules | None = None, also: Also | None = None
    ) -> None:
        self._audience = audience
        self._composer = composer
        self._rules = rules or Rules()
        self._also = also
        # With a key column, two keys may share a number: two people, or one person who is in the file twice.
        has_shared_numbers = audience.key is not None and audience.duplicates is not Duplicates.ALL
        self._numbers = KeyIndex() if has_shared_numbers else None
        # The place in the file of each carried column, by its name in the campaign.
        found = {name: find_column(audience.header, name) for name in self._rules.carried}
        self._places = {
            name: audience.header.index(column) for name, column in found.items() if isinstance(column, str)
        }
        self._messages = Fingerprint()
        self._composed = 0
        self._failed = 0
        self._failures: list[tuple[int, str]] = []
        costs, left = Costs(self._rules.prices), Costs(self._rules.prices)
        self.summary = PlanSummary(costs=costs, left=left, reading=composer.remarks())

    def write(self, path: Path) -> PlanSummary:
        """Write the plan to `path` as a stream. The file appears when it is complete.

        Raises InputError if the recipients can't be read, if the template fails on every row that it was rendered for,
        and with `missing_fails` if a field that a text needs is empty.
        """
        with replacing(path) as file:
            with (
                composing(RowComposer(self._audience, self._composer), self.processes()) as work,
                closing(self._frames(work)) as frames,
            ):
                write_frames(file, _schema(self._rules), frames)
            self._refuse_failures()
        self.summary.messages_digest = self._messages.hexdigest()
        return self.summary

    def batches(self, work: Work) -> Generator[RowBatch, None, None]:
        """Every batch, with each row either a message or in `exclusions`, and counted. Close the iterator after use."""
        summary = self.summary
        read = read_audience(
            self._audience,
            work,
            remarks=summary.reading,
            warnings=summary.warnings,
            sheet_rows=summary.sheet_rows,
        )
        expectations = Expectations(self._audience, summary)
        with closing(read) as batches:
            for batch in batches:
                expectations.measure(batch)
                sent = self._sent(batch)
                self._leave_out(batch, sent)
                self._restrict(batch, sent)
                self._count(batch, sent)
                yield batch

    def _sent(self, batch: RowBatch) -> frozenset[int]:
        """The indexes of the recipients to whom this run has already sent."""
        if self._rules.sent is None:
            return frozenset()
        keys = {index: batch.keys[index] or "" for index in batch.recipients()}
        sent = self._rules.sent(list(keys.values()))
        return frozenset(index for index, key in keys.items() if key in sent)

    def _leave_out(self, batch: RowBatch, sent: Collection[int]) -> None:
        """Exclude recipients who opted out, are not in the sample, or have no text."""
        rules, out = self._rules, batch.exclusions
        if rules.opted_out:
            numbers = {index: batch.numbers_of(index) for index in batch.recipients() if index not in sent}
            opted_out = rules.opted_out([number for found in numbers.values() for number in found])
            for index, found in numbers.items() if opted_out else ():
                if number := next((number for number in found if number in opted_out), None):
                    why, other = opted_out[number], number != batch.destinations[index]
                    out[index] = replace(why, detail=f"{found[number]}: {number} {why.detail}") if other else why
        if rules.sample:
            for index in batch.recipients():
                if index not in sent and not rules.sample.takes(batch.keys[index] or ""):
                    out[index] = rules.sample.exclusion
        self._composed += len(batch) - len(out)
        refused = {index: exclusion for index, exclusion in batch.refused.items() if index not in out}
        out |= refused
        if rules.missing_fails:
            failed = [index for index in refused if refused[index].reason is ExclusionReason.MISSING_FIELD]
            self._failed += len(failed)
            shown = failed[: MAX_FAILURES - len(self._failures)]
            self._failures += [(batch.first + index, refused[index].detail) for index in shown]

    def _restrict(self, batch: RowBatch, sent: Collection[int]) -> None:
        """Exclude recipients outside the sending hours, or above the frequency cap or the limit."""
        rules, out = self._rules, batch.exclusions
        if rules.timing:
            for index in batch.recipients():
                if index not in sent and (outside := rules.timing(batch.zones[index])):
                    out[index] = outside
        if rules.cooldown:
            numbers = [(batch.destinations[index] or "", index) for index in batch.recipients() if index not in sent]
            out |= rules.cooldown.exclusions(numbers)
        if limit := rules.limit:
            to_send = self.summary.to_send
            words = f"over the limit ({limit.name} {limit.messages}); run without the limit to send to the rest"
            for index in batch.recipients():
                if index not in sent and to_send >= limit.messages:
                    out[index] = Exclusion(ExclusionReason.OVER_LIMIT, words)
                else:
                    to_send += 1

    def _count(self, batch: RowBatch, sent: Collection[int]) -> None:
        recipients = batch.recipients()
        self.summary.add(batch, recipients, sent)
        self._messages.add(batch, recipients)
        if self._numbers is not None:
            for index in recipients:
                if self._numbers.add(batch.destinations[index] or "", batch.first + index):
                    self.summary.shared.add(batch.first + index, 1)

    def processes(self) -> int:
        """How many other processes the size of the file is worth."""
        try:
            size = self._audience.source.path.stat().st_size
        except OSError:
            return 0  # opening the file reports the error
        return processes_wanted() if size >= SMALL_BYTES else 0

    def _refuse_failures(self) -> None:
        file, sheet_row = self._audience.source.path, self.summary.sheet_rows.of
        if self._failed:
            shown = [f"{file}: row {sheet_row(row)}: {detail}" for row, detail in self._failures]
            more = self._failed - len(shown)
            shown += [f"{file}: {more:,} more rows have an empty field that the text needs"] if more else []
            remedy = "fill in the field, or set message.missing: exclude to exclude such rows"
            raise InputError([Problem(what, remedy) for what in shown])
        failures = self.summary.excluded[ExclusionReason.TEMPLATE_ERROR]
        if failures and failures == self._composed:
            row, detail = self.summary.examples[ExclusionReason.TEMPLATE_ERROR][0]
            raise InputError.of(
                f"the template fails on every row: {detail} (row {sheet_row(row)})", "correct the template"
            )

    def _frames(self, work: Work) -> Generator["pl.DataFrame", None, None]:
        import polars as pl

        schema = _schema(self._rules)
        with closing(self.batches(work)) as batches:
            for batch in batches:
                frame = pl.DataFrame(self._values(batch), schema=schema)
                if self._also:
                    numbers = [self.summary.sheet_rows.of(batch.first + index) for index in range(len(batch))]
                    self._also(frame, numbers, [batch.warnings(index) for index in range(len(batch))])
                yield frame

    def _values(self, batch: RowBatch) -> dict[str, Any]:
        """The plan's columns. `detail` is the reason for an exclusion, or else the changes of number and text."""
        texts, encodings, segments = list(batch.texts), list(batch.encodings), list(batch.segments)
        reasons: list[str | None] = [None] * len(batch)
        details = list(batch.notes)
        for index, numbers in batch.numbers.items():
            if numbers[0][0] != self._audience.phone:
                details[index] = "; ".join(filter(None, (f"the number in {numbers[0][0]}", details[index])))
        for index, (_, note, remarks) in batch.extras.items():
            mends = [
                f"mended {subject} in {source}" for kind, subject, source, _ in remarks if kind == RemarkKind.MENDED
            ]
            details[index] = "; ".join(words for words in (details[index], *mends, note) if words) or None
        for index, exclusion in batch.exclusions.items():
            texts[index] = encodings[index] = segments[index] = None
            reasons[index], details[index] = exclusion.reason.value, exclusion.detail
        identity = (range(batch.first, batch.first + len(batch)), batch.keys, batch.destinations)
        values = (*identity, batch.countries, texts, encodings, segments, reasons, details)
        carried = {name: batch.column(place) for name, place in self._places.items()}
        zones = {ZONES: [" ".join(zones) for zones in batch.zones]} if self._rules.timing else {}
        return {**dict(zip(COLUMNS, values, strict=True)), **carried, **zones}


def _schema(rules: Rules) -> dict[str, Any]:
    import polars as pl

    numbers = {"row": pl.Int64, "segments": pl.Int8}
    zones = (ZONES,) if rules.timing else ()
    return {column: numbers.get(column, pl.String) for column in (*COLUMNS, *rules.carried, *zones)}


def rows_to_show(
    inputs: Inputs, sheet_rows: SheetRows, *, sampled: bool, is_whole: bool = False
) -> Iterator[tuple[RowBatch, int]]:
    """Every row of the file as in a plan, as a batch and an index, but without ledger, sending hours and limits.
    Adds the rows' numbers in the sheet to `sheet_rows`.

    `sampled`: rows outside `recipients.sample` are excluded, as in a run. A user who asks for a row by its number wants
    to see its text in any case. `is_whole`: the caller wants every row, so other processes may help.
    """
    share = inputs.campaign.recipients.sample if sampled else None
    rules = Rules(sample=Sample(inputs.campaign.name, share)) if share else None
    planner = Planner(inputs.audience, inputs.composer, rules=rules)
    planner.summary.sheet_rows = sheet_rows
    with (
        composing(
            RowComposer(inputs.audience, inputs.composer),
            planner.processes() if is_whole else 0,
        ) as work,
        closing(planner.batches(work)) as batches,
    ):
        for batch in batches:
            yield from ((batch, index) for index in range(len(batch)))
