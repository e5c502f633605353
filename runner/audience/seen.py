"""Which numbers have been seen before: exact, and at most two bytes each where many lie close together, as they do."""

from array import array
from bisect import bisect_left

# Numbers that differ in their last 16 bits alone share a block: these bits sorted, or from 4,096 of them on, when that
# takes no more, a bit for each number that there may be.
_LAST_BITS = 16
_LAST = (1 << _LAST_BITS) - 1
_MOST_SORTED = 4_096


class SeenNumbers:
    """A set of E.164 numbers."""

    def __init__(self) -> None:
        self._blocks: dict[int, array[int] | bytearray] = {}

    def add(self, destination: str) -> bool:
        """Remember a number, E.164 with plus. Answers whether it was there before."""
        number = int(destination[1:])
        last = number & _LAST
        block = self._blocks.get(number >> _LAST_BITS)
        if block is None:
            self._blocks[number >> _LAST_BITS] = array("H", (last,))
            return False
        if isinstance(block, bytearray):
            seen = bool(block[last >> 3] >> (last & 7) & 1)
            block[last >> 3] |= 1 << (last & 7)
            return seen
        place = bisect_left(block, last)
        if place < len(block) and block[place] == last:
            return True
        block.insert(place, last)
        if len(block) == _MOST_SORTED:
            self._blocks[number >> _LAST_BITS] = _as_bits(block)
        return False


def _as_bits(sorted_ones: "array[int]") -> bytearray:
    bits = bytearray(1 << _LAST_BITS - 3)
    for last in sorted_ones:
        bits[last >> 3] |= 1 << (last & 7)
    return bits
