"""The lease across machines: two of them on one ledger, with clocks that the test moves."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base.errors import RunLockedError
from runner.ledger.lease import GRACE_S, LEASE_S, Clocks, Lease
from runner.ledger.ledger import Ledger, open_ledger


class Time:
    """A clock of the world; a machine's steady clock runs with it."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def clocks(self) -> Clocks:
        return Clocks(wall=lambda: self.now, steady=lambda: self.now - 999_000)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as opened:
        opened.begin_run(name="a", run="b", now=1, sub_account_id="x", options="{}", fingerprint="f", rows=1, to_send=1)
        yield opened


def lease(ledger: Ledger, time: Time, host: str) -> Lease:
    return Lease(ledger.engine, 1, host=host, clocks=time.clocks())


def test_one_at_a_time_and_the_other_is_told_who(ledger: Ledger) -> None:
    time = Time()
    first, second = lease(ledger, time, "east"), lease(ledger, time, "west")

    assert first.take() is None
    assert first.is_valid()
    with pytest.raises(RunLockedError, match=r"process \d+ on east; .* ends in 45 s"):
        second.take()
    assert not second.is_valid()

    first.give_back()
    assert not first.is_valid()
    assert second.take() is None
    second.give_back()


def test_a_dead_holders_lease_ends_and_says_until_when_it_may_have_sent(ledger: Ledger) -> None:
    time = Time()
    dead, heir = lease(ledger, time, "east"), lease(ledger, time, "west")
    began = time.now
    dead.take()
    dead._given_back.set()  # its renewing ends as with a crash, and nothing is given back

    time.now = began + LEASE_S + GRACE_S - 1
    with pytest.raises(RunLockedError):
        heir.take()
    time.now = began + LEASE_S + GRACE_S
    assert began + LEASE_S == heir.take()
    heir.give_back()


def test_a_lease_is_invalid_before_anybody_else_may_take_it(ledger: Ledger) -> None:
    time = Time()
    holder = lease(ledger, time, "east")
    began = time.now
    holder.take()
    holder._given_back.set()

    time.now = began + LEASE_S - 0.001
    assert holder.is_valid()
    time.now = began + LEASE_S
    assert not holder.is_valid()


def test_after_a_long_sleep_it_goes_on_only_if_nobody_took_over(ledger: Ledger) -> None:
    time = Time()
    sleeper, other = lease(ledger, time, "east"), lease(ledger, time, "west")
    sleeper.take()
    sleeper._given_back.set()
    time.now += 3600
    assert not sleeper.is_valid()

    assert sleeper.renew()
    assert sleeper.is_valid()

    time.now += 3600
    other.take()
    assert not sleeper.renew()
    assert not sleeper.is_valid()
    assert other.is_valid()
    other.give_back()


def test_a_wall_clock_that_is_set_back_makes_no_lease_longer(ledger: Ledger) -> None:
    wall, steady = [1_000_000.0], [0.0]
    holder = Lease(ledger.engine, 1, host="east", clocks=Clocks(lambda: wall[0], lambda: steady[0]))
    holder.take()
    holder._given_back.set()
    wall[0] -= 3600
    steady[0] += LEASE_S

    assert not holder.is_valid()


def test_a_process_on_the_same_machine_takes_over_at_once(ledger: Ledger) -> None:
    """It has the file lock, so the one before is dead."""
    time = Time()
    dead, heir = lease(ledger, time, "east"), lease(ledger, time, "east")
    dead.take()

    assert time.now + LEASE_S == heir.take()
    assert not dead.renew()
    heir.give_back()


def test_a_living_holder_renews_by_itself(ledger: Ledger) -> None:
    renewed = threading.Event()
    holder = Lease(ledger.engine, 1, host="east", lease_s=0.12)
    renew = holder.renew

    def counted() -> bool:
        kept = renew()
        renewed.set()
        return kept

    holder.renew = counted  # type: ignore[method-assign]
    holder.take()
    before = ledger.runs()[0].lease_until

    assert renewed.wait(timeout=5)
    after = ledger.runs()[0].lease_until
    assert before is not None
    assert after is not None
    assert after > before
    holder.give_back()
    assert (None, None) == (ledger.runs()[0].holder, ledger.runs()[0].lease_until)
