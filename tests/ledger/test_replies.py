"""Replies that wait for a person, and what a decision leaves of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from runner.base.audit import AuditAction
from runner.base.optouts import DoubtfulReply, OptOut, OptOutSource, WaitingReply
from runner.ledger.audit import broken_link, trail, trail_of_number
from runner.ledger.ledger import Ledger, open_ledger
from runner.ledger.optouts import newest_by_number, note_optouts
from runner.ledger.purge import compact, purge_messages
from runner.ledger.replies import count_waiting, count_waiting_of, decide, keep_replies, waiting_replies
from runner.ledger.tables import messages

ANN, BEN = "+12025550142", "+12025550143"
TEXT = "when does the bus stop?"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        yield ledger


def reply(destination: str = ANN, at: int = 5, text: str = TEXT, umid: str = "u") -> DoubtfulReply:
    return DoubtfulReply(umid, destination, at, text, "stop")


def written(ledger: Ledger) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(ledger.path.parent.iterdir()) if path.is_file())


def test_a_reply_waits_once_however_often_it_comes(ledger: Ledger) -> None:
    for _ in range(2):
        keep_replies(ledger, [reply(), reply(), reply(BEN, 4)])

    assert [WaitingReply(2, BEN, 4, TEXT, "stop"), WaitingReply(1, ANN, 5, TEXT, "stop")] == waiting_replies(ledger)
    assert 2 == count_waiting(ledger)


def test_without_an_id_of_the_provider_its_time_tells_it_apart(ledger: Ledger) -> None:
    keep_replies(ledger, [reply(umid=""), reply(umid="", at=6), reply(umid="", at=6)])

    assert 2 == count_waiting(ledger)


def test_an_accepted_one_is_an_opt_out_from_when_it_came(ledger: Ledger) -> None:
    keep_replies(ledger, [reply(), reply(BEN)])

    decide(ledger, [1], [], 9)

    assert OptOut(ANN, True, 5, OptOutSource.REVIEW, "stop") == newest_by_number(ledger, [ANN, BEN])[ANN]
    assert [2] == [each.id for each in waiting_replies(ledger)]
    [entry] = trail_of_number(ledger, ANN)
    assert (AuditAction.OPTED_OUT, "review") == (entry.action, entry.detail["source"])
    assert broken_link(ledger) is None


def test_a_dismissed_one_is_not_listed_again(ledger: Ledger) -> None:
    keep_replies(ledger, [reply()])

    decide(ledger, [], [1], 9)
    keep_replies(ledger, [reply()])

    assert [] == waiting_replies(ledger)
    assert {} == newest_by_number(ledger, [ANN])
    *_, entry = trail(ledger)
    detail = {"reply": 1, "word": "stop", "at": "1970-01-01T00:00:00.000Z"}
    assert (AuditAction.REPLY_DISMISSED, detail) == (entry.action, entry.detail)


def test_a_decision_leaves_no_word_of_the_reply_and_no_number_of_a_dismissed_one(ledger: Ledger) -> None:
    keep_replies(ledger, [reply(), reply(BEN, text="the last stop of the bus")])
    assert b"bus" in written(ledger)
    assert BEN.encode() in written(ledger)

    decide(ledger, [1], [2], 9)
    compact(ledger)

    assert b"bus" not in written(ledger)
    assert BEN.encode() not in written(ledger)


@pytest.mark.parametrize("is_out", [True, False])
def test_a_later_stop_or_start_decides_too(ledger: Ledger, *, is_out: bool) -> None:
    keep_replies(ledger, [reply(at=5), reply(at=7, umid="later")])

    note_optouts(ledger, [OptOut(ANN, is_out, 6, OptOutSource.REPLY, "word")])
    assert [2] == [each.id for each in waiting_replies(ledger)]
    decide(ledger, [1], [], 9)

    assert is_out == newest_by_number(ledger, [ANN])[ANN].is_out


def test_no_decision_without_its_entry(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_replies(ledger, [reply(), reply(BEN)])

    def failing(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("runner.ledger.replies.append", failing)
    with pytest.raises(OSError, match=r"^$"):
        decide(ledger, [1], [2], 9)

    assert 2 == count_waiting(ledger)
    assert ["ledger_made"] == [entry.action for entry in trail(ledger)]
    assert {} == newest_by_number(ledger, [ANN])


def test_a_purge_deletes_the_texts_of_its_run_and_keeps_the_question(ledger: Ledger) -> None:
    run_id = a_run(ledger)
    keep_replies(ledger, [reply(), reply(BEN, text="end of the month")])
    [record] = ledger.runs()

    purge_messages(ledger, record)
    compact(ledger)

    assert [(ANN, None), (BEN, "end of the month")] == [
        (each.destination, each.text) for each in waiting_replies(ledger)
    ]
    assert TEXT.encode() not in written(ledger)
    assert 0 == count_waiting_of(ledger, run_id)
    decide(ledger, [1], [], 9)
    assert newest_by_number(ledger, [ANN])[ANN].is_out


def test_a_run_counts_the_replies_to_its_messages(ledger: Ledger) -> None:
    run_id = a_run(ledger)
    keep_replies(ledger, [reply(at=5), reply(at=2, umid="before"), reply(BEN), reply(at=6, umid="again")])

    assert 2 == count_waiting_of(ledger, run_id)
    decide(ledger, [1], [], 9)
    assert 1 == count_waiting_of(ledger, run_id), "the reply after the opt-out"


def a_run(ledger: Ledger) -> int:
    """A run with one message to Ann, claimed at 3."""
    run_id = ledger.begin_run(
        name="sale", run="a", now=1, sub_account_id="acme", options="{}", fingerprint="f", rows=1, to_send=1
    ).id
    row = {"run_id": run_id, "message_id": "sale.a.1", "key": "k", "destination": ANN, "encoding": "GSM7"}
    row |= {"segments": 1, "status": "accepted", "attempts": 1, "claimed_at": 3}
    with ledger.engine.begin() as connection:
        connection.execute(insert(messages), row)
    return run_id
