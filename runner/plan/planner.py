"""Audience × message → plan: every row of the recipient file with its exact text, or with why it gets none."""

from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.atomic import replacing
from runner.audience.audience import AudienceSpec, read_audience
from runner.audience.people import People
from runner.audience.rows import exclusion_of
from runner.audience.seen import SeenNumbers
from runner.errors import InputError, Problem
from runner.message.compose import Composer
from runner.models import Cooldown, Duplicates, Exclusion, ExclusionReason, Row, Text
from runner.plan.drafts import Drafting, Drafts
from runner.plan.helpers import Helpers, helpers_wanted
from runner.plan.money import Costs, Prices
from runner.plan.narrowing import Limit, OptedOut, Recent, Restraint, Sample, Sent, Timing
from runner.plan.parquet import write_frames
from runner.plan.saved import COLUMNS, ZONES
from runner.plan.summary import Fingerprint, PlanSummary

if TYPE_CHECKING:
    import polars as pl

SMALL_BYTES = 1 << 20
"""Recipient files below it, some 20,000 rows, are planned before another process would have started."""

MAX_FAILURES = 10
"""Rows that are named when they fail the plan."""


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
    timing: Timing | None = None
    cooldown: tuple[Cooldown, Recent] | None = None
    limit: Limit | None = None
    prices: Prices | None = None
    sent: Sent | None = None


Judged = tuple[Row, Text | Exclusion]


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
            with ExitStack() as stack:
                wanted = helpers_wanted() if self._is_large() else 0
                helpers = stack.enter_context(Helpers(wanted)) if wanted else None
                frames = stack.enter_context(closing(self._frames(helpers)))
                write_frames(file, _schema(self._rules), frames)
            self._refuse_failures()
        self.summary.fingerprint = self._fingerprint.hexdigest()
        return self.summary

    def judged(self) -> Iterator[Judged]:
        """Every row with its text, or with why it gets none; in the order of the file."""
        with closing(self._drafts(None)) as batches:
            for drafts in batches:
                for index, row in enumerate(drafts):
                    yield row, drafts.exclusions.get(index) or drafts.text(index)

    def _drafts(self, helpers: Helpers | None) -> Generator[Drafts, None, None]:
        """Every batch, with each row either a message or among the `exclusions`, and counted."""
        drafting = Drafting(self._composer, helpers)
        with (
            closing(read_audience(self._audience, drafting, remarks=self.summary.reading)) as batches,
            ExitStack() as stack,
        ):
            cooldown = self._rules.cooldown
            restraint = Restraint(*cooldown, stack.enter_context(People())) if cooldown else None
            numbers = SeenNumbers() if self._tells_shared_numbers() else None
            for drafts in batches:
                sent = self._sent(drafts)
                self._leave_out(drafts, sent)
                if restraint:
                    _restrain(drafts, restraint, sent)
                if self._rules.limit:
                    self._cut(drafts, self._rules.limit, sent)
                self._count(drafts, drafts.left(), sent, numbers)
                yield drafts

    def _tells_shared_numbers(self) -> bool:
        """Where a key tells persons apart, a number may be two of them, or one that is in the file twice."""
        return self._audience.key is not None and self._audience.duplicates is not Duplicates.ALL

    def _sent(self, drafts: Drafts) -> frozenset[int]:
        """The recipients, by their indexes, whom this run has sent to already."""
        if self._rules.sent is None:
            return frozenset()
        keys = drafts.columns.keys
        left = [index for index in drafts.left() if keys[index] is not None]
        sent = self._rules.sent([keys[index] or "" for index in left])
        return frozenset(index for index in left if keys[index] in sent)

    def _leave_out(self, drafts: Drafts, sent: Collection[int]) -> None:
        """Those who opted out, are not in the sample, get no text, or are outside of the sending hours."""
        rules, columns, out = self._rules, drafts.columns, drafts.exclusions
        if rules.opted_out:
            out |= self._opted_out(rules.opted_out, drafts, sent)
        if rules.sample:
            for index in drafts.left():
                if index not in sent and not rules.sample.takes(columns.keys[index] or ""):
                    out[index] = rules.sample.exclusion
        self._composed += len(drafts) - len(out)
        for index, verdict in columns.refused.items():
            if index not in out:
                out[index] = exclusion = exclusion_of(verdict)
                if rules.missing_fails and exclusion.reason is ExclusionReason.MISSING_FIELD:
                    self._failed += 1
                    if self._failed <= MAX_FAILURES:
                        self._failures.append((drafts.first + index, exclusion.detail))
        if rules.timing:
            for index in drafts.left():
                if index not in sent and (outside := rules.timing.exclusion(columns.zones[index])):
                    out[index] = outside

    def _opted_out(self, opted_out: OptedOut, drafts: Drafts, sent: Collection[int]) -> dict[int, Exclusion]:
        """Whose numbers have opted out of every campaign of the ledger; those that are sent stay."""
        destinations = drafts.columns.destinations
        asked = [(index, number) for index in drafts.left() if (number := destinations[index]) and index not in sent]
        out = opted_out([number for _, number in asked])
        return {index: out[number] for index, number in asked if number in out}

    def _cut(self, drafts: Drafts, limit: Limit, sent: Collection[int]) -> None:
        to_send = self.summary.to_send
        for index in drafts.left():
            if index not in sent and to_send >= limit.messages:
                drafts.exclusions[index] = limit.exclusion
            else:
                to_send += 1

    def _count(self, drafts: Drafts, left: Sequence[int], sent: Collection[int], numbers: SeenNumbers | None) -> None:
        columns = drafts.columns
        self.summary.add(drafts, left, sent)
        self._fingerprint.add(drafts, left)
        if numbers is not None:
            for index in left:
                if numbers.add(columns.destinations[index] or ""):
                    self.summary.shared.add(drafts.first + index, 1)

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
            raise InputError(
                [Problem(f"the template fails on every row: {detail} (row {row})", "correct the template")]
            )

    def _frames(self, helpers: Helpers | None) -> Generator["pl.DataFrame", None, None]:
        import polars as pl

        schema = _schema(self._rules)
        with closing(self._drafts(helpers)) as batches:
            for drafts in batches:
                yield pl.DataFrame(self._values(drafts), schema=schema)

    def _values(self, drafts: Drafts) -> dict[str, Any]:
        """The plan's columns. `detail` is why a row is left out, or else what was done to its number and text."""
        columns, out = drafts.columns, drafts.exclusions
        texts, encodings, segments = list(columns.texts), list(columns.encodings), list(columns.segments)
        reasons: list[str | None] = [None] * len(drafts)
        details = list(columns.notes)
        for index, (_, note, _) in columns.extras.items():
            details[index] = "; ".join(words for words in (details[index], note) if words) or None
        for index, exclusion in out.items():
            texts[index] = encodings[index] = segments[index] = None
            reasons[index], details[index] = exclusion.reason.value, exclusion.detail
        identity = (range(drafts.first, drafts.first + len(drafts)), columns.keys, columns.destinations)
        values = (*identity, columns.countries, texts, encodings, segments, reasons, details)
        carried = {column: drafts.values(column) for column in self._rules.carried}
        zones = {ZONES: [" ".join(zones) for zones in columns.zones]} if self._rules.timing else {}
        return {**dict(zip(COLUMNS, values, strict=True)), **carried, **zones}


def _restrain(drafts: Drafts, restraint: Restraint, sent: Collection[int]) -> None:
    """Leaves out the messages that would be too much for their numbers; those that are sent stay."""
    numbers = [(drafts.columns.destinations[index] or "", index) for index in drafts.left() if index not in sent]
    drafts.exclusions |= restraint.exclusions(numbers)


def _schema(rules: Rules) -> dict[str, Any]:
    import polars as pl

    numbers = {"row": pl.Int64, "segments": pl.Int8}
    zones = (ZONES,) if rules.timing else ()
    return {column: numbers.get(column, pl.String) for column in (*COLUMNS, *rules.carried, *zones)}
