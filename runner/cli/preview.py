"""`campaign preview`: some messages as a phone shows them, and what forces UCS-2."""

import itertools
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.console import clean, human, print_json
from runner.cli.options import File, Json
from runner.errors import InputError
from runner.models import Encoding, Exclusion, Row, Text

if TYPE_CHECKING:
    from rich.console import Console

    from runner.message.segments import Measure

NAME = "preview"

PHONE_WIDTH = 36
"""About the characters in a line of a phone's message bubble, with its frame."""

CONTEXT = 12
"""Characters shown on both sides of one that forces UCS-2."""

Judged = tuple[Row, Text | Exclusion]


def command(
    file: File,
    count: Annotated[int, typer.Option("-n", min=1, metavar="N", help="How many messages.")] = 3,
    rows: Annotated[
        list[int] | None, typer.Option("--row", metavar="N", min=1, help="This data row; may be given again.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="NUMBER", help="The messages to this number.")] = None,
    as_json: Json = False,
) -> int:
    """Show messages as a phone would, and what forces UCS-2."""
    from runner.plan.inputs import load_inputs
    from runner.plan.planner import Planner

    inputs = load_inputs(file)
    planner = Planner(inputs.audience, inputs.composer, options="")
    chosen = _chosen(planner.judged(), rows or [], to, count)
    if not chosen:
        raise _nothing_found(inputs.audience.file, rows or [], to)
    if as_json:
        print_json({"messages": [_as_json(row, verdict) for row, verdict in chosen]})
    console = human(as_json=as_json)
    for row, verdict in chosen:
        _show(console, row, verdict)
    return 0


def _chosen(judged: Iterator[Judged], rows: list[int], to: str | None, count: int) -> list[Judged]:
    """The rows that were asked for, or the first messages that would be sent."""
    if rows:
        upto = itertools.takewhile(lambda pair: pair[0].number <= max(rows), judged)
        return [pair for pair in upto if pair[0].number in rows]
    if to is not None:
        digits = "".join(character for character in to if character.isdigit())
        found = (pair for pair in judged if digits and (pair[0].destination or "").endswith(digits))
        return list(itertools.islice(found, count))
    return list(itertools.islice((pair for pair in judged if isinstance(pair[1], Text)), count))


def _nothing_found(file: Path, rows: list[int], to: str | None) -> InputError:
    if rows:
        return InputError.of(
            f"{file} has no data row {', '.join(map(str, rows))}", "the first row below the header is 1"
        )
    if to is not None:
        return InputError.of(f"no row of {file} has the number {to}", "write its last digits, or all of it")
    return InputError.of(f"no message of {file} would be sent", "see why with `campaign plan`")


def _as_json(row: Row, verdict: Text | Exclusion) -> dict[str, Any]:
    document: dict[str, Any] = {"row": row.number, "key": row.key, "destination": row.destination}
    if isinstance(verdict, Exclusion):
        return document | {"reason": verdict.reason.value, "detail": verdict.detail}
    found = _measure(verdict)
    return document | {
        "text": verdict.text,
        "encoding": verdict.encoding.value,
        "segments": verdict.segments,
        "characters_left": found.left,
        "forcing": [{"index": index, "character": character} for index, character in found.forcing],
    }


def _measure(text: Text) -> "Measure":
    from runner.message.segments import measure

    return measure(text.text, text.encoding)


def _show(console: "Console", row: Row, verdict: Text | Exclusion) -> None:
    from rich import box
    from rich.panel import Panel
    from rich.text import Text as Styled

    key = f" · key {row.key}" if row.key and row.key != row.destination else ""
    console.print(clean(f"\nrow {row.number} · {row.destination or 'no number'}{key}"), style="bold")
    if isinstance(verdict, Exclusion):
        console.print(clean(f"not sent: {verdict.reason.value}: {verdict.detail}"), style="yellow")
        return
    found = _measure(verdict)
    styled = Styled(clean(verdict.text))
    for index, _ in found.forcing:
        styled.stylize("reverse bold", index, index + 1)
    console.print(Panel(styled, width=PHONE_WIDTH, box=box.ROUNDED), soft_wrap=False)
    segments = "1 segment" if found.segments == 1 else f"{found.segments} segments"
    unit = "characters" if found.encoding is Encoding.GSM7 else "UTF-16 units"
    console.print(f"{found.encoding.value} · {segments} · {found.units} {unit} · {found.left} left in the last segment")
    _show_forcing(console, verdict.text, found)


def _show_forcing(console: "Console", text: str, found: "Measure") -> None:
    """Each character outside GSM-7, marked in its surroundings, and what the text would take without them."""
    if not found.forcing:
        return
    console.print("outside GSM-7:", style="bold")
    seen: dict[str, list[int]] = {}
    for index, character in found.forcing:
        seen.setdefault(character, []).append(index)
    for character, indexes in seen.items():
        first = indexes[0]
        before, after = text[max(first - CONTEXT, 0) : first], text[first + 1 : first + 1 + CONTEXT]
        name = unicodedata.name(character, "unnamed").lower()
        times = f" ({len(indexes)} times)" if len(indexes) > 1 else ""
        where = " ".join(f"{before}⟦{character}⟧{after}".split())
        console.print(clean(f"  {character}  U+{ord(character):04X} {name}{times}: …{where}…"))
