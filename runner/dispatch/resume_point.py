"""Up to which row of the plan the ledger has every message: from there on a run that is continued begins to look."""

from heapq import heappop, heappush


class ResumePoint:
    """Told of each message that is read from the plan, is about to be claimed, or comes back without being sent."""

    def __init__(self) -> None:
        self._last = 0
        self._open: set[int] = set()  # rows that were read, and whose messages the ledger doesn't have
        self._in_order: list[int] = []  # a heap of them, and of some that it has by now

    def read(self, row: int) -> None:
        """The source gave its message: the ledger didn't have it."""
        self._last = max(self._last, row)
        if row not in self._open:
            self._open.add(row)
            heappush(self._in_order, row)

    def claim(self, row: int) -> None:
        """The ledger has it, if the claim that is about to be made comes to be."""
        self._open.discard(row)

    def back(self, row: int) -> None:
        """It is out of the ledger again."""
        self.read(row)

    @property
    def row(self) -> int:
        """The ledger has the messages of all rows up to this one."""
        while self._in_order and self._in_order[0] not in self._open:
            heappop(self._in_order)
        return self._in_order[0] - 1 if self._in_order else self._last
