"""numbers-to-remove.csv: the numbers that receipts report as dead, as a suppression list."""

from pathlib import Path

import polars as pl

from runner.base.files import remove, replacing
from runner.base.outcomes import Status
from runner.provider.delivery import CODES, Verdict

_DEAD_CODES = [code for code, meaning in CODES.items() if meaning.verdict is Verdict.DEAD]


def write_dead_numbers(results: Path, path: Path, *, mask: bool = False) -> int:
    """Write the list for `recipients.suppress` from a run's results; returns the number of entries.

    Without dead numbers, no file is written and an older one is removed, because a later receipt may have reported a
    delivery. With `mask` no file is written either, because it would contain full numbers.

    Raises StoppedError if the file can't be written, or an older one can't be removed.
    """
    found = None if mask else _dead(results)
    if found is None or found.is_empty():
        remove(path)
        return 0
    words = pl.col("delivery_error").replace_strict({code: CODES[code].words for code in _DEAD_CODES})
    with replacing(path) as file:
        found.select("destination", words.alias("reason")).write_csv(file)
    return len(found)


def _dead(results: Path) -> pl.DataFrame:
    """Numbers with their error codes, in file order, each once; without the numbers that another row reached."""
    accepted = pl.scan_parquet(results, glob=False).filter(
        pl.col("status") == Status.ACCEPTED.value, pl.col("destination").is_not_null()
    )
    is_reached = pl.col("delivered_at").is_not_null()
    dead = (
        accepted.filter(pl.col("delivery_error").is_in(_DEAD_CODES), ~is_reached)
        .select("destination", "delivery_error")
        .unique("destination", keep="first", maintain_order=True)
        .collect(engine="streaming")
    )
    # Filtered by these few numbers, because most of the file was reached.
    of_them = pl.col("destination").is_in(dead["destination"].implode())
    reached = accepted.filter(is_reached, of_them).select("destination").collect(engine="streaming")
    return dead.join(reached, on="destination", how="anti", maintain_order="left")
