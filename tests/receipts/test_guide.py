"""docs/reference/receipts.md and docs/how-to/receive-receipts.md: what they show is so."""

import csv
import io
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runner.base.delivery import DeliveryState, Inbound, Receipt
from runner.cli.main import app_for
from runner.provider.webhooks import read_event
from runner.receipts import intake, server
from runner.receipts.intake import Metrics
from runner.receipts.optout_words import BUILT_IN, BUILT_IN_FILE, read_words

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("reference/receipts.md", "how-to/receive-receipts.md")
GUIDE = "\n".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def test_every_option_is_in_the_guide() -> None:
    shown = CliRunner().invoke(app_for(["receipts"]), ["receipts", "--help"]).output
    options = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", shown)) - {"--help"}
    assert 10 == len(options)
    assert set() == {option for option in options if f"`{option}" not in GUIDE}


def test_every_metric_is_in_the_guide() -> None:
    named = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", Metrics().text().decode(), re.MULTILINE))
    told = set(re.findall(r"^\| `(campaign_receipts_\w+)", GUIDE, re.MULTILINE))
    assert told == {name for name in named if not name.endswith("_created")}


REPLIES = re.findall(r"^\| `([^`]+)` \| (stop|start|review|neither)", GUIDE, re.MULTILINE)


def test_the_replies_were_found() -> None:
    assert 19 == len(REPLIES)


@pytest.mark.parametrize(("reply", "meaning"), REPLIES)
def test_the_replies_mean_what_the_guide_says(reply: str, meaning: str) -> None:
    found = BUILT_IN.meaning(reply, "ACME")
    assert meaning == (found[0].value if found else "neither")


def test_the_events_are_read() -> None:
    receipt, reply = (read_event(block.encode()) for block in blocks("json"))
    assert isinstance(receipt, Receipt)
    assert (DeliveryState.DELIVERED, "0.01", 1) == (receipt.state, receipt.price, receipt.segments)
    assert isinstance(reply, Inbound)
    assert BUILT_IN.meaning(reply.body) is not None


def test_the_words_are_a_file_and_an_extract(tmp_path: Path) -> None:
    (block,) = blocks("csv")
    (tmp_path / "words.csv").write_text(block, encoding="utf-8")
    assert 2 == len(read_words(tmp_path / "words.csv").meanings)
    built_in = list(csv.reader(BUILT_IN_FILE.read_text(encoding="utf-8").splitlines()))
    assert all(row in built_in for row in csv.reader(io.StringIO(block)))
    assert len({language for language, meaning, _ in built_in if meaning == "stop"}) > 30


def test_the_limits_are_those_of_the_server() -> None:
    assert f"longer than {server.READ_TIMEOUT_S:.0f} seconds" in GUIDE
    assert f"closed after {server.KEEP_ALIVE_S:.0f}" in GUIDE
    assert f"more than {intake.EVENT_LIMIT_BYTES // 1024} KiB" in GUIDE
    assert f"or {intake.MOST_WAITING:,} are waiting" in GUIDE
