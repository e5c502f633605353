"""What people read when the database fails."""

import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from runner.base.errors import BrokenLedgerError, LedgerError
from runner.ledger.database import ledger_errors


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        (
            "database is locked",
            "another process kept it locked for more than 10 s; it may be upgrading a large ledger "
            "(database is locked); wait until that process ends, then run the command again",
        ),
        (
            "database or disk is full",
            "the disk is full (database or disk is full); free some space, then run the command again",
        ),
        (
            "attempt to write a readonly database",
            "the file is read-only (attempt to write a readonly database); check its permissions",
        ),
        ("no such table: messages", "no such table: messages"),
        ("", "OperationalError"),
    ],
)
def test_database_errors_say_what_to_do(original: str, expected: str) -> None:
    with pytest.raises(LedgerError) as caught, ledger_errors("written"):
        raise OperationalError("insert", {}, sqlite3.OperationalError(original))

    assert f"the ledger could not be written: {expected}" == str(caught.value)


@pytest.mark.parametrize(
    ("original", "exit_code"),
    [
        ("database is locked", 3),
        ("database table is locked", 3),
        ("locking protocol", 3),
        ("database or disk is full", 5),
        ("attempt to write a readonly database", 5),
        ("unable to open database file", 5),
        ("file is not a database", 5),
        ("database disk image is malformed", 5),
        ("disk I/O error", 5),
        ("no such table: messages", 5),
    ],
)
def test_only_a_locked_database_may_be_free_again_by_itself(original: str, exit_code: int) -> None:
    with pytest.raises(LedgerError) as caught, ledger_errors("written"):
        raise OperationalError("insert", {}, sqlite3.OperationalError(original))

    assert exit_code == caught.value.exit_code


def test_a_text_that_is_none_is_damage() -> None:
    with pytest.raises(BrokenLedgerError, match="read: the file is damaged"), ledger_errors("read"):
        b"\xcc ".decode()
