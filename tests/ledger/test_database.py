"""What people read when the database fails."""

import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from runner.base.errors import LedgerError
from runner.ledger.database import ledger_errors


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        (
            "database is locked",
            "another process kept it locked for more than 10 s (database is locked); wait until that process ends, "
            "then run the command again",
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
