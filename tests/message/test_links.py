"""Links: what is one, and what is remarked upon."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.messages import Remark, RemarkKind, Text
from runner.message.compose import Composer
from runner.message.links import _AFTER, _LINK, LONG, link_spans
from runner.message.template import COMPUTED, compile_template
from tests.message.composing import composed_row

PLAIN, LONG_LINK, BROKEN = RemarkKind.PLAIN_HTTP, RemarkKind.LONG_LINK, RemarkKind.BROKEN_LINK

SPANS = [
    ("see https://x.example/a.", ["https://x.example/a"], "a full stop ends the sentence"),
    ("(www.x.example)", ["www.x.example"], "brackets"),
    ("Www.X.example and HTTP://Y.example", ["Www.X.example", "HTTP://Y.example"], "phones begin with a capital"),
    ("bit.ly/a1B2 now", ["bit.ly/a1B2"], "no scheme, as most short links"),
    ("“https://x.example/a”…", ["https://x.example/a"], "typographic punctuation"),
    ("https://x.example/\u200b", ["https://x.example/"], "something invisible, copied along"),
    ("https://x.example/a?b=c&d=e#f!", ["https://x.example/a?b=c&d=e#f"], "all of its parts"),
    ("请看http://x.example/a 谢谢", ["http://x.example/a"], "no space before it, as in Chinese"),
    ("école.example/a", [], "not from the middle of a word"),
    ("and/or 1/2 w/o 24/7", [], "slashes alone"),
    ("me@x.example/ x.example", [], "an address, a name"),
    ("http:// www.", [], "nothing behind"),
]


@pytest.mark.parametrize(("text", "links", "why"), SPANS, ids=[row[-1] for row in SPANS])
def test_spans(text: str, links: list[str], why: str) -> None:
    assert links == [text[start:end] for start, end in link_spans(text)]


@given(st.text(st.sampled_from("a.w/ \n:htp@-W…x"), max_size=60).map(lambda text: f"www.x {text}"))
def test_the_quick_way_finds_what_the_slow_one_does(text: str) -> None:
    slow = [(found.start(), found.start() + len(found.group().rstrip(_AFTER))) for found in _LINK.finditer(text)]
    assert slow == link_spans(text)


def remarks(source: str, **fields: str) -> set[Remark]:
    found = composed_row(Composer(compile_template(source, "t")), fields)
    assert isinstance(found, Text)
    return set(found.remarks)


REMARKS = [
    ("Hi {{ a }}", "Ann", set(), "no link"),
    ("https://x.example/{{ a }}", "AB12", set(), "a good one"),
    ("Hi\nhttp://x.example", "", {Remark(PLAIN, "http://x.example", "the template, line 2")}, "plain, from a line"),
    (
        "go to {{ a }}",
        "http://x.example/very/long?utm=1",
        {Remark(PLAIN, "http://x.example/…", "the column a")},
        "plain, from a column; its site alone, because the rest differs in each row",
    ),
    (
        "http://x.example/{{ a }} http://x.example/2",
        "1",
        {Remark(PLAIN, "http://x.example/…", "the template, line 1", 2)},
        "counted",
    ),
    ("{{ 'http' ~ '://x.example' }}", "", {Remark(PLAIN, "http://x.example", COMPUTED)}, "put together"),
    (
        "https://x.example/{{ a }}",
        "x" * (LONG - len("https://x.example/") + 1),
        {Remark(LONG_LINK, "https://x.example/…", "the template, line 1")},
        "one too many",
    ),
    ("https://x.example/{{ a }}", "x" * (LONG - len("https://x.example/")), set(), "just not long"),
    ("https://x.example/{{ a }}", "AB 12", {Remark(BROKEN, "https://x.example/…", "the column a")}, "cut by a space"),
    ("x.example/{{ a }}!", "AB 12", {Remark(BROKEN, "x.example/…", "the column a")}, "without a scheme"),
    ("https://{{ a }}", "x.example/a b", {Remark(BROKEN, "https://x.example/…", "the column a")}, "most of the link"),
    ("{{ a }}", "https://x.example/a b", {Remark(BROKEN, "https://x.example/…", "the column a")}, "all of the link"),
    ("https://x.example/?n={{ a }}", "J\u00a0P", {Remark(BROKEN, "https://x.example/…", "the column a")}, "any space"),
    ("https://x.example/{{ a|urlencode }}", "AB 12", set(), "escaped"),
    ("https://x.example {{ a }}", "Ann Lee", set(), "a space of the template's own"),
    ("Hi {{ a }}, https://x.example", "Ann Lee", set(), "a field elsewhere"),
    ("{{ a }}", "see https://x.example for more", set(), "a sentence in a cell"),
]


@pytest.mark.parametrize(("source", "field", "expected", "why"), REMARKS, ids=[row[-1] for row in REMARKS])
def test_remarks(source: str, field: str, expected: set[Remark], why: str) -> None:
    links = {remark for remark in remarks(source, a=field) if remark.kind in (PLAIN, LONG_LINK, BROKEN)}
    assert expected == links


@pytest.mark.parametrize("piece", ["a.", "a-", "a+", "http:", "www.", "a/", "//", "a.aa"])
def test_no_text_takes_long(piece: str) -> None:
    """A regex that looks back and forth would need minutes for 20,000 characters."""
    text = (piece * 20_000)[:20_000]
    begin = time.process_time()
    link_spans(text + "/")
    assert time.process_time() - begin < 1
