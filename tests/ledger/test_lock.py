"""One process per run, with real processes."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.base.errors import BrokenLedgerError, RunLockedError
from runner.ledger.ledger import open_ledger
from runner.ledger.lock import is_locked, run_lock

HOLD = """
import sys
from pathlib import Path
from runner.ledger.lock import run_lock
with run_lock(Path(sys.argv[1]), "sale", "main"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_process_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    ledger = tmp_path / "l.sqlite3"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(ledger)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert "held\n" == holder.stdout.readline()

        assert is_locked(ledger, "sale", "main")
        with pytest.raises(RunLockedError, match=f"process {holder.pid} on "), run_lock(ledger, "sale", "main"):
            pass
        with run_lock(ledger, "sale", "other"), run_lock(ledger, "other", "main"):
            pass

        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()

    assert not is_locked(ledger, "sale", "main")
    with run_lock(ledger, "sale", "main"):
        assert is_locked(ledger, "sale", "main")


def test_a_lock_is_free_after_its_block(tmp_path: Path) -> None:
    ledger = tmp_path / "l.sqlite3"
    for _ in range(2):
        with run_lock(ledger, "sale", "main"):
            pass

    assert not is_locked(ledger, "sale", "main")
    assert not is_locked(ledger, "never", "seen")


def test_only_the_last_holder_is_named(tmp_path: Path) -> None:
    ledger, path = tmp_path / "l.sqlite3", tmp_path / "l.sqlite3.locks" / "sale" / "main.lock"
    path.parent.mkdir(parents=True)
    path.write_text("process 1 on a-host-with-a-long-name " + "x" * 200)

    with run_lock(ledger, "sale", "main"):
        assert re.fullmatch(rf"process {os.getpid()} on \S+ since [-0-9]+ [:0-9]+ UTC\n", path.read_text())


def test_names_that_join_alike_have_locks_of_their_own(tmp_path: Path) -> None:
    ledger = tmp_path / "l.sqlite3"
    with run_lock(ledger, "a.b", "c"), run_lock(ledger, "a", "b.c"):
        pass


def test_a_link_to_the_ledger_is_no_way_around_its_lock(tmp_path: Path) -> None:
    ledger, link = tmp_path / "l.sqlite3", tmp_path / "link.sqlite3"
    ledger.touch()
    link.symlink_to(ledger)

    with run_lock(ledger, "sale", "main"), pytest.raises(RunLockedError), run_lock(link, "sale", "main"):
        pass


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_locks_and_ledger_are_their_owners_alone(tmp_path: Path, umask: int) -> None:
    ledger = tmp_path / "l.sqlite3"
    before = os.umask(umask)
    try:
        with run_lock(ledger, "sale", "main"), open_ledger(str(ledger), create=True):
            pass
    finally:
        os.umask(before)
    made = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    private = {"l.sqlite3": 0o600, "l.sqlite3.locks": 0o700, ".making.lock": 0o600, "sale": 0o700, "main.lock": 0o600}
    assert private == made


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with (
        pytest.raises(BrokenLedgerError, match=r"main\.lock could not be locked: No locks available; put the ledger"),
        run_lock(tmp_path / "l.sqlite3", "sale", "main"),
    ):
        pass
