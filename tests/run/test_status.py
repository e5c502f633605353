"""How far runs are, from a real ledger and a real lock."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from runner.base.clock import now_us
from runner.base.errors import InputError
from runner.base.events import Event, EventKind
from runner.ledger.ledger import open_ledger
from runner.ledger.lock import is_locked, run_lock
from runner.ledger.tables import messages
from runner.run.open import recorded_run
from runner.run.paths import RunOptions
from runner.run.status import StatusReader, rate_now
from tests.ledger.filled import Filled

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


def statuses(name: str | None, run: str | None, options: RunOptions) -> list[dict[str, Any]]:
    return StatusReader(name, run, options).read(now_us()).runs


def status_of(path: Path) -> dict[str, Any]:
    [found] = statuses("welcome", "main", RunOptions(ledger=str(path)))
    return found


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


def test_every_figure(ledger: Path) -> None:
    end(ledger, begin(ledger, claims=COUNTS), "interrupted", "stopped by Ctrl-C")
    assert {
        "campaign": "welcome",
        "run": "main",
        "sandbox": False,
        "sent_to": None,
        "state": "stopped",
        "waiting_for": None,
        "rows": 12,
        "to_send": 10,
        **COUNTS,
        "unsent": 3,
        "started_at": "1970-01-01T00:00:00.000Z",
        "ended_at": "1970-01-01T00:00:02.000Z",
        "stopped": {
            "reason": "interrupted",
            "detail": "stopped by Ctrl-C",
            "http_status": None,
            "error_code": None,
            "error_message": None,
            "error_id": None,
            "at": "1970-01-01T00:00:02.000Z",
            "message_id": None,
        },
        "held_up_by": None,
        "rate_now": None,
        "eta": None,
        "delivery": {},
        "delivered_share": None,
        "conversions": {"success": 0, "failure": 0},
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
    ("accepted", "reason", "state"),
    [(10, None, "finished"), (9, None, "stopped"), (10, "fuse", "stopped"), (9, "opted_out", "finished")],
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
    options = RunOptions(ledger=str(ledger))
    for name in ("welcome", None):
        assert ["a", "b"] == [found["run"] for found in statuses(name, None, options)]
    assert ["b"] == [found["run"] for found in statuses("welcome", "b", options)]


def test_the_newest_run_is_the_one_that_was_started_last(ledger: Path) -> None:
    begin(ledger, "a", started_at=1)
    begin(ledger, "b", started_at=2)
    begin(ledger, "a", started_at=3)
    with recorded_run("welcome", None, RunOptions(ledger=str(ledger))) as run:
        assert ("a", Path("reports/welcome/a")) == (run.record.run, run.paths.folder)


def test_a_run_that_is_not_there(ledger: Path) -> None:
    begin(ledger, "a")
    options = RunOptions(ledger=str(ledger))
    expected = f"the ledger {ledger} has no run welcome/b; it has welcome/a"
    with pytest.raises(InputError) as caught, recorded_run("welcome", "b", options):
        pytest.fail("there is no such run")
    assert expected == str(caught.value)
    with pytest.raises(InputError, match="has no run welcome/b; `campaign status` lists all runs"):
        statuses("welcome", "b", options)


def test_without_a_ledger(ledger: Path) -> None:
    with pytest.raises(InputError, match="there is no ledger at"):
        statuses(None, None, RunOptions(ledger=str(ledger)))
    assert [] == list(ledger.parent.iterdir())


SECOND = 1_000_000
SPANS = (5 * SECOND, 60 * SECOND, 3600 * SECOND)


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        ((1_000, 12_000, 15_000), 200.0),
        ((0, 11_000, 15_000), 0.0),  # paused a few seconds ago
        ((1, 6, 360), 0.1),  # 6/min: five seconds say nothing
        ((0, 0, 360), 0.1),  # nor does a minute
        ((0, 0, 2), 2 / 3600),
        ((0, 0, 0), 0.0),
    ],
)
def test_the_rate_of_late(claimed: tuple[int, ...], expected: float) -> None:
    assert expected == pytest.approx(rate_now(claimed, SPANS))


@given(per_second=st.floats(0.01, 3_000), age=st.integers(1, 10_000))
def test_a_steady_rate_is_told_as_it_is(per_second: float, age: int) -> None:
    spans = [min(span, age * SECOND) for span in SPANS]
    claimed = [int(per_second * span / SECOND) for span in spans]
    slack = SECOND / min(span for span in spans if per_second * span / SECOND >= 9 or span == spans[-1])
    assert per_second == pytest.approx(rate_now(claimed, spans), abs=slack + 1e-9)


def test_rate_and_end_of_a_run_that_goes(ledger: Path) -> None:
    started, now = 1_000 * SECOND, 1_100 * SECOND
    with Filled(ledger) as filled:
        run = filled.run(at=started, to_send=1_000)
        filled.messages(run, 200, claimed_at=now - 30 * SECOND)
        filled.messages(run, 50, status="sending", claimed_at=now - SECOND)
    reader = StatusReader("welcome", None, RunOptions(ledger=str(ledger)))
    with run_lock(ledger, "welcome", "main"):
        [found] = reader.read(now).runs
        assert (10.0, "1970-01-01T00:19:35.000Z") == (found["rate_now"], found["eta"])
        [found] = reader.read(now + 20 * SECOND).runs
        assert (0.0, None) == (found["rate_now"], found["eta"])
    [found] = reader.read(now).runs
    assert ("killed", None, None) == (found["state"], found["rate_now"], found["eta"])


def test_a_clock_that_was_set_back(ledger: Path) -> None:
    with Filled(ledger) as filled:
        filled.messages(filled.run(at=100 * SECOND), 5, claimed_at=101 * SECOND)
    with run_lock(ledger, "welcome", "main"):
        [found] = StatusReader("welcome", None, RunOptions(ledger=str(ledger))).read(1).runs
    assert 5.0 == found["rate_now"]


def test_the_end_of_time_is_not_told(ledger: Path) -> None:
    now = 1_795_000_000 * SECOND
    with Filled(ledger) as filled:
        filled.messages(filled.run(at=now - 3_600 * SECOND, to_send=100_000_000), 1, claimed_at=now - SECOND)
    with run_lock(ledger, "welcome", "main"):
        [found] = StatusReader("welcome", None, RunOptions(ledger=str(ledger))).read(now).runs
    assert None is found["eta"]


def test_delivery_and_conversion(ledger: Path) -> None:
    with Filled(ledger) as filled:
        run = filled.run()
        filled.messages(run, 3, receipt={"state": "delivered"}, outcome="success")
        filled.messages(run, 1, receipt={"state": "undelivered"}, outcome="failure")
        filled.messages(run, 4)
        filled.opt_out("+12025550101")
    found = status_of(ledger)
    assert {"delivered": 3, "undelivered": 1, "pending": 4} == found["delivery"]
    assert (0.375, {"success": 3, "failure": 1}) == (found["delivered_share"], found["conversions"])
    assert 1 == StatusReader(None, None, RunOptions(ledger=str(ledger))).read(0).optouts


@pytest.mark.parametrize(
    ("event", "held_up_by"),
    [
        (Event(EventKind.THROTTLED, 100 * SECOND, 30.0), "throttled"),
        (Event(EventKind.UNREACHABLE, 135 * SECOND), "unreachable"),
        (Event(EventKind.THROTTLED, 100 * SECOND, 1.0), None),
        (Event(EventKind.STARTED, 139 * SECOND), None),
    ],
)
def test_what_holds_sending_up(ledger: Path, event: Event, held_up_by: str | None) -> None:
    with Filled(ledger) as filled:
        filled.ledger.note_events(filled.run(), [event])
    with run_lock(ledger, "welcome", "main"):
        [found] = StatusReader("welcome", None, RunOptions(ledger=str(ledger))).read(140 * SECOND).runs
    assert held_up_by == found["held_up_by"]


def test_quick_looks_see_what_goes_and_what_goes_again(ledger: Path) -> None:
    reader = StatusReader(None, None, RunOptions(ledger=str(ledger)))
    with Filled(ledger) as filled:
        going, ended, killed = (filled.run(run=run) for run in ("going", "ended", "killed"))
        filled.end(ended)
        with run_lock(ledger, "welcome", "going"):
            filled.messages(going, 2)
            assert [2, 0, 0] == [run["accepted"] for run in reader.read(0, quick=True).runs]
            filled.messages(going, 1)
            filled.messages(killed, 1)
            with run_lock(ledger, "welcome", "killed"):
                snapshot = reader.read(0, quick=True)
            assert [3, 0, 1] == [run["accepted"] for run in snapshot.runs]
            assert ["going", "killed"] == [run["run"] for run in snapshot.active]
        filled.end(going)
        filled.run(run="ended")
        with run_lock(ledger, "welcome", "ended"):
            filled.messages(ended, 4)
            snapshot = reader.read(0, quick=True)
    assert [3, 4, 1] == [run["accepted"] for run in snapshot.runs]
    assert ["ended"] == [run["run"] for run in snapshot.active]


def test_looking_leaves_no_lock_behind(ledger: Path) -> None:
    """A transaction that stayed open would keep the run's log of changes from ever being folded into the ledger."""
    reader = StatusReader(None, None, RunOptions(ledger=str(ledger)))
    with Filled(ledger) as filled:
        run = filled.run()
        filled.messages(run, 50, receipt={"state": "sent"})
        reader.read(0)
        reader.read(0, quick=True)
        with filled.ledger.engine.connect() as connection:
            busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    assert 0 == busy
