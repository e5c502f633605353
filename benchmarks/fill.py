"""`python -m benchmarks.fill CAMPAIGN REPORTS SHARE`: create a run of which this share looks as if it was sent.

The project's own code makes the plan, the run and the ledger. Nothing is sent.
"""

import asyncio
import sys
import time
from pathlib import Path
from uuid import uuid4

from runner.base.errors import LedgerError
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.ledger import RunRecord
from runner.ledger.writer import Claim, LedgerWriter, Spill, spill_path
from runner.plan.plan_file import read_messages
from runner.run.open import Run, open_run
from runner.run.paths import RunOptions
from runner.run.plan import begin, make_plan


def fill(campaign: Path, reports: Path, share: float) -> None:
    """Begin the campaign's run and record the first share (0 to 1) of its messages as accepted."""
    with open_run(campaign, RunOptions(reports=reports)) as run:
        count = int(make_plan(run).to_send * share)
        record, sent_digest = begin(run, place="http://127.0.0.1")
        asyncio.run(_settle(run, record, sent_digest, count))
        words = "filled by a benchmark"
        run.ledger.end_run(record.id, now=_now_us(), stop_reason=OutcomeReason.INTERRUPTED.value, stop_detail=words)


async def _settle(run: Run, record: RunRecord, sent_digest: str, left: int) -> None:
    spill = Spill(spill_path(run.ledger.path, record.id))
    async with LedgerWriter(run.ledger.engine, record.id, spill, on_failure=_fail, plan=sent_digest) as writer:
        for batch in read_messages(run.paths.sent_plan, run.ids):
            messages = batch[:left]
            left -= len(messages)
            await writer.claim([Claim(message, 1) for message in messages], frontier=messages[-1].row)
            now = _now_us()
            for message in messages:
                accepted = Outcome(
                    Status.ACCEPTED,
                    OutcomeReason.QUEUED,
                    umid=str(uuid4()),
                    http_status=200,
                    sent_at=now,
                    answered_at=now + 25_000,
                )
                writer.settle(message.message_id, accepted)
            if not left:
                break


def _fail(error: LedgerError) -> None:
    raise error


def _now_us() -> int:
    return time.time_ns() // 1000


if __name__ == "__main__":
    fill(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
