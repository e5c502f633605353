"""Find links in a text, and problems with them. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from runner.base.messages import Remark, RemarkKind

# Above this number of characters a link is long: over a third of a GSM-7 segment, nearly a whole UCS-2 segment (67).
# A shortened link takes 20 to 30.
LONG = 60

_HEAD = (
    r"(?:(?<![a-z0-9_.@-])(?:[a-z]{2,10}://|www\.)"
    r"|(?<![\w.@-])[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/)"
)
# Text that phones turn into a link: with a scheme, with www., or a domain with a slash (bit.ly/x). The lookbehind keeps
# this linear: each word is tried once, from its start. Chinese, Japanese and Thai put no space before a link.
_LINK = re.compile(_HEAD + r"\S+", re.IGNORECASE)
_LINK_START = re.compile(_HEAD + r"\S*", re.IGNORECASE)
_AFTER_SITE = re.compile(r"(?<![:/])[/?#].*")

# Characters that end the sentence, not the link.
_AFTER = ".,;:!?)]}'\"’”»›…‘“‹«„‚\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_SITE_SHOWN = 40


@dataclass(frozen=True, slots=True)
class TemplateLink:
    """A link that starts in the template's literal text; a field may continue it."""

    line: int
    text: str


def may_hold_link(text: str) -> bool:
    """A cheap check, so that texts without links need no more (`python -m benchmarks.steps`)."""
    return "/" in text or "www." in text or "Www." in text or "WWW." in text


def link_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of every link, without punctuation after it."""
    return [(start, end) for start, end, _ in _found(text)]


def _found(text: str) -> list[tuple[int, int, int]]:
    """Start and end of every link as in `link_spans`, and the end of its word: links contain no spaces."""
    found: list[tuple[int, int, int]] = []
    if not may_hold_link(text):
        return found
    end = 0
    # Checking every character of a text takes ten times as long as checking words.
    has_www = "w." in text or "W." in text
    for word in text.split():
        if "/" in word or (has_www and "w." in word.lower()):
            # This can't find part of another word: that word would have come before.
            start = text.index(word, end)
            end = start + len(word)
            found += [(start + first, start + last, end) for first, last in _links_of(word)]
    return found


@lru_cache(maxsize=1_024)
def _links_of(word: str) -> list[tuple[int, int]]:
    """The links of a word. It is nearly always the template's, the same in every text."""
    return [(match.start(), match.start() + len(match.group().rstrip(_AFTER))) for match in _LINK.finditer(word)]


def template_links(literal: str, line: int) -> Iterator[TemplateLink]:
    """The links that start in a literal of the template; the literal starts on `line`."""
    for match in _LINK_START.finditer(literal):
        yield TemplateLink(line + literal.count("\n", 0, match.start()), match.group().rstrip(_AFTER.replace(":", "")))


def link_remarks(
    text: str, columns: Mapping[str, str], template: Iterable[TemplateLink], elsewhere: str
) -> list[Remark]:
    """Remarks on the links in `text`; `columns` are the fields that the template uses.

    The subject is the link's site, because the rest differs by row.
    """
    counts: Counter[tuple[RemarkKind, str, str]] = Counter()
    # White space is either a space or not printable.
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
    """Whether a space in a field's value ends the link from `start` to `end`, with more of the value after it."""
    if not start <= text.find(value, start) < end:
        return False
    pieces = value.split(None, 1)
    before = end - len(pieces[0]) if len(pieces) == 2 else -1
    return before >= start and text.startswith(value, before)
