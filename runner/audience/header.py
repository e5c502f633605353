"""What every recipient file's header must be, whatever the format."""

from collections.abc import Sequence
from pathlib import Path

from runner.errors import InputError, Position, Problem


def check_header(path: Path, names: Sequence[str], line: int | None = None) -> tuple[str, ...]:
    """The trimmed names. Raises InputError naming every blank and every repeated one.

    Both are refused, not mended: with two columns of one name nobody can tell which of them a template means.
    """
    trimmed = tuple(name.strip() for name in names)
    where = Position(str(path), line, 1) if line else None
    prefix = "" if where else f"{path}: "
    problems = [
        Problem(f"{prefix}column {place} has no name", "name it in the header, or delete the column", where=where)
        for place, name in enumerate(trimmed, 1)
        if not name
    ]
    for name in dict.fromkeys(trimmed):
        places = [str(place) for place, other in enumerate(trimmed, 1) if other == name]
        if name and len(places) > 1:
            what = f'{prefix}{len(places)} columns are named "{name}" (columns {", ".join(places)})'
            problems.append(Problem(what, "rename all but one", where=where))
    if problems:
        raise InputError(problems)
    return trimmed
