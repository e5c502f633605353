"""Delivery receipts: merged and saved per message.

An *authorized* receipt also proves that its message was accepted. A receipt without authorization proves nothing,
because anybody who knows a campaign's keys can work out its message ids: it is kept apart until the umid, which only
the provider knows, is found in an answer or in the provider's log.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from runner.base.delivery import DeliveryState, Receipt
from runner.base.messages import Message
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.database import give_way, in_parts, rows_among
from runner.ledger.ledger import Ledger, MessageRecord
from runner.ledger.tables import messages, receipts, runs
from runner.ledger.transitions import Proof, accept_unknown, claim, settle
from runner.provider.delivery import merge, precedence

_ALL = select(*(receipts.c[name] for name in Receipt.__slots__))
_WITH_TRUST = _ALL.add_columns(receipts.c.is_authorized)
_UPSERT = insert(receipts)
_UPSERT = _UPSERT.on_conflict_do_update(
    index_elements=[receipts.c.umid],
    set_={column.name: _UPSERT.excluded[column.name] for column in receipts.c if column.name != "umid"},
)
# The `detail` of a message that was settled by a receipt, and of one that is held back because of a receipt.
_SETTLED = "no answer came, but a delivery receipt did"
_HELD = "not sent: a delivery receipt without authorization says that it was sent before"
_IS_AUTHORIZED = receipts.c.is_authorized.is_(True)
_IS_UNPROVED = receipts.c.is_authorized.is_not(True)  # also of an older version's receipts, where it is null
# The longest time from a request to a receipt: messages are scheduled up to 7 days ahead, and delivery is tried for up
# to 7 days.
_LONGEST_DELIVERY_US = 14 * 86_400 * 1_000_000


def save_receipts(ledger: Ledger, received: Sequence[Receipt], *, now: int, authorized: bool) -> int:
    """Save receipts, all or none; they are durable when this returns. Raises LedgerError.

    `now` is when they arrived (microseconds since the epoch). An authorized receipt proves that its message was sent,
    so an unknown message becomes accepted. A message in `sending` doesn't change: the process that sends it will settle
    it. Returns how many unknown messages became accepted. A receipt without authorization changes no message, and no
    authorized receipt.
    """
    if not received:
        return 0
    merged: dict[str, Receipt] = {}
    for receipt in received:
        merged[receipt.umid] = merge(merged[receipt.umid], receipt) if receipt.umid in merged else receipt
    with ledger.writing() as connection:
        # Lock before reading: otherwise two processes could overwrite each other's merged receipts.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for *row, was_authorized in rows_among(connection, _WITH_TRUST, receipts.c.umid, list(merged)):
            if bool(was_authorized) == authorized:
                merged[row[0]] = merge(merged[row[0]], _receipt(row))
            elif was_authorized:
                del merged[row[0]]
        if not merged:
            return 0
        rows = [{name: getattr(receipt, name) for name in Receipt.__slots__} for receipt in merged.values()]
        common = {"received_at": now, "is_authorized": authorized}
        connection.execute(_UPSERT, [row | common | {"state": row["state"].value} for row in rows])
        if not authorized:
            return 0
        proven = _proven(connection, merged.values())
        return accept_unknown(connection, proven, OutcomeReason.RECEIPT, _SETTLED, now)


def settle_by_receipts(ledger: Ledger, run_id: int) -> int:
    """Settle each unknown message of a run that has an authorized receipt. Returns how many.

    `save_receipts` misses a message whose receipt arrived while the run was still waiting for its answer.
    """
    query = (
        select(messages.c.message_id, receipts.c.umid)
        .join_from(messages, receipts, receipts.c.message_id == messages.c.message_id)
        .where(messages.c.run_id == run_id, messages.c.status == Status.UNKNOWN.value, _IS_AUTHORIZED)
    )
    proven = [(run_id, message_id, Proof(umid)) for message_id, umid in ledger.rows(query)]
    settled = 0
    for number, part in enumerate(in_parts(proven)):
        if number:
            give_way()
        with ledger.writing() as connection:
            settled += accept_unknown(connection, part, OutcomeReason.RECEIPT, _SETTLED, time.time_ns() // 1000)
    return settled


def adopt(ledger: Ledger, run_id: int, found: Sequence[tuple[Message, Receipt]]) -> None:
    """Add messages that this ledger lost, as accepted: a receipt proves that they were sent. Raises LedgerError."""
    known = ledger.claimed(run_id, [message.message_id for message, _ in found])
    new = [(message, receipt) for message, receipt in found if message.message_id not in known]
    if not new:
        return
    detail = "missing from this ledger, but a delivery receipt proves that it was sent"
    outcome = Outcome(Status.ACCEPTED, OutcomeReason.RECEIPT, detail=detail)
    with ledger.writing() as connection:
        claim(connection, run_id, [(message, 1) for message, _ in new], time.time_ns() // 1000)
        settlements = [(message.message_id, replace(outcome, umid=receipt.umid)) for message, receipt in new]
        settle(connection, run_id, settlements)


def hold(ledger: Ledger, run_id: int, found: Sequence[Message], received_at: int) -> None:
    """Add messages that have a receipt without authorization, as unknown. Raises LedgerError.

    Either this ledger lost them and they were sent, or somebody forged the receipts: only the provider's log can tell.
    `received_at` is when the first of the receipts arrived (microseconds since the epoch).
    """
    outcome = Outcome(Status.UNKNOWN, OutcomeReason.UNPROVED_RECEIPT, detail=_HELD)
    with ledger.writing() as connection:
        # The ledger may also have lost when the run began, so the requests can have left long before it.
        began = connection.execute(select(runs.c.created_at).where(runs.c.id == run_id)).scalar_one()
        claim(connection, run_id, [(each, 1) for each in found], min(began, received_at) - _LONGEST_DELIVERY_US)
        settle(connection, run_id, [(each.message_id, outcome) for each in found])


def unproved(ledger: Ledger, message_ids: Sequence[str]) -> dict[str, int]:
    """When a receipt without authorization last arrived for these message ids (microseconds since the epoch)."""
    query = select(receipts.c.message_id, receipts.c.received_at).where(_IS_UNPROVED)
    return dict(ledger.rows_among(query, receipts.c.message_id, message_ids))


def forget_disproved(connection: Connection, message_ids: Collection[str]) -> None:
    """Delete the receipts without authorization of messages that the provider's log proves not to have been sent."""
    if message_ids:
        is_forged = (receipts.c.message_id == bindparam("of_message"), _IS_UNPROVED)
        connection.execute(delete(receipts).where(*is_forged), [{"of_message": each} for each in message_ids])


def has_receipts(ledger: Ledger) -> bool:
    """Whether the ledger has a receipt of any run."""
    return ledger.scalar(select(receipts.c.umid).limit(1)) is not None


def receipts_of(ledger: Ledger, records: Mapping[str, MessageRecord]) -> dict[str, Receipt]:
    """The receipts of these messages, by message id. Messages without a receipt are absent.

    A message that has a umid is looked up by it, because a receipt may lack the message id. Others are looked up by
    message id, which only an authorized receipt may claim.
    """
    umids = {message_id: record.umid for message_id, record in records.items() if record.umid}
    rows = ledger.rows_among(_ALL, receipts.c.umid, list(set(umids.values())))
    known = {row[0]: _receipt(row) for row in rows}
    found = {message_id: known[umid] for message_id, umid in umids.items() if umid in known}
    return found | receipts_by_message_id(ledger, [message_id for message_id in records if message_id not in umids])


def receipts_by_message_id(ledger: Ledger, message_ids: Sequence[str]) -> dict[str, Receipt]:
    """The authorized receipts with these message ids, even if no run of this ledger has the message."""
    found: dict[str, Receipt] = {}
    for row in ledger.rows_among(_ALL.where(_IS_AUTHORIZED), receipts.c.message_id, message_ids):
        receipt = _receipt(row)
        assert receipt.message_id is not None
        # Two umids for one message: the provider accepted it twice. Keep the receipt that got further.
        known = found.get(receipt.message_id, receipt)
        found[receipt.message_id] = max(known, receipt, key=lambda each: (precedence(each), each.umid))
    return found


def _proven(connection: Connection, received: Iterable[Receipt]) -> list[tuple[int, str, Proof]]:
    """The messages (run id, message id) of this ledger's runs that these receipts are about.

    A message id begins with the name and id of its run. Both may contain dots, so two runs can have the same prefix;
    then the receipt is tried with both.
    """
    by_prefix: dict[str, list[Receipt]] = defaultdict(list)
    for receipt in received:
        by_prefix[(receipt.message_id or "").rpartition(".")[0]].append(receipt)
    # The database compares, because reading the names of thousands of runs for each receipt would be slower.
    begins = (runs.c.name + "." + runs.c.run).label("begins")
    found = rows_among(connection, select(runs.c.id, begins), begins, list(by_prefix))
    return [(id_, each.message_id or "", Proof(each.umid)) for id_, prefix in found for each in by_prefix[prefix]]


def _receipt(row: Sequence[Any]) -> Receipt:
    umid, message_id, state, *others = row
    return Receipt(umid, message_id, DeliveryState(state), *others)
