"""How a template calls a column."""

import pytest

from runner.message.fields import field_names

HEADERS = [
    (["first_name"], {"first_name": "first_name"}, "as it is"),
    (["First Name"], {"First_Name": "First Name"}, "a space"),
    (["E-mail (work)"], {"E_mail__work_": "E-mail (work)"}, "each character by itself"),
    (["2nd line"], {"_2nd_line": "2nd line"}, "a digit first"),
    (["città", "名前"], {"città": "città", "名前": "名前"}, "letters of all scripts"),
    (["a b", "a_b"], {"a_b": "a_b"}, "the alias is another column's name"),
    (["a b", "a-b"], {}, "two columns with one alias: neither has it"),
    (["class", "in", "self", "true"], {"class": "class"}, "words that mean something in Jinja can't be called"),
]


@pytest.mark.parametrize(("header", "names", "why"), HEADERS, ids=[row[-1] for row in HEADERS])
def test_names(header: list[str], names: dict[str, str], why: str) -> None:
    assert names == field_names(header)
