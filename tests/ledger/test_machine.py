"""The ledger as a machine: any order of claim, settle, crash, spill and reconcile keeps the promises."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from runner.base.errors import LedgerError
from runner.base.messages import Encoding, Message
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.ledger import open_ledger
from runner.ledger.reconciliation import apply, unknowns
from runner.ledger.transitions import Proof
from runner.ledger.writer import Claim, LedgerWriter, Spill, merge_spill, spill_path

KEYS = st.integers(0, 5)
FINAL = st.sampled_from([Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN])
REASON = {
    Status.ACCEPTED: OutcomeReason.QUEUED,
    Status.REJECTED: OutcomeReason.INVALID_TEXT,
    Status.UNKNOWN: OutcomeReason.TIMEOUT,
    Status.UNSENT: OutcomeReason.THROTTLED,
}


def message(key: int) -> Message:
    return Message(key, f"C-{key}", "+12025550142", "US", "Hi", Encoding.GSM7, 1, f"a.b.{key}")


class LedgerMachine(RuleBasedStateMachine):
    """`status` is what the ledger must say: a key that is absent may be claimed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.ledger = open_ledger(str(self.folder / "l.sqlite3"), create=True)
        self.run = self.ledger.begin_run(
            name="a", run="b", now=1, sub_account_id="x", options="{}", fingerprint="f", rows=6, to_send=6
        ).id
        self.status: dict[int, str] = {}

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)

    def write(self, claims: list[int], settlements: list[tuple[int, Outcome]]) -> None:
        async def scenario() -> None:
            spill = Spill(spill_path(self.ledger.path, self.run))
            async with LedgerWriter(self.ledger.engine, self.run, spill, on_failure=lambda _: None) as writer:
                if claims:
                    await writer.claim([Claim(message(key), 1) for key in claims])
                for key, outcome in settlements:
                    writer.settle(message(key).message_id, outcome)
                await writer.flush()

        asyncio.run(scenario())

    @rule(key=KEYS)
    def claim(self, key: int) -> None:
        if key in self.status:
            with pytest.raises(LedgerError):
                self.write([key], [])
        else:
            self.write([key], [])
            self.status[key] = "sending"

    @rule(key=KEYS, final=FINAL)
    def settle(self, key: int, final: Status) -> None:
        self._settle(key, Outcome(final, REASON[final], umid="u"), final.value)

    @rule(key=KEYS)
    def take_back(self, key: int) -> None:
        self._settle(key, Outcome(Status.UNSENT, REASON[Status.UNSENT]), None)

    def _settle(self, key: int, outcome: Outcome, becomes: str | None) -> None:
        if self.status.get(key) != "sending":
            with pytest.raises(LedgerError):
                self.write([], [(key, outcome)])
            spill_path(self.ledger.path, self.run).unlink()  # it was kept aside, and is nobody's answer
            return
        self.write([], [(key, outcome)])
        self._becomes(key, becomes)

    def _becomes(self, key: int, status: str | None) -> None:
        if status is None:
            del self.status[key]
        else:
            self.status[key] = status

    @rule(key=KEYS, final=FINAL)
    def spill_and_restart(self, key: int, final: Status) -> None:
        spill = Spill(spill_path(self.ledger.path, self.run))
        spill.write([(message(key).message_id, Outcome(final, REASON[final], umid="u"))])
        spill.close()
        is_open = self.status.get(key) == "sending"
        assert int(is_open) == merge_spill(self.ledger, self.run)
        if is_open:
            self.status[key] = final.value
        self.crash()

    @rule()
    def crash(self) -> None:
        self.ledger.close()
        self.ledger = open_ledger(str(self.folder / "l.sqlite3"), create=False)
        dead = [key for key, status in self.status.items() if status == "sending"]
        assert len(dead) == self.ledger.mark_dead_claims_unknown(self.run, died_by=1)
        self.status |= dict.fromkeys(dead, "unknown")

    @rule(found=st.sets(KEYS), missing=st.sets(KEYS))
    def reconcile(self, found: set[int], missing: set[int]) -> None:
        missing = missing - found
        entries = {message(key).message_id: Proof("u", "delivered", 1, "0.01", "SGD") for key in found}
        absent = [message(key).message_id for key in missing]
        if any(self.status.get(key) != "unknown" for key in found | missing):
            with pytest.raises(LedgerError):
                apply(self.ledger, self.run, found=entries, not_received=absent)
            return
        apply(self.ledger, self.run, found=entries, not_received=absent)
        for key in found:
            self.status[key] = "accepted"
        for key in missing:
            del self.status[key]

    @invariant()
    def the_ledger_says_what_is_so(self) -> None:
        ids = [message(key).message_id for key in range(6)]
        known = self.ledger.records(self.run, ids)
        assert {message(k).message_id: s for k, s in self.status.items()} == {i: r.status for i, r in known.items()}
        assert {i for i, r in known.items() if r.status == "unknown"} == unknowns(self.ledger, self.run).keys()


LedgerMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=25)
TestLedgerMachine = LedgerMachine.TestCase
