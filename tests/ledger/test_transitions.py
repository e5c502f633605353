"""The resume point in a real ledger: it is there after claims, and gone as soon as a message is taken out."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from runner.base.messages import Encoding, Message
from runner.base.optouts import OptOut, OptOutSource
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.ledger import Ledger, open_ledger
from runner.ledger.optouts import note_optouts
from runner.ledger.reconciliation import apply
from runner.ledger.transitions import note_resume_point, settle
from runner.ledger.writer import Claim, LedgerWriter, Spill, spill_path

PLAN = "d" * 64
OK = Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, umid="u", http_status=200, sent_at=1, answered_at=2)
BACK = Outcome(Status.UNSENT, OutcomeReason.THROTTLED)
LOST = Outcome(Status.UNKNOWN, OutcomeReason.TIMEOUT, sent_at=1)


def message(row: int) -> Message:
    return Message(row, f"k{row}", f"+1202555{row:04}", "US", "Hi", Encoding.GSM7, 1, f"a.b.{row}")


def begun(folder: Path) -> tuple[Ledger, int]:
    ledger = open_ledger(str(folder / "l.sqlite3"), create=True)
    record = ledger.begin_run(
        name="a", run="b", now=1, sub_account_id="acme", options="{}", fingerprint="f", rows=9, to_send=9
    )
    return ledger, record.id


def written(ledger: Ledger, run_id: int, *steps: tuple[Sequence[int], int, dict[int, Outcome]]) -> list[int]:
    """Claim rows with a resume point, then settle some: step by step. Returns the resume point after each."""
    found = []

    async def scenario() -> None:
        spill = Spill(spill_path(ledger.path, run_id))
        async with LedgerWriter(ledger.engine, run_id, spill, on_failure=print, plan=PLAN) as writer:
            for rows, row, outcomes in steps:
                writer._resume_point_noted_at = float("-inf")  # as if a second had passed
                await writer.claim([Claim(message(one), 1) for one in rows], frontier=row)
                for one, outcome in outcomes.items():
                    writer.settle(f"a.b.{one}", outcome)
                await writer.flush()
                found.append(ledger.resume_row(run_id, PLAN))

    asyncio.run(scenario())
    return found


def test_it_is_noted_with_the_claims(tmp_path: Path) -> None:
    ledger, run_id = begun(tmp_path)
    with ledger:
        assert 0 == ledger.resume_row(run_id, PLAN)
        assert [2, 4] == written(ledger, run_id, ([1, 2], 2, {1: OK}), ([3, 4], 4, {2: OK}))
        assert 0 == ledger.resume_row(run_id, "another plan")


def test_what_comes_back_unsent_forgets_it(tmp_path: Path) -> None:
    ledger, run_id = begun(tmp_path)
    with ledger:
        assert [2, 0, 5] == written(ledger, run_id, ([1, 2], 2, {}), ([3], 3, {1: BACK}), ([1, 4, 5], 5, {}))


def test_claims_that_are_written_with_a_release_do_not_note_it(tmp_path: Path) -> None:
    """They may have counted the message that is taken out."""
    ledger, run_id = begun(tmp_path)

    async def scenario() -> None:
        spill = Spill(spill_path(ledger.path, run_id))
        async with LedgerWriter(ledger.engine, run_id, spill, on_failure=print, plan=PLAN) as writer:
            await writer.claim([Claim(message(1), 1)], frontier=1)
            writer._resume_point_noted_at = float("-inf")
            with writer._commits._condition:  # so that both are in one commit
                claiming = asyncio.ensure_future(writer.claim([Claim(message(2), 1)], frontier=2))
                await asyncio.sleep(0)
                writer.settle("a.b.1", BACK)
            await claiming

    with ledger:
        asyncio.run(scenario())
        assert 0 == ledger.resume_row(run_id, PLAN)


def test_a_claim_that_is_refused_does_not_note_it(tmp_path: Path) -> None:
    ledger, run_id = begun(tmp_path)
    with ledger:
        note_optouts(ledger, [OptOut(message(2).destination, True, 1, OptOutSource.COMMAND)])
        assert [0] == written(ledger, run_id, ([1, 2], 2, {}))


def test_reconciling_and_the_spill_forget_it(tmp_path: Path) -> None:
    ledger, run_id = begun(tmp_path)
    with ledger:
        written(ledger, run_id, ([1, 2], 2, {1: LOST}))
        apply(ledger, run_id, found={}, not_received=["a.b.1"])
        assert 0 == ledger.resume_row(run_id, PLAN)

        with ledger.engine.begin() as connection:
            note_resume_point(connection, run_id, PLAN, 2)
        with ledger.engine.begin() as connection:
            settle(connection, run_id, [("a.b.2", BACK)])
        assert 0 == ledger.resume_row(run_id, PLAN)
