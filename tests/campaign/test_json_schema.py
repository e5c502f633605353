"""The JSON Schema says what the reader takes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from runner.campaign.json_schema import schema_text
from runner.campaign.yaml_document import parse

from .conftest import FULL, MINIMAL

SCHEMA = json.loads(schema_text())


def is_valid(text: str) -> bool:
    document = parse(text.encode(), "c.yaml")
    return Draft202012Validator(SCHEMA).is_valid(document.tree)


def test_file_is_current() -> None:
    current = Path(__file__).parents[2] / "campaigns" / "campaign.schema.json"
    assert schema_text() == current.read_text(encoding="utf-8"), "campaign schema > campaigns/campaign.schema.json"


def test_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("text", [MINIMAL, FULL, FULL.replace("country: SG", "country: {column: land}")])
def test_accepts(text: str) -> None:
    assert is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        MINIMAL + "colour: red\n",
        MINIMAL + "message: {text: Hi}\n",
        MINIMAL + "account: {subAccountId: acme_hq}\n",
        MINIMAL.replace("10/s", "10"),
        MINIMAL.replace("rate: 10/s\n", ""),
        FULL.replace("source:", "text: Hi\n  source:"),
        FULL.replace("country: SG", "country: UK"),
        FULL.replace("maxSegments: 2", "maxSegments: 11"),
        FULL.replace("phone: mobile", "phon: mobile"),
    ],
)
def test_refuses(text: str) -> None:
    assert not is_valid(text)


def properties(node: object) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield from node.get("properties", {}).items()
        for value in node.values():
            yield from properties(value)


def test_every_key_is_described() -> None:
    assert [] == [name for name, schema in properties(SCHEMA) if not schema.get("description")]
