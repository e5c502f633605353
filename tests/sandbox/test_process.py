"""The sandbox as others meet it: a process of its own, on a real socket."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runner.base.errors import CampaignError, InputError
from runner.sandbox import process, server, webhooks
from runner.sandbox.options import SandboxOptions
from runner.sandbox.process import READY, start
from tests.deadline import DEADLINE_S
from tests.sandbox.client import MESSAGES, post
from tests.sandbox.receiver import receiving_in_thread


def address_of(base_url: str) -> tuple[str, int]:
    url = urlsplit(base_url)
    assert url.hostname is not None
    assert url.port is not None
    return url.hostname, url.port


def test_the_options_reach_the_child_and_no_secret_its_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIGHTXEIGHT_API_KEY", "the real one")
    with start(SandboxOptions(api_key="s3cret", receipt_authorization="Bearer s3cret", balance=12.5)) as sandbox:
        assert [401, 200] == [post(sandbox.base_url, key=key)[0] for key in ("other", "s3cret")]
        process_folder = Path(f"/proc/{sandbox.pid}")
        if process_folder.exists():
            shown = [(process_folder / name).read_bytes() for name in ("cmdline", "environ")]
            assert not [text for text in shown if b"s3cret" in text or b"the real one" in text]


def test_options_that_cannot_be_served(tmp_path: Path) -> None:
    pem, faults = tmp_path / "nowhere.pem", tmp_path / "faults.json"
    faults.write_text('[{"fault": "brokenjson", "share": 1}]')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for options, words in [
            (SandboxOptions(port=port), f"can't listen on 127.0.0.1 port {port}: Address already in use; choose"),
            (SandboxOptions(tls_certificate=pem, tls_key=pem), "nowhere.pem or its key can't be used: No such"),
            (SandboxOptions(faults=faults), "faults.json: rule 1: unknown fault 'brokenjson'; write broken_json"),
        ]:
            with pytest.raises(InputError, match=re.escape(words)), start(options):
                pytest.fail("it cannot have started")


def test_the_end_waits_for_the_receipts() -> None:
    with receiving_in_thread() as (receiver, _):
        with start(SandboxOptions(receipt_delay_s=3600, receipt_authorization="Bearer s3cret")) as sandbox:
            for _ in range(10):
                post(sandbox.base_url, dlrCallbackUrl=receiver.url)
        assert 40 == len(receiver.posts)
        assert {"Bearer s3cret"} == {each.authorization for each in receiver.posts}


def test_the_end_is_waited_for_long_enough() -> None:
    listeners = 2
    assert listeners * server.SHUTDOWN_S + webhooks.DRAIN_S < process.STOP_TIMEOUT_S


def test_a_child_that_is_never_ready() -> None:
    with (
        pytest.raises(CampaignError, match="did not start"),
        start(SandboxOptions(), timeout_s=0),
    ):
        pytest.fail("it cannot have started")


def test_a_child_that_gets_no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SandboxOptions, "as_json", lambda _: '{"colour": "green"}')
    with (
        pytest.raises(InputError, match=r"no valid options on standard input: .*; use `campaign sandbox`"),
        start(SandboxOptions()),
    ):
        pytest.fail("it cannot have started")


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="there is no way to wait for another's child here")
def test_a_death_before_its_time_is_an_error() -> None:
    with pytest.raises(CampaignError, match="ended unexpectedly"), start(SandboxOptions()) as sandbox:  # noqa: PT012
        with socket.create_connection(address_of(sandbox.base_url), timeout=DEADLINE_S) as connection:
            os.kill(sandbox.pid, signal.SIGKILL)
            wait_for_end(connection)
        os.waitid(os.P_PID, sandbox.pid, os.WEXITED | os.WNOWAIT)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_is_left_to_the_parent() -> None:
    with start(SandboxOptions()) as sandbox:
        assert os.getpgid(0) != os.getpgid(sandbox.pid)
        os.kill(sandbox.pid, signal.SIGINT)
        assert post(sandbox.base_url)[0] == 200


def test_start_and_stop_and_half_a_request(tmp_path: Path) -> None:
    book = tmp_path / "book.jsonl"
    head = f"POST {MESSAGES} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer any\r\nContent-Length: 500\r\n\r\n{{"
    with start(SandboxOptions(book=book)) as sandbox:
        with socket.create_connection(address_of(sandbox.base_url), timeout=DEADLINE_S) as connection:
            connection.sendall(head.encode())
        assert post(sandbox.base_url)[0] == 200
    assert len(book.read_bytes().splitlines()) == 1
    with pytest.raises(ConnectionRefusedError):
        post(sandbox.base_url)


PARENT = """
import signal
from runner.sandbox.options import SandboxOptions
from runner.sandbox.process import start
with start(SandboxOptions()) as sandbox:
    print(sandbox.base_url, flush=True)
    signal.pause()
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_the_child_dies_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        base_url = parent.stdout.readline().strip()
        with socket.create_connection(address_of(base_url), timeout=DEADLINE_S) as connection:
            parent.kill()
            wait_for_end(connection)
    with pytest.raises(ConnectionRefusedError):
        post(base_url)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_by_itself_it_serves_until_a_signal_stops_it(number: signal.Signals) -> None:
    command = [str(Path(sys.executable).with_name("campaign")), "sandbox", "--port=0"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        assert line.startswith(f"{READY}http://127.0.0.1:")
        assert post(line.removeprefix(READY).strip())[0] == 200
        child.send_signal(number)
        assert child.wait(DEADLINE_S) == 0


def wait_for_end(connection: socket.socket) -> None:
    """Return when the other side is gone: a closed socket reads as empty, one that was reset raises."""
    with suppress(ConnectionResetError):
        assert connection.recv(1) == b""
