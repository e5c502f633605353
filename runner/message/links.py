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
_LINK_START = re.compile(_HEAD + r"\S*", re.IGNORECASE)
_AFTER_SITE = re.compile(r"(?<![:/])[/?#].*")

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
    found: list[tuple[int, int, int]] = []
    if not may_hold_link(text):
        return found
    end = 0
    # Looking at every character of a text takes ten times as long as looking at words.
    has_www = "w." in text or "W." in text
    for word in text.split():
        if "/" in word or (has_www and "w." in word.lower()):
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
    for match in _LINK_START.finditer(literal):
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
        kinds = [RemarkKind.PLAIN_HTTP] if link[:7].lower() == "http://" else []
        kinds += [RemarkKind.LONG_LINK] if len(link) > LONG else []
        breaking = [column for column, value in spaced if _breaks(value, text, start, word_end)]
        if kinds or breaking:
            site = _AFTER_SITE.sub("", link)
            shown = f"{site[:_SITE_SHOWN]}…" if len(site) > _SITE_SHOWN else site
            if shown == site and len(link.rstrip("/")) > len(site):
                shown = f"{site}/…"
            source = _source(link, site, columns, template) or elsewhere
            counts.update((kind, shown, source) for kind in kinds)
            counts.update((RemarkKind.BROKEN_LINK, shown, f"the column {column}") for column in breaking)
    return [Remark(kind, subject, source, times) for (kind, subject, source), times in counts.items()]


def _source(link: str, site: str, columns: Mapping[str, str], template: Iterable[TemplateLink]) -> str | None:
    in_columns = (f"the column {column}" for column, value in columns.items() if site in value)
    in_template = (
        f"the template, line {link_start.line}" for link_start in template if link.startswith(link_start.text)
    )
    return next(in_columns, None) or next(in_template, None)


def _breaks(value: str, text: str, start: int, end: int) -> bool:
    """Whether a space in a field's value ends the link from `start` to `end`: the value goes on after it."""
    if not start <= text.find(value, start) < end:
        return False
    pieces = value.split(None, 1)
    before = end - len(pieces[0]) if len(pieces) == 2 else -1
    return before >= start and text.startswith(value, before)
