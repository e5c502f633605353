"""A lost or foreign ledger, and a clock that can't be right: refused until a person says otherwise."""

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from runner.base.errors import RunLockedError
from runner.ledger.ledger import open_ledger
from runner.ledger.lock import Lease
from runner.run.open import RecordedRun
from runner.run.paths import RunOptions, paths_of
from runner.run.reconcile import Absence, Finding, apply_finding
from tests.cli.provider import Provider, serving
from tests.cli.workplace import Workplace

RUN = ("run", "hello.yaml", "--yes")


@pytest.fixture
def sent(tmp_path: Path) -> "object":
    with serving() as provider:
        place = Workplace(tmp_path, provider.base_url)
        assert 0 == place(*RUN).exit_code
        yield place, provider


def test_a_lost_ledger_is_not_begun_anew(sent: tuple[Workplace, Provider]) -> None:
    place, provider = sent
    (place.folder / "reports/ledger.sqlite3").unlink()

    refused = place(*RUN)

    assert (2, 5) == (refused.exit_code, len(provider.requests))
    assert "has no such run" in refused.stderr
    assert "--accept-ledger" in refused.stderr
    assert 2 == place("plan", "hello.yaml").exit_code
    assert (0, 10) == (place(*RUN, "--accept-ledger").exit_code, len(provider.requests))


def test_an_emptied_ledger_is_a_lost_one(sent: tuple[Workplace, Provider]) -> None:
    place, provider = sent
    for path in (place.folder / "reports").glob("ledger.sqlite3-*"):
        path.unlink()
    (place.folder / "reports/ledger.sqlite3").write_bytes(b"")

    assert (2, 5) == (place(*RUN).exit_code, len(provider.requests))


def test_another_ledger_that_knows_the_same_run_is_refused(sent: tuple[Workplace, Provider]) -> None:
    place, provider = sent
    other = place("run", "hello.yaml", "--yes", "--reports", "elsewhere")
    assert 0 == other.exit_code
    shutil.copy(place.folder / "elsewhere/ledger.sqlite3", place.folder / "reports/ledger.sqlite3")

    refused = place(*RUN)

    assert (2, 10) == (refused.exit_code, len(provider.requests))
    assert "may not have all its messages" in refused.stderr


def test_a_clock_far_behind_the_ledger(sent: tuple[Workplace, Provider], monkeypatch: pytest.MonkeyPatch) -> None:
    place, _ = sent
    now = time.time_ns() // 1000
    monkeypatch.setattr("runner.run.open.now_us", lambda: now - 7200 * 1_000_000)

    refused = place.here("plan", "hello.yaml")

    assert 2 == refused.exit_code
    assert "this computer's clock" in refused.stderr


def test_a_finding_is_worth_nothing_once_another_machine_has_the_run(tmp_path: Path) -> None:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        record = ledger.begin_run(
            name="a", run="b", now=1, sub_account_id="x", options="{}", fingerprint="f", rows=1, to_send=1
        )
        sleeper = Lease(ledger.engine, record.id, host="east")
        sleeper.acquire()
        run = RecordedRun(ledger, record, paths_of("a", "b", RunOptions()), sleeper)
        with ledger.engine.begin() as connection:
            connection.execute(text("UPDATE runs SET holder = 'process 1 on west (aa)'"))

        absent = {kind: {"a.b.1"} if kind is Absence.PROVED else set[str]() for kind in Absence}
        finding = Finding(1, datetime.now(UTC), timedelta(), {}, absent)
        with pytest.raises(RunLockedError, match="has taken over this run"):
            apply_finding(run, finding)
        sleeper.release()
