"""A ledger with runs in it as they are after sending, receipts and feedback, without having sent anything."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from sqlalchemy import insert

from runner.base.outcomes import Status
from runner.ledger.ledger import Ledger, open_ledger
from runner.ledger.tables import cancellations, feedback, messages, optouts, receipts


class Filled:
    """Give it runs, and messages with what is told of each. Close the ledger with it, as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger: Ledger = open_ledger(str(path), create=True)
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ledger.close()

    def run(
        self, name: str = "welcome", run: str = "main", *, at: int = 1_000_000, to_send: int = 10, rows: int = 12
    ) -> int:
        """Begin a run; returns its id."""
        return self.ledger.begin_run(
            name=name, run=run, now=at, sub_account_id="a", options="{}", fingerprint="f", rows=rows, to_send=to_send
        ).id

    def end(self, run_id: int, *, at: int = 2_000_000, reason: str | None = None, detail: str | None = None) -> None:
        self.ledger.end_run(run_id, now=at, stop_reason=reason, stop_detail=detail)

    def messages(
        self,
        run_id: int,
        count: int = 1,
        *,
        status: str = Status.ACCEPTED,
        receipt: Mapping[str, Any] | None = None,
        outcome: str | None = None,
        cancelling: str | None = None,
        **values: Any,  # noqa: ANN401 (columns)
    ) -> Sequence[str]:
        """So many messages alike; returns their ids."""
        ids = []
        with self.ledger.engine.begin() as connection:
            for _ in range(count):
                self._number += 1
                message_id = f"welcome.main.{self._number:08}"
                ids.append(message_id)
                umid = f"umid-{self._number}" if status == Status.ACCEPTED else None
                of_message = {"run_id": run_id, "message_id": message_id}
                row = {
                    "key": message_id, "destination": "+12025550100", "country": "US", "encoding": "GSM7",
                    "segments": 1, "status": status, "attempts": 1, "claimed_at": 1_000_000, "umid": umid,
                }  # fmt: skip
                connection.execute(insert(messages), of_message | row | values)
                if receipt is not None:
                    told = {"umid": umid or f"umid-{self._number}", "at": 2, "received_at": 3} | dict(receipt)
                    connection.execute(insert(receipts), told)
                if outcome:
                    told = {"outcome": outcome, "status": "told", "attempts": 1, "noted_at": 4}
                    connection.execute(insert(feedback), of_message | told)
                if cancelling:
                    connection.execute(insert(cancellations), of_message | {"status": cancelling, "settled_at": 5})
        return ids

    def opt_out(self, *destinations: str) -> None:
        rows = [{"destination": one, "is_out": True, "at": 1, "source": "reply"} for one in destinations]
        with self.ledger.engine.begin() as connection:
            connection.execute(insert(optouts), rows)
