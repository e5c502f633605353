"""A real server instead of the provider: the machine's nginx, on loopback, with TLS 1.3 and one worker.

It reads each request completely, answers like the provider, with a new umid, and logs each request, which the
benchmarks count. It doesn't need root, and keeps all its files in one folder.
"""

import os
import pwd
import shutil
import socket
import subprocess
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

MISSING = "skipped: nginx is not installed (apt-get install nginx)"
WORDS = "SMS is accepted and queued for processing"
PATH = "/api/v1/subaccounts/acme_hq/messages"

# `return` alone would answer before the body has arrived. So `mirror` reads the body first. Then the static module
# fails with 404 or 405, and `error_page` turns that into the answer. This needs no file and no second connection.
_CONFIGURATION = """
{user}
worker_processes 1;
daemon off;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 4096; }}
http {{
    log_format arrivals '$msec $request_time $status $content_length $connection';
    access_log arrivals.log arrivals buffer=64k flush=100ms;
    log_not_found off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096;
        server_name localhost;
        ssl_certificate server.pem;
        ssl_certificate_key server.key;
        ssl_protocols TLSv1.3;
        root nothing;
        client_body_in_single_buffer on;
        location / {{
            mirror /read;
            mirror_request_body on;
            error_page 404 405 =200 @answer;
        }}
        location = /read {{ internal; return 204; }}
        location @answer {{
            return 200 '{{"umid":"$request_id","status":{{"code":"QUEUED","description":"{words}"}}}}';
        }}
    }}
}}
"""


class Server:
    """nginx with its files in the new folder `folder`. A context manager; leaving it ends nginx."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "arrivals.log"
        self.ca = folder / "ca.pem"
        self.port = _free_port()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that make `campaign` use this server."""
        return {"EIGHTXEIGHT_BASE_URL": self.url, "EIGHTXEIGHT_API_KEY": "bench-key", "SSL_CERT_FILE": str(self.ca)}

    def __enter__(self) -> Self:
        nginx = executable()
        if nginx is None:
            raise SystemExit(MISSING)
        self._folder.mkdir()
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        authority.cert_pem.write_to_path(str(self.ca))
        certificate.private_key_pem.write_to_path(str(self._folder / "server.key"))
        certificate.cert_chain_pems[0].write_to_path(str(self._folder / "server.pem"))
        user = f"user {pwd.getpwuid(os.geteuid()).pw_name};" if os.geteuid() == 0 else ""
        configuration = self._folder / "nginx.conf"
        configuration.write_text(_CONFIGURATION.format(words=WORDS, user=user, port=self.port), encoding="utf-8")
        command = [nginx, "-p", f"{self._folder}/", "-c", str(configuration), "-e", "error.log"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait_until_it_listens()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def _wait_until_it_listens(self) -> None:
        for _ in range(200):
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        self._process.kill()
        self._process.wait()
        raise SystemExit(f"nginx did not start: {(self._folder / 'error.log').read_text(encoding='utf-8')}")

    def has_answered(self) -> bool:
        """Whether a request has arrived. The log is at most 0.1 s late."""
        return self._log.stat().st_size > 0

    def seen(self) -> "Seen":
        """The requests that arrived. Call this after the server has ended, because only then the log is complete."""
        times, length, connections = [], 0, set()
        with self._log.open(encoding="ascii") as file:
            for line in file:
                answered, took, status, of_body, connection = line.split()
                if status != "200" or of_body == "-":
                    raise SystemExit(f"unexpected answer of nginx: {line}")
                # nginx logs when it answered, and how long that was after the request's first byte.
                times.append(round(float(answered) * 1000) - round(float(took) * 1000))
                length += int(of_body)
                connections.add(connection)
        return Seen(sorted(times), length, len(connections))


@dataclass(frozen=True, slots=True)
class Seen:
    """The requests as the server counted them.

    :param at_ms: when each arrived, in milliseconds since the epoch, in order.
    :param body_bytes: the size of all bodies together.
    """

    at_ms: Sequence[int]
    body_bytes: int
    connections: int

    @property
    def per_second(self) -> float:
        """Requests per second between the first and the last request."""
        return (len(self.at_ms) - 1) / (self.at_ms[-1] - self.at_ms[0]) * 1000

    def in_first(self, window_ms: int) -> int:
        """The number of requests in the window that begins with the first one."""
        return bisect_left(self.at_ms, self.at_ms[0] + window_ms)


def most_in(window: int, times: Sequence[int]) -> int:
    """The highest number of times (in order) in any half-open window of this length."""
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - window:
            first += 1
        most = max(most, last - first + 1)
    return most


def executable() -> str | None:
    """The path of nginx. On Debian, it isn't on every user's PATH."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
