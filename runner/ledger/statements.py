"""The statements that move a message from `sending` to where it ends, shared by the writer and the spill."""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, update

from runner.errors import LedgerError
from runner.ledger.tables import SENDING, messages
from runner.models import Outcome, Status

CLAIM = insert(messages)

_IS_OURS = (
    messages.c.run_id == bindparam("of_run"),
    messages.c.message_id == bindparam("of_message"),
    messages.c.status == SENDING,
)
_SETTLED = ("status", "reason", "detail", "sent_at", "answered_at", "umid", "http_status", "error_code", "error_id")
_SETTLE = update(messages).where(*_IS_OURS).values({name: bindparam(name) for name in (*_SETTLED, "settled_at")})
_RELEASE = delete(messages).where(*_IS_OURS)


def settle(connection: Connection, run_id: int, settlements: Sequence[tuple[str, Outcome]]) -> None:
    """Write outcomes of claimed messages; `unsent` takes the claim back.

    Raises LedgerError when one of them isn't `sending`: nothing but this process may have touched it.
    """
    now = time.time_ns() // 1000
    settled: list[dict[str, Any]] = []
    released: list[dict[str, Any]] = []
    for message_id, outcome in settlements:
        bound = {"of_run": run_id, "of_message": message_id}
        if outcome.status is Status.UNSENT:
            released.append(bound)
        else:
            settled.append(bound | _values(outcome) | {"settled_at": now})
    for statement, rows in ((_SETTLE, settled), (_RELEASE, released)):
        if not rows:
            continue
        changed = connection.execute(statement, rows).rowcount
        if changed != len(rows):
            gone = len(rows) - changed
            raise LedgerError(
                f"the ledger was changed by somebody else: {gone} claims of this process are gone from it"
            )


def _values(outcome: Outcome) -> dict[str, Any]:
    values = {name: getattr(outcome, name) for name in _SETTLED}
    # Plain strings for the driver; the words only where they say more than the code.
    return values | {"status": outcome.status.value, "reason": outcome.reason.value, "detail": outcome.detail or None}
