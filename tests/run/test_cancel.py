"""Which of a run's messages may still wait at the provider, from what its record says."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from runner.base.errors import InputError
from runner.run.cancel import Schedule, opened_for_cancelling, schedule_of
from runner.run.open import RecordedRun, recorded_run
from runner.run.paths import RunOptions
from tests.ledger.filled import Filled

NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RecordedRun]:
    path = tmp_path / "l.sqlite3"
    with Filled(path) as filled:
        filled.run()
    with recorded_run("welcome", "main", RunOptions(ledger=str(path))) as found:
        yield found


def asked(run: RecordedRun, options: Mapping[str, str]) -> RecordedRun:
    return replace(run, record=replace(run.record, options=orjson.dumps(options).decode()))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"message.scheduled": "14400 s after the send"}, Schedule(delay_s=14_400)),
        ({"message.scheduled": "2026-12-01T10:00:01+08:00"}, Schedule(moment=NOW_US + 1_000_000)),
        ({"window": "09:00 to 20:00, mon tue, recipient, schedule"}, Schedule()),
        (
            {"window": "09:00 to 20:00, mon tue, recipient, schedule", "message.scheduled": "60 s after the send"},
            Schedule(delay_s=60),
        ),
    ],
)
def test_when_the_provider_sends(run: RecordedRun, options: Mapping[str, str], expected: Schedule) -> None:
    assert expected == schedule_of(asked(run, options), NOW_US)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "welcome/main has no scheduled messages"),
        ({"window": "09:00 to 20:00, mon tue, recipient, wait"}, "welcome/main has no scheduled messages"),
        ({"message.scheduled": "2026-12-01T10:00:00+08:00"}, "which has passed"),
    ],
)
def test_what_is_sent_already_is_refused(run: RecordedRun, options: Mapping[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        schedule_of(asked(run, options), NOW_US)


@pytest.mark.parametrize(("run", "options"), [("sandbox", RunOptions()), (None, RunOptions(sandbox=True))])
def test_a_sandbox_that_is_gone_cancels_nothing(tmp_path: Path, run: str | None, options: RunOptions) -> None:
    with (
        pytest.raises(InputError, match="the sandbox of welcome/sandbox no longer runs"),
        opened_for_cancelling("welcome", run, replace(options, ledger=str(tmp_path / "l.sqlite3"))),
    ):
        pass
