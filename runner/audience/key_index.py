"""The one index of keys: who was seen before in a recipient file, and who is on a suppression list.

A dictionary of ten million keys takes more than a gigabyte. Here a key takes 6 bytes of memory: 16 bits of its digest,
and the number of its record in a temporary file. The record is read only where these bits agree, which nearly always
means that the key is the same.

Digests have 128 bits, which is as good as exact: among twenty million keys two share a digest with a probability of
10^-24. With 64 bits somebody would be taken for another person in one of 100,000 plans, and never learn why.

`python -m benchmarks.key_index` compares it with a dictionary (15 times the memory), SQLite (twice the time) and polars
(ten times the time).
"""

import contextlib
import struct
import tempfile
import weakref
from array import array
from bisect import bisect_left
from collections import defaultdict
from hashlib import blake2b
from typing import IO

from runner.base.errors import StoppedError

_DIGEST_BYTES = 16

# A digest, the first row that has the key, the second (0: there is none), and how many rows have it so far.
_RECORD = struct.Struct("<16sIII")

# So much of the records stays in memory: a campaign of a few thousand rows needs no file.
_MEMORY_BYTES = 1 << 20

# 14 bits of a digest tell the leaf that holds the key; the leaf has the next 16 bits, sorted, for a short search.
_LEAVES = 1 << 14
_BITS = struct.Struct("<HH")

# The bits of the digests, sorted, and the numbers of their records in the same order.
_Leaf = tuple["array[int]", "array[int]"]

# What is found of a key: its digest and bits, the leaf and place where these bits are or belong, and the number, first
# row, second row and times of its record, if there is one.
_Found = tuple[bytes, int, _Leaf, int, tuple[int, int, int, int] | None]


class KeyIndex:
    """Remembers keys, each with the rows that have it.

    All methods raise StoppedError when there is no room for temporary files.
    """

    def __init__(self) -> None:
        self._leaves: defaultdict[int, _Leaf] = defaultdict(lambda: (array("H"), array("I")))
        self._count = 0
        # Where the system allows it, the file has no name: the keys of real people are gone when the process ends.
        self._records = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - closed with the index
        weakref.finalize(self, _close, self._records)
        self._position = 0  # of the records, as a number of one: seeking takes longer than writing

    def add(self, key: str, row: int) -> int:
        """Remember that a row (1 to 2^32 - 1) has a key. Returns how many rows had the key before: 0 for the first."""
        digest, bits, leaf, place, record = self._look_up(key)
        if record is not None:
            number, first, second, times = record
            self._write(number, _RECORD.pack(digest, first, second or row, times + 1))
            return times
        leaf[0].insert(place, bits)
        leaf[1].insert(place, self._count)
        self._write(self._count, _RECORD.pack(digest, row, 0, 1))
        self._count += 1
        return 0

    def first_row(self, key: str) -> int | None:
        """The first row that was added with a key; None: there is none."""
        record = self._look_up(key)[-1]
        return record[1] if record else None

    def other_row(self, key: str, row: int) -> int | None:
        """Another row that has the key of `row`: the first, or for the first the second. None: it is the only one."""
        record = self._look_up(key)[-1]
        if record is None:
            return None
        _, first, second, _ = record
        return (second or None) if row == first else first

    def _look_up(self, key: str) -> _Found:
        """One function, because it is called for every row of a plan."""
        # Cells of a Parquet file may hold halves of surrogate pairs, which plain UTF-8 refuses.
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
        which, bits = _BITS.unpack_from(digest)
        leaf = hashes, numbers = self._leaves[which % _LEAVES]
        place = bisect_left(hashes, bits)
        while place < len(hashes) and hashes[place] == bits:
            found, first, second, times = _RECORD.unpack(self._read(numbers[place]))
            if found == digest:
                return digest, bits, leaf, place, (numbers[place], first, second, times)
            place += 1
        return digest, bits, leaf, place, None

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
    with contextlib.suppress(OSError):  # closing writes what is left, for which there may be no room
        records.close()


def _no_room(error: OSError) -> StoppedError:
    """Reading may fail so too: it writes what waits in the file's buffer first."""
    remedy = "make room where temporary files go, or set TMPDIR to a folder with room"
    return StoppedError(f"the keys of the recipients could not be kept: {error.strerror or error}; {remedy}")
