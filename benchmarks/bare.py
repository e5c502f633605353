"""The fastest possible sender with aiohttp: posts prepared bodies and reads the answers. No ledger, no results.

The benchmarks compare `campaign run` with it. `python -m benchmarks.bare URL BODIES CONNECTIONS`; BODIES is a file with
one body per line.
"""

import asyncio
import sys
from pathlib import Path

import aiohttp
from yarl import URL

from runner.base.loops import loop_factory
from runner.provider.endpoint import tls_context


async def post_all(url: str, bodies: list[bytes], connections: int) -> None:
    """Post the bodies over this many connections. Raises SystemExit if one is not accepted."""
    headers = {"Authorization": "Bearer bench-key", "Content-Type": "application/json", "Accept": "application/json"}
    connector = aiohttp.TCPConnector(limit=connections, ssl=tls_context())
    left = iter(bodies)
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout()
    ) as session:

        async def post() -> None:
            for body in left:
                async with session.post(url, data=body) as response:
                    if response.status != 200 or b"umid" not in await response.read():
                        raise SystemExit(f"not accepted: {response.status}")

        await asyncio.gather(*(post() for _ in range(connections)))


async def post_all_by_connector(url: str, bodies: list[bytes], connections: int) -> None:
    """The same with only aiohttp's connector and parser, without its session. Each request leaves in one write."""
    target = URL(url)
    head = f"POST {target.path} HTTP/1.1\r\nHost: {target.authority}\r\nAuthorization: Bearer bench-key\r\n"
    head += "Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: "
    left, timeout = iter(bodies), aiohttp.ClientTimeout()
    async with aiohttp.TCPConnector(limit=connections, ssl=tls_context()) as connector:
        request = aiohttp.ClientRequest("POST", target, loop=asyncio.get_running_loop())

        async def post() -> None:
            for body in left:
                connection = await connector.connect(request, [], timeout)
                protocol, transport = connection.protocol, connection.transport
                assert protocol is not None
                assert transport is not None
                protocol.set_response_params(read_until_eof=True, auto_decompress=False)
                transport.write(b"%b%d\r\n\r\n%b" % (head.encode(), len(body), body))
                answer, content = await protocol.read()
                if answer.code != 200 or b"umid" not in await content.read():
                    raise SystemExit(f"not accepted: {answer.code}")
                connection.release()

        await asyncio.gather(*(post() for _ in range(connections)))


def main() -> None:
    url, bodies, connections = sys.argv[1:]
    lines = Path(bodies).read_bytes().splitlines()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(post_all(url, lines, int(connections)))


if __name__ == "__main__":
    main()
