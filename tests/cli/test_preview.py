"""What `campaign preview` shows of a message, at 80 columns and to programs."""

import io
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from runner.audience.row_batch import RowBatch
from runner.base.exclusions import Exclusion
from runner.base.messages import Encoding, Text
from runner.cli import preview
from runner.cli.console import Console
from runner.message.compose import Composer
from runner.message.template import compile_template
from runner.prices.costs import Price, Prices
from tests.message.composing import composed_row

PRICES = Prices(Path("prices.csv"), "USD", {"US": Price(Decimal("0.01"), Decimal("0.0421"))})


def composed(
    source: str, *, smart: bool = False, encoding: Encoding = Encoding.AUTO, **fields: str
) -> Text | Exclusion:
    return composed_row(Composer(compile_template(source, "t.j2"), encoding, smart_encoding=smart), fields)


def row(verdict: Text | Exclusion) -> RowBatch:
    """A batch of one row that has this text, or none for this reason."""
    batch = RowBatch(1, [()], keys=["k1"], destinations=["+12025550142"], countries=["US"])
    batch.add_text(verdict)
    batch.exclusions |= batch.refused
    return batch


def shown(verdict: Text | Exclusion, prices: Prices | None = None) -> str:
    """All that is printed, without the bubble."""
    console, output = Console(), io.StringIO()
    console.rich = RichConsole(file=output, width=80, highlight=False, soft_wrap=True, markup=False, emoji=False)
    preview._show(console, row(verdict), 0, prices)
    lines = output.getvalue().splitlines()
    assert all(len(line) <= 80 for line in lines)
    return "\n".join(line for line in lines if line[:1] not in "╭│╰" or not line).strip()


def test_what_is_left_and_the_price_of_going_over() -> None:
    expected = """\
row 1 · +1202•••••42 · key k1
GSM7 · 2 segments · 303 characters
3 more characters fit; a longer message needs 3 segments"""
    assert expected == shown(composed("{{ a }}", a="x" * 303))


def test_the_price_of_going_over_in_money() -> None:
    expected = """\
GSM7 · 1 segment · 159 characters · at most 0.0421 USD
1 more character fits; a longer message needs 2 segments, at most 0.0842 USD"""
    assert shown(composed("{{ a }}", a="x" * 159), PRICES).endswith(expected)
    unpriced = Prices(Path("prices.csv"), "USD", {})
    assert "159 characters · no price for US\n" in shown(composed("{{ a }}", a="x" * 159), unpriced)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (160, "no more characters fit; a longer message needs 2 segments"),
        (1529, "1 more character fits; a longer message can't be sent"),
        (1530, "no more characters fit; a longer message can't be sent"),
    ],
)
def test_full_ones(length: int, words: str) -> None:
    assert words in shown(composed("{{ a }}", a="x" * length))


def test_what_smart_encoding_replaced_and_saved() -> None:
    expected = """\
GSM7 · 1 segment · 113 characters
47 more characters fit; a longer message needs 2 segments
smart encoding: 4 characters replaced: ’ by ' (2 times), “ by ", ” by "; saves 1
  segment"""
    assert shown(composed("It’s “{{ a }}”, O’Neil", smart=True, a="x" * 98)).endswith(expected)


def test_what_it_would_replace_and_where_that_is_from() -> None:
    expected = """\
outside GSM-7:
  ’  U+2019 right single quotation mark (2 times): …It⟦’⟧s O’Neil xxx…
     from the template, line 1 and the column a
message.smartEncoding: true replaces them and saves 1 segment"""
    assert shown(composed("It’s {{ a }}", a="O’Neil " + "x" * 98)).endswith(expected)


def test_what_stays() -> None:
    expected = """\
outside GSM-7:
  ë  U+00EB latin small letter e with diaeresis: …Hi Zo⟦ë⟧…
     from the column a"""
    assert shown(composed("Hi {{ a }}", smart=True, a="Zoë")).endswith(expected)


def test_a_text_in_another_script_is_not_spelled_out() -> None:
    words = shown(composed("Покажите это сообщение, {{ a }}!", a="Ann"))
    assert 8 == words.count("cyrillic")
    assert words.endswith("and 5 more")


def test_ucs2_that_was_asked_for_needs_no_advice() -> None:
    words = shown(composed("It’s", encoding=Encoding.UCS2))
    assert "U+2019" in words
    assert "smartEncoding" not in words
    assert "from" not in words


def test_links() -> None:
    expected = """\
an unencrypted link: http://shop.example/… from the template, line 1; use
  https:// if the site supports it
a long link: http://shop.example/… from the template, line 1; use a shortened
  one to save characters
a link cut off at a space: https://x.example/… from the column b; use the filter
  urlencode in the template"""
    source = "http://shop.example/{{ a }} https://x.example/{{ b }}"
    assert shown(composed(source, a="x" * 60, b="AB 12")).endswith(expected)


def test_cells_dont_steer_the_terminal() -> None:
    assert "\x1b" not in shown(composed("{{ a|currency('SGD') }}", a="\x1b[31m"))


def test_for_programs() -> None:
    document = preview._as_json(row(composed("It’s http://{{ a }}", smart=True, a="x.example")), 0, PRICES)
    assert document == {
        "row": 1, "key": "k1", "destination": "+12025550142", "text": "It's http://x.example", "encoding": "GSM7",
        "segments": 1, "characters_left": 139, "next_segments": 2, "currency": "USD", "at_most": "0.0421",
        "next_at_most": "0.0842", "saved": 0, "note": "1 character replaced: ’ by '",
        "remarks": [
            {"kind": "replaced", "subject": "’ (U+2019)", "source": "the template, line 1", "times": 1},
            {"kind": "plain_http", "subject": "http://x.example", "source": "the template, line 1", "times": 1},
        ],
        "forcing": [],
    }  # fmt: skip
