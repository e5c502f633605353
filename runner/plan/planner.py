"""Audience × message → plan: every row of the recipient file with its exact text, or with why it gets none."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.audience.audience import AudienceSpec, read_audience
from runner.audience.people import People
from runner.errors import InputError, Problem
from runner.message.compose import Composer
from runner.models import Cooldown, Duplicates, Exclusion, ExclusionReason, Row, Text
from runner.plan.money import Costs, Prices
from runner.plan.narrowing import Limit, OptedOut, Recent, Restraint, Sample, Sent, Timing
from runner.plan.parquet import replacing, write_frames
from runner.plan.saved import COLUMNS, ZONES
from runner.plan.summary import Fingerprint, PlanSummary

if TYPE_CHECKING:
    import polars as pl

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
            write_frames(file, _schema(self._rules), self._frames())
            self._refuse_failures()
        self.summary.fingerprint = self._fingerprint.hexdigest()
        return self.summary

    def judged(self) -> Iterator[Judged]:
        """Every row with its text, or with why it gets none; in the order of the file."""
        for batch in self._batches():
            yield from batch

    def _batches(self) -> Iterator[list[Judged]]:
        with (
            closing(read_audience(self._audience, remarks=self.summary.reading)) as batches,
            ExitStack() as stack,
        ):
            cooldown = self._rules.cooldown
            restraint = Restraint(*cooldown, stack.enter_context(People())) if cooldown else None
            numbers = stack.enter_context(People()) if self._tells_shared_numbers() else None
            for rows in batches:
                sent = self._sent(rows)
                out = self._opted_out(rows, sent)
                judged = [(row, self._judge(row, out.get(row.number), is_sent=row.key in sent)) for row in rows]
                if restraint:
                    judged = _restrained(judged, restraint, sent)
                counted = [(row, self._count(row, verdict, is_sent=row.key in sent)) for row, verdict in judged]
                if numbers:
                    self._note_shared(counted, numbers)
                yield counted

    def _tells_shared_numbers(self) -> bool:
        """Where a key tells persons apart, a number may be two of them, or one that is in the file twice."""
        return self._audience.key is not None and self._audience.duplicates is not Duplicates.ALL

    def _note_shared(self, counted: list[Judged], numbers: People) -> None:
        messages = [
            (row.destination, row.number) for row, verdict in counted if isinstance(verdict, Text) and row.destination
        ]
        for (_, row), before in zip(messages, numbers.count(messages), strict=True):
            if before:
                self.summary.shared.add(row, 1)

    def _sent(self, rows: list[Row]) -> Collection[str]:
        if self._rules.sent is None:
            return ()
        return self._rules.sent([row.key for row in rows if row.exclusion is None and row.key is not None])

    def _opted_out(self, rows: list[Row], sent: Collection[str]) -> Mapping[int, Exclusion]:
        """The data rows whose numbers have opted out of every campaign of the ledger; those that are sent stay."""
        if self._rules.opted_out is None:
            return {}
        asked = [
            (row.number, row.destination)
            for row in rows
            if row.exclusion is None and row.destination and row.key not in sent
        ]
        out = self._rules.opted_out([destination for _, destination in asked])
        return {row: out[destination] for row, destination in asked if destination in out}

    def _judge(self, row: Row, out: Exclusion | None, *, is_sent: bool) -> Text | Exclusion:
        rules = self._rules
        if exclusion := row.exclusion or out:
            return exclusion
        assert row.key is not None
        if rules.sample and not is_sent and not rules.sample.takes(row.key):
            return rules.sample.exclusion
        self._composed += 1
        verdict = self._composer.compose(row.fields)
        if isinstance(verdict, Exclusion):
            if rules.missing_fails and verdict.reason is ExclusionReason.MISSING_FIELD:
                self._failed += 1
                if self._failed <= MAX_FAILURES:
                    self._failures.append((row.number, verdict.detail))
            return verdict
        return (rules.timing and not is_sent and rules.timing.exclusion(row.zones)) or verdict

    def _count(self, row: Row, verdict: Text | Exclusion, *, is_sent: bool) -> Text | Exclusion:
        limit = self._rules.limit
        if isinstance(verdict, Text) and limit and not is_sent and self.summary.to_send >= limit.messages:
            verdict = limit.exclusion
        if isinstance(verdict, Text):
            assert row.key is not None
            assert row.destination is not None
            self.summary.add_message(row, verdict, is_sent=is_sent)
            self._fingerprint.add_message(row.key, row.destination, verdict, row.zones)
        else:
            self.summary.add_exclusion(row, verdict)
        return verdict

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

    def _frames(self) -> Iterator["pl.DataFrame"]:
        import polars as pl

        schema = _schema(self._rules)
        for batch in self._batches():
            records = [self._record(row, verdict) for row, verdict in batch]
            yield pl.DataFrame(records, schema=schema, orient="row")

    def _record(self, row: Row, verdict: Text | Exclusion) -> tuple[Any, ...]:
        carried = tuple(row.fields[column] for column in self._rules.carried)
        if self._rules.timing:
            carried = (*carried, " ".join(row.zones))
        identity = (row.number, row.key, row.destination, row.country)
        if isinstance(verdict, Text):
            notes = "; ".join(note for note in (row.note, verdict.note) if note) or None
            return (*identity, verdict.text, verdict.encoding.value, verdict.segments, None, notes, *carried)
        return (*identity, None, None, None, verdict.reason.value, verdict.detail, *carried)


def _restrained(judged: list[Judged], restraint: Restraint, sent: Collection[str]) -> list[Judged]:
    """The batch without the messages that would be too much for their numbers; those that are sent stay."""
    numbers = [
        (row.destination, row.number)
        for row, verdict in judged
        if isinstance(verdict, Text) and row.destination and row.key not in sent
    ]
    too_much = restraint.exclusions(numbers)
    return [(row, too_much.get(row.number, verdict)) for row, verdict in judged]


def _schema(rules: Rules) -> dict[str, Any]:
    import polars as pl

    numbers = {"row": pl.Int64, "segments": pl.Int8}
    zones = (ZONES,) if rules.timing else ()
    return {column: numbers.get(column, pl.String) for column in (*COLUMNS, *rules.carried, *zones)}
