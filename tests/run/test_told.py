"""What a row or a line says of a message, at its edges."""

from typing import Any

import pytest

from runner.errors import InputError
from runner.models import Conversion, ConversionOutcome
from runner.run.told import Told, Unmatched, find_columns, told_by_object, told_by_row

NAMELESS = "it names no message: key, umid and clientMessageId are empty"
S, F = ConversionOutcome.SUCCESS, ConversionOutcome.FAILURE
AT = 1_796_090_400_000_000  # 2026-12-01T02:00:00Z

ROWS: list[tuple[list[str], list[str], Told | Unmatched]] = [
    (["key", "outcome"], ["k1", "success"], Told(7, "key", "k1", Conversion(S))),
    (["outcome", "Client_Message_Id"], ["Failure", "a.b.c"], Told(7, "clientmessageid", "a.b.c", Conversion(F))),
    (["umid", "outcome", "timestamp"], ["u1", "yes", "2026-12-01T10:00:00+08:00"],
     Told(7, "umid", "u1", Conversion(S, AT))),
    # Without an offset it is UTC.
    (["umid", "outcome", "timestamp"], ["u1", "0", "2026-12-01 02:00:00"], Told(7, "umid", "u1", Conversion(F, AT))),
    # The first that is filled, the most certain first.
    (["key", "umid", "outcome"], ["k1", "u1", "true"], Told(7, "umid", "u1", Conversion(S))),
    (["key", "umid", "outcome"], ["k1", "", "true"], Told(7, "key", "k1", Conversion(S))),
    (["key", "outcome"], ["k1", "maybe"], Unmatched(7, "k1", 'the outcome "maybe" is neither success nor failure')),
    (["key", "outcome"], ["", "success"], Unmatched(7, "", NAMELESS)),
    (["key", "outcome", "timestamp"], ["k1", "success", "soon"],
     Unmatched(7, "k1", 'the timestamp "soon" is not one like 2026-12-01T10:00:00+08:00')),
]  # fmt: skip


@pytest.mark.parametrize(("header", "cells", "expected"), ROWS)
def test_a_row(header: list[str], cells: list[str], expected: Told | Unmatched) -> None:
    assert expected == told_by_row(7, cells, find_columns(header, "c.csv"))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"key": "k1", "outcome": "success"}, Told(1, "key", "k1", Conversion(S))),
        ({"key": 12, "outcome": True}, Told(1, "key", "12", Conversion(S))),
        ({"clientMessageId": "a.b.c", "outcome": "failure", "timestamp": "2026-12-01T02:00:00Z"},
         Told(1, "clientmessageid", "a.b.c", Conversion(F, AT))),
        ({"key": ["k1"], "outcome": "success"}, Unmatched(1, "", NAMELESS)),
        ({"key": "k1"}, Unmatched(1, "k1", 'the outcome "" is neither success nor failure')),
    ],
)  # fmt: skip
def test_a_line(told: dict[str, Any], expected: Told | Unmatched) -> None:
    assert expected == told_by_object(1, told)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (["name", "outcome"], "has no column that says which message is meant"),
        (["key", "result"], 'has no column "outcome"'),
    ],
)
def test_a_file_that_says_nothing(header: list[str], words: str) -> None:
    with pytest.raises(InputError) as caught:
        find_columns(header, "c.csv")
    assert words in str(caught.value)
