"""Who has been seen before: exact, and small in memory.

A Python set of ten million keys takes 900 MB. Here a key takes 6 bytes of memory: some bits of its hash, and the number
of its record in a temporary file, which is looked at where the hashes agree, nearly always because the key is the same.
"""

import struct
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from types import TracebackType
from typing import IO, Self

from runner.errors import StoppedError

Sighting = tuple[str, int]  # (key, row number)

# A key, the first row that has it, the second (0: there is none), and how many have it so far.
_RECORD = struct.Struct("<16sBIII")
_FACTS = struct.Struct("<III")
_KEY_SIZE = _RECORD.size - _FACTS.size
# A key of at most so many bytes is kept as it is, with its length; of a longer one a digest, as good as exact: see
# `listed`.
_SHORT = 16
_LONGER = 255

# Written to the file when there is so much of them: a campaign of a few thousand rows needs no file.
_TAIL_BYTES = 1 << 20

# Some bits of the hash say in which leaf of the index a key is; in it are the next 16 bits, sorted, for a short look.
_LEAVES = 1 << 14
_IN_LEAF = (1 << 16) - 1


@contextmanager
def _room() -> Generator[None, None, None]:
    """Raises StoppedError when the disk of temporary files is full."""
    try:
        yield
    except OSError as error:
        remedy = "make room where temporary files go, or set TMPDIR to a folder with room"
        words = f"the keys of the recipients could not be kept: {error.strerror or error}; {remedy}"
        raise StoppedError(words) from error


class People:
    """Remembers keys. A context manager. Its methods raise StoppedError when there is no room for more."""

    def __init__(self) -> None:
        # Made when they are needed: (bits of the hashes, sorted; numbers of the records, in the same order).
        self._leaves: list[tuple[array[int], array[int]] | None] = [None] * _LEAVES
        self._count = 0
        # Records from number `_filed` on; those before are in the file. It has no name where the system allows that,
        # so that the keys of real people are gone with the process, however that ends.
        self._tail = bytearray()
        self._filed = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def count(self, sightings: Sequence[Sighting]) -> list[int]:
        """Remember a batch, in file order. Answers for each how many rows had its key before: 0 for the first."""
        before: list[int] = []
        with _room():
            for key, row in sightings:
                data, size = _identity(key)
                bits, hashes, numbers = self._leaf(key)
                place = bisect_left(hashes, bits)
                number = self._find(bits, hashes, numbers, place, data, size)
                if number is None:
                    hashes.insert(place, bits)
                    numbers.insert(place, self._count)
                    self._count += 1
                    self._tail += _RECORD.pack(data, size, row, 0, 1)
                    before.append(0)
                else:
                    first, second, times = self._facts(number)
                    self._keep(number, first, second or row, times + 1)
                    before.append(times)
            if len(self._tail) >= _TAIL_BYTES:
                self._write_tail()
        return before

    def other_rows(self, sightings: Sequence[Sighting]) -> list[int | None]:
        """For each, another row that has its key: the first, or for the first the second. None: it is the only one."""
        others: list[int | None] = []
        with _room():
            for key, row in sightings:
                bits, hashes, numbers = self._leaf(key)
                number = self._find(bits, hashes, numbers, bisect_left(hashes, bits), *_identity(key))
                assert number is not None, "only of keys that were counted"
                first, second, _ = self._facts(number)
                others.append((second or None) if row == first else first)
        return others

    def _leaf(self, key: str) -> "tuple[int, array[int], array[int]]":
        """The bits by which the key is looked for, and the leaf that it is in."""
        hashed = hash(key)
        leaf = self._leaves[hashed % _LEAVES]
        if leaf is None:
            leaf = self._leaves[hashed % _LEAVES] = array("H"), array("I")
        return hashed >> 32 & _IN_LEAF, *leaf

    def _find(
        self, bits: int, hashes: "array[int]", numbers: "array[int]", place: int, data: bytes, size: int
    ) -> int | None:
        """The number of a key's record, if it has one; `place` is the first in its leaf where these bits may be."""
        while place < len(hashes) and hashes[place] == bits:
            found, found_size, *_ = _RECORD.unpack(self._read(numbers[place]))
            if found_size == size and found.startswith(data):
                return numbers[place]
            place += 1
        return None

    def _facts(self, number: int) -> tuple[int, int, int]:
        first, second, times = _FACTS.unpack_from(self._read(number), _KEY_SIZE)
        return first, second, times

    def _read(self, number: int) -> bytes:
        if number >= self._filed:
            start = (number - self._filed) * _RECORD.size
            return bytes(self._tail[start : start + _RECORD.size])
        assert self._file is not None
        self._file.seek(number * _RECORD.size)
        return self._file.read(_RECORD.size)

    def _keep(self, number: int, *facts: int) -> None:
        if number >= self._filed:
            _FACTS.pack_into(self._tail, (number - self._filed) * _RECORD.size + _KEY_SIZE, *facts)
            return
        assert self._file is not None
        self._file.seek(number * _RECORD.size + _KEY_SIZE)
        self._file.write(_FACTS.pack(*facts))

    def _write_tail(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the people
        self._file.seek(self._filed * _RECORD.size)
        left = memoryview(bytes(self._tail))
        while left:
            left = left[self._file.write(left) :]
        self._tail.clear()
        self._filed = self._count


def _identity(key: str) -> tuple[bytes, int]:
    # Cells of a Parquet file may hold halves of surrogate pairs, which plain UTF-8 refuses.
    data = key.encode("utf-8", "surrogatepass")
    if len(data) <= _SHORT:
        return data, len(data)
    return blake2b(data, digest_size=_SHORT).digest(), _LONGER


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
