"""The messages of a plan that are worth a look: `campaign preview` shows them."""

from collections.abc import Iterator

from runner.audience.row_batch import RowBatch
from runner.base.messages import WARNINGS, RemarkKind
from runner.base.wording import counted
from runner.files.sheet_rows import SheetRows
from runner.files.source import UnreadableRow
from runner.message.branches import Branches
from runner.plan.inputs import Inputs
from runner.plan.planner import rows_to_show

_REMARKS = {
    RemarkKind.REPLACED: "smart encoding replaced a character",
    RemarkKind.REPLACEABLE: "smart encoding would replace a character",
    RemarkKind.FORCES_UCS2: "a character forces UCS-2",
} | {kind: f"a warning: {what}" for kind, (what, _) in WARNINGS.items()}

# A row as a batch and an index.
Row = tuple[RowBatch, int]


def notable_messages(inputs: Inputs, sheet_rows: SheetRows) -> tuple[list[tuple[Row, list[str]]], list[str]]:
    """The first message, the longest, the one with the most segments, one for each branch of the template, and one for
    each kind of remark: each once, in file order, with why it is shown. And the branches that no message takes.

    Reads the whole file. Adds the rows' numbers in the sheet to `sheet_rows`.
    """
    branches = Branches(inputs.composer.template, inputs.composer.kinds)
    fields = inputs.composer.columns(inputs.audience.header)
    places = [(name, inputs.audience.header.index(column)) for name, column in fields.items()]
    names = {**branches.names}  # of the branches that no message has taken so far
    first: dict[str, Row] = {}
    longest = most = 0
    for batch, index in _messages(inputs, sheet_rows):
        row, text, segments = (batch, index), batch.texts[index] or "", batch.segments[index] or 0
        first.setdefault("the first message", row)
        if len(text) > longest:
            longest, first["the longest message"] = len(text), row
        if segments > most:
            most, first["the most segments"] = segments, row
        cells = batch.cells[index]
        if names and not isinstance(cells, UnreadableRow):
            for branch in branches.taken({name: cells[place] for name, place in places}):
                if name := names.pop(branch, ""):
                    first[name] = row
        for kind, *_ in batch.extras[index][2] if index in batch.extras else ():
            first.setdefault(_REMARKS[RemarkKind(kind)], row)
    sizes = {
        "the longest message": f", {counted(longest, 'character')}",
        "the most segments": f", {most}",
    }
    order = ["the first message", *sizes, *branches.names.values(), *_REMARKS.values()]
    chosen: dict[int, tuple[Row, list[str]]] = {}
    for why in dict.fromkeys(name for name in order if name in first):
        batch, index = first[why]
        chosen.setdefault(batch.first + index, ((batch, index), []))[1].append(why + sizes.get(why, ""))
    return [chosen[row] for row in sorted(chosen)], list(names.values())


def _messages(inputs: Inputs, sheet_rows: SheetRows) -> Iterator[Row]:
    """The rows that would be sent to."""
    shown = rows_to_show(inputs, sheet_rows, sampled=True, is_whole=True)
    return ((batch, index) for batch, index in shown if index not in batch.exclusions)
