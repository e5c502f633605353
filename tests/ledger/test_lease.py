"""The lease across machines: two of them on one ledger, with clocks that the test moves."""

import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest

from runner.base.errors import LedgerError, RunLockedError
from runner.ledger import lock
from runner.ledger.ledger import Ledger, open_ledger
from runner.ledger.lock import GRACE_S, LEASE_S, Lease
from tests.deadline import DEADLINE_S


class Time:
    """A clock of the world; a machine's monotonic clock runs with it."""

    now = 1_000_000.0


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as opened:
        opened.begin_run(name="a", run="b", now=1, sub_account_id="x", options="{}", fingerprint="f", rows=1, to_send=1)
        yield opened


@pytest.fixture(autouse=True)
def all_released(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Release the leases of "dead" processes too: their threads would open the closed ledger again, in another test."""
    acquired: list[Lease] = []
    acquire = Lease.acquire

    def noted(self: Lease) -> float | None:
        acquired.append(self)
        return acquire(self)

    monkeypatch.setattr(Lease, "acquire", noted)
    yield
    for each in acquired:
        each.release()


def lease(ledger: Ledger, time: Time, host: str) -> Lease:
    return Lease(ledger.engine, 1, host=host, wall=lambda: time.now, monotonic=lambda: time.now - 999_000)


def test_one_at_a_time_and_the_other_is_told_who(ledger: Ledger) -> None:
    time = Time()
    first, second = lease(ledger, time, "east"), lease(ledger, time, "west")

    assert first.acquire() is None
    assert first.is_valid()
    with pytest.raises(RunLockedError, match=r"process \d+ on east; .* expires in 45 s"):
        second.acquire()
    assert not second.is_valid()

    first.release()
    assert not first.is_valid()
    assert second.acquire() is None
    second.release()


def test_a_dead_holders_lease_ends_and_says_until_when_it_may_have_sent(ledger: Ledger) -> None:
    time = Time()
    dead, heir = lease(ledger, time, "east"), lease(ledger, time, "west")
    began = time.now
    dead.acquire()
    dead._released.set()  # its renewing ends as with a crash, and nothing is given back

    time.now = began + LEASE_S + GRACE_S - 1
    with pytest.raises(RunLockedError):
        heir.acquire()
    time.now = began + LEASE_S + GRACE_S
    assert began + LEASE_S == heir.acquire()
    heir.release()


def test_a_lease_is_invalid_before_anybody_else_may_take_it(ledger: Ledger) -> None:
    time = Time()
    holder = lease(ledger, time, "east")
    began = time.now
    holder.acquire()
    holder._released.set()

    time.now = began + LEASE_S - 0.001
    assert holder.is_valid()
    time.now = began + LEASE_S
    assert not holder.is_valid()


def test_after_a_long_sleep_it_goes_on_only_if_nobody_took_over(ledger: Ledger) -> None:
    time = Time()
    sleeper, other = lease(ledger, time, "east"), lease(ledger, time, "west")
    sleeper.acquire()
    sleeper._released.set()
    time.now += 3600
    assert not sleeper.is_valid()

    assert sleeper.renew()
    assert sleeper.is_valid()

    time.now += 3600
    other.acquire()
    assert not sleeper.renew()
    assert not sleeper.is_valid()
    assert other.is_valid()
    other.release()


def test_a_wall_clock_that_is_set_back_makes_no_lease_longer(ledger: Ledger) -> None:
    wall, monotonic = [1_000_000.0], [0.0]
    holder = Lease(ledger.engine, 1, host="east", wall=lambda: wall[0], monotonic=lambda: monotonic[0])
    holder.acquire()
    holder._released.set()
    wall[0] -= 3600
    monotonic[0] += LEASE_S

    assert not holder.is_valid()


def test_a_clock_that_stands_still_while_the_machine_sleeps_makes_no_lease_longer(ledger: Ledger) -> None:
    wall = [1_000_000.0]
    holder = Lease(ledger.engine, 1, host="east", wall=lambda: wall[0], monotonic=lambda: 0.0)
    holder.acquire()
    holder._released.set()

    wall[0] += LEASE_S - 0.001
    assert holder.is_valid()
    wall[0] = 1_000_000.0 + LEASE_S
    assert not holder.is_valid()


def test_a_process_on_the_same_machine_takes_over_at_once(ledger: Ledger) -> None:
    """It has the file lock, so the one before is dead."""
    time = Time()
    dead, heir = lease(ledger, time, "east"), lease(ledger, time, "east")
    dead.acquire()

    assert time.now + LEASE_S == heir.acquire()
    assert not dead.renew()
    heir.release()


def test_a_living_holder_renews_by_itself(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RENEW_S", 0.02)
    renewed, renewals = threading.Event(), []
    holder = Lease(ledger.engine, 1, host="east")
    renew = holder.renew

    def counted() -> bool:
        renewals.append(renew())
        if len(renewals) == 3:
            renewed.set()
        return renewals[-1]

    holder.renew = counted  # type: ignore[method-assign]
    holder.acquire()
    before = ledger.runs()[0].lease_until

    assert renewed.wait(timeout=DEADLINE_S)
    assert holder._renewer is not None
    assert holder._renewer.daemon  # else a process whose main thread fails would live on, and hold the run
    after = ledger.runs()[0].lease_until
    assert before is not None
    assert after is not None
    assert after > before
    holder.release()
    assert (None, None) == (ledger.runs()[0].holder, ledger.runs()[0].lease_until)


def test_a_holder_that_lost_its_lease_renews_no_more(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RENEW_S", 0.02)
    lost, heir = Lease(ledger.engine, 1, host="east"), Lease(ledger.engine, 1, host="east")
    lost.acquire()
    heir.acquire()

    assert lost._renewer is not None
    lost._renewer.join(timeout=30)
    assert not lost._renewer.is_alive()
    lost.release()
    assert heir.renew()
    heir.release()


def test_a_ledger_that_is_busy_for_a_while_ends_no_renewing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RENEW_S", 0.02)
    renewed = threading.Event()
    failures = [LedgerError("database is locked")] * 2
    holder = Lease(ledger.engine, 1, host="east")

    def failing_at_first() -> bool:
        if failures:
            raise failures.pop()
        renewed.set()
        return True

    holder.renew = failing_at_first  # type: ignore[method-assign]
    holder.acquire()

    assert renewed.wait(timeout=30)
    holder.release()


def test_a_renewal_that_is_under_way_gives_a_released_lease_no_time(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "RENEW_S", 0.02)
    holder, is_renewing = Lease(ledger.engine, 1, host="east"), threading.Event()
    holder.acquire()
    note = holder._note

    def slowly(wall: float, monotonic: float) -> None:
        is_renewing.set()
        holder._released.wait(30)
        sleep(0.2)  # a commit that takes long
        note(wall, monotonic)

    holder._note = slowly  # type: ignore[method-assign]
    assert is_renewing.wait(30)
    holder.release()

    assert holder._renewer is not None
    holder._renewer.join()
    assert not holder.is_valid()
