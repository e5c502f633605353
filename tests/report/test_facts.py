"""run.json: what was asked for, read again as it was written, or not at all."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from runner.report.facts import Facts
from tests.report.sample import FACTS


@pytest.mark.parametrize(
    "facts",
    [
        FACTS,
        replace(FACTS, mask=True, example=None, formats=("xlsx",), per_second=10),
        Facts(file="a.yaml", recipients="p.csv", rate="1/s", per_second=1.0, template_name="message.text", template=""),
    ],
    ids=["whole", "masked", "bare"],
)
def test_it_is_read_as_it_was_written(facts: Facts) -> None:
    assert facts == Facts.from_bytes(facts.as_bytes())
    assert facts.as_bytes() == Facts.from_bytes(facts.as_bytes()).as_bytes()


def test_a_file_name_that_is_no_utf_8() -> None:
    assert "caf?.yaml" == Facts.from_bytes(replace(FACTS, file="caf\udce9.yaml").as_bytes()).file


def changed(**values: Any) -> bytes:  # noqa: ANN401 (fields)
    return orjson.dumps({**orjson.loads(FACTS.as_bytes()), **values})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        FACTS.as_bytes()[:-20],
        changed(of_a_later_version=1),
        changed(mask="no"),
        changed(formats=None),
        changed(formats=[1]),
        changed(prices={"GB": 0.04}),
        changed(prices=[]),
        changed(template=None),
        changed(per_second="40"),
        changed(example=["Hi"]),
    ],
)
def test_what_it_is_not(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Facts.from_bytes(data)
