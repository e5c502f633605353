"""`python -m benchmarks.peers [MESSAGES]`: see `job`."""

import sys

from benchmarks.peers.job import rows
from benchmarks.table import print_rows

if __name__ == "__main__":
    print_rows(rows(*map(int, sys.argv[1:])))
