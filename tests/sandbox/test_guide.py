"""docs/reference/sandbox.md names what there is, and shows a receipt as it is."""

import re
from dataclasses import fields
from inspect import signature
from pathlib import Path

import orjson
import pytest

from runner.cli.sandbox import command
from runner.sandbox.delivery import UNDELIVERED
from runner.sandbox.faults import FaultName
from runner.sandbox.options import SandboxOptions
from runner.sandbox.state import Stats
from runner.sandbox.webhooks import receipt_of, sent_of

GUIDE = (Path(__file__).parents[2] / "docs/reference/sandbox.md").read_text(encoding="utf-8")
IN_THE_HELP_ALONE = {
    "--port",
    "--api-key-env",
    "--sub-account",
    "--latency-ms",
    "--tls-cert",
    "--tls-key",
    "--book",
}


def test_every_option_is_in_the_guide() -> None:
    flags = {str(parameter.annotation.__metadata__[0].default) for parameter in signature(command).parameters.values()}
    assert len(flags) == len(fields(SandboxOptions))
    assert set() == {flag for flag in flags - IN_THE_HELP_ALONE if f"`{flag}" not in GUIDE}


@pytest.mark.parametrize("name", [*(each.name for each in fields(Stats)), *FaultName])
def test_every_count_and_fault_is_in_the_guide(name: str) -> None:
    assert f"`{name}`" in GUIDE


def test_the_receipt_in_the_guide_is_one_that_is_sent() -> None:
    (shown,) = re.findall(r"^```json\n(\{\n.+?\n\})\n```$", GUIDE, re.MULTILINE | re.DOTALL)
    expected = orjson.loads(shown)
    payload = expected["payload"]
    status = next(each for each in UNDELIVERED if each.error_code == payload["status"]["errorCode"])
    names = ("umid", "subAccountId", "destination", "clientMessageId", "source")
    sent = sent_of({name: payload[name] for name in names} | {"text": "Hello"})
    made = orjson.loads(receipt_of(sent, status, 1_796_090_401_503_400))
    assert re.fullmatch(r"2026-12-01T02:00:01\.50(3(4(00?)?)?)?Z", made["payload"]["status"].pop("timestamp"))
    assert payload["status"].pop("timestamp").startswith("2026-12-01T02:00:01.50")
    assert expected == made
