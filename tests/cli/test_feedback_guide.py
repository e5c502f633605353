"""docs/how-to/report-conversions.md and cancel-scheduled-messages.md: what they show is so."""

import re
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from runner.base.conversions import Conversion, ConversionOutcome
from runner.cli.main import app_for
from runner.feedback.conversion_rows import ConversionRow, find_columns, read_object, read_row
from tests.cli.workplace import Workplace

DOCS = Path(__file__).parents[2] / "docs/how-to"
PAGES = ("report-conversions.md", "cancel-scheduled-messages.md")
GUIDE = "\n".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)
SHARED = {"--help", "--ledger", "--reports", "--json", "--sandbox", "--unmask"}


def test_every_option_is_in_the_guide() -> None:
    for command in ("feedback", "cancel"):
        shown = CliRunner().invoke(app_for([command]), [command, "--help"]).output
        options = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", shown)) - SHARED
        assert options
        assert set() == {option for option in options if option not in GUIDE}


def test_the_commands_are_understood(offline: Workplace) -> None:
    """They get as far as the ledger, which isn't there."""
    commands = re.findall(r"campaign ((?:feedback|cancel) [^|`\n]*)$", GUIDE, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        done = offline.here(*command.split(), "--ledger", str(offline.folder / "none.sqlite3"))
        assert 2 == done.exit_code
        assert "there is no ledger" in done.stderr, done.stderr


@pytest.mark.parametrize("outcome", ConversionOutcome)
def test_the_outcomes_mean_what_the_guide_says(outcome: ConversionOutcome) -> None:
    [row] = [line for line in GUIDE.splitlines() if line.startswith("| `outcome` |")]
    yes, no = (part.split(";")[-1] for part in row.split(" and "))
    words = {ConversionOutcome.SUCCESS: {"success", *re.findall(r"`(\w+)`", yes)} - {"failure"}}
    words[ConversionOutcome.FAILURE] = {"failure", *re.findall(r"`(\w+)`", no)}
    assert 4 == len(words[outcome])
    columns = find_columns(["key", "outcome"], "c.csv")
    for word in words[outcome]:
        assert ConversionRow(1, "key", "C10001", Conversion(outcome)) == read_row(1, ["C10001", word], columns)


def test_the_line_is_read() -> None:
    [line] = re.findall(r"A line looks like `(\{.*\})`", GUIDE)
    told = read_object(1, orjson.loads(line))
    assert isinstance(told, ConversionRow)
    assert ("key", "C10001", ConversionOutcome.SUCCESS) == (told.named_by, told.name, told.conversion.outcome)
    assert told.conversion.at is not None
