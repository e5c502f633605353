"""Output that ends before the command does: everybody is texted once, the results are there, the exit code is true."""

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.cli.preloaded import Command
from tests.cli.provider import Provider
from tests.cli.workplace import COMMAND, Workplace, ended
from tests.deadline import DEADLINE_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")

SHELL = '"$0" run hello.yaml --yes '


def shell(place: Workplace, script: str) -> subprocess.CompletedProcess[str]:
    """Run the script in bash; `$0` is the installed command."""
    return subprocess.run(
        ["bash", "-c", script, COMMAND],
        cwd=place.folder,
        env=place.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def assert_everybody_was_texted_once(place: Workplace, provider: Provider) -> None:
    assert {f"+65{81230000 + number}": 1 for number in range(1, 6)} == provider.sent
    assert ["accepted"] * 5 == [row["status"] for row in place.results()]
    assert 5 == place.summary()["status"]["accepted"]


@pytest.mark.parametrize(
    "script",
    [
        SHELL + "| head -1; exit ${PIPESTATUS[0]}",
        SHELL + ">/dev/full 2>&1",
        SHELL + "--json | true; exit ${PIPESTATUS[0]}",
        "PYTHONUNBUFFERED=1 " + SHELL + "2>&1 | true; exit ${PIPESTATUS[0]}",
    ],
)
def test_a_run(campaign: Workplace, provider: Provider, script: str) -> None:
    done = shell(campaign, script)
    assert 0 == done.returncode, done.stderr
    assert_everybody_was_texted_once(campaign, provider)
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr


def full_pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    fill(writer)
    return reader, writer


def full_pipe_that_blocks() -> tuple[int, int]:
    reader, writer = full_pipe()
    os.set_blocking(writer, True)
    return reader, writer


def full_terminal() -> tuple[int, int]:
    reader, writer = pty.openpty()
    os.set_blocking(writer, False)
    fill(writer)
    os.set_blocking(writer, True)
    return reader, writer


def fill(writer: int) -> None:
    while select.select([], [writer], [], 0)[1]:
        os.write(writer, b"\n" * 4096)


@pytest.mark.parametrize("full", [full_pipe, full_pipe_that_blocks, full_terminal])
def test_a_reader_that_never_reads(
    campaign: Workplace, provider: Provider, full: Callable[[], tuple[int, int]]
) -> None:
    reader, writer = full()
    try:
        with Command(
            [COMMAND, "run", "hello.yaml", "--yes"],
            cwd=campaign.folder,
            env=campaign.environment,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
        ) as process:
            exit_code = process.wait(DEADLINE_S)
    finally:
        os.close(reader)
        os.close(writer)
    assert 0 == exit_code
    assert_everybody_was_texted_once(campaign, provider)


def test_a_document_that_is_not_whole_is_no_success(campaign: Workplace, provider: Provider) -> None:
    done = shell(campaign, SHELL + "--json >/dev/full")
    assert 5 == done.returncode
    assert "error: standard output is incomplete: No space left on device" in done.stderr
    assert_everybody_was_texted_once(campaign, provider)


def test_what_is_closed_at_the_start_is_not_the_ledger(campaign: Workplace, provider: Provider) -> None:
    """Else the ledger could become standard error, and what is printed would be written into it."""
    assert 0 == shell(campaign, SHELL + "<&- >&- 2>&-").returncode
    done = shell(campaign, '"$0" ledger verify 2>&- && "$0" feedback hello/main - --follow <&-')
    assert 2 == done.returncode
    assert "standard input is closed" in done.stderr
    assert_everybody_was_texted_once(campaign, provider)


def test_a_watch_ends_with_its_reader(campaign: Workplace, provider: Provider) -> None:
    provider.hold(after=1)
    with campaign.started("run", "hello.yaml", "--yes") as process:
        provider.wait_for(2)
        assert 0 == shell(campaign, '"$0" status --watch | true; exit ${PIPESTATUS[0]}').returncode
        assert process.poll() is None
        provider.release()
        assert 0 == ended(process).exit_code
    assert_everybody_was_texted_once(campaign, provider)


def test_a_terminal_that_is_closed_under_nohup(campaign: Workplace, provider: Provider) -> None:
    provider.hold(after=1)
    end, other = pty.openpty()
    script = 'trap "" HUP; exec "$0" run hello.yaml --yes'
    with subprocess.Popen(
        ["bash", "-c", script, COMMAND],
        cwd=campaign.folder,
        env=campaign.environment,
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
    ) as process:
        os.close(other)
        provider.wait_for(2)
        os.close(end)
        process.send_signal(signal.SIGHUP)
        provider.release()
        assert 0 == process.wait(DEADLINE_S)
    assert_everybody_was_texted_once(campaign, provider)
