"""docs/sandbox.md names what there is, and shows a receipt as it is."""

import re
from dataclasses import fields
from pathlib import Path

import orjson
import pytest

from runner.sandbox.__main__ import main
from runner.sandbox.desk import Stats
from runner.sandbox.fate import UNDELIVERED
from runner.sandbox.webhooks import receipt_of, sent_of

GUIDE = (Path(__file__).parents[2] / "docs/sandbox.md").read_text(encoding="utf-8")
OF_THE_CHILD = {
    "--host",
    "--port",
    "--api-key-env",
    "--sub-account",
    "--latency-ms",
    "--tls-cert",
    "--tls-key",
    "--book",
}


def test_every_option_is_in_the_guide(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert len(options) > 20
    told_elsewhere = OF_THE_CHILD | {"--help", "--until-stdin-closes"}
    assert set() == {option for option in options - told_elsewhere if f"`{option}" not in GUIDE}


@pytest.mark.parametrize("name", [each.name for each in fields(Stats)])
def test_every_count_is_in_the_guide(name: str) -> None:
    assert f"`{name}`" in GUIDE


def test_the_receipt_in_the_guide_is_one_that_is_sent() -> None:
    (shown,) = re.findall(r"^```json\n(\{\n.+?\n\})\n```$", GUIDE, re.MULTILINE | re.DOTALL)
    expected = orjson.loads(shown)
    payload = expected["payload"]
    fate = next(each for each in UNDELIVERED if each.error_code == payload["status"]["errorCode"])
    message = {name: payload[name] for name in ("destination", "clientMessageId", "source")} | {"text": "Hello"}
    sent = sent_of(message, umid=payload["umid"], sub_account_id=payload["subAccountId"])
    made = orjson.loads(receipt_of(sent, fate, 1_796_090_401_503_400))
    assert re.fullmatch(r"2026-12-01T02:00:01\.50(3(4(00?)?)?)?Z", made["payload"]["status"].pop("timestamp"))
    assert payload["status"].pop("timestamp").startswith("2026-12-01T02:00:01.50")
    assert expected == made
    assert list(expected["payload"]) == list(made["payload"])
