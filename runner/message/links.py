"""Links in a text: where they are, and what is wrong with them. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from runner.models import Remark, RemarkKind

LONG = 60
"""Characters beyond which a link is long: over a third of a GSM-7 segment, nearly all of a UCS-2 one (67). A shortened
link takes 20 to 30."""

_HEAD = (
    r"(?:(?<![a-z0-9_.@-])(?:[a-z]{2,10}://|www\.)"
    r"|(?<![\w.@-])[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/)"
)
# What phones make a link of: with a scheme, with www., or a name with a slash (bit.ly/x). The look behind keeps this
# linear: every word is tried once, from its beginning. Chinese, Japanese and Thai put no space before a link.
_LINK = re.compile(_HEAD + r"\S+", re.IGNORECASE)
_BEGUN = re.compile(_HEAD + r"\S*", re.IGNORECASE)
_SITE = re.compile(r"(?:[a-z]+://)?[^/?#]*", re.IGNORECASE)

# What ends the sentence rather than the link.
_AFTER = ".,;:!?)]}'\"’”»›…‘“‹«„‚\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_SITE_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Begun:
    """A link that the template's own text begins; a field may go on with it."""

    line: int
    text: str


def may_hold_link(text: str) -> bool:
    """A cheap look, so that texts without a link pay for no more (`python -m benchmarks.steps`)."""
    return "/" in text or "www." in text or "Www." in text or "WWW." in text


def link_spans(text: str) -> list[tuple[int, int]]:
    """Begin and end of every link, without the punctuation that follows it."""
    return [(start, end) for start, end, _ in _found(text)]


def _found(text: str) -> list[tuple[int, int, int]]:
    """Begin and end of every link as in `link_spans`, and the end of its word: no link goes beyond a space."""
    if not may_hold_link(text):
        return []
    # Looking at every character of a text takes ten times as long.
    words = text.split()
    has_www = "w." in text or "W." in text
    found: list[tuple[int, int, int]] = []
    end = 0
    for word in [word for word in words if "/" in word or (has_www and "w." in word.lower())]:
        if spans := _in_word(word):
            start = _place_of(word, text, end)
            end = start + len(word)
            found += [(start + first, start + last, end) for first, last in spans]
    return found


@lru_cache(maxsize=1_024)
def _in_word(word: str) -> list[tuple[int, int]]:
    """The links of a word; nearly always it is the template's own, the same in every text."""
    return [(match.start(), match.start() + len(match.group().rstrip(_AFTER))) for match in _LINK.finditer(word)]


def _place_of(word: str, text: str, start: int) -> int:
    """Where the word stands in the text, from `start` on; not as a part of another one."""
    while True:
        place = text.index(word, start)
        end = place + len(word)
        if (place == 0 or text[place - 1].isspace()) and (end == len(text) or text[end].isspace()):
            return place
        start = place + 1


def begun_links(literal: str, line: int) -> Iterator[Begun]:
    """The links that a literal of the template holds or begins; it starts on `line`."""
    for match in _BEGUN.finditer(literal):
        yield Begun(line + literal.count("\n", 0, match.start()), match.group().rstrip(_AFTER.replace(":", "")))


def link_remarks(text: str, columns: Mapping[str, str], template: Iterable[Begun], elsewhere: str) -> list[Remark]:
    """What a person should know of the links in `text`; `columns` are the fields that the template uses.

    The subject is the link's site, because the rest differs from row to row.
    """
    counts: dict[tuple[RemarkKind, str, str], int] = {}

    def add(kind: RemarkKind, subject: str, source: str) -> None:
        counts[kind, subject, source] = counts.get((kind, subject, source), 0) + 1

    # Every space is a space or not printable.
    parted = [(column, value) for column, value in columns.items() if " " in value or not value.isprintable()]
    for start, end, word_end in _found(text):
        link = text[start:end]
        plain, long = link[:7].lower() == "http://", len(link) > LONG
        if plain or long:
            source = _source(link, columns, template, elsewhere)
            if plain:
                add(RemarkKind.PLAIN_HTTP, _site(link), source)
            if long:
                add(RemarkKind.LONG_LINK, _site(link), source)
        for column, value in parted:
            if _breaks(value, text, start, word_end):
                add(RemarkKind.BROKEN_LINK, _site(link), f"the column {column}")
    return [Remark(kind, subject, source, times) for (kind, subject, source), times in counts.items()]


def _source(link: str, columns: Mapping[str, str], template: Iterable[Begun], elsewhere: str) -> str:
    site = _site_of(link)
    for column, value in columns.items():
        if site in value:
            return f"the column {column}"
    for begun in template:
        if link.startswith(begun.text):
            return f"the template, line {begun.line}"
    return elsewhere


def _breaks(value: str, text: str, start: int, end: int) -> bool:
    """Whether a space in a field's value ends the link from `start` to `end`: the value goes on after it."""
    if not start <= text.find(value, start) < end:
        return False
    pieces = value.split(None, 1)
    before = end - len(pieces[0]) if len(pieces) == 2 else -1
    return before >= start and text.startswith(value, before)


def _site_of(link: str) -> str:
    match = _SITE.match(link)
    return match.group() if match else link


def _site(link: str) -> str:
    site = _site_of(link)
    if len(site) > _SITE_SHOWN:
        return f"{site[:_SITE_SHOWN]}…"
    return f"{site}/…" if len(link.rstrip("/")) > len(site) else site
