"""A provider that answers every GET alike, in a thread: what is tested here has an event loop of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

KEY = "sk-9f8e7d6c5b4a39281706-secret"

Reply = tuple[int, Any]
"""Status and JSON body."""


class PriceServer:
    """`reply` may be changed between two questions; `paths` are those asked for."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.paths: list[str] = []
        self.keys: set[str | None] = set()


@contextmanager
def answering(reply: Reply, patch: pytest.MonkeyPatch, folder: Path) -> Iterator[PriceServer]:
    """A server, with the environment and the current folder that lead to it."""
    server = PriceServer(reply)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.paths.append(self.path)
            server.keys.add(self.headers["Authorization"])
            status, body = server.reply
            content = orjson.dumps(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        patch.setenv("EIGHTXEIGHT_BASE_URL", f"http://127.0.0.1:{listener.server_port}")
        patch.setenv("EIGHTXEIGHT_API_KEY", KEY)
        patch.chdir(folder)
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()


def error(status: int, code: int, message: str) -> Reply:
    return status, {"code": code, "message": message, "errorId": "e", "timestamp": "2026-12-01T02:00:00Z"}


def country(code: str, *prices: tuple[str, float], currency: str = "SGD") -> dict[str, Any]:
    operators = [{"operatorName": name, "price": {"amount": price, "currency": currency}} for name, price in prices]
    return {"alpha2Code": code, "countryName": code, "operators": operators}


def listed(**sub_accounts: list[dict[str, Any]]) -> Reply:
    accounts = [{"subAccountId": name, "outbound": {"countries": of}} for name, of in sub_accounts.items()]
    return 200, {"subAccounts": accounts}
