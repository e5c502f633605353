"""`python -m benchmarks.receipts`: how many receipts per second `campaign receipts` stores durably, on one core.

A real server process with its ledger on this disk, and a client with keep-alive connections, as a provider has. Each
message gets three receipts, in random order. Takes about fifteen seconds.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

CAMPAIGN = Path(sys.executable).with_name("campaign")
STATES = ("queued", "sent", "delivered")
MESSAGES = 10_000
CONNECTIONS = 100


def main() -> None:
    for what, figure in rows():
        print(f"{what:<42}  {figure}")


def rows() -> Iterator[tuple[str, str]]:
    """Lines for a table: what was measured, and the figure."""
    per_second, core, slowest_ms = taken(MESSAGES, CONNECTIONS)
    what = f"campaign receipts, {CONNECTIONS} connections"
    yield what, f"{per_second:,.0f} receipts/s on {core:.0%} of a core, 99% in {slowest_ms:.0f} ms"


def taken(messages: int, connections: int) -> tuple[float, float, float]:
    """Receipts per second, the share of a core that the server uses, and the 99th percentile of answers in ms."""
    requests = [as_request(index, state) for index in range(messages) for state in STATES]
    random.Random(5).shuffle(requests)  # noqa: S311 (nothing secret)
    with tempfile.TemporaryDirectory(prefix="campaign-bench-") as name:
        ledger = Path(name) / "ledger.sqlite3"
        command = [str(CAMPAIGN), "receipts", "--port", "0", "--ledger", str(ledger)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline().partition("http://127.0.0.1:")[2].split()[0])
            while "Ctrl-C" not in server.stdout.readline():
                pass
            cpu, begin = _cpu_s(server.pid), time.perf_counter()
            times = asyncio.run(post_all(port, [requests[first::connections] for first in range(connections)]))
            seconds = time.perf_counter() - begin
            cpu = _cpu_s(server.pid) - cpu
            server.send_signal(signal.SIGTERM)
            if server.wait():
                raise SystemExit("campaign receipts failed")
    return len(requests) / seconds, cpu / seconds, sorted(times)[len(times) * 99 // 100] * 1000


def as_request(index: int, state: str) -> bytes:
    """A complete HTTP request, about as long as the provider's."""
    payload = {
        "umid": f"00000000-0000-4000-8000-{index:012}",
        "clientMessageId": f"spring-sale.main.k{index:010}",
        "subAccountId": "acme_hq",
        "source": "ACME",
        "destination": f"+6581{index:06}",
        "status": {"state": state, "detail": "", "timestamp": f"2026-11-25T08:00:0{STATES.index(state)}.123Z"},
        "price": {"total": 0.012, "perSms": 0.012, "currency": "USD"},
        "smsCount": 1,
    }
    event = {"namespace": "SMS", "eventType": "outbound_message_status_changed", "description": "", "payload": payload}
    body = json.dumps(event).encode()
    head = f"POST /receipts HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


async def post_all(port: int, shares: Sequence[Sequence[bytes]]) -> list[float]:
    """Post each share over its own connection, one request after another. Returns the seconds that each answer took."""
    times: list[float] = []

    async def post(requests: Sequence[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in requests:
            begin = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 ") or b"Content-Length: 0\r\n" not in head:
                raise SystemExit(f"a receipt was not taken: {head.decode()}")
            times.append(time.perf_counter() - begin)
        writer.close()

    await asyncio.gather(*map(post, shares))
    return times


def _cpu_s(pid: int) -> float:
    """Processor seconds of a process so far (Linux)."""
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
