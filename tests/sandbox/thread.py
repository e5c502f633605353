"""A receiver of receipts in a thread, for tests of whole processes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

DEADLINE_S = 30.0


@dataclass(slots=True)
class ThreadReceiver:
    """`url` is what a message's dlrCallbackUrl would be."""

    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    more: threading.Condition = field(default_factory=threading.Condition)

    def count(self, number: int) -> None:
        """Wait until so many have come."""
        with self.more:
            assert self.more.wait_for(lambda: len(self.bodies) >= number, DEADLINE_S)


@contextmanager
def receiving() -> Iterator[ThreadReceiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with receiver.more:
                receiver.bodies.append(orjson.loads(body))
                receiver.authorizations.append(self.headers["Authorization"])
                receiver.more.notify_all()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the output is the tests' own."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = ThreadReceiver(f"http://127.0.0.1:{server.server_address[1]}/receipts")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
