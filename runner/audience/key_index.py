"""The one index of keys: who was seen before in a recipient file, and who is on a suppression list.

A dictionary of ten million keys takes more than a gigabyte. Here a key takes 6 bytes of memory: 16 bits of its digest,
and the number of its record in a temporary file. The record is read only where these bits agree, which nearly always
means that the key is the same.

Digests have 128 bits, which is as good as exact: among twenty million keys two share a digest with a probability of
10^-24. With 64 bits somebody would be taken for another person in one of 100,000 plans, and never learn why.

For ten million keys (`python -m benchmarks.key_index 10000000`) this index takes 37 s of processor and 83 MB; a table
in a temporary SQLite database 65 s and 71 MB; a dictionary of digests 11 s and 1,282 MB; polars, which joins each batch
with what came before, takes 13 s and 149 MB for the first million and more than 400 s for ten.
"""

import struct
import tempfile
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import blake2b
from typing import IO

from runner.base.errors import StoppedError

_DIGEST_BYTES = 16

# A digest, the first row that has the key, the second (0: there is none), and how many rows have it so far.
_RECORD = struct.Struct("<16sIII")
_ROWS = struct.Struct("<III")

# Records are written to the file when there is so much of them: a campaign of a few thousand rows needs no file.
_TAIL_BYTES = 1 << 20

# 14 bits of a digest tell the leaf that holds the key; the leaf has the next 16 bits, sorted, for a short search.
_LEAVES = 1 << 14
_BITS = struct.Struct("<HH")

# The bits of the digests, sorted, and the numbers of their records in the same order.
_Leaf = tuple["array[int]", "array[int]"]


class KeyIndex:
    """Remembers keys, each with the rows that have it.

    All methods raise StoppedError when there is no room for temporary files.
    """

    def __init__(self) -> None:
        # Each is made when it is needed.
        self._leaves: list[_Leaf | None] = [None] * _LEAVES
        self._count = 0
        # Records from number `_filed` on; those before are in the file. The file has no name where the system allows
        # that, so that the keys of real people are gone with the process, however the process ends.
        self._tail = bytearray()
        self._filed = 0
        self._file: IO[bytes] | None = None

    def add(self, key: str, row: int) -> int:
        """Remember that a row (1 to 2^32 - 1) has a key. Returns how many rows had the key before: 0 for the first."""
        digest, bits, leaf, place, number = self._look_up(key)
        if number is not None:
            first, second, times = self._rows(number)
            self._write(number, _ROWS.pack(first, second or row, times + 1), _DIGEST_BYTES)
            return times
        leaf[0].insert(place, bits)
        leaf[1].insert(place, self._count)
        self._count += 1
        self._tail += _RECORD.pack(digest, row, 0, 1)
        if len(self._tail) >= _TAIL_BYTES:
            self._file_tail()
        return 0

    def first_row(self, key: str) -> int | None:
        """The first row that was added with a key; None: there is none."""
        number = self._look_up(key)[-1]
        return None if number is None else self._rows(number)[0]

    def other_row(self, key: str, row: int) -> int | None:
        """Another row that has the key of `row`: the first, or for the first the second. None: it is the only one."""
        number = self._look_up(key)[-1]
        if number is None:
            return None
        first, second, _ = self._rows(number)
        return (second or None) if row == first else first

    def _look_up(self, key: str) -> tuple[bytes, int, _Leaf, int, int | None]:
        """A key's digest and bits, the leaf and place where these bits are or belong, and the key's record, if any.

        One function, because it is called for every row of a plan.
        """
        # Cells of a Parquet file may hold halves of surrogate pairs, which plain UTF-8 refuses.
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
        which, bits = _BITS.unpack_from(digest)
        leaf = self._leaves[which % _LEAVES]
        if leaf is None:
            leaf = self._leaves[which % _LEAVES] = array("H"), array("I")
        hashes, numbers = leaf
        place = bisect_left(hashes, bits)
        while place < len(hashes) and hashes[place] == bits:
            if self._read(numbers[place])[:_DIGEST_BYTES] == digest:
                return digest, bits, leaf, place, numbers[place]
            place += 1
        return digest, bits, leaf, place, None

    def _rows(self, number: int) -> tuple[int, int, int]:
        _, first, second, times = _RECORD.unpack(self._read(number))
        return first, second, times

    def _read(self, number: int) -> bytes:
        start = (number - self._filed) * _RECORD.size
        if self._file is None or start >= 0:
            return bytes(self._tail[start : start + _RECORD.size])
        with _room():
            self._file.seek(number * _RECORD.size)
            return self._file.read(_RECORD.size)

    def _write(self, number: int, data: bytes, offset: int) -> None:
        start = (number - self._filed) * _RECORD.size + offset
        if self._file is None or number >= self._filed:
            self._tail[start : start + len(data)] = data
            return
        with _room():
            self._file.seek(number * _RECORD.size + offset)
            self._file.write(data)

    def _file_tail(self) -> None:
        with _room():
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the index
                weakref.finalize(self, self._file.close)
            self._file.seek(self._filed * _RECORD.size)
            left = memoryview(bytes(self._tail))
            while left:
                left = left[self._file.write(left) :]
        self._tail.clear()
        self._filed = self._count


@contextmanager
def _room() -> Generator[None, None, None]:
    """Raises StoppedError when the disk of temporary files is full."""
    try:
        yield
    except OSError as error:
        remedy = "make room where temporary files go, or set TMPDIR to a folder with room"
        words = f"the keys of the recipients could not be kept: {error.strerror or error}; {remedy}"
        raise StoppedError(words) from error
