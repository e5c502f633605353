"""Receipts: merged and stored for every message, and the proof that settles an unknown one as accepted."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from runner.base.delivery import DeliveryState, Receipt
from runner.base.messages import Message
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.database import rows_among
from runner.ledger.ledger import Ledger, MessageRecord
from runner.ledger.tables import messages, receipts, runs
from runner.ledger.transitions import Proof, accept_unknown, claim, settle
from runner.provider.delivery import merge, precedence

_ALL = select(*(receipts.c[name] for name in Receipt.__slots__))
_UPSERT = insert(receipts)
_UPSERT = _UPSERT.on_conflict_do_update(
    index_elements=[receipts.c.umid],
    set_={column.name: _UPSERT.excluded[column.name] for column in receipts.c if column.name != "umid"},
)
# The detail of a message that a receipt has settled.
_SETTLED = "no answer came, but a receipt did"


def save_receipts(ledger: Ledger, received: Sequence[Receipt], *, now: int) -> int:
    """Save receipts, durably when it returns; returns how many unknown messages they settled as accepted.

    `now` is when they came (microseconds since the epoch). All or nothing. A receipt proves that its message was sent,
    so an unknown message becomes accepted. One in `sending` doesn't change: the process that sends it will settle it.
    Raises LedgerError.
    """
    if not received:
        return 0
    merged: dict[str, Receipt] = {}
    for receipt in received:
        merged[receipt.umid] = merge(merged[receipt.umid], receipt) if receipt.umid in merged else receipt
    with ledger.writing() as connection:
        # The lock comes before the read, or two processes could each merge into what the other hasn't written yet.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for row in rows_among(connection, _ALL, receipts.c.umid, list(merged)):
            merged[row[0]] = merge(merged[row[0]], _receipt(row))
        rows = [{name: getattr(receipt, name) for name in Receipt.__slots__} for receipt in merged.values()]
        connection.execute(_UPSERT, [row | {"state": row["state"].value, "received_at": now} for row in rows])
        proven = _proven(connection, merged.values())
        return accept_unknown(connection, proven, OutcomeReason.RECEIPT, _SETTLED, now)


def settle_by_receipts(ledger: Ledger, run_id: int) -> int:
    """Settle each unknown message of a run for which a receipt has come; returns how many.

    For a message that became unknown after its receipt had come, while its answer was still awaited.
    """
    query = (
        select(messages.c.message_id, receipts.c.umid)
        .join_from(messages, receipts, receipts.c.message_id == messages.c.message_id)
        .where(messages.c.run_id == run_id, messages.c.status == Status.UNKNOWN.value)
    )
    proven = [(run_id, message_id, Proof(umid)) for message_id, umid in ledger.rows(query)]
    if not proven:
        return 0
    with ledger.writing() as connection:
        return accept_unknown(connection, proven, OutcomeReason.RECEIPT, _SETTLED, time.time_ns() // 1000)


def adopt(ledger: Ledger, run_id: int, found: Sequence[tuple[Message, Receipt]]) -> None:
    """Note messages that this ledger lost as accepted: a receipt proves that they were sent. Raises LedgerError."""
    known = ledger.claimed(run_id, [message.message_id for message, _ in found])
    new = [(message, receipt) for message, receipt in found if message.message_id not in known]
    if not new:
        return
    detail = "this ledger didn't know that it was sent, but a receipt came"
    outcome = Outcome(Status.ACCEPTED, OutcomeReason.RECEIPT, detail=detail)
    with ledger.writing() as connection:
        claim(connection, run_id, [(message, 1) for message, _ in new], time.time_ns() // 1000)
        settlements = [(message.message_id, replace(outcome, umid=receipt.umid)) for message, receipt in new]
        settle(connection, run_id, settlements)


def has_receipts(ledger: Ledger) -> bool:
    """Whether the ledger has any receipt, of whichever run."""
    return ledger.scalar(select(receipts.c.umid).limit(1)) is not None


def receipts_of(ledger: Ledger, records: Mapping[str, MessageRecord]) -> dict[str, Receipt]:
    """The receipts of some messages, by message id; messages without one are absent.

    Found by umid where the message has one, because a receipt needn't echo the message id; else by message id.
    """
    umids = {message_id: record.umid for message_id, record in records.items() if record.umid}
    rows = ledger.rows_among(_ALL, receipts.c.umid, list(set(umids.values())))
    known = {row[0]: _receipt(row) for row in rows}
    found = {message_id: known[umid] for message_id, umid in umids.items() if umid in known}
    return found | receipts_by_message_id(ledger, [message_id for message_id in records if message_id not in umids])


def receipts_by_message_id(ledger: Ledger, message_ids: Sequence[str]) -> dict[str, Receipt]:
    """The receipts that name these messages, by message id, whether a run of this ledger has them or not."""
    found: dict[str, Receipt] = {}
    for row in ledger.rows_among(_ALL, receipts.c.message_id, message_ids):
        receipt = _receipt(row)
        assert receipt.message_id is not None
        # Two umids for one message: it was taken twice, and what reached further counts, whole.
        known = found.get(receipt.message_id, receipt)
        found[receipt.message_id] = max(known, receipt, key=lambda each: (precedence(each), each.umid))
    return found


def _proven(connection: Connection, received: Iterable[Receipt]) -> list[tuple[int, str, Proof]]:
    """Messages (run id, message id) of this ledger's runs that receipts prove, if they are unknown.

    A message id begins with its run's name and id, and either may hold dots: two runs can begin alike, and then the
    receipt is tried with both.
    """
    by_prefix: dict[str, list[Receipt]] = defaultdict(list)
    for receipt in received:
        by_prefix[(receipt.message_id or "").rpartition(".")[0]].append(receipt)
    # Compared by the database: reading the names of thousands of runs for each receipt would cost more.
    begins = (runs.c.name + "." + runs.c.run).label("begins")
    found = rows_among(connection, select(runs.c.id, begins), begins, list(by_prefix))
    return [(id_, each.message_id or "", Proof(each.umid)) for id_, prefix in found for each in by_prefix[prefix]]


def _receipt(row: Sequence[Any]) -> Receipt:
    umid, message_id, state, *others = row
    return Receipt(umid, message_id, DeliveryState(state), *others)
