"""`campaign preview`: messages as on a phone, and what forces UCS-2."""

import itertools
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.errors import InputError
from runner.base.exclusions import Exclusion
from runner.base.messages import MAX_SEGMENTS, Encoding, RemarkKind, Text
from runner.base.wording import counted
from runner.cli.console import Console, print_stderr
from runner.cli.masking import HINT, masking
from runner.cli.options import File, Rows, with_shared_options
from runner.message.segments import Measure, described, measure
from runner.prices.costs import Prices, exact, plain

if TYPE_CHECKING:
    from runner.audience.row_batch import RowBatch
    from runner.files.sheet_rows import SheetRows

# The width of a message bubble with its frame, in characters; about that of a phone.
PHONE_WIDTH = 36
# How many characters to show on each side of one that forces UCS-2.
CONTEXT = 12
# How many characters outside GSM-7 to show; a text in another script has dozens.
MOST_CHARACTERS = 8
# How many messages to this number to show.
DEFAULT_COUNT = 3


@with_shared_options
def command(
    console: Console,
    file: File,
    count: Annotated[int | None, typer.Option("-n", min=1, metavar="N", help="Show the first N messages.")] = None,
    rows: Rows = None,
    to: Annotated[str | None, typer.Option("--to", metavar="NUMBER", help="Show the messages to this number.")] = None,
) -> tuple[int, dict[str, Any]]:
    """Show messages as on a phone: those worth a look, or those that an option chooses."""
    from runner.files.sheet_rows import SheetRows
    from runner.plan.inputs import load_inputs
    from runner.plan.notable import notable_messages
    from runner.plan.planner import rows_to_show

    inputs, rows, sheet_rows = load_inputs(file), rows or [], SheetRows()
    masking.template = inputs.composer.template.origins.own_text
    path = inputs.audience.source.path
    reasons: list[list[str]] = []
    unused: list[str] = []
    if rows or to is not None or count is not None:
        shown = rows_to_show(inputs, sheet_rows, sampled=not rows and to is None)
        chosen = _chosen(shown, sheet_rows, rows, to, count or DEFAULT_COUNT)
    else:
        notable, unused = notable_messages(inputs, sheet_rows)
        chosen, reasons = [row for row, _ in notable], [why for _, why in notable]
    first = sheet_rows.of(1)
    absent = sheet_rows.below_header(rows) - {sheet_rows.of(batch.first + index) for batch, index in chosen}
    no_row = f"--row: {path} has no data in row {', '.join(map(str, sorted(absent)))}"
    if rows and not chosen:
        raise InputError.of(no_row, f"the first row below the header is row {first}")
    if to is not None and not chosen:
        raise InputError.of(f"--to: no row of {path} has the number {to}", "write the number or its last digits")
    if not chosen:
        raise InputError.of(f"every row of {path} is excluded", "run `campaign plan` to see why")
    if absent:
        print_stderr(f"warning: {no_row}")
    if rows and min(rows) < first:
        print_stderr(f"warning: row {min(rows)} is not below the header; showing the first row below it, row {first}")
    messages = []
    for (batch, index), why in itertools.zip_longest(chosen, reasons):
        number = sheet_rows.of(batch.first + index)
        _show(console, batch, index, number, why, inputs.prices)
        messages.append(_as_json(batch, index, number, why, inputs.prices))
    if unused:
        console.print()
    for name in unused:
        console.wrap(f"no message takes this branch of the template: {name}")
    if masking.applies_to(console.rich.file) or masking.applies_to(sys.stdout):
        console.print(f"\n{HINT}")
    return 0, {"messages": messages, "branches_not_taken": unused}


def _chosen(
    shown: "Iterator[tuple[RowBatch, int]]", sheet_rows: "SheetRows", rows: list[int], to: str | None, count: int
) -> "list[tuple[RowBatch, int]]":
    """The requested rows, or the first messages that would be sent."""
    if rows:
        found = []
        for batch, index in shown:
            number, asked = sheet_rows.of(batch.first + index), sheet_rows.below_header(rows)
            if number > max(asked):
                break
            if number in asked:
                found.append((batch, index))
        return found
    if to is None:
        wanted = ((batch, index) for batch, index in shown if index not in batch.exclusions)
    else:
        digits = "".join(character for character in to if character.isdigit())
        # Without any digit, nothing matches.
        wanted = ((batch, index) for batch, index in shown if (batch.destinations[index] or "").endswith(digits or "-"))
    return list(itertools.islice(wanted, count))


def _as_json(
    batch: "RowBatch", index: int, number: int, why: list[str] | None, prices: Prices | None
) -> dict[str, Any]:
    key, destination, verdict = batch.keys[index], batch.destinations[index], batch.verdict(index)
    document: dict[str, Any] = {"row": batch.first + index, "sheet_row": number, "key": key, "destination": destination}
    document |= {"why": why or []}
    if isinstance(verdict, Exclusion):
        return document | {"reason": verdict.reason.value, "detail": verdict.detail}
    found = measure(verdict.text, verdict.encoding)
    price = prices.of(batch.countries[index]) if prices else None
    return document | {
        "text": verdict.text,
        "encoding": verdict.encoding.value,
        "segments": verdict.segments,
        "characters_left": found.left,
        "next_segments": found.next_segments,
        "currency": prices.currency if prices else None,
        "at_most": plain(price.high * found.segments) if price else None,
        "next_at_most": plain(price.high * found.next_segments) if price else None,
        "saved": verdict.saved,
        "note": verdict.note,
        "remarks": [asdict(remark) for remark in verdict.remarks],
        "forcing": [{"index": index, "character": character} for index, character in found.forcing],
    }


def _show(
    console: Console, batch: "RowBatch", index: int, number: int, why: list[str] | None, prices: Prices | None
) -> None:
    """Show a row's message. `number` is its row in the sheet, `why` the reasons to show it."""
    from rich import box
    from rich.panel import Panel
    from rich.text import Text as Styled

    key, destination, verdict = batch.keys[index], batch.destinations[index], batch.verdict(index)
    shown_key = f" · key {key}" if key and key != destination else ""
    console.print(f"\nrow {number} · {destination or 'no number'}{shown_key}", style="bold")
    if why:
        console.wrap(f"why: {'; '.join(why)}")
    if isinstance(verdict, Exclusion):
        console.wrap(f"not sent: {verdict.reason.value}: {verdict.detail}", style="yellow")
        return
    found = measure(verdict.text, verdict.encoding)
    bubble = Styled(console.shown(verdict.text))
    for place, _ in found.forcing:
        bubble.stylize("reverse bold", place, place + 1)
    console.rich.print(Panel(bubble, width=PHONE_WIDTH, box=box.ROUNDED), soft_wrap=False)
    _show_size(console, found, batch.countries[index], prices)
    if verdict.note:
        saves = f"; saves {counted(verdict.saved, 'segment')}" if verdict.saved else ""
        console.wrap(f"smart encoding: {verdict.note}{saves}")
    for remark in verdict.remarks:
        if remark.kind is RemarkKind.MENDED:
            console.wrap(f"mended: {remark.subject} from {remark.source}")
    _show_forcing(console, verdict, found)
    for remark in verdict.remarks:
        if remark.warning:
            console.wrap(remark.warning, style="yellow")


def _show_size(console: Console, found: Measure, country: str | None, prices: Prices | None) -> None:
    """Show the message's size and cost, and what one more segment would cost."""
    price, cost, dearer = prices.of(country) if prices else None, "", ""
    if prices and price:
        cost = f" · at most {exact(price.high * found.segments, prices.currency)}"
        dearer = f", at most {exact(price.high * found.next_segments, prices.currency)}"
    elif prices:
        cost = f" · no price for {country or 'a number without a country'}"
    unit = "character" if found.encoding is Encoding.GSM7 else "UTF-16 unit"
    size = f"{counted(found.segments, 'segment')} · {counted(found.units, unit)}"
    console.wrap(f"{found.encoding.value} · {size}{cost}")
    fits = f"{counted(found.left, f'more {unit}')} fit{'s' if found.left == 1 else ''}"
    can_grow = found.next_segments <= MAX_SEGMENTS
    what = f"needs {found.next_segments} segments{dearer}" if can_grow else "can't be sent"
    console.wrap(f"{fits if found.left else 'no more characters fit'}; a longer message {what}")


def _show_forcing(console: Console, text: Text, found: Measure) -> None:
    """Show each character outside GSM-7, marked in its context, its origin, and what to do about it."""
    if not found.forcing:
        return
    console.print("outside GSM-7:", style="bold")
    shown = console.shown(text.text)  # before it is cut, because a part of a number doesn't look like one
    places: dict[str, list[int]] = {}
    for index, character in found.forcing:
        places.setdefault(character, []).append(index)
    for character, (first, *others) in itertools.islice(places.items(), MOST_CHARACTERS):
        before, after = shown[max(first - CONTEXT, 0) : first], shown[first + 1 : first + 1 + CONTEXT]
        name = unicodedata.name(character, "unnamed").lower()
        times = f" ({1 + len(others)} times)" if others else ""
        where = " ".join(f"{before}⟦{character}⟧{after}".split())
        console.wrap(f"  {character}  U+{ord(character):04X} {name}{times}: …{where}…")
        if sources := [remark.source for remark in text.remarks if remark.subject == described(character)]:
            console.wrap(f"     from {' and '.join(sources)}")
    if len(places) > MOST_CHARACTERS:
        console.print(f"  and {len(places) - MOST_CHARACTERS} more")
    if any(remark.kind is RemarkKind.REPLACEABLE for remark in text.remarks):
        saves = f" and saves {counted(text.saved, 'segment')}" if text.saved else ""
        console.wrap(f"message.smartEncoding: true replaces them{saves}")
