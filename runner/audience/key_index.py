"""An index of keys: those seen before in a recipient file, and those on a suppression list.

A dictionary of ten million keys takes more than a gigabyte. Here a key takes 6 bytes of memory: 16 bits of its digest,
and the number of its record in a temporary file. The record is read only if these bits match, which nearly always means
that the key is the same.

Digests have 128 bits, practically exact: among twenty million keys, the probability that two share a digest is 10^-24.
With 64 bits, one in 100,000 plans would mistake one person for another.

`python -m benchmarks.key_index` compares the index with a dictionary (15 times the memory), SQLite (twice the time) and
polars (ten times the time).
"""

import contextlib
import struct
import tempfile
import weakref
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from hashlib import blake2b
from typing import IO

from runner.base.errors import BlockedError

_DIGEST_BYTES = 16

# The maximum number of examples of keys with several spellings.
_EXAMPLES = 3

# The digest of the folded key, Python's hash of the key (compared only among the spellings of one key), the first and
# second row with the key (0: there is no second), and the number of rows so far.
_RECORD = struct.Struct("<16sqIII")

# Records up to this size stay in memory: a campaign of a few thousand rows needs no file.
_MEMORY_BYTES = 1 << 20

# 14 bits of a digest select the leaf of the key; the leaf has the next 16 bits, sorted, for a short search.
_LEAVES = 1 << 14
_BITS = struct.Struct("<HH")

# The bits of the digests, sorted, and the numbers of their records in the same order.
_Leaf = tuple["array[int]", "array[int]"]

# A lookup result: digest, hash and bits, the leaf and place of these bits (or where to insert them), the first row of a
# key with another spelling (0: there is none, or the key has a record), and the record's number, first row, second row
# and row count, if there is a record.
_Found = tuple[bytes, int, int, _Leaf, int, int, tuple[int, int, int, int] | None]


class KeyIndex:
    """Stores keys and the rows that have them.

    `fold` gives different spellings of a key the same form. They remain different keys, but `respelled` counts the keys
    that were added after another spelling, and `respelled_rows` are examples: the key's row, and the row of the other.

    All methods raise BlockedError if there is no space for temporary files.
    """

    def __init__(self, fold: Callable[[str], str] | None = None) -> None:
        self._fold = fold
        self.respelled = 0
        self.respelled_rows: list[tuple[int, int]] = []
        self._leaves: defaultdict[int, _Leaf] = defaultdict(lambda: (array("H"), array("I")))
        self._count = 0
        # If the system allows it, the file has no name, so that no keys of real people remain after the process ends.
        self._records = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - closed with the index
        weakref.finalize(self, _close, self._records)
        self._position = 0  # the current record number: seeking is slower than writing

    def add(self, key: str, row: int) -> int:
        """Add a row (1 to 2^32 - 1) with a key. Returns the number of earlier rows with the key."""
        digest, exact, bits, leaf, place, respelled, record = self._look_up(key)
        if record is not None:
            number, first, second, times = record
            self._write(number, _RECORD.pack(digest, exact, first, second or row, times + 1))
            return times
        if respelled:
            self.respelled += 1
            if len(self.respelled_rows) < _EXAMPLES:
                self.respelled_rows.append((row, respelled))
        leaf[0].insert(place, bits)
        leaf[1].insert(place, self._count)
        self._write(self._count, _RECORD.pack(digest, exact, row, 0, 1))
        self._count += 1
        return 0

    def first_row(self, key: str) -> int | None:
        """The first row added with a key; None if there is none."""
        record = self._look_up(key)[-1]
        return record[1] if record else None

    def similar_row(self, key: str) -> int | None:
        """The first row added with a key, or else with another spelling of it; None if there is neither."""
        *_, respelled, record = self._look_up(key)
        return record[1] if record else respelled or None

    def other_row(self, key: str, row: int) -> int | None:
        """Another row with the key of `row`: the first, or for the first row the second. None if there is no other."""
        record = self._look_up(key)[-1]
        if record is None:
            return None
        _, first, second, _ = record
        return (second or None) if row == first else first

    def _look_up(self, key: str) -> _Found:
        """A single function for speed: it is called for every row of a plan."""
        folded = self._fold(key) if self._fold else key
        # Parquet cells may contain halves of surrogate pairs, which plain UTF-8 rejects.
        digest = blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
        exact, respelled = hash(key), 0
        which, bits = _BITS.unpack_from(digest)
        leaf = hashes, numbers = self._leaves[which % _LEAVES]
        place = bisect_left(hashes, bits)
        while place < len(hashes) and hashes[place] == bits:
            found, spelled, first, second, times = _RECORD.unpack(self._read(numbers[place]))
            if found == digest:
                if spelled == exact:
                    return digest, exact, bits, leaf, place, 0, (numbers[place], first, second, times)
                respelled = respelled or first
            place += 1
        return digest, exact, bits, leaf, place, respelled, None

    def _read(self, number: int) -> bytes:
        try:
            self._records.seek(number * _RECORD.size)
            self._position = number + 1
            return self._records.read(_RECORD.size)
        except OSError as error:
            raise _no_room(error) from error

    def _write(self, number: int, record: bytes) -> None:
        try:
            if number != self._position:
                self._records.seek(number * _RECORD.size)
            self._position = number + 1
            self._records.write(record)
        except OSError as error:
            raise _no_room(error) from error


def _close(records: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # closing flushes the buffer, and the disk may be full
        records.close()


def _no_room(error: OSError) -> BlockedError:
    """Reads can fail too, because they flush the buffer first."""
    remedy = "free space in the folder for temporary files, or set TMPDIR to another folder"
    return BlockedError(f"can't write a temporary file: {error.strerror or error}; {remedy}")
