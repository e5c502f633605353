"""The plan in a pull request: nobody's number in it, nothing of a cell's that acts, and the very command to send it."""

import re
import shlex
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from runner.cli.console import clean
from runner.cli.masking import masked_output, masking
from runner.cli.plan import escaped
from runner.report.masking import masked
from tests.cli.workplace import MINIMAL, Workplace, people, person


def shown(offline: Workplace, *arguments: str) -> str:
    done = offline.here("plan", *(arguments or ("hello.yaml",)), "--format", "markdown")
    assert 0 == done.exit_code
    return done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("+12025550142", "+1202•••••42"),
        (
            "mobile: +6591234567 is on the suppression list left.csv",
            "mobile: +6591••••67 is on the suppression list left.csv",
        ),
        # As people write them: the cells of rows that are left out are quoted just so.
        ('"0412 345 678" has no country code', '"0412 ••• •78" has no country code'),
        ('"(202) 555-0142 ext 9"', '"(202) 5••-••42 ext 9"'),
        ('"+49\u00a0170/1234567"', '"+49\u00a017•/•••••67"'),
        ('"+44 (0) 7700\u200b900\u200b001"', '"+44 (0) 7•••\u200b•••\u200b•01"'),
        ('"٠٤١٢٣٤٥٦٧٨"', '"٠٤١٢••••٧٨"'),
        ("6591234567,6591234568", "6591••••67,6591••••68"),
        ('same key "6591234567" as row 4', 'same key "6591••••67" as row 4'),
        ("5550142", "55•••42"),
        # What is no number.
        ("row 1234567: same number as row 1000000", "row 1234567: same number as row 1000000"),
        ("beyond --limit 1000000", "beyond --limit 1000000"),
        ("begin 2026-11-25 09:00 UTC", "begin 2026-11-25 09:00 UTC"),
        ("1,234,567 messages, 123456 more", "1,234,567 messages, 123456 more"),
        ("needs 3 segments (313 characters, GSM7)", "needs 3 segments (313 characters, GSM7)"),
    ],
)
def test_numbers_are_masked(words: str, expected: str) -> None:
    assert expected == masked(words)


@given(
    st.lists(
        st.tuples(st.sampled_from("0123456789٣８"), st.sampled_from(["", " ", "-", ") ", " / ", "\u00a0", "."])),
        min_size=7,
    )
)
def test_however_it_is_written_six_digits_are_left(written: list[tuple[str, str]]) -> None:
    digits = "".join(digit + between for digit, between in written)
    left = [character for character in masked(f'mobile: "+{digits}" is no number') if character.isdecimal()]
    assert len(left) <= 6 or re.search(r"(?:19|20)\d\d-[01]\d-[0-3]\d", digits)


def test_a_number_of_the_template_s_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "template", "Hi , call 1800 555 0100 from ")
    expected = "Hi Ann, call 1800 555 0100 from +6581••••01"
    assert expected == masked_output("Hi Ann, call 1800 555 0100 from +6581230001")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("a|b", r"a\|b"),
        ("<img src=x onerror=1>", r"\<img src=x onerror=1\>"),
        ("[link](http://x.example)", "\\[link\\]\\(http:\u200b//x.example\\)"),
        ("`rm` **b** __c__ ~~d~~", "\\`rm\\` \\*\\*b\\*\\* \\_\\_c\\_\\_ \\~\\~\u200bd\\~\\~"),
        # A backslash stops none of these on GitHub or GitLab.
        ("@octocat", "@\u200boctocat"),
        ("see #12 and !3", "see \\#\u200b12 and \\!\u200b3"),
        ("www.x.example", "www\u200b.x.example"),
        ("a@b.example", "a@\u200bb.example"),
        ("&lt;", "\\&\u200blt;"),
        ("two\nlines\x1b[31m", r"two lines" + "\ufffd" + r"\[31m"),
    ],
)
def test_cells_do_nothing(cell: str, expected: str) -> None:
    assert expected == escaped(cell)


@given(st.text(st.sampled_from("`*_{}[]()<>#|~&!+-\\\n\"'= 1.:/@w") | st.characters(codec="utf-8"), max_size=40))
def test_any_cell_is_one_literal_cell(cell: str) -> None:
    html = MarkdownIt("commonmark").enable("table").render(f"| a | b |\n|---|---|\n| {escaped(cell)} | end |\n")
    body = html.partition("<tbody>")[2]
    first, last = re.findall("<td>(.*?)</td>", body, re.DOTALL)
    expected = " ".join(clean(cell).split())
    assert (expected, "end") == (unescape(first).replace("\u200b", ""), last)
    assert not re.search("<(?!/?t[dr]|/?tbody|/table)", body)


def test_the_document(offline: Workplace) -> None:
    text = MINIMAL.replace("Hi {{ name }}", "Hi {{ name }} ({{ mobile }}), call 1800 555 0100")
    offline.write(person(1) + person(2, "```@team") + 'k3,"8123 00",Ben|Eva\n', text)
    document = shown(offline)
    assert "8123 00" in document, "six digits are no number"
    assert not re.search(r"8123000[12]", document)
    assert "\nHi N1 (+6581••••01), call 1800 555 0100\n" in document
    assert "row 2, \\+6581••••01, GSM7, 1 segment, 121 left" in document
    assert "\n````text\nHi ```@team (+6581••••02), call 1800 555 0100\n````\n" in document
    rows = [line for line in document.splitlines() if line.startswith("|")]
    assert {3} == {len(re.findall(r"(?<!\\)\|", line)) - 1 for line in rows}
    assert document == shown(offline), "it changes with the plan alone"


def test_prices_are_not_taken_for_numbers(offline: Workplace) -> None:
    (offline.folder / "prices.csv").write_text("country,price,currency\nSG,0.0099171,USD\n")
    offline.write(people(2), MINIMAL + "prices: prices.csv\n")
    assert "2 segments × 0.0099171 USD = 0.02 USD" in shown(offline)


def test_its_command_sends_just_this_plan(campaign: Workplace) -> None:
    """Another run, limit or name of a file would be another plan, or none."""
    name = "it's $(x) `y`.yaml"
    (campaign.folder / name).write_text(MINIMAL)
    document = shown(campaign, name, "--run", "second", "--limit", "2")
    command = document.split("```\n")[-2].strip()
    program, *arguments = shlex.split(command)
    assert ("campaign", ["run", name, "--run", "second", "--limit", "2", "--approve"]) == (program, arguments[:-1])
    assert 0 == campaign(*arguments).exit_code
    assert {("accepted", "queued"): 2, ("excluded", "over_limit"): 3} == campaign.statuses("second")


def test_a_plan_that_can_t_be_sent_has_no_command(offline: Workplace) -> None:
    offline.write(people(3), MINIMAL + "limits: {messages: 2}\n")
    done = offline.here("plan", "hello.yaml", "--format", "markdown")
    assert 2 == done.exit_code
    assert "**This plan can't be sent:**" in done.stdout.replace("\\", "")
    assert "--approve" not in done.stdout


@pytest.mark.parametrize("form", [("--json",), ("--format", "json"), ("--format=json",)])
def test_mistakes_are_one_document_too(offline: Workplace, form: tuple[str, ...]) -> None:
    done = offline.here("plan", "nowhere.yaml", *form)
    assert (2, 2) == (done.exit_code, done.document["exit_code"])
