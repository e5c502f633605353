"""What stops a file from being read at all, in words for people who don't know YAML's."""
# ruff: noqa: E501 - the problems are shown whole, as a user reads them

from pathlib import Path

import pytest

from runner.base.errors import Position
from runner.campaign import read
from runner.campaign.yaml_document import UNUSABLE, YamlKind, parse

QUOTES = "put the whole text in quotes"
COLUMN = "start the keys of one level in the same column"
LINE = "and check that the line above has a colon and a space"

UNREADABLE = {
    "empty": ("", "1:1: the file is empty; write at least name, subAccountId, recipients, template and rate"),
    "only a comment": ("# later\n", "1:1: the file is empty; write at least name, subAccountId, recipients, template and rate"),
    "text alone": ("hello", '1:1: the file holds no keys; write lines such as "name: welcome"'),
    "a list": ("- name: a", '1:1: the file holds no keys; write lines such as "name: welcome"'),
    "tab": ("message:\n\ttext: a", "2:1: a tab indents this line, which YAML forbids; indent with spaces"),
    "tab after spaces": ("message:\n  text: a\n \t b: c", "3:2: a tab indents this line, which YAML forbids; indent with spaces"),
    "colon in text": ("a: Hi: there", f"1:6: a colon and a space inside a text; {QUOTES}"),
    "indented too far": ("a: 1\n  b: 2", f"2:4: a key cannot stand here; {COLUMN}, {LINE}"),
    "indented by one": ("a:\n  b: 1\n c: 2", f"3:2: this does not fit in with the lines above; {COLUMN}, and write nothing after a closing quote"),
    "text after a quote": ('a: "x" y', f"1:8: this does not fit in with the lines above; {COLUMN}, and write nothing after a closing quote"),
    "no colon": ("name: x\nrate 10/s\nb: y", '2:1: a key without a colon; write "key: value"'),
    "open quote": ("a: 'x", "1:4: the quote opened here is never closed; add the closing quote"),
    "open bracket": ("a: [1, 2\nb: 3", "1:4: the [ opened here lacks a comma or its ]; write [a, b], or put text that starts with [ in quotes"),
    "open bracket at the end": ("a: [", "1:5: the file ends inside a [ or {; close it, or put text that starts with one in quotes"),
    "open brace": ("a: {x: 1\nb: 3", "1:4: the { opened here lacks a comma or its }; write {a: b}, or put text that starts with { in quotes"),
    "percent": ("a: %x", f"1:4: text cannot start with %; {QUOTES}"),
    "template tag": ("a: {% if x %}", f"1:5: text cannot start with %; {QUOTES}"),
    "star": ("a: *Sale*", f'1:4: text that starts with * is an alias for YAML; {QUOTES}'),
    "alias of nothing": ("a: *sale", f'1:4: text that starts with * is an alias for YAML, and "*sale" names nothing; {QUOTES}'),
    "exclamation mark": ("a: !x!y z", f"1:4: text that starts with ! is a tag for YAML; {QUOTES}"),
    "folded text in line": ("a: > foo", "1:4: text stands in the line of the > or |; start the text in the next line, indented, or put it in quotes"),
    "list item in line": ("a: - b", "1:4: a list item (- ) cannot start here; start each item in a line of its own, or write [a, b]"),
    "backslash": ('a: "c:\\users"', "1:4: a backslash in double quotes starts an escape that YAML does not know; write \\\\ for a backslash and / in paths, or use single quotes"),
    "absurd escape": ('a: "\\UFFFFFFFF"', "1:7: a number or escape here is too large; check it"),
    "control character": ("a: b\nc: \x07", "2:4: an invisible character, U+0007; delete it and type the text around it again"),
    "Latin-1": ("a: b\nc: é".encode("latin-1"), "2:4: the file is not in UTF-8: byte 0xE9; save it as UTF-8"),
    "UTF-16": ("a: b".encode("utf-16"), "1:1: the file is in UTF-16; save it as UTF-8"),
    "large": (b"#" * 1_000_001, "1:1: larger than 1 MB, so this is not a campaign file; is it the recipient file?"),
    "many values": ("a: [" + "1," * 10_001 + "]", "1:19999: more than 10,000 values, so this is not a campaign file"),
    "deep": ("[" * 100_000, "1:21: nested too deeply; put text that starts with [ or { in quotes"),
    "billion laughs": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "1:12: aliases blow the file up to more than 10,000 values; write the values out",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "problem"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(content: str | bytes, problem: str) -> None:
    document = parse(content.encode() if isinstance(content, str) else content, "c.yaml")
    assert [f"c.yaml:{problem}"] == [str(problem) for problem in document.problems]


def test_values_and_places() -> None:
    text = "\ufeffname: Ünï  # a comment\nwhen: 2026-12-01\nlist: [1, 010, yes, ~, =]\nin:\n  key: '5'\n"
    document = parse(text.encode(), "c.yaml")
    assert [] == document.problems
    expected = {"name": "Ünï", "when": "2026-12-01", "list": [1, UNUSABLE, True, UNUSABLE, "="], "in": {"key": "5"}}
    assert expected == document.tree
    place = document.locations["in", "key"]
    assert (Position("c.yaml", 5, 3), Position("c.yaml", 5, 8)) == (place.key, place.value)
    assert "5" == place.text
    assert ("010", YamlKind.NUMBER) == (document.locations["list", 1].text, document.locations["list", 1].kind)


def test_second_document_and_alias() -> None:
    document = parse(b"a: &x [1]\nb: *x\n---\nc: 1\n", "c.yaml")
    assert {"a": [1], "b": [1]} == document.tree
    assert ["c.yaml:3:1: a second YAML document starts here; write one campaign per file, without ---"] == [
        str(problem) for problem in document.problems
    ]


def test_half_a_character() -> None:
    document = parse(b'a: "\\ud83d\\ude00"', "c.yaml")
    assert [
        "c.yaml:1:4: a: holds an escape such as \\ud83d that is only half a character; write the character itself"
    ] == [str(problem) for problem in document.problems]


def test_files_that_cannot_be_read(folder: Path) -> None:
    Path("campaigns/spring.yaml").touch()
    problems = {
        "campaigns/sprng.yaml": 'no such file: campaigns/sprng.yaml; did you mean "campaigns/spring.yaml"?',
        "campaigns": "campaigns is a folder; name a file in it",
        "nowhere/a.yaml": "no such file: nowhere/a.yaml; the folder nowhere does not exist",
        "campaigns/spring.yaml/a": "no such file: campaigns/spring.yaml/a; campaigns/spring.yaml is a file, not a folder",
        "a\0b": 'cannot read "a\\u0000b": not a possible file name; name a file on this computer',
    }
    assert list(problems.values()) == [str(read(Path(path))[1][0]) for path in problems]
