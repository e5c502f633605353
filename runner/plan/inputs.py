"""Read the campaign file, the recipients' header and the template, and check them against each other.

This is the first step of `check`, `plan` and `run`: no row is read, nothing is rendered. All problems are reported
together, each with its position. `check` then looks at the first rows.
"""

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from runner.audience.spec import AudienceSpec, SuppressionList
from runner.base.cells import Kind, Kinds
from runner.base.errors import InputError, Position, Problem
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.result_columns import RESULT_COLUMNS
from runner.base.text import closest
from runner.campaign import Campaign, CampaignFile, CountryColumn, SuppressionFile, read
from runner.campaign.recipients_section import ExpectSection, FreshColumn
from runner.files.columns import (
    Header,
    find_column,
    find_phone_column,
    is_list,
    no_header_remedy,
    no_single_column,
)
from runner.files.reader import check_where, read_header, read_numbered, read_rows
from runner.files.source import Batch, Source, UnreadableRow
from runner.message.compose import Composer, column_of, field_names
from runner.message.template import MistakeError, Template, compile_template
from runner.message.template_lint import Variables
from runner.plan.plan_file import COLUMNS as PLAN_COLUMNS
from runner.plan.plan_file import ZONES
from runner.prices.costs import Prices
from runner.schedule.timetable import moment_problems

# Column names of the plan and the results; a carried column can't have them.
RESERVED_COLUMNS = frozenset({*PLAN_COLUMNS, ZONES, "message_id", *(column.name for column in RESULT_COLUMNS)})

# The environment variable with suppression lists for every campaign.
SUPPRESS_VARIABLE = "CAMPAIGN_SUPPRESS"

_MOST_NAMES = 20
# Composing them takes some 20 ms.
_FIRST_ROWS = 1_000

# The default name of the column with recipients' time zones.
ZONE_NAME = "zone"


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a plan, all valid and consistent."""

    file: CampaignFile
    audience: AudienceSpec
    composer: Composer
    prices: Prices | None = None

    @property
    def campaign(self) -> Campaign:
        return self.file.campaign


def suppression_lists_for_all() -> tuple[list[Path], list[Problem]]:
    """The suppression lists for every campaign: paths separated as in PATH, relative to the working directory.

    A missing list is a problem: nothing may be sent because a list failed to load.
    """
    paths = [Path(name) for name in os.environ.get(SUPPRESS_VARIABLE, "").split(os.pathsep) if name.strip()]
    remedy = f"correct the path; separate several paths with {os.pathsep}"
    problems = [Problem(f'{SUPPRESS_VARIABLE}: no such file: "{path}"', remedy) for path in paths if not path.is_file()]
    return paths, problems


def load_inputs(path: Path, *, now: datetime | None = None) -> Inputs:
    """Read all files that the campaign file at `path` names, and the suppression lists of the environment.

    Raises InputError with all problems; with `now` (aware) also for times that are in the past.
    """
    suppress, problems = suppression_lists_for_all()
    file, file_problems = read(path)
    if file is None:
        raise InputError([*problems, *file_problems])
    findings = _Findings(file, file_problems, suppress)
    header = findings.header()
    template = findings.template(header)
    audience = findings.audience(header)
    findings.suppression_columns()
    prices = findings.prices()
    if now is not None:
        findings.problems += moment_problems(file, now)
    problems += sorted(findings.problems, key=lambda problem: _place(problem, path))
    if problems or template is None or audience is None:
        raise InputError(problems)
    message = file.campaign.message
    composer = Composer(
        template,
        message.encoding,
        message.max_segments,
        smart_encoding=message.smart_encoding,
        require_text=message.require_text,
        repair=file.campaign.recipients.repair,
        kinds=None if header is None else _value_kinds(header, template),
    )
    return Inputs(file, _with_used_columns(audience, composer, file.campaign.report.columns), composer, prices)


def _with_used_columns(audience: AudienceSpec, composer: Composer, carried: Sequence[str]) -> AudienceSpec:
    """The specification whose source names the columns that the campaign uses."""
    header = audience.header
    named = (audience.phone, *audience.more_phones, audience.country_column, audience.key, audience.zone_column)
    expected = (*audience.unique, *audience.not_null, audience.fresh_column)
    columns = [*named, *expected, *(find_column(header, name) for name in carried), *composer.columns(header).values()]
    used = frozenset(column for column in columns if isinstance(column, str))
    return replace(audience, source=replace(audience.source, used=used))


def read_all(path: Path) -> None:
    """Read every row of the files that the campaign file at `path` names. Raises InputError like `load_inputs`."""
    audience = load_inputs(path).audience
    for _ in read_rows(audience.source):
        pass
    for suppression in audience.suppress:
        for _ in read_numbered(Source(suppression.path, encoding_key=None)):
            pass


def check_first_rows(inputs: Inputs) -> None:
    """Compose the texts of the first rows, if the template decides on fields or calculates with them.

    Raises InputError if it takes text for true or false, or fails on every row. That isn't known without rows: "no" is
    a text like others.
    """
    composer = inputs.composer
    if composer.template.plain is not None:
        return
    columns = composer.columns(inputs.audience.header)
    places = [(name, inputs.audience.header.index(column)) for name, column in columns.items()]
    with closing(read_rows(inputs.audience.source, batch_size=_FIRST_ROWS)) as batches:
        batch = next(batches, Batch([]))
    found = []
    for index, cells in enumerate(batch.rows):
        if not isinstance(cells, UnreadableRow) and (batch.matches is None or batch.matches[index]):
            try:
                found.append(composer.compose({name: cells[place] for name, place in places}, columns))
            except MistakeError as error:
                raise error.in_row(index + 1) from error
    failed = [one for one in found if isinstance(one, Exclusion) and one.reason is ExclusionReason.TEMPLATE_ERROR]
    if failed and len(failed) == len(found):
        words = f"the template fails on {'every row' if len(found) < _FIRST_ROWS else 'each of the first rows'}"
        raise InputError.of(f"{words}: {failed[0].detail}", "correct the template")


def _place(problem: Problem, path: Path) -> tuple[bool, str, int, int]:
    """Sort by position: the campaign file first, then the files that it names."""
    where = problem.where or Position("", 0, 0)
    return where.file != str(path), where.file, where.line, where.column


class _Findings:
    """Collects problems while reading the parts; an unreadable part is None."""

    def __init__(self, file: CampaignFile, problems: list[Problem], suppress: Sequence[Path]) -> None:
        self._file = file
        self._campaign = file.campaign
        self._suppress = suppress
        recipients = file.campaign.recipients
        self._source = Source(recipients.file, recipients.sheet, recipients.encoding, recipients.where)
        self.problems = list(problems)

    def header(self) -> Header | None:
        if not self._source.path.is_file():  # already reported by the campaign room
            return None
        try:
            header = read_header(self._source)
            trouble = check_where(self._source) if self._source.where else None
        except InputError as error:
            self.problems += [self._of_the_source(problem) for problem in error.problems]
            return None
        if trouble:
            self.problems.append(self._file.problem(("recipients", "where"), trouble.what, trouble.remedy))
        return header

    def _of_the_source(self, problem: Problem) -> Problem:
        """Give a problem of the whole recipient file the position of the key that it is about."""
        if problem.where:
            return problem
        return self._file.problem(tuple((problem.path or "recipients.file").split(".")), problem.what, problem.remedy)

    def template(self, header: Header | None) -> Template | None:
        """The compiled template, if its syntax is valid and each field is a column."""
        message = self._campaign.message
        country = self._campaign.recipients.country
        phone = partial(_phone, country if isinstance(country, str) else None)
        try:
            if message.text is not None:
                source, name = message.text, f"{self._file.path}: message.text"
            elif message.template is not None and message.template.is_file():
                source, name = _read_text(message.template), str(message.template)
            else:
                return None
            # Without a time zone of the campaign, a time is shown as the cell has it: UTC would be a guess.
            zone = self._campaign.timezone if "timezone" in self._campaign.model_fields_set else None
            return compile_template(
                source,
                name,
                phone=phone,
                columns=field_names(header or ()),
                zone=zone,
                kinds=_kinds(header) if header is not None else None,
                unknown_fields=partial(self._unknown_fields, header),
            )
        except InputError as error:
            self.problems += [self._of_the_text(problem) for problem in error.problems]
            return None

    def _of_the_text(self, problem: Problem) -> Problem:
        """A problem of the text, under its key; a text in the campaign file gets the position of its key."""
        if self._campaign.message.text is None:
            placed = self._file.problem(("message", "template"), problem.what, problem.remedy)
            return replace(placed, where=problem.where) if problem.where else placed
        line = f" (line {problem.where.line} of the text)" if problem.where and problem.where.line > 1 else ""
        return self._file.problem(("message", "text"), problem.what + line, problem.remedy)

    def _unknown_fields(self, header: Header | None, variables: Variables) -> list[Problem]:
        if header is None:
            return []
        file = self._campaign.recipients.file
        names = field_names(header)
        problems = []
        for name, where in variables:
            if column_of(name, names) is not None:
                continue
            if found := no_single_column(header, name):
                what, remedy = f"{found.what} in {file}", found.remedy
                for alias, column in names.items():
                    remedy = remedy.replace(f'"{column}"', f'"{alias}"')
            else:
                what = f'"{name}" is not a column of {file}'
                parts = (alias for alias, column in names.items() if column.startswith(f"{name}."))
                guess = next(parts, None) or closest(name, names)
                hint = f'did you mean "{guess}"? ' if guess else ""
                more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
                remedy = f"{hint}the columns are {', '.join(list(names)[:_MOST_NAMES])}{more}"
                remedy = no_header_remedy(header) or remedy
            problems.append(Problem(what, remedy, where=where))
        return problems

    def audience(self, header: Header | None) -> AudienceSpec | None:
        """The audience's specification, if every column that the campaign names exists."""
        if header is None:
            return None
        recipients = self._campaign.recipients
        country = recipients.country

        def named(wanted: str | None, *path: str | int) -> str | None:
            return self._column(find_column(header, wanted), *path) if wanted else None

        if isinstance(recipients.phone, tuple):
            found = [named(column, "recipients", "phone", place) for place, column in enumerate(recipients.phone)]
        else:
            found = [self._column(find_phone_column(header, recipients.phone), "recipients", "phone")]
        phones = [column for column in found if column is not None]
        by_column = country.column if isinstance(country, CountryColumn) else None
        country_column = named(by_column, "recipients", "country", "column")
        key = named(recipients.key, "recipients", "key")
        zone = named(recipients.zone, "recipients", "zone")
        expect = recipients.expect or ExpectSection()
        expected = {
            name: tuple(
                column
                for number, wanted in enumerate(wanted_columns or ())
                if (column := named(wanted, "recipients", "expect", name, number))
            )
            for name, wanted_columns in (("unique", expect.unique), ("notNull", expect.not_null))
        }
        fresh = expect.fresh_within
        by_times = fresh.column if isinstance(fresh, FreshColumn) else None
        for number, column in enumerate(self._campaign.report.columns):
            path = ("report", "columns", number)
            named(column, *path)
            if column in RESERVED_COLUMNS:
                what = f'the name "{column}" is reserved for a column of the results'
                self.problems.append(self._file.problem(path, what, "remove it, or rename it in the recipient file"))
        if not phones:
            return None
        window = self._campaign.window
        return AudienceSpec(
            source=self._source,
            header=tuple(header),
            phone=phones[0],
            more_phones=tuple(phones[1:]),
            country=country if isinstance(country, str) else None,
            country_column=country_column,
            key=key,
            duplicates=recipients.duplicates,
            suppress=self._suppression_lists(),
            countries=frozenset(recipients.countries),
            deny_countries=frozenset(recipients.deny_countries),
            types=frozenset(kind.value for kind in recipients.types),
            wants_zones=window is not None and window.hours(self._campaign.timezone).zone is None,
            unique=expected["unique"],
            not_null=expected["notNull"],
            fresh_column=named(by_times, "recipients", "expect", "freshWithin", "column"),
            zone_column=zone or (ZONE_NAME if ZONE_NAME in header and not is_list(header, ZONE_NAME) else None),
            places={"recipients.where": self._file.position("recipients", "where")},
        )

    def prices(self) -> Prices | None:
        """The price list, if the campaign names one; None if it can't be read."""
        path = self._campaign.prices
        if path is None or not path.is_file():  # already reported by the campaign room
            return None
        from runner.prices.price_list import read_prices

        try:
            return read_prices(path, self._campaign.account.sub_account_id)
        except InputError as error:
            self.problems += error.problems
            return None

    def _suppression_lists(self) -> tuple[SuppressionList, ...]:
        named = [
            SuppressionList(item.file, item.phone, item.key)
            if isinstance(item, SuppressionFile)
            else SuppressionList(item)
            for item in self._campaign.recipients.suppress
        ]
        return (*named, *map(SuppressionList, self._suppress))

    def suppression_columns(self) -> None:
        """Check the columns that the campaign names in suppression lists. The plan reads their entries."""
        for number, item in enumerate(self._campaign.recipients.suppress):
            if not isinstance(item, SuppressionFile) or not item.file.is_file():
                continue
            named: list[tuple[str | None, tuple[str | int, ...]]] = [(item.key, ("key",))]
            if isinstance(item.phone, tuple):
                named += [(column, ("phone", place)) for place, column in enumerate(item.phone)]
            else:
                named.append((item.phone, ("phone",)))
            for column, option in named:
                try:
                    if column is not None:
                        found = find_column(read_header(Source(item.file, encoding_key=None)), column)
                        self._column(found, "recipients", "suppress", number, *option, file=item.file)
                except InputError as error:
                    self.problems += error.problems

    def _column(self, found: str | Problem, *path: str | int, file: Path | None = None) -> str | None:
        if isinstance(found, str):
            return found
        what = f"{found.what} in {file or self._campaign.recipients.file}"
        problem = self._file.problem(path, what, found.remedy)
        if problem.path not in (
            other.path for other in self.problems
        ):  # else the name only stands in for a missing one
            self.problems.append(problem)
        return None


def _kinds(header: Header) -> Kinds:
    """The kinds of cells by name in the template, without those of spreadsheets."""
    return {name: header.kinds[column] for name, column in field_names(header).items() if column in header.kinds}


def _value_kinds(header: Header, template: Template) -> Kinds | None:
    """The kinds for `Composer`; None if all fields of the template are text."""
    kinds = _kinds(header)
    return kinds if any(kinds.get(name) is not Kind.TEXT for name, _ in template.variables) else None


def _phone(own_country: str | None, written: str, style: str, country: str | None) -> str:
    """The template filter `phone`: format a number. The default country is the campaign's."""
    from runner.numbers.phone import format_phone

    return format_phone(written, style, country or own_country)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError([Problem(f"{path} is not in UTF-8 (byte {error.start + 1})", "save it as UTF-8")]) from error
    except OSError as error:
        raise InputError([Problem(f"can't read {path}: {error.strerror}")]) from error
