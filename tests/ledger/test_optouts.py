"""Opt-outs on real SQLite files: whatever order they come in, and the claim that comes after one."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from runner.base.errors import LedgerError
from runner.base.messages import Encoding, Message
from runner.base.options import Cooldown
from runner.base.optouts import OptOut, OptOutSource
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.audit import broken_link, trail, trail_of_number
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.optouts import (
    all_optouts,
    count_optouts,
    has_optouts,
    newest_by_number,
    newest_optouts,
    note_optouts,
    opted_out,
    optouts_state,
)
from runner.ledger.tables import optouts
from runner.ledger.writer import Claim, LedgerWriter, Refused, Spill, spill_path

ANN, BEN, CAT = "+12025550142", "+12025550143", "+12025550144"
ACCEPTED = Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, umid="u", sent_at=1, answered_at=2)


def stop(destination: str, at: int = 10, word: str | None = "STOP") -> OptOut:
    return OptOut(destination, True, at, OptOutSource.REPLY, word)


def start(destination: str, at: int = 10) -> OptOut:
    return OptOut(destination, False, at, OptOutSource.REPLY, "START")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        yield ledger


def begin(ledger: Ledger, run: str = "a") -> RunRecord:
    return ledger.begin_run(
        name="sale", run=run, now=1, sub_account_id="acme", options="{}", fingerprint="f", rows=1, to_send=1
    )


def message(number: int, destination: str) -> Message:
    return Message(number, f"k{number}", destination, "US", "Hi", Encoding.GSM7, 1, f"sale.a.{number}")


def claimed(
    ledger: Ledger, record: RunRecord, destinations: Sequence[str], cooldown: Cooldown | None = None
) -> Refused:
    """Claim a message to each of these numbers in one group."""

    async def scenario() -> Refused:
        spill = Spill(spill_path(ledger.path, record.id))
        writing = LedgerWriter(ledger.engine, record.id, spill, on_failure=lambda _: None, cooldown=cooldown)
        async with writing as writer:
            return await writer.claim([Claim(message(*one), 1) for one in enumerate(destinations)])

    return asyncio.run(scenario())


def test_the_state_tells_every_change_of_many(ledger: Ledger) -> None:
    """More of them than times in microseconds can be added up."""
    now = 1_795_604_550_018_940
    states = {optouts_state(ledger)}
    many = [OptOut(f"+1202555{number:04}", True, now + number, OptOutSource.FILE) for number in range(6000)]
    note_optouts(ledger, many)
    states.add(optouts_state(ledger))
    for change in (replace(many[7], at=now + 8000), replace(many[8], at=now + 9000, is_out=False)):
        note_optouts(ledger, [change])
        states.add(optouts_state(ledger))

    assert 4 == len(states)


def test_nobody_is_out_of_a_new_ledger(ledger: Ledger) -> None:
    assert not has_optouts(ledger)
    assert ({}, [], [], 0) == (
        opted_out(ledger, [ANN]),
        newest_optouts(ledger),
        list(all_optouts(ledger)),
        count_optouts(ledger),
    )


def test_who_is_out_is_known_with_what_they_said(ledger: Ledger) -> None:
    assert 2 == note_optouts(ledger, [stop(ANN, word="Stop. Thank you"), start(BEN)])

    assert has_optouts(ledger)
    assert {ANN: stop(ANN, word="Stop. Thank you")} == opted_out(ledger, [ANN, BEN, CAT])
    assert {ANN, BEN} == set(newest_by_number(ledger, [ANN, BEN, CAT]))
    assert [stop(ANN, word="Stop. Thank you")] == list(all_optouts(ledger))


@pytest.mark.parametrize("together", [True, False], ids=["in one go", "one by one"])
@pytest.mark.parametrize("order", list(permutations([stop(ANN, 10), start(ANN, 20), stop(ANN, 30)])))
def test_the_newest_word_counts_in_any_order(ledger: Ledger, order: Sequence[OptOut], together: bool) -> None:
    for part in [order] if together else [[one] for one in order]:
        note_optouts(ledger, part)

    assert {ANN: stop(ANN, 30)} == newest_by_number(ledger, [ANN])


def test_of_one_moment_the_opt_out_counts(tmp_path: Path) -> None:
    for order in ([stop(ANN), start(ANN)], [start(ANN), stop(ANN)]):
        with open_ledger(str(tmp_path / f"{order[0].is_out}.sqlite3"), create=True) as ledger:
            for one in order:
                note_optouts(ledger, [one])
            assert {ANN: stop(ANN)} == opted_out(ledger, [ANN])


def test_what_comes_twice_changes_nothing(ledger: Ledger) -> None:
    assert [1, 0, 0, 1, 0] == [
        note_optouts(ledger, [one])
        for one in (stop(ANN, 20), stop(ANN, 20), start(ANN, 10), start(ANN, 30), stop(ANN, 20))
    ]
    assert 0 == note_optouts(ledger, [])


def test_the_audit_trail_has_what_changed(ledger: Ledger) -> None:
    """Not a repetition, nor a word that is older than one that is known."""
    for changes in (
        [stop(ANN, 20), start(BEN, 20)],
        [stop(ANN, 25, "End")],
        [start(ANN, 10), stop(BEN, 10)],
        [start(ANN, 30), stop(ANN, 40), stop(BEN, 50), start(BEN, 60)],
        [start(ANN, 70), replace(stop(CAT, 70, None), source=OptOutSource.FILE)],
    ):
        note_optouts(ledger, changes)

    assert [
        ("opted_out", ANN, {"source": "reply", "word": "STOP", "since": "1970-01-01T00:00:00.000Z"}),
        ("opted_in", BEN, {"source": "reply", "word": "START", "since": "1970-01-01T00:00:00.000Z"}),
        ("opted_in", ANN, {"source": "reply", "word": "START", "since": "1970-01-01T00:00:00.000Z"}),
        ("opted_out", CAT, {"source": "file", "since": "1970-01-01T00:00:00.000Z"}),
    ] == [(entry.action, entry.destination, entry.detail) for entry in trail(ledger) if entry.destination]
    assert {None} == {entry.run for entry in trail(ledger)}
    assert broken_link(ledger) is None


def test_an_opt_out_that_the_trail_cant_take_is_not_recorded(ledger: Ledger) -> None:
    with ledger.writing() as connection:
        connection.exec_driver_sql("CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")

    with pytest.raises(LedgerError):
        note_optouts(ledger, [stop(ANN)])

    assert not has_optouts(ledger)


WORDS = st.builds(
    OptOut,
    st.sampled_from([ANN, BEN]),
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from(OptOutSource),
    st.sampled_from([None, "STOP"]),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path_factory.mktemp("shared") / "l.sqlite3"), create=True) as ledger:
        yield ledger


@settings(max_examples=30)  # each example waits for the disk
@given(st.lists(WORDS, max_size=8), st.randoms(use_true_random=False))
def test_any_order_and_grouping_comes_to_the_same(shared: Ledger, words: list[OptOut], random: Random) -> None:
    """Whether a number is out, and since when; of two words that agree in both, it doesn't matter which is kept."""
    expected = {
        number: max((one.at, one.is_out) for one in words if one.destination == number)
        for number in {one.destination for one in words}
    }
    with shared.engine.begin() as connection:
        connection.execute(delete(optouts))
    shuffled = [*words]
    random.shuffle(shuffled)
    while shuffled:
        size = random.randint(1, len(shuffled))
        note_optouts(shared, shuffled[:size])
        shuffled = shuffled[size:]

    found = newest_by_number(shared, [ANN, BEN])

    assert expected == {number: (one.at, one.is_out) for number, one in found.items()}


def test_an_older_word_that_is_written_at_the_same_moment_loses(ledger: Ledger) -> None:
    """Two writers, each with a hundred words for one number: none is overwritten by one that is older."""
    words = [[OptOut(ANN, at % 3 == 0, at, OptOutSource.REPLY) for at in range(first, 100, 2)] for first in (0, 1)]

    def write(some: list[OptOut]) -> None:
        for one in some:
            note_optouts(ledger, [one])

    threads = [threading.Thread(target=write, args=(some,)) for some in words]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {ANN: OptOut(ANN, True, 99, OptOutSource.REPLY)} == newest_by_number(ledger, [ANN])
    states = [entry.action for entry in trail_of_number(ledger, ANN)]
    assert all(before != after for before, after in pairwise(states)), "each entry is a change"
    assert "opted_out" == states[-1]


def test_many_are_noted_and_found_in_parts(ledger: Ledger) -> None:
    numbers = [f"+1202{number:07}" for number in range(5_000)]

    assert 5_000 == note_optouts(ledger, [stop(number) for number in numbers])
    assert set(numbers[1::2]) == set(opted_out(ledger, numbers[1::2]))
    assert numbers == [one.destination for one in all_optouts(ledger)]
    assert 5_000 == count_optouts(ledger)


def test_the_newest_come_first(ledger: Ledger) -> None:
    note_optouts(ledger, [stop(ANN, 20), stop(BEN, 30), stop(CAT, 10), start("+12025550199", 40)])

    assert [BEN, ANN, CAT] == [one.destination for one in newest_optouts(ledger)]
    assert [BEN] == [one.destination for one in newest_optouts(ledger, 1)]


def test_a_word_that_is_too_long_is_cut(ledger: Ledger) -> None:
    note_optouts(ledger, [stop(ANN, word="stop " * 100)])

    assert ("stop " * 8) == newest_by_number(ledger, [ANN])[ANN].word


def test_a_ledger_that_cant_be_written_says_so(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:  # the pool gives it out again
        connection.exec_driver_sql("PRAGMA query_only=ON")

    with pytest.raises(LedgerError, match="the ledger could not be written"):
        note_optouts(ledger, [stop(ANN)])


def test_a_claim_for_somebody_who_is_out_is_not_made(ledger: Ledger) -> None:
    record = begin(ledger)
    note_optouts(ledger, [stop(BEN), start(CAT)])

    assert {"sale.a.1": OutcomeReason.OPTED_OUT} == claimed(ledger, record, [ANN, BEN, CAT])
    assert {"sending": 2} == ledger.counts(record.id)


def test_a_whole_group_may_be_refused(ledger: Ledger) -> None:
    record = begin(ledger)
    note_optouts(ledger, [stop(ANN), stop(BEN)])

    assert ["sale.a.0", "sale.a.1"] == sorted(claimed(ledger, record, [ANN, BEN]))
    assert {} == ledger.counts(record.id)


def test_an_opt_out_comes_before_a_cooldown_and_uses_none_of_it(ledger: Ledger) -> None:
    """Two to a number that may get one, and one to somebody who is out: each is refused for its own reason."""
    record = begin(ledger)
    note_optouts(ledger, [stop(BEN)])

    refused = claimed(ledger, record, [ANN, ANN, BEN, BEN], Cooldown(messages=1, per_s=60))

    assert {
        "sale.a.1": OutcomeReason.COOLDOWN,
        "sale.a.2": OutcomeReason.OPTED_OUT,
        "sale.a.3": OutcomeReason.OPTED_OUT,
    } == refused


def test_an_opt_out_of_another_process_counts_for_the_very_next_claim(ledger: Ledger) -> None:
    """Claim, opt-out through an engine of its own, claim: the writer's connection sees it at once."""
    record = begin(ledger)

    async def scenario() -> list[Refused]:
        spill = Spill(spill_path(ledger.path, record.id))
        async with LedgerWriter(ledger.engine, record.id, spill, on_failure=lambda _: None) as writer:
            first = await writer.claim([Claim(message(0, ANN), 1)])
            writer.settle("sale.a.0", ACCEPTED)
            with open_ledger(str(ledger.path), create=False) as other:
                note_optouts(other, [stop(ANN)])
            return [first, await writer.claim([Claim(message(1, ANN), 1)])]

    assert [{}, {"sale.a.1": OutcomeReason.OPTED_OUT}] == asyncio.run(scenario())
    assert {"accepted": 1} == ledger.counts(record.id)


def test_each_of_several_claims_in_one_group_learns_its_own(ledger: Ledger) -> None:
    record = begin(ledger)
    note_optouts(ledger, [stop(BEN)])

    async def scenario() -> list[Refused]:
        spill = Spill(spill_path(ledger.path, record.id))
        async with LedgerWriter(ledger.engine, record.id, spill, on_failure=lambda _: None) as writer:
            claims = [writer.claim([Claim(message(*one), 1)]) for one in enumerate([ANN, BEN, CAT])]
            return await asyncio.gather(*claims)

    assert [{}, {"sale.a.1": OutcomeReason.OPTED_OUT}, {}] == asyncio.run(scenario())
