"""Receive receipts and replies: from the provider's posts, or from a file."""

import asyncio
import contextlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from runner.base.errors import InputError
from runner.base.loops import loop_factory
from runner.ledger.ledger import open_ledger
from runner.receipts.intake import Loaded, lines_of, load
from runner.receipts.optout_words import BUILT_IN, read_words
from runner.run.paths import RunOptions, ledger_url
from runner.run.project import may_make_ledger
from runner.run.requests import handling_signals

LINE_EVERY_S = 5.0


def authorization_in(variable: str | None) -> str | None:
    """The Authorization header in an environment variable. Raises InputError if it has none."""
    if variable is None:
        return None
    value = os.environ.get(variable, "").strip()
    if not value:
        raise InputError.of(
            f"--auth-header-env: the environment variable {variable} is not set",
            'set it to the whole header that the provider\'s webhook sends, such as "Bearer …"',
        )
    if not value.isascii() or not value.isprintable():
        raise InputError.of(
            f"--auth-header-env: {variable} has a character that isn't allowed in a header", "copy the header again"
        )
    return value


def serve(
    options: RunOptions,
    *,
    host: str,
    port: int,
    authorization: str | None,
    words: Path | None,
    on_ready: Callable[[str, Path], object],
    on_news: Callable[[Mapping[str, int], str | None], object],
) -> Counter[str]:
    """Receive the provider's posts until Ctrl-C or SIGTERM. Returns the counts by kind.

    `on_ready` gets the URL and the ledger's path. `on_news` is called every few seconds if something changed, with the
    counts and the reason why the ledger can't be written (None: it can). Raises LedgerError if the ledger has been
    deleted, so that a supervisor restarts the server.
    """
    optout_words = read_words(words) if words else BUILT_IN
    url = ledger_url(options)
    with open_ledger(url, create=may_make_ledger(url, options)) as ledger:

        async def main() -> Counter[str]:
            from runner.receipts.server import listening

            stop = asyncio.Event()
            with handling_signals(lambda _: stop.set()):
                async with listening(
                    ledger, host=host, port=port, authorization=authorization, words=optout_words
                ) as server:
                    on_ready(server.url, ledger.path)
                    counts = server.intake.metrics.counts
                    shown: tuple[int, str | None] = (0, None)
                    while not stop.is_set():
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(stop.wait(), LINE_EVERY_S)
                        if gone := server.intake.gone:
                            raise gone
                        news = (counts.total(), server.intake.error)
                        if news != shown and not stop.is_set():
                            shown = news
                            on_news(counts, server.intake.error)
                return counts

        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(main())


def load_file(options: RunOptions, file: Path | None, *, words: Path | None) -> Loaded:
    """Load events from a file of JSON lines, or from standard input if `file` is None.

    Raises InputError if the file can't be read.
    """
    if file is None and sys.stdin is None:  # None if it was closed before the start, as with `<&-`
        raise InputError.of("--load: standard input is closed", "pipe JSON lines into the command, or name a file")
    optout_words = read_words(words) if words else BUILT_IN
    url = ledger_url(options)
    try:
        with (
            file.open("rb") if file is not None else contextlib.nullcontext(sys.stdin.buffer) as stream,
            open_ledger(url, create=may_make_ledger(url, options)) as ledger,
        ):
            return load(ledger, lines_of(stream.readline), optout_words)
    except OSError as error:
        name = file or "standard input"
        raise InputError.of(f"--load: {name} can't be read: {error.strerror}", "name a file of JSON lines") from error
