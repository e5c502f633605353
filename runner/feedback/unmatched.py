"""`feedback-unmatched.csv`: the rows that `campaign feedback` could not report, for whoever mends them."""

import contextlib
import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from runner.base.errors import StoppedError
from runner.base.files import replacing
from runner.base.text import defused
from runner.feedback.conversion_rows import Unmatched

AddUnmatched = Callable[[Sequence[Unmatched]], None]


@contextlib.contextmanager
def unmatched_file(path: Path, *, source: Path) -> Iterator[AddUnmatched]:
    """Collects the unmatched rows of the file `source`; when the block ends well, they are the file `path`.

    Without unmatched rows an earlier `path` is removed, unless it is `source` itself, mended and given again. Raises
    StoppedError when `path` can't be written.
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
    with _reported(path):
        if not files and not (path.exists() and source.exists() and path.samefile(source)):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def unmatched_log(path: Path, *, anew: bool) -> Iterator[AddUnmatched]:
    """The same for rows that come without an end: each is in the file at once.

    New rows follow those of earlier times; or, `anew`, they replace them: a followed file is read from its beginning.
    """
    files: list[IO[bytes]] = []
    if anew:
        with _reported(path):
            path.unlink(missing_ok=True)

    def add(rows: Sequence[Unmatched]) -> None:
        if not rows:
            return
        with _reported(path):
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
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoppedError(f"{path} could not be written: {error.strerror or error}") from error
