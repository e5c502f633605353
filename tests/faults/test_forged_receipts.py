"""Receipts without authorization, true and forged: nobody is texted twice, and nobody is silently left out."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.base.delivery import DeliveryState, Receipt
from runner.ledger.ledger import open_ledger
from runner.ledger.receipts import save_receipts
from tests.faults.arena import MESSAGES, Arena, arena, quick

__all__ = ["quick"]

pytestmark = pytest.mark.usefixtures("quick")

FEW = 5


def ledger_of(run: Arena) -> Path:
    return run.place.folder / "reports/ledger.sqlite3"


def post(run: Arena, message_ids: list[str]) -> None:
    made = [Receipt(f"u-{each}", each, DeliveryState.DELIVERED, 10**15) for each in message_ids]
    with open_ledger(str(ledger_of(run)), create=True) as ledger:
        save_receipts(ledger, made, now=1_795_593_600_000_000, authorized=False)


def statuses(run: Arena) -> list[str]:
    return sorted(row["status"] for row in run.results())


def test_forged_and_true_receipts(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with arena(tmp_path / "first") as run:
        assert run.run().exit_code == 0
        ids = [row["client_message_id"] for row in run.results()]
        # A ledger restored from an old copy: it lost the last messages, whose receipts came without authorization.
        with closing(sqlite3.connect(ledger_of(run))) as database, database:
            lost = ids[-FEW:]
            database.executemany("DELETE FROM messages WHERE message_id = ?", [(each,) for each in lost])
            database.execute("UPDATE runs SET resume_plan = NULL, resume_row = NULL")
        post(run, lost)
        done = run.run()
        assert done.exit_code == 1
        assert "5 messages are unknown and were not sent" in " ".join(done.stdout.split())
        assert FEW == statuses(run).count("unknown")
        run.check_truth()
        assert run.reconcile().exit_code == 0
        assert ["accepted"] * MESSAGES == statuses(run)

    with arena(tmp_path / "second") as run:
        post(run, ids[:FEW])  # of messages that were never sent
        assert run.run().exit_code == 1
        assert MESSAGES - FEW == run.received().total()
        assert FEW == statuses(run).count("unknown")
        # Nothing shows that the log reaches back to when a true receipt's message would have been sent.
        assert run.reconcile().exit_code == 1
        assert run.reconcile("--accept-absence").exit_code == 0
        assert run.run().exit_code == 0
        run.check_truth()
        assert MESSAGES == run.received().total()
