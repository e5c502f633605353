"""Who is on a suppression list: sorted arrays, flat and small.

Numbers are exact at 8 bytes each: ten million opt-outs take 80 MB. Keys are kept as digests of 16 bytes, which is as
good as exact: among ten million keys and a million recipients two persons are taken for one once in 10²⁵ lists. Eight
bytes would do that once in a million lists, to somebody who would never learn why.
"""

from array import array
from bisect import bisect_left
from functools import partial
from hashlib import blake2b

_DIGEST = 16

# Sorted a million at a time: sorting makes an object of every entry, and they shall never all live.
_RUN_LENGTH = 1_000_000


class Listed:
    """What the lists hold, each entry with the name of its list. `seal` a list before the next, or before asking."""

    def __init__(self) -> None:
        self._numbers: list[tuple[str, array[int]]] = []
        self._keys: list[tuple[str, bytes]] = []
        self._new_numbers: list[int] = []
        self._new_keys: list[bytes] = []

    def __len__(self) -> int:
        """Entries, counting each as often as it is listed."""
        return sum(len(run) for _, run in self._numbers) + sum(len(run) // _DIGEST for _, run in self._keys)

    def add_number(self, name: str, destination: str) -> None:
        """`destination` is E.164 with plus."""
        self._new_numbers.append(int(destination[1:]))
        if len(self._new_numbers) == _RUN_LENGTH:
            self.seal(name)

    def add_key(self, name: str, key: str) -> None:
        self._new_keys.append(_digest(key))
        if len(self._new_keys) == _RUN_LENGTH:
            self.seal(name)

    def seal(self, name: str) -> None:
        """What was added belongs to the list `name`."""
        if self._new_numbers:
            self._numbers.append((name, array("Q", sorted(self._new_numbers))))
        if self._new_keys:
            self._keys.append((name, b"".join(sorted(self._new_keys))))
        self._new_numbers, self._new_keys = [], []

    def find_number(self, destination: str) -> str | None:
        """The name of the first list that holds the number."""
        wanted = int(destination[1:])
        for name, numbers in self._numbers:
            place = bisect_left(numbers, wanted)
            if place < len(numbers) and numbers[place] == wanted:
                return name
        return None

    def find_key(self, key: str) -> str | None:
        """The name of the first list that holds exactly this key."""
        wanted = _digest(key) if self._keys else b""
        for name, run in self._keys:
            # Bisecting over places, not over slices: a million of them would have to exist.
            place = bisect_left(range(len(run) // _DIGEST), wanted, key=partial(_at, run))
            if _at(run, place) == wanted:
                return name
        return None


def _digest(key: str) -> bytes:
    # Cells of a Parquet file may hold halves of surrogate pairs, which plain UTF-8 refuses.
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()


def _at(run: bytes, place: int) -> bytes:
    return run[place * _DIGEST : (place + 1) * _DIGEST]
