"""The rows that `campaign feedback` could not feed back, in a file for whoever mends them."""

import contextlib
import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from runner.atomic import replacing
from runner.errors import StoppedError
from runner.run.told import Unmatched
from runner.text import defused

Add = Callable[[Sequence[Unmatched]], None]


@contextlib.contextmanager
def unmatched_file(path: Path, *, source: Path) -> Iterator[Add]:
    """Takes the unmatched rows of a file that is read to its end; when the block ends well, they are the file `path`.

    Without any, the one of an earlier time goes, unless it is `source` itself, mended and fed back. Raises StoppedError
    when it can't be written.
    """
    with contextlib.ExitStack() as stack:
        files: list[IO[bytes]] = []

        def add(rows: Sequence[Unmatched]) -> None:
            if rows and not files:
                files.append(stack.enter_context(replacing(path)))
                files[0].write(_HEADER)
            for file in files:
                file.write(_lines(rows))

        yield add
    with _told(path):
        if not files and not (path.exists() and source.exists() and path.samefile(source)):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def unmatched_log(path: Path, *, anew: bool) -> Iterator[Add]:
    """The same for rows that come without an end: each is in the file at once.

    They stand behind those of earlier times; or, `anew`, in their place: what is followed is read from its beginning.
    """
    files: list[IO[bytes]] = []
    if anew:
        with _told(path):
            path.unlink(missing_ok=True)

    def add(rows: Sequence[Unmatched]) -> None:
        if not rows:
            return
        with _told(path):
            if not files:
                path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
                files.append(os.fdopen(descriptor, "ab"))
                if not path.stat().st_size:
                    files[0].write(_HEADER)
            files[0].write(_lines(rows))
            files[0].flush()

    try:
        yield add
    finally:
        for file in files:
            file.close()


_HEADER = b"row,message,why\n"


def _lines(rows: Sequence[Unmatched]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows((row.place, defused(row.name), defused(row.why)) for row in rows)
    return text.getvalue().encode("utf-8", "replace")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoppedError(f"{path} could not be written: {error.strerror or error}") from error
