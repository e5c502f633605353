"""`campaign preview`: some messages as a phone shows them, and what forces UCS-2."""

import itertools
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.errors import InputError
from runner.base.exclusions import Exclusion
from runner.base.messages import Encoding, RemarkKind, Text
from runner.cli.console import clean, human, print_json, print_wrapped, say
from runner.cli.options import File, Json
from runner.cli.plan_view import in_segments

if TYPE_CHECKING:
    from rich.console import Console

    from runner.audience.row_batch import RowBatch
    from runner.message.segments import Measure
    from runner.prices.costs import Prices

NAME = "preview"

PHONE_WIDTH = 36
"""About the characters in a line of a phone's message bubble, with its frame."""

CONTEXT = 12
"""Characters shown on both sides of one that forces UCS-2."""

MOST_CHARACTERS = 8
"""Characters outside GSM-7 that are told one by one; a text in another script has dozens."""

_LINKS = {
    RemarkKind.PLAIN_HTTP: "{subject} is a link without encryption, from {source}; write https://",
    RemarkKind.LONG_LINK: "{subject} is a long link, from {source}; a shortened one takes 20 to 30 characters",
    RemarkKind.BROKEN_LINK: "{subject} is cut short by a space from {source}; write {{{{ … | urlencode }}}}",
}


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
    from runner.plan.inputs import inputs_of
    from runner.plan.planner import rows_to_show

    inputs = inputs_of(file)
    chosen = _chosen(rows_to_show(inputs, sampled=not rows and to is None), rows or [], to, count)
    if not chosen:
        raise _nothing_found(inputs.audience.source.path, rows or [], to)
    if absent := set(rows or []) - {batch.first + index for batch, index in chosen}:
        say(f"{inputs.audience.source.path} has no data row {', '.join(map(str, sorted(absent)))}")
    if as_json:
        print_json({"messages": [_as_json(batch, index, inputs.prices) for batch, index in chosen]})
    console = human(as_json=as_json)
    for batch, index in chosen:
        _show(console, batch, index, inputs.prices)
    return 0


def _chosen(
    shown: "Iterator[tuple[RowBatch, int]]", rows: list[int], to: str | None, count: int
) -> "list[tuple[RowBatch, int]]":
    """The rows that were asked for, or the first messages that would be sent."""
    if rows:
        upto = itertools.takewhile(lambda one: one[0].first + one[1] <= max(rows), shown)
        return [(batch, index) for batch, index in upto if batch.first + index in rows]
    if to is not None:
        digits = "".join(character for character in to if character.isdigit())
        found = (one for one in shown if digits and (one[0].destinations[one[1]] or "").endswith(digits))
        return list(itertools.islice(found, count))
    return list(itertools.islice((one for one in shown if one[1] not in one[0].exclusions), count))


def _nothing_found(file: Path, rows: list[int], to: str | None) -> InputError:
    if rows:
        return InputError.of(
            f"{file} has no data row {', '.join(map(str, rows))}", "the first row below the header is 1"
        )
    if to is not None:
        return InputError.of(f"no row of {file} has the number {to}", "write its last digits, or all of it")
    return InputError.of(f"no message of {file} would be sent", "see why with `campaign plan`")


def _as_json(batch: "RowBatch", index: int, prices: "Prices | None" = None) -> dict[str, Any]:
    from runner.prices.costs import plain

    key, destination, verdict = batch.keys[index], batch.destinations[index], batch.verdict(index)
    document: dict[str, Any] = {"row": batch.first + index, "key": key, "destination": destination}
    if isinstance(verdict, Exclusion):
        return document | {"reason": verdict.reason.value, "detail": verdict.detail}
    found = _measure(verdict)
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
        "remarks": [
            {"kind": remark.kind.value, "subject": remark.subject, "source": remark.source, "times": remark.times}
            for remark in verdict.remarks
        ],
        "forcing": [{"index": index, "character": character} for index, character in found.forcing],
    }


def _measure(text: Text) -> "Measure":
    from runner.message.segments import measure

    return measure(text.text, text.encoding)


def _show(console: "Console", batch: "RowBatch", index: int, prices: "Prices | None" = None) -> None:
    from rich import box
    from rich.panel import Panel
    from rich.text import Text as Styled

    key, destination, verdict = batch.keys[index], batch.destinations[index], batch.verdict(index)
    shown_key = f" · key {key}" if key and key != destination else ""
    console.print(clean(f"\nrow {batch.first + index} · {destination or 'no number'}{shown_key}"), style="bold")
    if isinstance(verdict, Exclusion):
        print_wrapped(console, f"not sent: {verdict.reason.value}: {verdict.detail}", style="yellow")
        return
    found = _measure(verdict)
    styled = Styled(clean(verdict.text))
    for place, _ in found.forcing:
        styled.stylize("reverse bold", place, place + 1)
    console.print(Panel(styled, width=PHONE_WIDTH, box=box.ROUNDED), soft_wrap=False)
    unit = "characters" if found.encoding is Encoding.GSM7 else "UTF-16 units"
    cost, dearer = _costs(found, batch.countries[index], prices)
    print_wrapped(console, f"{found.encoding.value} · {in_segments(found.segments)} · {found.units} {unit}{cost}")
    print_wrapped(console, _room(found, dearer))
    if verdict.note:
        print_wrapped(console, f"smart encoding: {verdict.note}{_saving(verdict.saved, '; saves {}')}")
    _show_forcing(console, verdict, found)
    _show_links(console, verdict)


def _costs(found: "Measure", country: str | None, prices: "Prices | None") -> tuple[str, str]:
    """What the message costs, and what it would with a segment more; nothing without a price."""
    from runner.prices.costs import exact

    price = prices.of(country) if prices else None
    if prices is None or price is None:
        return ("", "") if prices is None else (f" · no price for {country or 'a number without a country'}", "")
    now, then = (exact(price.high * count, prices.currency) for count in (found.segments, found.next_segments))
    return f" · at most {now}", f", at most {then}"


def _room(found: "Measure", dearer: str) -> str:
    """What is left, and the price of going over."""
    from runner.message.segments import MAX_SEGMENTS

    left = f"{found.left} left in the last segment" if found.left else "the last segment is full"
    over = "one more than that" if found.left else "one character more"
    if found.next_segments > MAX_SEGMENTS:
        return f"{left}; {over} can't be sent"
    return f"{left}; {over} makes it {found.next_segments} segments{dearer}"


def _saving(saved: int, words: str) -> str:
    return words.format(in_segments(saved)) if saved else ""


def _show_forcing(console: "Console", text: Text, found: "Measure") -> None:
    """Each character outside GSM-7, marked in its surroundings, where it comes from, and what to do about it."""
    if not found.forcing:
        return
    from runner.message.characters import named

    console.print("outside GSM-7:", style="bold")
    seen: dict[str, list[int]] = {}
    for index, character in found.forcing:
        seen.setdefault(character, []).append(index)
    for character, indexes in itertools.islice(seen.items(), MOST_CHARACTERS):
        first = indexes[0]
        before, after = text.text[max(first - CONTEXT, 0) : first], text.text[first + 1 : first + 1 + CONTEXT]
        name = unicodedata.name(character, "unnamed").lower()
        times = f" ({len(indexes)} times)" if len(indexes) > 1 else ""
        where = " ".join(f"{before}⟦{character}⟧{after}".split())
        print_wrapped(console, f"  {character}  U+{ord(character):04X} {name}{times}: …{where}…")
        sources = [remark.source for remark in text.remarks if remark.subject == named(character)]
        if sources:
            print_wrapped(console, f"     from {' and '.join(sources)}")
    if len(seen) > MOST_CHARACTERS:
        console.print(f"  and {len(seen) - MOST_CHARACTERS} more")
    if any(remark.kind is RemarkKind.REPLACEABLE for remark in text.remarks):
        print_wrapped(console, f"message.smartEncoding: true would replace them{_saving(text.saved, ' and save {}')}")


def _show_links(console: "Console", text: Text) -> None:
    for remark in text.remarks:
        if words := _LINKS.get(remark.kind):
            print_wrapped(console, words.format(subject=remark.subject, source=remark.source), style="yellow")
