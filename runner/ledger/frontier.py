"""From where on a run is continued: a row of its plan, up to which the ledger has every message.

It only saves looking: a session that finds none looks at every message of the plan. So whatever takes a message out of
the ledger forgets it in the same transaction, and the sender, who knows what is open, notes it anew.
"""

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from runner.ledger.ledger import Ledger, ledger_errors
from runner.ledger.tables import frontiers

_OF_RUN = frontiers.c.run_id == bindparam("of_run")
_MOVE = update(frontiers).where(_OF_RUN).values(plan=bindparam("plan"), row=bindparam("row"))


def frontier(ledger: Ledger, run_id: int, plan: str) -> int:
    """The ledger has all messages up to this 1-based row of the plan file with this digest; 0: that isn't known."""
    query = select(frontiers.c.row).where(frontiers.c.run_id == run_id, frontiers.c.plan == plan)
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return int(connection.scalar(query) or 0)


def note_frontier(connection: Connection, run_id: int, plan: str, row: int) -> None:
    """Note it, in the transaction of the claims that it counts."""
    values = {"of_run": run_id, "plan": plan, "row": row}
    if not connection.execute(_MOVE, values).rowcount:
        connection.execute(insert(frontiers), {"run_id": run_id, "plan": plan, "row": row})


def forget_frontier(connection: Connection, run_id: int) -> None:
    """A message of the run is taken out of the ledger."""
    connection.execute(delete(frontiers).where(_OF_RUN), {"of_run": run_id})
