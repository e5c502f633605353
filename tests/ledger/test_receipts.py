"""Receipts in the ledger: kept before they are needed, merged, and proof that an unknown message was taken."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.base.delivery import DeliveryState, Receipt
from runner.base.errors import LedgerError
from runner.base.messages import Encoding, Message
from runner.base.outcomes import Status
from runner.ledger.ledger import open_ledger
from runner.ledger.receipts import (
    adopt,
    has_receipts,
    hold,
    receipts_by_message_id,
    receipts_of,
    save_receipts,
    settle_by_receipts,
    unproved,
)
from runner.ledger.tables import SENDING
from runner.provider.delivery import merge
from tests.deadline import DEADLINE_S
from tests.ledger.filled import Filled

S = DeliveryState


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    with Filled(tmp_path / "l.sqlite3") as made:
        yield made


def receipt(
    umid: str, message_id: str | None = None, state: DeliveryState = S.DELIVERED, at: int = 10, **more: Any  # noqa: ANN401 (fields)
) -> Receipt:  # fmt: skip
    return Receipt(umid, message_id, state, at, **more)


def rows(filled: Filled, columns: str, table: str = "messages") -> list[tuple[Any, ...]]:
    """As another program sees them: what isn't durable isn't there."""
    connection = sqlite3.connect(filled.path)
    found = connection.execute(f"select {columns} from {table} order by 1").fetchall()  # noqa: S608 (ours)
    connection.close()
    return found


def test_everything_that_a_receipt_tells_is_kept(filled: Filled) -> None:
    whole = Receipt("u-1", "x.y.z", S.UNDELIVERED, 10, "rejected_by_operator", 59, "no such number", None, 3, "0.0375",
                    "SGD")  # fmt: skip
    assert 0 == save_receipts(filled.ledger, [whole], now=77, authorized=True)
    assert {"x.y.z": whole} == receipts_by_message_id(filled.ledger, ["x.y.z"])
    assert [(77,)] == rows(filled, "received_at", "receipts")


def test_none_at_all(filled: Filled) -> None:
    assert 0 == save_receipts(filled.ledger, [], now=1, authorized=True)
    assert {} == receipts_by_message_id(filled.ledger, [])
    assert {} == receipts_of(filled.ledger, {})
    assert not has_receipts(filled.ledger)


def test_whether_there_is_one(filled: Filled) -> None:
    save_receipts(filled.ledger, [receipt("u-1")], now=1, authorized=True)
    assert has_receipts(filled.ledger)


def test_receipts_are_merged_within_a_call_and_with_what_is_there(filled: Filled) -> None:
    sent, at_operator = receipt("u-1", None, S.SENT, 1), receipt("u-1", "a.b.c", S.DELIVERED, 2, segments=2)
    arrived, read = receipt("u-1", None, S.DELIVERED, 3, delivered_at=3), receipt("u-1", "a.b.c", S.READ, 4)
    assert 0 == save_receipts(filled.ledger, [read, at_operator], now=1, authorized=True)
    assert 0 == save_receipts(filled.ledger, [arrived, sent], now=2, authorized=True)
    expected = reduce(merge, [sent, at_operator, arrived, read])
    assert {"a.b.c": expected} == receipts_by_message_id(filled.ledger, ["a.b.c"])
    assert [("read", 3, 2, 2)] == rows(filled, "state, delivered_at, segments, received_at", "receipts")


RECEIPTS = st.builds(
    Receipt, st.sampled_from(["u-1", "u-2"]), st.sampled_from([None, "a.b.c"]), st.sampled_from(S), st.integers(1, 4),
    error_code=st.sampled_from([None, 0, 59]), segments=st.sampled_from([None, 1, 2]),
    price=st.sampled_from([None, "9", "10"]),
)  # fmt: skip


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(RECEIPTS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_in_whatever_groups_they_come(tmp_path: Path, groups: list[list[Receipt]]) -> None:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        with ledger.engine.begin() as connection:
            connection.exec_driver_sql("delete from receipts")
        for group in groups:
            save_receipts(ledger, group, now=1, authorized=True)
        with ledger.engine.connect() as connection:
            found = connection.exec_driver_sql("select umid, state, at, error_code, segments, price from receipts")
            kept = {row[0]: tuple(row[1:]) for row in found}
    expected: dict[str, Receipt] = {}
    for each in (each for group in groups for each in group):
        expected[each.umid] = merge(expected[each.umid], each) if each.umid in expected else each
    assert {
        umid: (each.state.value, each.at, each.error_code, each.segments, each.price) for umid, each in expected.items()
    } == kept


def test_a_receipt_settles_an_unknown_message_and_no_other(filled: Filled) -> None:
    run = filled.run()
    statuses = (Status.UNKNOWN, SENDING, Status.ACCEPTED, Status.REJECTED)
    ids = [filled.messages(run, status=status)[0] for status in statuses]
    told = [receipt(f"told-{number}", message_id) for number, message_id in enumerate(ids)]
    assert 1 == save_receipts(filled.ledger, told, now=55, authorized=True)
    assert [
        (ids[0], "accepted", "receipt", "no answer came, but a delivery receipt did", "told-0", 55),
        (ids[1], SENDING, None, None, None, None),
        (ids[2], "accepted", None, None, "umid-3", None),
        (ids[3], "rejected", None, None, None, None),
    ] == rows(filled, "message_id, status, reason, detail, umid, settled_at")


@pytest.mark.parametrize("state", S)
def test_a_receipt_of_any_state_proves_that_the_provider_has_it(filled: Filled, state: DeliveryState) -> None:
    (message_id,) = filled.messages(filled.run(), status=Status.UNKNOWN)
    assert 1 == save_receipts(filled.ledger, [receipt("u-1", message_id, state)], now=1, authorized=True)


def test_it_settles_once_however_often_it_comes(filled: Filled) -> None:
    run = filled.run()
    (message_id,) = filled.messages(run, status=Status.UNKNOWN)
    twice = [receipt("u-1", message_id, S.SENT), receipt("u-1", message_id)]
    assert [1, 0] == [save_receipts(filled.ledger, twice, now=now, authorized=True) for now in (1, 2)]
    assert 0 == settle_by_receipts(filled.ledger, run)


def test_a_later_receipt_settles_by_the_message_id_of_an_earlier_one(filled: Filled) -> None:
    (message_id,) = filled.messages(filled.run(), status=SENDING)
    assert 0 == save_receipts(filled.ledger, [receipt("u-1", message_id, S.SENT)], now=1, authorized=True)
    with filled.ledger.engine.begin() as connection:
        connection.exec_driver_sql("update messages set status = 'unknown'")
    assert 1 == save_receipts(filled.ledger, [receipt("u-1", None, S.READ)], now=2, authorized=True)


def test_two_umids_of_one_message_are_both_kept(filled: Filled) -> None:
    """The provider took it twice; it is settled once, and shown by what reached further."""
    run = filled.run()
    (message_id,) = filled.messages(run, status=Status.UNKNOWN)
    lost, arrived = receipt("u-1", message_id, S.UNDELIVERED, 20, error_code=1), receipt("u-2", message_id)
    assert 1 == save_receipts(filled.ledger, [lost, arrived], now=1, authorized=True)
    assert [("u-1",), ("u-2",)] == rows(filled, "umid", "receipts")
    assert {message_id: arrived} == receipts_by_message_id(filled.ledger, [message_id])
    assert [("accepted",)] == rows(filled, "status")


def test_names_and_runs_with_dots_are_told_apart(filled: Filled) -> None:
    """`a.b` / `c` and `a` / `b.c` begin alike; a message of either is looked for in both, and found by its whole id."""
    dotted, other, third = (filled.run(*each) for each in (("a.b", "c"), ("a", "b.c"), ("a", "b")))
    for run, token in ((dotted, "k1"), (other, "k2")):
        filled.messages(run, status=Status.UNKNOWN, message_id=f"a.b.c.{token}")
    filled.messages(third, status=Status.UNKNOWN, message_id="a.b.k3")
    told = [receipt(f"u-{number}", f"a.b.{rest}") for number, rest in enumerate(("c.k2", "k3", "c.k9"))]
    assert 2 == save_receipts(filled.ledger, told, now=1, authorized=True)
    assert [("a.b.c.k1", "unknown"), ("a.b.c.k2", "accepted"), ("a.b.k3", "accepted")] == rows(
        filled, "message_id, status"
    )


@pytest.mark.parametrize("message_id", [None, "", ".", "welcome.main", "welcome.mainx.k", "elcome.main.k", "x" * 350])
def test_somebody_elses_receipts_are_kept_and_not_ours(filled: Filled, message_id: str | None) -> None:
    filled.messages(filled.run(), status=Status.UNKNOWN)
    assert 0 == save_receipts(filled.ledger, [receipt("u-1", message_id)], now=1, authorized=True)
    assert ([("u-1",)], [("unknown",)]) == (rows(filled, "umid", "receipts"), rows(filled, "status"))


def test_a_receipt_that_came_before_its_answer_was_given_up(filled: Filled) -> None:
    run, other = filled.run(), filled.run("other")
    ids = filled.messages(run, 3, status=SENDING)
    filled.messages(other, status=Status.UNKNOWN)
    save_receipts(filled.ledger, [receipt("u-1", ids[0], S.SENT), receipt("u-2", ids[2])], now=1, authorized=True)
    assert 0 == settle_by_receipts(filled.ledger, run)
    filled.ledger.mark_dead_claims_unknown(run, died_by=2)
    assert 2 == settle_by_receipts(filled.ledger, run)
    assert 0 == settle_by_receipts(filled.ledger, run)
    assert {"accepted": 2, "unknown": 1} == filled.ledger.counts(run)
    assert {"unknown": 1} == filled.ledger.counts(other)


def test_the_receipts_of_messages_by_umid_and_else_by_message_id(filled: Filled) -> None:
    run = filled.run()
    taken, silent, untold, foreign = filled.messages(run, 4)
    (refused,) = filled.messages(run, status=Status.REJECTED)
    with filled.ledger.engine.begin() as connection:
        connection.exec_driver_sql("update messages set umid = 'umid-2' where message_id = ?", (foreign,))
    told = {
        taken: receipt("umid-1", taken), silent: receipt("umid-2", None), refused: receipt("elsewhere", refused),
    }  # fmt: skip
    save_receipts(filled.ledger, [*told.values(), receipt("late", untold)], now=1, authorized=True)
    records = filled.ledger.records(run, [taken, silent, untold, foreign, refused])
    assert told | {foreign: told[silent]} == receipts_of(filled.ledger, records)


def test_more_than_one_query_can_ask_for(filled: Filled) -> None:
    run = filled.run()
    ids = [f"welcome.main.{number}" for number in range(5_001)]
    told = [receipt(f"u-{number}", message_id) for number, message_id in enumerate(ids)]
    assert 0 == save_receipts(filled.ledger, told, now=1, authorized=True)
    assert 0 == save_receipts(filled.ledger, told, now=2, authorized=True)
    assert dict(zip(ids, told, strict=True)) == receipts_by_message_id(filled.ledger, ids)
    assert {} == filled.ledger.records(run, ids)


def test_a_message_that_the_ledger_lost_is_adopted(filled: Filled) -> None:
    run = filled.run()
    messages = [
        Message(number, f"C-{number}", "+12025550142", "US", "Hi", Encoding.GSM7, 2, f"welcome.main.k{number}")
        for number in range(2)
    ]
    filled.messages(run, status=Status.REJECTED, message_id="welcome.main.k1")
    adopt(filled.ledger, run, [(each, receipt(f"u-{each.row}", each.message_id)) for each in messages])
    assert [
        ("welcome.main.k0", "C-0", "accepted", "receipt", "u-0", 2),
        ("welcome.main.k1", "welcome.main.00000001", "rejected", None, None, 1),
    ] == rows(filled, "message_id, key, status, reason, umid, segments")


def test_all_or_nothing(filled: Filled) -> None:
    (message_id,) = filled.messages(filled.run(), status=Status.UNKNOWN)
    with filled.ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "create trigger full before update on messages begin select raise(abort, 'disk is full'); end"
        )
    with pytest.raises(LedgerError, match="could not be written: disk is full"):
        save_receipts(filled.ledger, [receipt("u-1", message_id)], now=1, authorized=True)
    assert [] == rows(filled, "umid", "receipts")
    with filled.ledger.engine.begin() as connection:
        connection.exec_driver_sql("drop trigger full")
    assert 1 == save_receipts(filled.ledger, [receipt("u-1", message_id)], now=1, authorized=True)


WRITER = """
import sys
from runner.ledger.ledger import open_ledger
from runner.ledger.receipts import save_receipts
from runner.base.delivery import DeliveryState, Receipt

with open_ledger(sys.argv[1], create=False) as ledger:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(100):
        at = 2 * number + int(sys.argv[2])
        told = [Receipt(f"u-{umid}", None, DeliveryState.SENT, at, delivered_at=at + 1) for umid in range(3)]
        save_receipts(ledger, told, now=1, authorized=True)
"""


def test_two_processes_at_once_merge_what_each_was_told(filled: Filled) -> None:
    """The earliest delivery is told by one of them, the latest state by the other, over and over."""
    command = (sys.executable, "-c", WRITER, str(filled.path))
    writers = [
        subprocess.Popen((*command, str(number)), stdin=subprocess.PIPE, stdout=subprocess.PIPE) for number in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert b"ready\n" == writer.stdout.readline()
    for writer in writers:
        writer.communicate(b"go\n", timeout=DEADLINE_S)
    assert [0, 0] == [writer.returncode for writer in writers]
    assert [(f"u-{umid}", 199, 1) for umid in range(3)] == rows(filled, "umid, at, delivered_at", "receipts")


def test_a_look_at_receipts_needs_no_lock(filled: Filled) -> None:
    save_receipts(filled.ledger, [receipt("u-1", "a.b.c")], now=1, authorized=True)
    with open_ledger(str(filled.path), create=False) as writing, writing.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        assert {"a.b.c"} == receipts_by_message_id(filled.ledger, ["a.b.c"]).keys()


def test_a_receipt_without_authorization_proves_nothing(filled: Filled) -> None:
    run = filled.run()
    (message_id,) = filled.messages(run, status=Status.UNKNOWN)
    assert 0 == save_receipts(filled.ledger, [receipt("forged", message_id)], now=5, authorized=False)
    assert 0 == settle_by_receipts(filled.ledger, run)
    assert {} == receipts_by_message_id(filled.ledger, [message_id])
    assert {} == receipts_of(filled.ledger, filled.ledger.records(run, [message_id]))
    assert {message_id: 5} == unproved(filled.ledger, [message_id])
    assert 1 == save_receipts(filled.ledger, [receipt("true", message_id)], now=6, authorized=True)
    assert [("accepted", "true")] == rows(filled, "status, umid")


def test_a_receipt_without_authorization_never_changes_an_authorized_one(filled: Filled) -> None:
    true, forged = receipt("u", "a.b.c", S.SENT, price="0.01"), receipt("u", "a.b.d", S.READ, 99, price="900")
    save_receipts(filled.ledger, [forged], now=1, authorized=False)
    save_receipts(filled.ledger, [true], now=2, authorized=True)
    save_receipts(filled.ledger, [forged], now=3, authorized=False)
    assert [("a.b.c", "sent", "0.01", 2, 1)] == rows(
        filled, "message_id, state, price, received_at, is_authorized", "receipts"
    )


def test_a_message_is_held_from_before_its_request_can_have_left(filled: Filled) -> None:
    run = filled.run()
    message = Message(0, "C-0", "+12025550142", "US", "Hi", Encoding.GSM7, 2, "welcome.main.k0")
    hold(filled.ledger, run, [message], 10**15)
    [(status, reason, claimed_at)] = rows(filled, "status, reason, claimed_at")
    assert ("unknown", "unproved_receipt") == (status, reason)
    assert claimed_at <= 10**15 - 14 * 86_400 * 10**6
