"""Plans that were shown, and which of them were approved. Times are microseconds since the epoch, UTC."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from runner.base.audit import AuditAction, AuditEntry
from runner.ledger.audit import append
from runner.ledger.ledger import Ledger
from runner.ledger.tables import approvals


@dataclass(frozen=True, slots=True)
class Approval:
    """A plan that can be approved.

    `parts` is what the fingerprint covers, as text by name. `approved_at` is when a run was first started with it;
    from `spent_at` on, the run is complete and the plan approves nothing more.
    """

    name: str
    run: str
    fingerprint: str
    parts: Mapping[str, str]
    planned_at: int
    planned_by: str | None
    approved_at: int | None = None
    spent_at: int | None = None


def note_plan(ledger: Ledger, plan: Approval) -> None:
    """Record that a plan was shown, in the table and in the audit trail. Raises LedgerError."""
    again = {"planned_at": plan.planned_at, "planned_by": plan.planned_by}
    entry = AuditEntry(AuditAction.PLANNED, f"{plan.name}/{plan.run}", {"fingerprint": plan.fingerprint})
    with ledger.writing() as connection:
        connection.execute(_inserted(plan).on_conflict_do_update(index_elements=_KEY, set_=again))
        append(connection, [entry])


def find_approval(ledger: Ledger, name: str, run: str, digits: str) -> Approval | None:
    """The plan whose fingerprint begins with `digits`: one of this run, or else of another run. None if unknown."""
    of_this_run = (approvals.c.name == name) & (approvals.c.run == run)
    query = select(approvals).where(approvals.c.fingerprint.startswith(digits, autoescape=True))
    for row in ledger.rows(query.order_by(of_this_run.desc(), approvals.c.planned_at.desc()).limit(1)):
        values = row._asdict()
        return Approval(**values | {"parts": orjson.loads(values["parts"])})
    return None


def note_approval(ledger: Ledger, run: str, detail: Mapping[str, Any], plan: Approval | None, *, now: int) -> None:
    """Record that NAME/RUN may be sent. `plan` is what was approved before; None: somebody just said yes.

    Raises LedgerError; then nothing may be sent.
    """
    with ledger.writing() as connection:
        if plan:
            approved = _inserted(plan).values(approved_at=now)
            connection.execute(approved.on_conflict_do_update(index_elements=_KEY, set_={"approved_at": now}))
        append(connection, [AuditEntry(AuditAction.APPROVED, run, detail)])


_KEY = (approvals.c.name, approvals.c.run, approvals.c.fingerprint)


def _inserted(plan: Approval) -> Any:  # noqa: ANN401 (SQLAlchemy's Insert)
    return insert(approvals).values(asdict(plan) | {"parts": orjson.dumps(dict(plan.parts)).decode()})
