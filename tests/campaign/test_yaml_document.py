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
    "empty": ("", "1:1: the file is empty; add at least name, subAccountId, recipients, template and rate"),
    "only a comment": ("# later\n", "1:1: the file is empty; add at least name, subAccountId, recipients, template and rate"),
    "text alone": ("hello", '1:1: the file has no keys; write one key per line, such as "name: welcome"'),
    "a list": ("- name: a", '1:1: the file has no keys; write one key per line, such as "name: welcome"'),
    "tab": ("message:\n\ttext: a", "2:1: this line is indented with a tab; indent with spaces"),
    "tab after spaces": ("message:\n  text: a\n \t b: c", "3:2: this line is indented with a tab; indent with spaces"),
    "colon in text": ("a: Hi: there", f"1:6: the text contains a colon and a space; {QUOTES}"),
    "indented too far": ("a: 1\n  b: 2", f"2:4: a key can't start here; {COLUMN}, {LINE}"),
    "indented by one": ("a:\n  b: 1\n c: 2", f"3:2: this doesn't match the structure of the lines above; {COLUMN}, and write nothing after a closing quote or bracket"),
    "text after a quote": ('a: "x" y', f"1:8: this doesn't match the structure of the lines above; {COLUMN}, and write nothing after a closing quote or bracket"),
    "no colon": ("name: x\nrate 10/s\nb: y", '2:1: this key has no colon; write "key: value"'),
    "open quote": ("a: 'x", "1:4: this quote is not closed; add the closing quote"),
    "open bracket": ("a: [1, 2\nb: 3", "1:4: a comma or ] is missing after this [; write [a, b], or put text that starts with [ in quotes"),
    "open bracket at the end": ("a: [", "1:5: a [ or { is not closed; close it, or put text that starts with one in quotes"),
    "open brace": ("a: {x: 1\nb: 3", "1:4: a comma or } is missing after this {; write {a: b}, or put text that starts with { in quotes"),
    "percent": ("a: %x", f"1:4: text can't start with %; {QUOTES}"),
    "template tag": ("a: {% if x %}", f"1:5: text can't start with %; {QUOTES}"),
    "star": ("a: *Sale*", f"1:4: YAML reads text that starts with * as an alias; {QUOTES}"),
    "alias of nothing": ("a: *sale", f'1:4: YAML reads text that starts with * as an alias, and "*sale" is not defined; {QUOTES}'),
    "exclamation mark": ("a: !x!y z", f"1:4: YAML reads text that starts with ! as a tag; {QUOTES}"),
    "folded text in line": ("a: > foo", "1:4: there is text on the same line as > or |; start the text on the next line, indented, or put it in quotes"),
    "list item in line": ("a: - b", "1:4: a list item (- ) can't start here; start each item on a new line, or write [a, b]"),
    "backslash": ('a: "c:\\users"', "1:4: unknown escape: a backslash in double quotes starts an escape; write \\\\ for a backslash, use / in paths, or use single quotes"),
    "absurd escape": ('a: "\\UFFFFFFFF"', "1:7: a number or escape here is too large; correct it"),
    "control character": ("a: b\nc: \x07", "2:4: invisible character U+0007; delete it, or retype the text around it"),
    "Latin-1": ("a: b\nc: é".encode("latin-1"), "2:4: the file is not in UTF-8: byte 0xE9; save it as UTF-8"),
    "UTF-16": ("a: b".encode("utf-16"), "1:1: the file is in UTF-16; save it as UTF-8"),
    "large": (b"#" * 1_000_001, "1:1: the file is larger than 1 MB, too large for a campaign file; check that it is not the recipient file"),
    "many values": ("a: [" + "1," * 10_001 + "]", "1:19999: more than 10,000 values, too many for a campaign file; check that it is a campaign file"),
    "deep": ("[" * 100_000, "1:21: values are nested too deeply; put text that starts with [ or { in quotes"),
    "billion laughs": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "1:12: with its aliases expanded, the file has more than 10,000 values; replace the aliases with their values",
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
    assert ["c.yaml:3:1: a second YAML document starts here; write one document per file, without ---"] == [
        str(problem) for problem in document.problems
    ]


def test_half_a_character() -> None:
    document = parse(b'a: "\\ud83d\\ude00"', "c.yaml")
    assert [
        "c.yaml:1:4: a: has an escape such as \\ud83d, which is only half of a character; write the character itself"
    ] == [str(problem) for problem in document.problems]


def test_files_that_cannot_be_read(folder: Path) -> None:
    Path("campaigns/spring.yaml").touch()
    problems = {
        "campaigns/sprng.yaml": 'no such file: campaigns/sprng.yaml; did you mean "campaigns/spring.yaml"?',
        "campaigns": "campaigns is a folder; write the path of a file",
        "nowhere/a.yaml": "no such file: nowhere/a.yaml; the folder nowhere does not exist",
        "campaigns/spring.yaml/a": "no such file: campaigns/spring.yaml/a; campaigns/spring.yaml is a file, not a folder",
        "a\0b": 'can\'t read "a\\u0000b": invalid file name; write the path of a file on this computer',
    }
    assert list(problems.values()) == [str(read(Path(path))[1][0]) for path in problems]


CUT = {
    "message": ("text: Hi Ann, reply #1 to book", '1:7: text: YAML reads "#1 to book" as a comment', "on a line of its own"),
    "remark behind a message": ("text: Hi Ann # greeting", '1:7: text: YAML reads "# greeting" as a comment', "on a line of its own"),
    "message on two lines": ("text: Hi\n  Ann #2 x", '1:7: text: YAML reads "#2 x" as a comment', "on a line of its own"),
    "words that a text needs": ("requireText:\n  - STOP #1", '2:5: requireText: YAML reads "#1" as a comment', "on a line of its own"),
    "column": ("phone: Phone #", '1:8: phone: YAML reads "#" as a comment', "after # and a space"),
    "key column": ("key: Order #1", '1:6: key: YAML reads "#1" as a comment', "after # and a space"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "what", "comment"), CUT.values(), ids=CUT)
def test_an_unquoted_text_that_is_cut(content: str, what: str, comment: str) -> None:
    [problem] = parse(content.encode(), "c.yaml").problems
    remedy = f"which cuts the text; put the whole text in quotes, or write a comment {comment}"
    assert f"c.yaml:{what}, {remedy}" == str(problem)


@pytest.mark.parametrize(
    "content",
    ["rate: 10/s # a comment", "rate: 10/s #a comment", "text: 'Hi #1' # a comment", 'text: "Hi" # a', "text: Hi#1",
     "text: |  # a comment\n  Hi #1", "text:  # a comment\n  Hi", "a:\n  # a comment\n  b: c", "text: Hi\n# a comment"],
)  # fmt: skip
def test_comments_that_cut_nothing(content: str) -> None:
    assert [] == parse(content.encode(), "c.yaml").problems


@pytest.mark.parametrize("value", ["${SENDER}", "lists/${DAY}.csv", "$SENDER", "${{ vars.SENDER }}", "'%SENDER%'"])
def test_variables_that_nothing_replaces(value: str) -> None:
    document = parse(f"source: {value}".encode(), "c.yaml")
    [problem] = document.problems
    assert str(problem).startswith('c.yaml:1:9: source: "')
    assert str(problem).endswith(" is not replaced: this file can't use variables; write the value itself")
    assert {("source",)} == document.broken


@pytest.mark.parametrize(
    "content", ["where: price > 5 and name = '$x'", "a: US$", "text: You owe ${{ amount }}", "a: 50%"]
)
def test_dollars_and_percents_that_are_no_variables(content: str) -> None:
    assert [] == parse(content.encode(), "c.yaml").problems
