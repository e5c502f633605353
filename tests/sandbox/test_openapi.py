"""The OpenAPI document: the sandbox serves it and holds to it, and it agrees with the provider's own."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from runner.base.outcomes import Status, Then
from runner.provider.message_actions import cancel_ended
from runner.provider.prices import read_balance, read_price_list
from runner.sandbox.checks import FIELDS
from runner.sandbox.delivery import COLUMNS
from runner.sandbox.options import SandboxOptions
from runner.sandbox.process import start
from tests.provider.test_document import answer
from tests.sandbox import document
from tests.sandbox.client import Request, ask

THEIRS = Path(__file__).parents[2].parent / "shared" / "8x8" / "sms_api.json"
SCHEMAS: dict[str, Any] = document.CONTENTS["components"]["schemas"]
PRICES = "/api/v1/accounts/{accountId}/prices"
BALANCE = "/api/v1/accounts/{accountId}/balance"
MESSAGES = "/api/v1/subaccounts/{subAccountId}/messages"


def test_the_sandbox_serves_it() -> None:
    [reply] = ask(SandboxOptions(api_key="secret"), Request(method="GET", path="/openapi.json", key=None))
    assert document.CONTENTS == reply.body


def test_a_wrong_answer_would_fail() -> None:
    with pytest.raises(Exception, match="'encoding' is a required property"):
        document.check_answer(
            "post", "/api/v1/subaccounts/acme_hq/messages", 200, b'{"umid": "1", "destination": "12025550123"}'
        )


def test_the_checks_know_every_field_of_a_message() -> None:
    assert set(SCHEMAS["Message"]["properties"]) == set(FIELDS)


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """Requests made from the document, right and wrong ones."""
    # Two of its checks ask for what a document can't say (that a time must lie in the future) or the provider doesn't
    # do (a cancelled export is still there).
    with start(SandboxOptions(api_key="secret")) as sandbox:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{sandbox.base_url}/openapi.json"]
        options = ["--exclude-checks", "positive_data_acceptance,use_after_free", "-H", "Authorization: Bearer secret"]
        ways = ["--max-examples", "3", "--generation-deterministic", "--no-color"]
        done = subprocess.run([*command, *options, *ways], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout
    assert re.search(r"Tested: 9\b", done.stdout), done.stdout


@pytest.mark.skipif(not THEIRS.exists(), reason="NOT COMPARED with the provider's own OpenAPI document: it isn't here")
def test_it_agrees_with_the_providers() -> None:
    """Their document asks for no more than ours, knows our fields, and its examples are read as answers."""
    theirs: dict[str, Any] = orjson.loads(THEIRS.read_bytes())
    assert document.CONTENTS["paths"].keys() <= theirs["paths"].keys()
    for path, operations in document.CONTENTS["paths"].items():
        assert operations.keys() - {"parameters"} <= theirs["paths"][path].keys()
    for ours, name in (("Message", "SmsRequest"), ("Feedback", "feedback"), ("ExportRequest", "LogExportRequest")):
        schema = theirs["components"]["schemas"][name]
        assert SCHEMAS[ours]["properties"].keys() <= schema["properties"].keys()
        assert set(SCHEMAS[ours].get("required", ())) == set(schema.get("required", ()))
        for field, value in SCHEMAS[ours]["properties"].items():
            assert set(value.get("enum", ())) == set(schema["properties"][field].get("enum", ()))
    accepted = theirs["components"]["schemas"]["SmsResponse"]
    assert SCHEMAS["MessageAccepted"]["properties"].keys() == accepted["properties"].keys()
    assert set(accepted["required"]) == set(SCHEMAS["MessageAccepted"]["required"])

    def examples(path: str, method: str, status: str) -> Any:  # noqa: ANN401 (JSON)
        return theirs["paths"][path][method]["responses"][status]["content"]

    for example in ("Single-SubAccount", "Multiple-SubAccounts", "Inbound-Only"):
        body = examples(PRICES, "get", "200")[example]["example"]
        document.validate(orjson.loads(body), "components", "schemas", "PriceList")
        assert () == read_price_list(body.encode()).left_out
    balance = examples(BALANCE, "get", "200")["application/json"]["example"]
    document.validate(balance, "components", "schemas", "Balance")
    assert "USD" == read_balance(orjson.dumps(balance)).currency

    cancelled = f"{MESSAGES}/{{umid}}"
    yes = examples(cancelled, "delete", "200")["application/json"]["examples"]["example-1"]["value"]
    refused, stopped = (Status.REJECTED, Then.GO_ON), (Status.UNSENT, Then.STOP)
    found = cancel_ended(answer(200, yes))
    assert (Status.ACCEPTED, Then.GO_ON) == (found.status, found.then)
    for status, expected in (("400", refused), ("401", stopped), ("404", refused)):
        found = cancel_ended(answer(int(status), examples(cancelled, "delete", status)["application/json"]["example"]))
        assert expected == (found.status, found.then)
    described = theirs["paths"][f"{MESSAGES}/exports/{{jobId}}"]["get"]["responses"]["200"]["description"]
    columns = [line.split("**")[1] for line in described.partition("columns")[2].splitlines() if "- **" in line]
    assert list(COLUMNS) == columns
