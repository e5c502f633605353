"""How much a number got lately, on real SQLite files: over runs, by time and status, and when two claim at once."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from runner.base.messages import Encoding, Message
from runner.base.options import Cooldown
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.cooldown import recent
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.writer import Claim, LedgerWriter, Spill, spill_path

ANN, BEN = "+12025550142", "+12025550143"
WEEK = Cooldown(messages=2, per_s=7 * 86_400)
DAY_US = 86_400_000_000

ACCEPTED = Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, umid="u", sent_at=1, answered_at=2)
REJECTED = Outcome(Status.REJECTED, OutcomeReason.INVALID_TEXT)
UNKNOWN = Outcome(Status.UNKNOWN, OutcomeReason.TIMEOUT)
UNSENT = Outcome(Status.UNSENT, OutcomeReason.THROTTLED)


def message(run: str, number: int, destination: str) -> Message:
    return Message(number, f"k{number}", destination, "US", "Hi", Encoding.GSM7, 1, f"sale.{run}.{number}")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        yield ledger


def begin(ledger: Ledger, run: str) -> RunRecord:
    return ledger.begin_run(
        name="sale", run=run, now=1, sub_account_id="acme", options="{}", fingerprint="f", rows=1, to_send=1
    )


def sent(
    ledger: Ledger,
    run: str,
    messages: Sequence[tuple[str, Outcome | None]],
    cooldown: Cooldown | None = None,
) -> frozenset[str]:
    """Claim messages to these numbers in one group and settle them; returns the ids that were not claimed."""
    record = begin(ledger, run)

    async def scenario() -> frozenset[str]:
        spill = Spill(spill_path(ledger.path, record.id))
        writing = LedgerWriter(ledger.engine, record.id, spill, on_failure=lambda _: None, cooldown=cooldown)
        async with writing as writer:
            claims = [message(run, number, destination) for number, (destination, _) in enumerate(messages)]
            refused = await writer.claim([Claim(one, 1) for one in claims])
            for one, (_, outcome) in zip(claims, messages, strict=True):
                if outcome and one.message_id not in refused:
                    writer.settle(one.message_id, outcome)
            return frozenset(refused)

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [(ACCEPTED, {ANN: 1}), (UNKNOWN, {ANN: 1}), (None, {ANN: 1}), (REJECTED, {}), (UNSENT, {})],
    ids=["accepted", "unknown", "on its way", "rejected", "unsent"],
)
def test_what_counts(ledger: Ledger, outcome: Outcome | None, expected: dict[str, int]) -> None:
    sent(ledger, "a", [(ANN, outcome)])

    assert expected == recent(ledger, [ANN, BEN], since=0)


def test_counts_over_all_runs(ledger: Ledger) -> None:
    sent(ledger, "a", [(ANN, ACCEPTED), (BEN, ACCEPTED)])
    sent(ledger, "b", [(ANN, ACCEPTED)])

    assert {ANN: 2, BEN: 1} == recent(ledger, [ANN, BEN], since=0)


def test_counts_from_a_time_on(ledger: Ledger) -> None:
    sent(ledger, "a", [(ANN, ACCEPTED)])
    now = time.time_ns() // 1000

    assert {ANN: 1} == recent(ledger, [ANN], since=now - DAY_US)
    assert {} == recent(ledger, [ANN], since=now + DAY_US)


def test_many_numbers_are_asked_for_in_parts(ledger: Ledger) -> None:
    sent(ledger, "a", [(ANN, ACCEPTED)])
    others = [f"+1202{number:07}" for number in range(5_000)]

    assert {ANN: 1} == recent(ledger, [*others, ANN], since=0)


def test_a_claim_beyond_the_cooldown_is_not_made(ledger: Ledger) -> None:
    sent(ledger, "a", [(ANN, ACCEPTED)])
    sent(ledger, "b", [(ANN, UNKNOWN)])

    refused = sent(ledger, "c", [(ANN, ACCEPTED), (BEN, ACCEPTED)], WEEK)

    assert {"sale.c.0"} == refused
    assert {"accepted": 1} == ledger.counts(3)


def test_the_first_of_a_group_goes_first(ledger: Ledger) -> None:
    sent(ledger, "a", [(ANN, ACCEPTED)])

    assert {"sale.b.1", "sale.b.2"} == sent(ledger, "b", [(ANN, None), (ANN, None), (ANN, None)], WEEK)


def test_what_is_older_than_the_cooldown_doesnt_count(ledger: Ledger) -> None:
    sent(ledger, "a", [(ANN, ACCEPTED), (ANN, ACCEPTED)])
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE messages SET claimed_at = claimed_at - :week"), {"week": 7 * DAY_US})

    assert frozenset() == sent(ledger, "b", [(ANN, ACCEPTED)], WEEK)


def test_of_two_runs_at_once_only_one_gets_the_last_place(tmp_path: Path, ledger: Ledger) -> None:
    """Two writers of one ledger, each in a thread and connection of its own, for the same forty people."""
    numbers = [f"+1202555{number:04}" for number in range(100, 140)]
    once = Cooldown(messages=1, per_s=86_400)
    records = [begin(ledger, run) for run in "ab"]

    async def claims(record: RunRecord) -> frozenset[str]:
        spill = Spill(spill_path(ledger.path, record.id))
        writing = LedgerWriter(ledger.engine, record.id, spill, on_failure=lambda _: None, cooldown=once)
        refused: set[str] = set()
        async with writing as writer:
            for number, destination in enumerate(numbers):
                refused |= set(await writer.claim([Claim(message(record.run, number, destination), 1)]))
        return frozenset(refused)

    async def both() -> list[frozenset[str]]:
        return await asyncio.gather(*(claims(record) for record in records))

    refused = asyncio.run(both())

    assert 40 == sum(map(len, refused))
    assert dict.fromkeys(numbers, 1) == recent(ledger, numbers, since=0)


def test_the_index_is_used(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        query = "EXPLAIN QUERY PLAN SELECT count(*) FROM messages WHERE destination IN (:a) AND claimed_at >= 5"
        plan = " ".join(str(row) for row in connection.execute(text(query), {"a": ANN}))

    assert "messages_by_destination (destination=? AND claimed_at>?)" in plan
