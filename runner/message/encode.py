"""A text → how it travels: in GSM-7, in GSM-7 by likenesses, or in UCS-2, and what a person should know of it. Pure."""

from collections import Counter
from collections.abc import Mapping

from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.messages import Encoding, Remark, RemarkKind, Text
from runner.message.characters import BASIC, EXTENSION, is_gsm7, named, outside_gsm7
from runner.message.links import link_spans
from runner.message.origins import Origins
from runner.message.segments import segments
from runner.message.transliteration import in_gsm7, likeness, replacements

_SHOWN = 5
_GSM7 = frozenset(BASIC + EXTENSION)

# What is said of a text in another script: it is UCS-2 on purpose, and its letters would be a remark each.
_MANY = 10
ANOTHER_SCRIPT = f"more than {_MANY} different characters"


def encode(
    text: str, wanted: Encoding, columns: Mapping[str, str], origins: Origins, *, smart: bool
) -> Text | Exclusion:
    """The text as `wanted` has it, with its segments; an exclusion where GSM7 is wanted and isn't possible.

    `columns` are the fields that the template uses. With `smart` the characters outside of GSM-7 are replaced, if all
    of them can be, and that takes no more segments (a text of nothing but … could).
    """
    if wanted is Encoding.UCS2:
        return Text(text, Encoding.UCS2, segments(text, Encoding.UCS2))
    if is_gsm7(text):
        return Text(text, Encoding.GSM7, segments(text, Encoding.GSM7))
    replaced = in_gsm7(text)
    if replaced is not None:
        replaced = replaced.strip()  # a space behind which only something invisible stood
    if wanted is Encoding.GSM7 and (replaced is None or not smart):
        return Exclusion(ExclusionReason.NOT_GSM7, _not_gsm7(outside_gsm7(text), replaceable=replaced is not None))
    as_it_is = segments(text, Encoding.UCS2)
    cost = segments(replaced, Encoding.GSM7) if replaced is not None else 0
    if replaced is None or (cost > as_it_is and wanted is Encoding.AUTO):
        return Text(text, Encoding.UCS2, as_it_is, remarks=_forcing(text, columns, origins))
    outside = outside_gsm7(text)
    saved = max(as_it_is - cost, 0)
    if not smart:
        remarks = _remarks(RemarkKind.REPLACEABLE, outside, columns, origins)
        return Text(text, Encoding.UCS2, as_it_is, saved, None, remarks)
    note = replacements(Counter((character, likeness(text, index) or "") for index, character in outside))
    return Text(replaced, Encoding.GSM7, cost, saved, note, _remarks(RemarkKind.REPLACED, outside, columns, origins))


def _forcing(text: str, columns: Mapping[str, str], origins: Origins) -> tuple[Remark, ...]:
    """A remark for each character that can't be replaced: without a likeness, or in a link."""
    others = set(text) - _GSM7
    if len(others) > _MANY:
        first = next(character for character in text if character in others)
        source = next(iter(origins.of(first, 1, columns)))
        return (Remark(RemarkKind.FORCES_UCS2, ANOTHER_SCRIPT, source, sum(map(text.count, others))),)
    outside = outside_gsm7(text)
    spans = link_spans(text)
    staying = [
        (index, character)
        for index, character in outside
        if any(start <= index < end for start, end in spans) or likeness(text, index) is None
    ]
    return _remarks(RemarkKind.FORCES_UCS2, staying or outside, columns, origins)


def _remarks(
    kind: RemarkKind, outside: list[tuple[int, str]], columns: Mapping[str, str], origins: Origins
) -> tuple[Remark, ...]:
    counts = Counter(character for _, character in outside)
    return tuple(
        Remark(kind, named(character), source, taken)
        for character, times in counts.items()
        for source, taken in origins.of(character, times, columns).items()
    )


def _not_gsm7(outside: list[tuple[int, str]], *, replaceable: bool) -> str:
    first: dict[str, int] = {}
    for index, character in outside:
        first.setdefault(character, index + 1)
    shown = ", ".join(f"{named(character)} at {place}" for character, place in list(first.items())[:_SHOWN])
    more = f" and {len(first) - _SHOWN} more" if len(first) > _SHOWN else ""
    remedy = "; message.smartEncoding: true would replace them" if replaceable else ""
    return f"{shown}{more}: not in GSM-7{remedy}"
