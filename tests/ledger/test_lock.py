"""One process per run, with real processes."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.base.errors import RunLockedError
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
