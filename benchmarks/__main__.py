"""`make bench`: speed, memory and the accuracy of the rate, in one table. Takes a few minutes.

Each part can run alone: `python -m benchmarks.planning`, `.sending`, `.rate`, `.peers`, `.receipts`. Ten million rows
have a separate command, `python -m benchmarks.large`. docs/explanation/performance.md explains each benchmark.
"""

from collections.abc import Iterator

from benchmarks import planning, rate, receipts, sending
from benchmarks.peers import job as peers
from benchmarks.table import Row, place, print_rows


def rows() -> Iterator[Row]:
    """All lines of the table."""
    yield from planning.rows()
    yield from sending.rows()
    yield from rate.rows()
    yield from peers.rows()
    for what, figure in receipts.rows():
        yield Row(what, figure)


if __name__ == "__main__":
    print(place(), flush=True)
    print_rows(rows())
