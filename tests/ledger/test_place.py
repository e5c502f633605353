"""A ledger's file that other processes could have beside other locks is refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.base.errors import InputError
from runner.ledger.ledger import open_ledger

OPEN = """
import sys
from runner.base.errors import InputError
from runner.ledger.ledger import open_ledger
try:
    open_ledger(sys.argv[1], create=True)
except InputError as error:
    print(error)
"""


def made(path: Path) -> Path:
    path.parent.mkdir()
    with open_ledger(str(path), create=True):
        return path


def test_a_file_that_is_a_mount_of_its_own(tmp_path: Path) -> None:
    """A real mount, of the same file system: only the list of mounts tells it from the folder's own files."""
    unshare, mount = shutil.which("unshare"), shutil.which("mount")
    source = made(tmp_path / "outside/ledger.sqlite3")
    target = tmp_path / "in side" / "ledger.sqlite3"
    target.parent.mkdir()
    target.touch()
    (tmp_path / "link.sqlite3").symlink_to(target)
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    command = [str(unshare), "-rm", "sh", "-c", script, "sh", str(source), str(target), sys.executable, "-c", OPEN]
    if not unshare or not mount or subprocess.run([unshare, "-rm", "true"], check=False).returncode:
        pytest.skip("NOT TESTED: this system doesn't let this user make a mount")
    done = subprocess.run([*command, str(tmp_path / "link.sqlite3")], capture_output=True, text=True, check=True)
    assert "is mounted as a single file" in done.stdout
    assert f"mount the ledger's folder instead, for example `-v /data/reports:{target.parent}`" in done.stdout
    assert ["ledger.sqlite3"] == [path.name for path in target.parent.iterdir()]
    folder = subprocess.run(
        [unshare, "-rm", "sh", "-c", script, "sh", str(source.parent), str(target.parent), *command[8:], str(target)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("", "") == (folder.stdout, folder.stderr)


def test_a_file_with_two_names(tmp_path: Path) -> None:
    path = made(tmp_path / "one/ledger.sqlite3")
    (tmp_path / "two").mkdir()
    other = tmp_path / "two/ledger.sqlite3"
    other.hardlink_to(path)
    for name in (path, other):
        with pytest.raises(InputError, match=r"has 2 names \(hard links\).*; keep one name and delete the others"):
            open_ledger(str(name), create=True)
    other.unlink()
    with open_ledger(str(path), create=False):
        pass


def test_a_system_that_lists_no_mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.ledger.place._MOUNTS", tmp_path / "none")
    made(tmp_path / "one/ledger.sqlite3")
