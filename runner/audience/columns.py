"""Which column of the recipient file is which. Pure: header in, name or problem out.

A `Problem` from here has neither `path` nor `where`; the caller knows the key of the campaign file and its position
and adds them with `dataclasses.replace`.
"""

from collections.abc import Sequence

from runner.base.errors import Problem
from runner.base.text import closest, joined, quoted_names
from runner.files.header import Header, bare, repeated

PHONE_NAMES = ("phone", "mobile", "msisdn", "destination", "to")


def find_phone_column(header: Sequence[str], wanted: str | None = None) -> str | Problem:
    """The column that holds the numbers: the one `wanted`, or else the only one with a name in `PHONE_NAMES`."""
    if wanted is not None:
        return find_column(header, wanted)
    found = [column for column in header if bare(column).casefold() in PHONE_NAMES]
    if len(found) == 1:
        return found[0]
    if found:
        return Problem(
            f"several columns could hold the numbers: {quoted_names(found)}", "say which one with recipients.phone"
        )
    return Problem(
        f"no column is named {', '.join(PHONE_NAMES[:-1])} or {PHONE_NAMES[-1]}",
        f"say which one holds the numbers with recipients.phone; the file has {quoted_names(header)}",
    )


def find_column(header: Sequence[str], wanted: str) -> str | Problem:
    """The column named exactly `wanted`; names that differ in case are suggested, never taken.

    A name that several columns have means none of them; see `header.name_columns` for how to write them.
    """
    if wanted in header:
        return wanted
    if found := no_single_column(header, wanted):
        return found
    meant = closest(wanted, header)
    hint = f'did you mean "{meant}"? ' if meant else ""
    return Problem(f'there is no column "{wanted}"', f"{hint}the file has {quoted_names(header)}")


def no_single_column(header: Sequence[str], wanted: str) -> Problem | None:
    """Why a name that is in the file can't be used: it means several columns, or one that holds no single values."""
    if isinstance(header, Header) and wanted in header.left_out:
        what = f'the column "{wanted}" holds no single values, but {header.left_out[wanted]}'
        return Problem(what, "name another column")
    if twins := repeated(header, wanted):
        places = joined([str(header.index(name) + 1) for name in twins])
        what = f'there are {len(twins)} columns named "{wanted}" (columns {places})'
        return Problem(what, f'rename all but one, or write "{twins[0]}"')
    return None
