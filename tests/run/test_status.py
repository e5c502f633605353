"""How far runs are, from a real ledger and a real lock."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from runner.errors import InputError
from runner.ledger.ledger import open_ledger
from runner.ledger.lock import is_locked, run_lock
from runner.ledger.tables import messages
from runner.run.places import Options
from runner.run.status import recorded, statuses

NOTHING: dict[str, int] = {}
COUNTS = {"accepted": 3, "rejected": 1, "unknown": 2, "sending": 1}


def begin(
    path: Path, run: str = "main", *, to_send: int = 10, started_at: int = 1, claims: Mapping[str, int] = NOTHING
) -> int:
    with open_ledger(str(path), create=True) as ledger:
        record = ledger.begin_run(
            name="welcome", run=run, now=started_at, sub_account_id="a", options="{}", fingerprint="f", rows=12,
            to_send=to_send,
        )  # fmt: skip
        rows = [
            {"run_id": record.id, "message_id": f"{status}{n}", "key": f"{status}{n}", "destination": "+1",
             "encoding": "GSM7", "segments": 1, "status": status, "attempts": 1, "claimed_at": 1}
            for status, count in claims.items()
            for n in range(count)
        ]  # fmt: skip
        if rows:
            with ledger.engine.begin() as connection:
                connection.execute(insert(messages), rows)
        return record.id


def end(path: Path, run_id: int, reason: str | None = None, detail: str | None = None) -> None:
    with open_ledger(str(path), create=False) as ledger:
        ledger.end_run(run_id, now=2_000_000, stop_reason=reason, stop_detail=detail)


def status_of(path: Path) -> dict[str, Any]:
    [found] = statuses("welcome", "main", Options(ledger=str(path)))
    return found


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


def test_every_figure(ledger: Path) -> None:
    end(ledger, begin(ledger, claims=COUNTS), "interrupted", "stopped by Ctrl-C")
    assert {
        "campaign": "welcome",
        "run": "main",
        "state": "stopped",
        "waiting_for": None,
        "rows": 12,
        "to_send": 10,
        **COUNTS,
        "unsent": 3,
        "started_at": "1970-01-01T00:00:00.000Z",
        "ended_at": "1970-01-01T00:00:02.000Z",
        "stopped": {"reason": "interrupted", "detail": "stopped by Ctrl-C"},
    } == status_of(ledger)


def test_going_on(ledger: Path) -> None:
    begin(ledger, claims=COUNTS)
    with run_lock(ledger, "welcome", "main"):
        assert "sending" == status_of(ledger)["state"]


def test_waiting_for_its_sending_hours(ledger: Path) -> None:
    run_id = begin(ledger, claims=COUNTS)
    with open_ledger(str(ledger), create=False) as opened:
        opened.note_waiting(run_id, "sending hours")
        with run_lock(ledger, "welcome", "main"):
            assert ("waiting", "sending hours") == (status_of(ledger)["state"], status_of(ledger)["waiting_for"])
        assert ("killed", None) == (status_of(ledger)["state"], status_of(ledger)["waiting_for"])
        opened.end_run(run_id, now=2_000_000, stop_reason=None, stop_detail=None)
        opened.note_waiting(run_id, "too late: it has ended")
        assert [None] == [record.stop_detail for record in opened.runs()]


def test_killed(ledger: Path) -> None:
    begin(ledger, claims=COUNTS)
    assert "killed" == status_of(ledger)["state"]


def test_another_runs_lock_is_not_this_ones(ledger: Path) -> None:
    begin(ledger)
    with run_lock(ledger, "welcome", "other"):
        assert "killed" == status_of(ledger)["state"]


@pytest.mark.parametrize(
    ("accepted", "reason", "state"), [(10, None, "finished"), (9, None, "stopped"), (10, "fuse", "stopped")]
)
def test_ended(ledger: Path, accepted: int, reason: str | None, state: str) -> None:
    end(ledger, begin(ledger, claims={"accepted": accepted}), reason, "words" if reason else None)
    assert state == status_of(ledger)["state"]


def test_a_plan_that_shrank_leaves_no_negative_number(ledger: Path) -> None:
    end(ledger, begin(ledger, to_send=2, claims={"accepted": 5}))
    assert (0, "finished") == (status_of(ledger)["unsent"], status_of(ledger)["state"])


def test_looking_does_not_stop_a_run_from_starting(ledger: Path) -> None:
    """Who looks must never be taken for a process that sends."""
    begin(ledger)
    enough = threading.Event()

    def look() -> None:
        while not enough.is_set():
            is_locked(ledger, "welcome", "main")

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(300):
            with run_lock(ledger, "welcome", "main"):
                pass
    finally:
        enough.set()
        looking.join()


def test_all_runs_or_those_of_one_campaign(ledger: Path) -> None:
    begin(ledger, "a")
    begin(ledger, "b")
    options = Options(ledger=str(ledger))
    for name in ("welcome", None):
        assert ["a", "b"] == [found["run"] for found in statuses(name, None, options)]
    assert ["b"] == [found["run"] for found in statuses("welcome", "b", options)]


def test_the_newest_run_is_the_one_that_was_started_last(ledger: Path) -> None:
    begin(ledger, "a", started_at=1)
    begin(ledger, "b", started_at=2)
    begin(ledger, "a", started_at=3)
    with recorded("welcome", None, Options(ledger=str(ledger))) as (_, record, places):
        assert ("a", Path("reports/welcome/a")) == (record.run, places.folder)


def test_a_run_that_is_not_there(ledger: Path) -> None:
    begin(ledger, "a")
    options = Options(ledger=str(ledger))
    expected = f"the ledger {ledger} knows no run welcome/b; it knows welcome/a"
    with pytest.raises(InputError) as caught, recorded("welcome", "b", options):
        pytest.fail("there is no such run")
    assert expected == str(caught.value)
    with pytest.raises(InputError, match="knows no run welcome/b; see `campaign status`"):
        statuses("welcome", "b", options)


def test_without_a_ledger(ledger: Path) -> None:
    with pytest.raises(InputError, match="there is no ledger at"):
        statuses(None, None, Options(ledger=str(ledger)))
    assert [] == list(ledger.parent.iterdir())
