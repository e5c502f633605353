"""How accurate the rate is if the provider is far away: `python -m benchmarks.far [SECONDS [RATE…]]`.

A relay between the run and nginx delays every byte by 50 ms, in both directions and while connecting. So an answer
takes 100 ms, and a new connection 300 ms. The requests are counted at nginx, as in `benchmarks.rate`.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from benchmarks import rows as recipients
from benchmarks import server
from benchmarks.processes import run
from benchmarks.rows import CAMPAIGN
from benchmarks.server import Server, most_in
from benchmarks.table import Row, print_rows
from runner.base.loops import loop_factory

SECONDS = 30
RATES = (1_800, 3_000)
DELAY_S = 0.05


def rows(seconds: int = SECONDS, *rates: int) -> Iterator[Row]:
    """Lines for the table."""
    if server.executable() is None:
        yield Row("rate, 100 ms away", server.MISSING)
        return
    for rate in rates or RATES:
        with tempfile.TemporaryDirectory(prefix="campaign-bench-") as name:
            folder = Path(name)
            campaign = recipients.clean(folder, rate * seconds, f"{rate}/s")
            with Server(folder / "nginx") as nginx:
                command = [sys.executable, "-m", "benchmarks.far", "proxy", str(nginx.port)]
                with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
                    assert proxy.stdout
                    url = f"https://localhost:{int(proxy.stdout.readline())}"
                    environment = nginx.environment | {"EIGHTXEIGHT_BASE_URL": url}
                    run([CAMPAIGN, "run", str(campaign), "--yes"], cwd=folder, env=environment)
                    proxy.terminate()
            seen = nginx.seen()
        used, at = seen.per_second / rate, f"100 ms away, at {rate:,}/s"
        yield Row(f"{at}: used share of the rate", f"{used:.2%}", "at least 99%", used >= 0.99)
        most = most_in(1000, seen.at_ms)
        figure = f"{most:,}, over {seen.connections} connections"
        yield Row(f"{at}: most requests in any second", figure)  # no target, because the relay adds jitter


class _Side(asyncio.Protocol):
    """One of the relay's two connections."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.other: _Side | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._loop.call_later(DELAY_S, self._pass_on, data)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 (asyncio's)
        if self.other is not None:
            self._loop.call_later(DELAY_S, self.other.transport.close)

    def join(self, other: "_Side") -> None:
        self.other, other.other = other, self
        for data in self._early:
            other.transport.write(data)

    def _pass_on(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
        elif not self.other.transport.is_closing():
            self.other.transport.write(data)


async def _serve(to: int) -> None:
    loop = asyncio.get_running_loop()
    joining: set[asyncio.Task[None]] = set()

    class _Front(_Side):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            task = loop.create_task(self._connect())
            joining.add(task)
            task.add_done_callback(joining.discard)

        async def _connect(self) -> None:
            await asyncio.sleep(2 * DELAY_S)  # the round trip of the TCP handshake
            _, behind = await loop.create_connection(_Side, "127.0.0.1", to)
            self.join(behind)

    listener = await loop.create_server(_Front, "127.0.0.1", 0, backlog=4096)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()


def main() -> None:
    if sys.argv[1:2] == ["proxy"]:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(int(sys.argv[2])))
    else:
        print_rows(rows(*map(int, sys.argv[1:])))


if __name__ == "__main__":
    main()
