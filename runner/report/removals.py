"""The numbers that receipts call dead, as a suppression list: sending to them again would cost money for nothing."""

import csv
import io
from pathlib import Path

from runner.models import Status
from runner.plan.parquet import replacing
from runner.provider.delivery import CODES, Verdict

HEADER = ("destination", "reason")


def write_removals(results: Path, path: Path, *, mask: bool = False) -> int:
    """Write the list, which `recipients.suppress` reads, from a run's results; returns how many numbers it has.

    Without such a number there is no file, and one of an earlier look is removed: a receipt that came late may have
    told better. With `mask` neither: it would hold whole numbers.

    Raises StoppedError when it can't be written.
    """
    found = [] if mask else _dead(results)
    if not found:
        path.unlink(missing_ok=True)
        return 0
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((number, CODES[code].words) for number, code in found)
    with replacing(path) as file:
        file.write(text.getvalue().encode())
    return len(found)


def _dead(results: Path) -> list[tuple[str, int]]:
    """(number, error code), in the order of the file, each number once."""
    import polars as pl

    dead = [code for code, meaning in CODES.items() if meaning.verdict is Verdict.DEAD]
    of_them = (
        pl.scan_parquet(results, glob=False)
        .filter(
            pl.col("status") == Status.ACCEPTED.value,
            pl.col("delivery_error").is_in(dead),
            pl.col("delivered_at").is_null(),
            pl.col("destination").is_not_null(),
        )
        .select("destination", "delivery_error")
        .unique("destination", keep="first", maintain_order=True)
    )
    return of_them.collect(engine="streaming").rows()
