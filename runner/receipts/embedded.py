"""The receipts server embedded in another program: in a thread, with its own event loop."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Iterator

from runner.ledger.ledger import open_ledger


@contextlib.contextmanager
def receiving(ledger_url: str, *, authorization: str) -> Iterator[str]:
    """Take receipts into the ledger at `ledger_url` for the length of the block; yields the URL to post them to.

    When the block has ended, everything that was answered 200 is durable. Raises what the server raises.
    """
    started: concurrent.futures.Future[tuple[str, Callable[[], object]]] = concurrent.futures.Future()
    ended: concurrent.futures.Future[None] = concurrent.futures.Future()

    async def serve() -> None:
        from runner.receipts.server import listening

        loop, end = asyncio.get_running_loop(), asyncio.Event()
        with open_ledger(ledger_url, create=True) as ledger:
            async with listening(ledger, authorization=authorization) as server:
                started.set_result((server.url, lambda: loop.call_soon_threadsafe(end.set)))
                await end.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            (ended if started.done() else started).set_exception(error)
        else:
            ended.set_result(None)

    thread = threading.Thread(target=run, name="receipts", daemon=True)
    thread.start()
    url, stop = started.result()
    try:
        yield url
    finally:
        with contextlib.suppress(RuntimeError):  # its loop has ended already; `ended` says why
            stop()
        thread.join()
    ended.result()
