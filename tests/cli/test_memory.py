"""Planning under a memory limit (`ulimit -v`): real processes, because the limit ends them."""

import resource
import subprocess
import sys

import pytest


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
