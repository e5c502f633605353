"""Planning under a memory limit: real processes, because the limit ends them."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from runner.base.errors import InputError
from runner.plan.inputs import read_all
from tests.cli.workplace import Workplace

VARIABLE_CODE = """
import os, resource
from runner.base.errors import InputError
from runner.cli.memory import try_within_limit, with_limit

def limit(): return resource.getrlimit(resource.RLIMIT_AS)[0]

for read in (os.abort, lambda: bytearray(9 * 10**9), lambda: 1 / 0, lambda: None):
    try:
        try_within_limit(read)
        print("read")
    except InputError as error:
        print(error)
print(limit() == resource.RLIM_INFINITY, flush=True)
with_limit(["plan"], lambda: os._exit(limit() != 4 * 10**9))
"""


@pytest.mark.parametrize(
    ("limit", "command", "words"),
    [
        # As Rust and as Python meet the limit.
        (4 * 10**9, "__import__('os').abort()", "planning needs more memory than the limit allows (ulimit -v); check "),
        (4 * 10**9, "bytearray(9 * 10**9)", "planning needs more memory than the limit allows (ulimit -v); check "),
        (10**9, "0", "planning needs at least 2 GB of memory (ulimit -v); the limit is 1.0 GB; raise the limit"),
    ],
)
def test_a_memory_limit_ends_with_words(limit: int, command: str, words: str) -> None:
    code = f"from runner.cli import main; main.app_for = lambda _: lambda **_: {command}; "
    result = subprocess.run(
        [sys.executable, "-c", f"{code}raise SystemExit(main.run_command(['plan', 'a.yaml']))"],
        check=False, capture_output=True, text=True, timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    assert (2, True) == (result.returncode, result.stderr.startswith(f"error: {words}")), result.stderr


def test_a_limit_does_not_change_what_is_returned() -> None:
    code = "from runner.cli import main; main.app_for = lambda _: lambda **_: 5; "
    result = subprocess.run(
        [sys.executable, "-c", f"{code}raise SystemExit(main.run_command(['plan', 'a.yaml']))"],
        check=False, timeout=300, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 * 10**9,) * 2),
    )  # fmt: skip
    assert 5 == result.returncode


def test_a_limit_by_the_variable_ends_planning_and_reading_but_is_not_kept_for_sending() -> None:
    result = subprocess.run(
        [sys.executable, "-c", f"{VARIABLE_CODE}print('done')"],
        check=False, capture_output=True, text=True, timeout=300,
        env=os.environ | {"CAMPAIGN_MEMORY_LIMIT": "4 GB"},
    )  # fmt: skip
    reached = (
        "planning needs more memory than the limit allows (CAMPAIGN_MEMORY_LIMIT); check that the files are what they "
        "should be, or raise the limit"
    )
    assert [reached, reached, "read", "read", "True", "done"] == result.stdout.splitlines(), result.stderr


@pytest.mark.parametrize("command", ["plan", "run", "test"])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("lots", 'CAMPAIGN_MEMORY_LIMIT is "lots", which is not a size; write one such as 4GB'),
        ("1.5GB", "planning needs at least 2 GB of memory (CAMPAIGN_MEMORY_LIMIT); the limit is 1.5 GB; raise the"),
    ],
)
def test_a_limit_that_can_not_be_used(offline: Workplace, command: str, given: str, words: str) -> None:
    offline.environment["CAMPAIGN_MEMORY_LIMIT"] = given
    done = offline(command, "hello.yaml", *(["--to", "+6591234567"] if command == "test" else []))
    assert (2, True) == (done.exit_code, done.stderr.startswith(f"error: {words}")), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_no_thread_runs_when_a_process_is_forked(offline: Workplace) -> None:
    """A thread's locks would stay locked in the new process."""
    code = """
import os
from runner.cli import main

def fork():
    print(len(os.listdir("/proc/self/task")), flush=True)
    raise InterruptedError

os.fork = fork
for arguments in (["check", "hello.yaml"], ["run", "hello.yaml"], ["test", "hello.yaml", "--to", "+6591234567"]):
    try:
        main.run_command(arguments)
    except InterruptedError:
        pass
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=offline.folder, env=offline.environment | {"CAMPAIGN_MEMORY_LIMIT": "4GB"},
        check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ["1", "1", "1"] == [line for line in result.stdout.splitlines() if line.isdecimal()], result


def test_every_file_is_read_within_the_limit(offline: Workplace, tmp_path: Path) -> None:
    campaign, stop = tmp_path / "hello.yaml", tmp_path / "stop.csv"
    stop.write_text("phone\n+6591234567\n")
    campaign.write_text(campaign.read_text().replace("country: SG", "country: SG, suppress: [stop.csv]"))
    read_all(campaign)
    for path in (stop, tmp_path / "people.csv"):
        path.write_text(path.read_text() + '"not closed')
        with pytest.raises(InputError, match=path.name):
            read_all(campaign)
