"""Who has been seen before: exact, and flat in memory.

Keys live in a temporary SQLite database, because a Python set of a million of them takes 100 MB and hashes alone would
now and then take two persons for one. Nothing in it needs to survive, so it neither syncs nor keeps a journal.
"""

import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import islice
from types import TracebackType
from typing import Self

from runner.errors import StoppedError

Sighting = tuple[str, int]  # (key, row number)

# Few enough parameters for every build of SQLite.
_CHUNK = 900

_SCHEMA = """
CREATE TABLE seen (
    key TEXT PRIMARY KEY,
    first INTEGER NOT NULL,  -- the first row with this key
    second INTEGER,          -- the second one, if there is one
    times INTEGER NOT NULL   -- how many rows have it so far
) WITHOUT ROWID
"""


@contextmanager
def _room() -> Generator[None, None, None]:
    """Raises StoppedError when the disk of temporary files is full."""
    try:
        yield
    except sqlite3.Error as error:
        remedy = "make room where temporary files go, or set TMPDIR to a folder with room"
        raise StoppedError(f"the keys of the recipients could not be kept: {error}; {remedy}") from error


class People:
    """Remembers keys. A context manager. Its methods raise StoppedError when there is no room for more."""

    def __init__(self) -> None:
        # The empty name is SQLite's own temporary database: on disk once it outgrows the cache, in a file without a
        # name, so that the keys of real people are gone with the process, however that ends. Polars takes the rows
        # from whichever of its threads is free, one at a time.
        self._base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-32768"):
            self._base.execute(f"PRAGMA {pragma}")
        self._base.execute(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.close()

    def count(self, sightings: Sequence[Sighting]) -> list[int]:
        """Remember a batch, in file order. Answers for each how many rows had its key before: 0 for the first."""
        known = self._known(key for key, _ in sightings)
        before: list[int] = []
        for key, row in sightings:
            first, second, times = known.get(key, (row, None, 0))
            before.append(times)
            known[key] = (first, row if times == 1 else second, times + 1)
        with _room():
            self._base.execute("BEGIN")
            self._base.executemany(
                "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)",
                # In the order of the key, neighbours share a page of the tree, which shows on a million keys.
                sorted((key, *facts) for key, facts in known.items()),
            )
            self._base.execute("COMMIT")
        return before

    def other_rows(self, sightings: Sequence[Sighting]) -> list[int | None]:
        """For each, another row that has its key: the first, or for the first the second. None: it is the only one."""
        known = self._known(key for key, _ in sightings)
        others: list[int | None] = []
        for key, row in sightings:
            first, second, _ = known[key]
            others.append(second if row == first else first)
        return others

    def _known(self, keys: Iterable[str]) -> dict[str, tuple[int, int | None, int]]:
        wanted = iter(sorted(set(keys)))
        known: dict[str, tuple[int, int | None, int]] = {}
        while chunk := list(islice(wanted, _CHUNK)):
            marks = ",".join("?" * len(chunk))
            query = f"SELECT key, first, second, times FROM seen WHERE key IN ({marks})"  # noqa: S608 - only marks
            with _room():
                rows = self._base.execute(query, chunk).fetchall()
            known.update((key, (first, second, times)) for key, first, second, times in rows)
        return known


def numbered(key: str, before: int) -> str:
    """The key of the row that follows `before` rows with the same one: C-17, C-17#2, C-17#3.

    A key that itself ends in such a suffix gets one from the start (C-17#2 becomes C-17#2#1). So no two rows ever
    share a key, whatever the keys look like, and a row's key depends only on the rows before it: rows appended to the
    file between two starts of a run change nobody's key, and nobody is texted twice.
    """
    _, mark, suffix = key.rpartition("#")
    if before == 0 and not (mark and suffix.isdecimal()):
        return key
    return f"{key}#{before + 1}"
