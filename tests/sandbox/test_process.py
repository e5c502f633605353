"""The sandbox as others meet it: a process of its own, on a real socket."""

import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from runner.errors import CampaignError, InputError
from runner.sandbox import SandboxOptions, courier, process, server, start
from runner.sandbox.process import READY
from tests.sandbox.client import MESSAGES, post
from tests.sandbox.thread import ThreadReceiver as Receiver
from tests.sandbox.thread import receiving

DEADLINE_S = 30.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as taking:
        yield taking


def address_of(base_url: str) -> tuple[str, int]:
    url = urlsplit(base_url)
    assert url.hostname is not None
    assert url.port is not None
    return url.hostname, url.port


def test_start_and_stop(tmp_path: Path) -> None:
    book = tmp_path / "book.jsonl"
    with start(SandboxOptions(book=book)) as sandbox:
        assert post(sandbox.base_url)[0] == 200
        assert len(book.read_bytes().splitlines()) == 1
    with pytest.raises(ConnectionRefusedError):
        post(sandbox.base_url)


def test_every_option_reaches_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIGHTXEIGHT_API_KEY", "the real one")
    options = SandboxOptions(
        host="127.0.0.1",
        api_key="s3cret",
        sub_account_id="-cme",
        latency_s=0.001,
        reject_share=0.25,
        rate_limit=3,
        book=tmp_path / "-book with blanks",
        seed=-5,
        faults=tmp_path / "-faults.json",
        export_polls=0,
        export_lag_s=1.5,
        export_rows=7,
        download_port=0,
        balance=-1.5,
        post_paid=True,
        receipt_delay_s=0.5,
        undelivered_share=0.125,
        receipt_disorder=0.25,
        receipt_duplicates=0.375,
        stop_share=0.625,
        inbound_url="http://192.0.2.1/replies",
        receipt_authorization="Bearer s3cret",
        receipt_retry_s=(0.5, 2.0),
        receipts_beyond_loopback=True,
    )
    usual = SandboxOptions()
    same = {each.name for each in fields(SandboxOptions) if getattr(options, each.name) == getattr(usual, each.name)}
    assert {"host", "port", "tls_certificate", "tls_key"} == same
    told: list[SandboxOptions] = []
    monkeypatch.setattr("runner.sandbox.__main__.serve", lambda options, *_, **__: told.append(options))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    for name, value in process._environment(options).items():
        monkeypatch.setenv(name, value)
    from runner.sandbox.__main__ import main

    assert main(process._arguments(options)) == 0
    assert [options] == told
    assert "s3cret" not in " ".join(process._arguments(options))
    assert "EIGHTXEIGHT_API_KEY" not in process._environment(options)


def test_a_key_of_its_own() -> None:
    with start(SandboxOptions(api_key="s3cret")) as sandbox:
        assert [post(sandbox.base_url, key=key)[0] for key in ("other", "s3cret")] == [401, 200]


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(
                InputError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: Address already in use; choose"
            ),
            start(SandboxOptions(port=port)),
        ):
            pytest.fail("it cannot have started")


def test_no_pauses_reach_the_child_too(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[SandboxOptions] = []
    monkeypatch.setattr("runner.sandbox.__main__.serve", lambda options, *_, **__: told.append(options))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    from runner.sandbox.__main__ import main

    assert main(process._arguments(SandboxOptions(receipt_retry_s=()))) == 0
    assert [SandboxOptions(receipt_retry_s=())] == told


def test_the_end_waits_for_the_receipts(receiver: Receiver) -> None:
    with start(SandboxOptions(receipt_delay_s=3600, receipt_authorization="Bearer s3cret")) as sandbox:
        for _ in range(10):
            post(sandbox.base_url, dlrCallbackUrl=receiver.url)
    assert 40 == len(receiver.bodies)
    assert {"Bearer s3cret"} == set(receiver.authorizations)


def test_the_end_is_waited_for_long_enough() -> None:
    listeners = 2
    assert listeners * server.SHUTDOWN_S + courier.DRAIN_S < process.STOP_TIMEOUT_S


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.pem"
    with (
        pytest.raises(InputError, match=r"nowhere\.pem with its key cannot be used: No such file"),
        start(SandboxOptions(tls_certificate=path, tls_key=path)),
    ):
        pytest.fail("it cannot have started")


def test_a_fault_file_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text('[{"fault": "brokenjson", "share": 1}]')
    with (
        pytest.raises(InputError, match=r"faults\.json: rule 1: there is no fault 'brokenjson'; write broken_json"),
        start(SandboxOptions(faults=path)),
    ):
        pytest.fail("it cannot have started")


def test_a_fault_reaches_the_client(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text('[{"fault": "accepted_then_reset", "requests": [1]}]')
    with start(SandboxOptions(faults=path)) as sandbox:
        with pytest.raises(ConnectionResetError):
            post(sandbox.base_url)
        assert post(sandbox.base_url)[0] == 200


def test_a_child_that_is_never_ready() -> None:
    with pytest.raises(CampaignError, match="not ready after 0 s"), start(SandboxOptions(), timeout_s=0):
        pytest.fail("it cannot have started")


def test_a_child_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_arguments", lambda _: ["--no-such-option"])
    with pytest.raises(InputError, match="no-such-option"), start(SandboxOptions()):
        pytest.fail("it cannot have started")


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="there is no way to wait for another's child here")
def test_a_death_before_its_time_is_told() -> None:
    with pytest.raises(CampaignError, match="died before its time"), start(SandboxOptions()) as sandbox:  # noqa: PT012
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


def test_half_a_request_is_not_taken(tmp_path: Path) -> None:
    book = tmp_path / "book.jsonl"
    head = f"POST {MESSAGES} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer any\r\nContent-Length: 500\r\n\r\n{{"
    with start(SandboxOptions(book=book)) as sandbox:
        with socket.create_connection(address_of(sandbox.base_url), timeout=DEADLINE_S) as connection:
            connection.sendall(head.encode())
        assert post(sandbox.base_url)[0] == 200
    assert len(book.read_bytes().splitlines()) == 1


PARENT = """
import signal
from runner.sandbox import SandboxOptions, start
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
def test_by_itself_it_serves_until_it_is_told_to_stop(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "runner.sandbox", "--port", "0"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        assert line.startswith(f"{READY}http://127.0.0.1:")
        assert post(line.removeprefix(READY).strip())[0] == 200
        child.send_signal(number)
        assert child.wait(DEADLINE_S) == 0


def test_a_key_variable_that_is_empty(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from runner.sandbox.__main__ import main

    monkeypatch.delenv("NO_KEY_HERE", raising=False)
    assert main(["--api-key-env", "NO_KEY_HERE"]) == 2
    assert "NO_KEY_HERE holds no key; set it" in capsys.readouterr().err


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls_url(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("tls")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    options = SandboxOptions(tls_certificate=folder / "certificate.pem", tls_key=folder / "key.pem")
    with start(options) as sandbox:
        yield sandbox.base_url


@pytest.mark.parametrize(
    ("version", "status", "upgrade"), [(ssl.TLSVersion.TLSv1_2, 426, "TLS/1.3"), (ssl.TLSVersion.TLSv1_3, 200, None)]
)
def test_tls(authority: trustme.CA, tls_url: str, version: ssl.TLSVersion, status: int, upgrade: str | None) -> None:
    context = ssl.create_default_context()
    context.maximum_version = version
    authority.configure_trust(context)
    answered, headers = post(tls_url, tls=context)
    assert (status, upgrade) == (answered, headers["Upgrade"])
    assert tls_url.startswith("https://127.0.0.1:")


def wait_for_end(connection: socket.socket) -> None:
    """Return when the other side is gone: a closed socket reads as empty, one that was reset raises."""
    with suppress(ConnectionResetError):
        assert connection.recv(1) == b""
