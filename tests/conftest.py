"""What every test gets: no way out to the network, and no settings of the developer's own."""

import gc
import os
import signal
import socket

import pytest
from hypothesis import HealthCheck, settings

from runner.cli.masking import masking

# A shell that starts the tests in the background lets them ignore Ctrl-C, nohup a closed terminal, and so would the
# commands that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# A busy machine draws and runs examples slowly, and that is no failure.
settings.register_profile(
    "no clock decides", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("no clock decides")

# Modules and collected tests live until the end. Looking through them for garbage again and again takes long.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()


LOOPBACK = ("127.", "::1", "localhost")
Address = tuple[str, int] | str


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail any connection that leaves this computer: a test must never reach a real phone."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(sock: socket.socket, address: Address) -> None:
        if sock.family != socket.AF_UNIX and not str(address[0]).startswith(LOOPBACK):
            raise AssertionError(f"a test tried to connect to {address!r}; only loopback is allowed")

    def guarded_connect(self: socket.socket, address: Address) -> None:
        check(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Address) -> int:
        check(self, address)
        return connect_ex(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)


@pytest.fixture(autouse=True)
def no_command_before() -> None:
    """An option of a test before says nothing about which numbers this one may print."""
    masking.reset()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own key, ledger, proxy or suppression list has no say in a test."""
    names = {name for name in os.environ if name.startswith(("EIGHTXEIGHT_", "CAMPAIGN_"))} | {"SSL_CERT_FILE", "CI"}
    proxies = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in (*names, *proxies, *map(str.upper, proxies)):
        monkeypatch.delenv(name, raising=False)
