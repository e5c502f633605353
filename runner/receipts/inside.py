"""The same server inside of another program, on a thread and an event loop of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from runner.ledger.ledger import open_ledger

READY_TIMEOUT_S = 30.0


@contextlib.contextmanager
def receiving(ledger_url: str, *, authorization: str) -> Iterator[str]:
    """Take receipts into the ledger at `ledger_url` for the length of the block; yields the URL to post them to.

    When the block has ended, everything that was answered 200 is durable. Raises what the server raises as it starts.
    """
    ready = threading.Event()
    ending = threading.Event()
    urls: list[str] = []
    errors: list[BaseException] = []
    loop_of_it: list[asyncio.AbstractEventLoop] = []
    end: list[asyncio.Event] = []

    async def serve() -> None:
        from runner.receipts.server import listening

        loop_of_it.append(asyncio.get_running_loop())
        end.append(asyncio.Event())
        with open_ledger(ledger_url, create=True) as ledger:
            async with listening(ledger, authorization=authorization) as server:
                urls.append(server.url)
                ready.set()
                await end[0].wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            errors.append(error)
        finally:
            ready.set()
            ending.set()

    thread = threading.Thread(target=run, name="receipts", daemon=True)
    thread.start()
    ready.wait(READY_TIMEOUT_S)
    if errors:
        raise errors[0]
    try:
        yield urls[0]
    finally:
        if not ending.is_set():
            loop_of_it[0].call_soon_threadsafe(end[0].set)
        thread.join()
    if errors:
        raise errors[0]
