"""Links in a text: where they are, and what is wrong with them. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from runner.base.messages import Remark, RemarkKind

# Characters beyond which a link is long: over a third of a GSM-7 segment, nearly all of a UCS-2 one (67). A shortened
# link takes 20 to 30.
LONG = 60

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
class TemplateLink:
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
        # Never a part of another word: that word would be among these too, and before this one.
        start = text.index(word, end)
        end = start + len(word)
        found += [(start + first, start + last, end) for first, last in _links_of(word)]
    return found


@lru_cache(maxsize=1_024)
def _links_of(word: str) -> list[tuple[int, int]]:
    """The links of a word; nearly always it is the template's own, the same in every text."""
    return [(match.start(), match.start() + len(match.group().rstrip(_AFTER))) for match in _LINK.finditer(word)]


def template_links(literal: str, line: int) -> Iterator[TemplateLink]:
    """The links that a literal of the template holds or begins; it starts on `line`."""
    for match in _BEGUN.finditer(literal):
        yield TemplateLink(line + literal.count("\n", 0, match.start()), match.group().rstrip(_AFTER.replace(":", "")))


def link_remarks(
    text: str, columns: Mapping[str, str], template: Iterable[TemplateLink], elsewhere: str
) -> list[Remark]:
    """What a person should know of the links in `text`; `columns` are the fields that the template uses.

    The subject is the link's site, because the rest differs from row to row.
    """
    counts: Counter[tuple[RemarkKind, str, str]] = Counter()
    # Every white space is a space or not printable.
    spaced = [(column, value) for column, value in columns.items() if " " in value or not value.isprintable()]
    for start, end, word_end in _found(text):
        link = text[start:end]
        if link[:7].lower() == "http://":
            counts[RemarkKind.PLAIN_HTTP, _shown_site(link), _source(link, columns, template, elsewhere)] += 1
        if len(link) > LONG:
            counts[RemarkKind.LONG_LINK, _shown_site(link), _source(link, columns, template, elsewhere)] += 1
        for column, value in spaced:
            if _breaks(value, text, start, word_end):
                counts[RemarkKind.BROKEN_LINK, _shown_site(link), f"the column {column}"] += 1
    return [Remark(kind, subject, source, times) for (kind, subject, source), times in counts.items()]


def _source(link: str, columns: Mapping[str, str], template: Iterable[TemplateLink], elsewhere: str) -> str:
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


def _shown_site(link: str) -> str:
    site = _site_of(link)
    if len(site) > _SITE_SHOWN:
        return f"{site[:_SITE_SHOWN]}…"
    return f"{site}/…" if len(link.rstrip("/")) > len(site) else site
