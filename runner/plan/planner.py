"""Audience × message → plan: every row of the recipient file with its exact text, or with why it gets none."""

from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.audience.audience import AudienceSpec, read_audience
from runner.audience.key_index import KeyIndex
from runner.audience.row_batch import RowBatch, Work
from runner.base.errors import InputError, Problem
from runner.base.exclusions import Duplicates, Exclusion, ExclusionReason
from runner.base.files import replacing
from runner.base.options import Cooldown
from runner.message.compose import Composer
from runner.plan.inputs import Inputs
from runner.plan.parquet import write_frames
from runner.plan.plan_file import COLUMNS, ZONES
from runner.plan.pool import RowComposer, composing, processes_wanted
from runner.plan.restrictions import FrequencyCap, Limit, OptedOut, Recent, Sample, SendingTimes, Sent
from runner.plan.summary import Fingerprint, PlanSummary
from runner.prices.costs import Costs, Prices

if TYPE_CHECKING:
    import polars as pl

# Recipient files below it, some 20,000 rows, are planned before another process would have started.
SMALL_BYTES = 1 << 20

# Rows that are named when they fail the plan.
MAX_FAILURES = 10


@dataclass(frozen=True, slots=True)
class Rules:
    """What narrows a plan down beyond the audience and the texts, and what else it holds.

    `carried` are columns of the recipient file that are kept for the results. With `missing_fails` an empty field that
    a text needs fails the plan. None: no such rule.

    None of them leaves out whom the run has `sent` to already: being outside of the hours or the sample now doesn't
    take a message back, and the results must say that it was sent.
    """

    carried: tuple[str, ...] = ()
    missing_fails: bool = False
    opted_out: OptedOut | None = None
    sample: Sample | None = None
    timing: SendingTimes | None = None
    cooldown: tuple[Cooldown, Recent] | None = None
    limit: Limit | None = None
    prices: Prices | None = None
    sent: Sent | None = None


class Planner:
    """Makes one plan. `summary` grows while the plan is written and is whole afterwards.

    :param options: what the send options come to as one text; it goes into the fingerprint.
    """

    def __init__(self, audience: AudienceSpec, composer: Composer, *, options: str, rules: Rules | None = None) -> None:
        self._audience = audience
        self._composer = composer
        self._rules = rules or Rules()
        self._fingerprint = Fingerprint(options)
        self._composed = 0
        self._failed = 0
        self._failures: list[tuple[int, str]] = []
        self.summary = PlanSummary(costs=Costs(self._rules.prices), left=Costs(self._rules.prices))

    def write(self, path: Path) -> PlanSummary:
        """Write the plan to `path`, streaming. The file appears when it is whole.

        Raises InputError when the recipients can't be read, when the template fails on every row that came to it, and
        with `missing_fails` when a field is empty that a text needs.
        """
        with replacing(path) as file:
            processes = processes_wanted() if self._is_large() else 0
            with (
                composing(RowComposer(self._audience, self._composer), processes) as work,
                closing(self._frames(work)) as frames,
            ):
                write_frames(file, _schema(self._rules), frames)
            self._refuse_failures()
        self.summary.fingerprint = self._fingerprint.hexdigest()
        return self.summary

    def batches(self, work: Work | None = None) -> Generator[RowBatch, None, None]:
        """Every batch, with each row either a message or among the `exclusions`, and counted. Close it after use.

        :param work: judges and composes; None: in this process.
        """
        if work is None:
            with composing(RowComposer(self._audience, self._composer), 0) as here:
                yield from self.batches(here)
            return
        cooldown = self._rules.cooldown
        frequency_cap = FrequencyCap(*cooldown) if cooldown else None
        numbers = KeyIndex() if self._counts_shared_numbers() else None
        with closing(read_audience(self._audience, work, remarks=self.summary.reading)) as batches:
            for batch in batches:
                sent = self._sent(batch)
                self._leave_out(batch, sent)
                if frequency_cap:
                    _cap_frequency(batch, frequency_cap, sent)
                if self._rules.limit:
                    self._cut(batch, self._rules.limit, sent)
                self._count(batch, sent, numbers)
                yield batch

    def _counts_shared_numbers(self) -> bool:
        """Where a key tells persons apart, a number may be two of them, or one that is in the file twice."""
        return self._audience.key is not None and self._audience.duplicates is not Duplicates.ALL

    def _sent(self, batch: RowBatch) -> frozenset[int]:
        """The recipients, by their indexes, whom this run has sent to already."""
        if self._rules.sent is None:
            return frozenset()
        keys = {index: key for index in batch.recipients() if (key := batch.keys[index]) is not None}
        sent = self._rules.sent(list(keys.values()))
        return frozenset(index for index, key in keys.items() if key in sent)

    def _leave_out(self, batch: RowBatch, sent: Collection[int]) -> None:
        """Those who opted out, are not in the sample, get no text, or are outside of the sending hours."""
        rules, out = self._rules, batch.exclusions
        if rules.opted_out:
            out |= _opted_out(rules.opted_out, batch, sent)
        if rules.sample:
            for index in batch.recipients():
                if index not in sent and not rules.sample.takes(batch.keys[index] or ""):
                    out[index] = rules.sample.exclusion
        self._composed += len(batch) - len(out)
        for index, exclusion in batch.refused.items():
            if index not in out:
                out[index] = exclusion
                if rules.missing_fails and exclusion.reason is ExclusionReason.MISSING_FIELD:
                    self._failed += 1
                    if self._failed <= MAX_FAILURES:
                        self._failures.append((batch.first + index, exclusion.detail))
        if rules.timing:
            for index in batch.recipients():
                if index not in sent and (outside := rules.timing.exclusion(batch.zones[index])):
                    out[index] = outside

    def _cut(self, batch: RowBatch, limit: Limit, sent: Collection[int]) -> None:
        to_send = self.summary.to_send
        for index in batch.recipients():
            if index not in sent and to_send >= limit.messages:
                batch.exclusions[index] = limit.exclusion
            else:
                to_send += 1

    def _count(self, batch: RowBatch, sent: Collection[int], numbers: KeyIndex | None) -> None:
        recipients = batch.recipients()
        self.summary.add(batch, recipients, sent)
        self._fingerprint.add(batch, recipients)
        if numbers is not None:
            for index in recipients:
                row = batch.first + index
                if numbers.add(batch.destinations[index] or "", row):
                    self.summary.shared.add(row, 1)

    def _is_large(self) -> bool:
        try:
            return self._audience.source.path.stat().st_size >= SMALL_BYTES
        except OSError:
            return False  # whoever opens it says what is wrong

    def _refuse_failures(self) -> None:
        file = self._audience.source.path
        if self._failed:
            shown = [f"{file}: row {row}: {detail}" for row, detail in self._failures]
            more = self._failed - len(shown)
            shown += [f"{file}: {more:,} more rows with an empty field that the text needs"] if more else []
            remedy = "fill it in, or write message.missing: exclude to leave such rows out"
            raise InputError([Problem(what, remedy) for what in shown])
        failures = self.summary.excluded[ExclusionReason.TEMPLATE_ERROR]
        if failures and failures == self._composed:
            row, detail = self.summary.examples[ExclusionReason.TEMPLATE_ERROR][0]
            raise InputError.of(f"the template fails on every row: {detail} (row {row})", "correct the template")

    def _frames(self, work: Work) -> Generator["pl.DataFrame", None, None]:
        import polars as pl

        schema = _schema(self._rules)
        with closing(self.batches(work)) as batches:
            for batch in batches:
                yield pl.DataFrame(self._values(batch), schema=schema)

    def _values(self, batch: RowBatch) -> dict[str, Any]:
        """The plan's columns. `detail` is why a row is left out, or else what was done to its number and text."""
        texts, encodings, segments = list(batch.texts), list(batch.encodings), list(batch.segments)
        reasons: list[str | None] = [None] * len(batch)
        details = list(batch.notes)
        for index, (_, note, _) in batch.extras.items():
            details[index] = "; ".join(words for words in (details[index], note) if words) or None
        for index, exclusion in batch.exclusions.items():
            texts[index] = encodings[index] = segments[index] = None
            reasons[index], details[index] = exclusion.reason.value, exclusion.detail
        identity = (range(batch.first, batch.first + len(batch)), batch.keys, batch.destinations)
        values = (*identity, batch.countries, texts, encodings, segments, reasons, details)
        header = self._audience.header
        carried = {column: batch.column(header.index(column)) for column in self._rules.carried}
        zones = {ZONES: [" ".join(zones) for zones in batch.zones]} if self._rules.timing else {}
        return {**dict(zip(COLUMNS, values, strict=True)), **carried, **zones}


def _opted_out(opted_out: OptedOut, batch: RowBatch, sent: Collection[int]) -> dict[int, Exclusion]:
    """Whose numbers have opted out of every campaign of the ledger; those that are sent stay."""
    asked = {
        index: number for index in batch.recipients() if (number := batch.destinations[index]) and index not in sent
    }
    out = opted_out(list(asked.values()))
    return {index: out[number] for index, number in asked.items() if number in out}


def _cap_frequency(batch: RowBatch, frequency_cap: FrequencyCap, sent: Collection[int]) -> None:
    """Leaves out the messages that would be too much for their numbers; those that are sent stay."""
    numbers = [(batch.destinations[index] or "", index) for index in batch.recipients() if index not in sent]
    batch.exclusions |= frequency_cap.exclusions(numbers)


def _schema(rules: Rules) -> dict[str, Any]:
    import polars as pl

    numbers = {"row": pl.Int64, "segments": pl.Int8}
    zones = (ZONES,) if rules.timing else ()
    return {column: numbers.get(column, pl.String) for column in (*COLUMNS, *rules.carried, *zones)}


def rows_to_show(inputs: Inputs, *, sampled: bool) -> Iterator[tuple[RowBatch, int]]:
    """Every row of the file as a plan would have it, as a batch and an index; no ledger, sending hours or limits.

    `sampled`: rows outside of `recipients.sample` are left out, as in a run. Somebody who asks for a row by its number
    wants to see its text all the same.
    """
    share = inputs.campaign.recipients.sample if sampled else None
    rules = Rules(sample=Sample(inputs.campaign.name, share)) if share else None
    with closing(Planner(inputs.audience, inputs.composer, options="", rules=rules).batches()) as batches:
        for batch in batches:
            yield from ((batch, index) for index in range(len(batch)))
