"""The audit trail: a chain that shows every later change, and numbers that can be removed without breaking it."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runner.base.audit import AuditAction, AuditEntry, current_actor
from runner.base.clock import iso
from runner.base.errors import LedgerError
from runner.ledger.audit import (
    append,
    broken_link,
    forget_persons,
    note,
    trail,
    trail_of_number,
    unended_start,
)
from runner.ledger.ledger import Ledger, open_ledger
from runner.report.audit_words import details, what, who


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "ledger.sqlite3"), create=True) as ledger:
        yield ledger


def fill(ledger: Ledger) -> None:
    note(ledger, AuditEntry(AuditAction.PLANNED, "welcome/main", {"fingerprint": "ab" * 32}))
    note(
        ledger,
        AuditEntry(AuditAction.OPTED_OUT, "welcome/main", {"word": "stop"}, "+12025550101"),
        AuditEntry(AuditAction.OPTED_IN, None, {"source": "command"}, "+12025550102"),
    )


def test_entries_say_who_did_what_where(ledger: Ledger) -> None:
    fill(ledger)
    made, *entries = trail(ledger)
    assert (1, "ledger_made") == (made.number, made.action)
    assert [2, 3, 4] == [entry.number for entry in entries]
    assert ["planned", "opted_out", "opted_in"] == [entry.action for entry in entries]
    assert {current_actor()} == {entry.actor for entry in entries}
    assert ({"word": "stop"}, "+12025550101") == (entries[1].detail, entries[1].destination)
    assert broken_link(ledger) is None


def test_the_trail_of_a_campaign_or_a_run(ledger: Ledger) -> None:
    for run in ("welcome/main", "welcome/next", "welcome-back/main", "wel_ome/main", None):
        note(ledger, AuditEntry(AuditAction.STARTED, run))
    assert ["welcome/main", "welcome/next"] == [entry.run for entry in trail(ledger, "welcome")]
    assert ["welcome/next"] == [entry.run for entry in trail(ledger, "welcome", "next")]
    assert ["wel_ome/main"] == [entry.run for entry in trail(ledger, "wel_ome")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("update audit set actor = 'somebody else' where id = 3", "entry 3 was changed"),
        ("update audit set detail = '{}' where id = 1", "entry 1 was changed"),
        ("update audit set destination = '+12025550109' where id = 3", "the number of entry 3 was changed"),
        ("delete from audit where id = 1", "entry 1 is missing"),
        ("delete from audit where id = 2", "entry 2 is missing"),
        ("delete from audit where id = 4", "the entries after entry 3 are missing"),
        ("delete from audit", "the entries after entry 0 are missing"),
        ("update audit set action = 'hidden' where id = 2", "entry 2 was changed"),
        ("update audit set detail = 'none' where id = 2", "entry 2 was changed"),
        ("update audit set detail = '[1]' where id = 2", "entry 2 was changed"),
        ("update audit set detail = x'ff' where id = 2", "entry 2 was changed"),
        ("update audit set at = 'noon', actor = x'ff', run = x'ff' where id = 2", "entry 2 was changed"),
        ("update audit set at = 9000000000000000000 where id = 2", "entry 2 was changed"),
    ],
)
def test_a_later_change_is_found(ledger: Ledger, change: str, words: str) -> None:
    fill(ledger)
    connection = sqlite3.connect(ledger.path)
    connection.execute(change)
    connection.commit()
    connection.close()
    assert words in (broken_link(ledger) or "")
    # Whatever was changed, the rest of the trail can be read, also by the page of a run.
    for entry in trail(ledger):
        shown = (iso(entry.at), who(entry), what(entry), details(entry, str))
        assert all(isinstance(text, str) for text in shown)


def test_numbers_can_be_removed(ledger: Ledger) -> None:
    fill(ledger)
    with ledger.writing() as connection:
        forget_persons(connection, "welcome/main")
    assert [None, None, None, "+12025550102"] == [entry.destination for entry in trail(ledger)]
    assert broken_link(ledger) is None


def test_a_transaction_that_fails_leaves_no_entry(ledger: Ledger) -> None:
    fill(ledger)

    def fail() -> None:
        with ledger.writing() as connection:
            append(connection, [AuditEntry(AuditAction.STARTED)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert 4 == len(list(trail(ledger)))
    assert broken_link(ledger) is None


def test_a_session_begins_and_ends_with_its_entry_or_not_at_all(ledger: Ledger) -> None:
    values: dict[str, Any] = {"sub_account_id": "acme", "options": "{}", "fingerprint": "f", "rows": 1, "to_send": 1}
    audited = [AuditEntry(AuditAction.STARTED, "sale/a")]
    record = ledger.begin_run(name="sale", run="a", now=1, audited=audited, **values)
    with ledger.writing() as connection:
        connection.exec_driver_sql("CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")

    with pytest.raises(LedgerError):
        ledger.begin_run(name="sale", run="b", now=2, audited=audited, **values)
    with pytest.raises(LedgerError):
        ledger.end_run(record.id, now=3, stop_reason=None, stop_detail=None, audited=audited)

    assert [("a", None)] == [(run.run, run.ended_at) for run in ledger.runs()]
    assert ["started"] == [entry.action for entry in trail(ledger, "sale")]


def test_the_newest_start_is_known_until_it_has_an_end(ledger: Ledger) -> None:
    found = [unended_start(ledger, "sale/a")]
    for action in (AuditAction.STARTED, AuditAction.CANCELLED, AuditAction.STOPPED, AuditAction.STARTED):
        note(ledger, AuditEntry(action, "sale/a"), AuditEntry(AuditAction.FINISHED, "sale/b"))
        found.append(unended_start(ledger, "sale/a"))

    starts = [entry.at for entry in trail(ledger, "sale", "a") if entry.action is AuditAction.STARTED]
    assert [None, starts[0], starts[0], None, starts[1]] == found


def test_the_trail_of_a_number(ledger: Ledger) -> None:
    fill(ledger)
    assert ["opted_in"] == [entry.action for entry in trail_of_number(ledger, "+12025550102")]


def test_several_who_append_at_once_make_one_chain(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: note(ledger, AuditEntry(AuditAction.PLANNED)), range(80)))
    assert 81 == len(list(trail(ledger)))
    assert broken_link(ledger) is None


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"CAMPAIGN_ACTOR": "Ana", "GITHUB_ACTOR": "octocat"}, "Ana"),
        ({"CAMPAIGN_ACTOR": "", "GITHUB_ACTOR": "octocat"}, "octocat"),
        ({"GITLAB_USER_LOGIN": "lab"}, "lab"),
        ({"CAMPAIGN_ACTOR": "x" * 300}, "x" * 80),
        ({"CAMPAIGN_ACTOR": "An\udce9"}, "An\ufffd"),
    ],
)
def test_the_actor_is_named_by_the_environment(
    variables: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert name == current_actor().name
