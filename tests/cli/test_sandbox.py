"""`--sandbox`: the whole job with a stand-in for the provider, that leaves everything real alone."""

import re
import shutil
from pathlib import Path

import orjson
import polars as pl

from tests.cli.workplace import Workplace, ended, people
from tests.sandbox.client import post
from tests.sandbox.receiver import receiving_in_thread

ROOT = Path(__file__).parents[2]
RUN = ("run", "hello.yaml", "--sandbox")
SANDBOX = "SANDBOX: a simulation; nothing reaches a phone"


def book(workplace: Workplace) -> dict[str, tuple[str, str]]:
    """clientMessageId → destination and umid, of everything the sandbox took."""
    lines = workplace.path("book.jsonl", "sandbox").read_bytes().splitlines()
    entries = [orjson.loads(line) for line in lines]
    assert len(entries) == len({entry["clientMessageId"] for entry in entries})
    return {entry["clientMessageId"]: (entry["destination"], entry["umid"]) for entry in entries}


def test_the_book_agrees_with_the_results_and_nothing_real_is_touched(offline: Workplace) -> None:
    offline.write(people(5) + "k6,12,Ben\n")
    real = {"EIGHTXEIGHT_BASE_URL": "https://sms.8x8.com", "CAMPAIGN_LEDGER": "real.sqlite3"}
    done = offline(*RUN, "--ledger", "other.sqlite3", "--json", **real)
    assert (0, "sandbox") == (done.exit_code, done.document["run"])
    rows = offline.results("sandbox")
    assert ["accepted"] * 5 + ["excluded"] == [row["status"] for row in rows]
    assert {r["client_message_id"]: (r["destination"], r["umid"]) for r in rows[:5]} == book(offline)
    ledger = "reports/hello/sandbox/ledger.sqlite3"
    assert [(5,)] == offline.ledger("SELECT count(*) FROM messages WHERE status = 'accepted'", ledger)
    assert {"people.csv", "hello.yaml", "reports"} == {path.name for path in offline.folder.iterdir()}
    assert ["hello"] == [path.name for path in (offline.folder / "reports").iterdir()]

    again = offline(*RUN)  # fresh each time
    assert (0, 5) == (again.exit_code, len(book(offline)))
    assert "nothing left to send" not in again.stdout
    umids = {row["umid"] for row in offline.results("sandbox")} - {None}
    assert umids == {umid for _, umid in book(offline).values()}

    [status] = offline("status", "--sandbox", "--json").document["runs"]
    assert ("sandbox", "finished", 5) == (status["run"], status["state"], status["accepted"])
    assert 0 == offline("report", "hello/sandbox").exit_code


def test_a_refused_plan_leaves_the_last_run(offline: Workplace) -> None:
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    folder = offline.path("", "sandbox")
    assert 0 == offline(*RUN).exit_code
    last = files()
    assert 2 == offline(*RUN[:3], "--approve", "0" * 12).exit_code
    assert last == files()
    offline.write(people(2) + 'k3,"+6581230003,Cat\n')  # the quote isn't closed
    assert 2 == offline(*RUN).exit_code
    assert last == files()

    aside = folder / ".earlier"
    aside.mkdir()
    for name in last:  # as if a process was killed while it made its plan
        (folder / name).rename(aside / name)
    (folder / "plan.parquet").write_bytes(b"PAR1")
    assert 2 == offline(*RUN).exit_code
    assert (last, False) == (files(), aside.exists())

    offline.write(people(2))
    assert 0 == offline(*RUN).exit_code
    assert (2, False) == (len(offline.results("sandbox")), aside.exists())


def ends(text: str) -> tuple[str, str]:
    """The first and the last line."""
    lines = text.strip().splitlines()
    return lines[0], lines[-1]


def test_a_sandbox_run_says_so_everywhere(offline: Workplace) -> None:
    """It doesn't ask either: there is no terminal to ask on."""
    done = offline(*RUN)
    assert (0, (SANDBOX, SANDBOX)) == (done.exit_code, ends(done.stdout))
    assert offline.summary("sandbox")["sandbox"] is True
    assert f"{SANDBOX}\n" == offline.path("SANDBOX.txt", "sandbox").read_text()
    page = offline.path("report.html", "sandbox").read_text()
    assert "<title>SANDBOX · hello/sandbox: " in page
    assert "<b>SANDBOX</b> a simulation; nothing reaches a phone</p>\n<header>" in page

    for command in (
        ("status", "--sandbox"),
        ("status", "hello/sandbox"),
        ("report", "hello/sandbox"),
        ("plan", "hello.yaml", "--sandbox"),
        ("test", "hello.yaml", "--to", "+6581230001", "--sandbox"),
    ):
        assert (SANDBOX, SANDBOX) == ends(offline(*command).stdout), command
    for command in (RUN, ("plan", "hello.yaml", "--sandbox"), ("report", "hello/sandbox")):
        done = offline(*command, "--json")
        assert done.document["sandbox"] is True
        assert (SANDBOX, SANDBOX) == ends(done.stderr)
    assert "**SANDBOX: a simulation" in offline("plan", "hello.yaml", "--sandbox", "--format", "markdown").stdout
    assert 0 == offline("purge", "hello/sandbox", "--yes", "--reports", "reports").exit_code
    assert offline.path("SANDBOX.txt", "sandbox").exists()


def test_a_run_to_another_server_says_so_too(campaign: Workplace) -> None:
    url = campaign.environment["EIGHTXEIGHT_BASE_URL"]
    words = f"NOT 8x8: messages go to {url}"
    done = campaign("run", "hello.yaml", "--yes")
    assert (0, (words, words)) == (done.exit_code, ends(done.stdout))
    assert (False, url) == (campaign.summary()["sandbox"], campaign.summary()["sent_to"])
    assert not campaign.path("SANDBOX.txt").exists()

    # What was sent there was sent there, whatever comes later.
    for command in (("run", "hello.yaml", "--yes"), ("report", "hello")):
        done = campaign(*command, EIGHTXEIGHT_BASE_URL=None)
        assert 0 == done.exit_code
        assert url == campaign.summary()["sent_to"]
        page = campaign.path("report.html").read_text()
        assert "<title>NOT 8x8 · hello/main: " in page
        assert f"<b>NOT 8x8</b> messages go to {url}</p>" in page
    assert (words, words) == ends(done.stdout)
    assert f"hello/main: {words}" in " ".join(campaign("status").stdout.split())


def test_the_provider_s_own_address_needs_no_words(offline: Workplace) -> None:
    for url in ("https://sms.8x8.com", "https://gateway.example/8x8", None):
        done = offline("plan", "hello.yaml", EIGHTXEIGHT_BASE_URL=url)
        assert "8x8" not in done.stdout + done.stderr
        assert "SANDBOX" not in done.stdout + done.stderr


def test_the_sandbox_on_its_own_sends_receipts_until_it_is_told_to_end(offline: Workplace) -> None:
    options = ("--port", "0", "--latency-ms", "0", "--receipt-delay-s", "3600", "--receipt-auth-header-env", "HOOK")
    with (
        receiving_in_thread() as (receiver, count),
        offline.started("sandbox", *options, "--receipt-duplicates", "1", HOOK="Basic s3cret") as process,
    ):
        assert process.stdout is not None
        base_url = process.stdout.readline().removeprefix("sandbox listening on ").strip()
        post(base_url, dlrCallbackUrl=receiver.url)
        count(2)
        process.terminate()
        done = ended(process)
    assert (0, "") == (done.exit_code, done.stdout)
    assert 8 == len(receiver.posts)  # none was left for an hour later
    assert {"Basic s3cret"} == {each.authorization for each in receiver.posts}
    assert "s3cret" not in done.stderr


def test_receipt_options_that_make_no_sense(offline: Workplace) -> None:
    for options, words in [
        (("--undelivered-share", "5"), "--undelivered-share is not valid; give a number from 0 to 1"),
        (("--inbound-url", "https://example.com/"), "is on another computer; use 127.0.0.1"),
        (("--receipt-retry-s", "soon"), "'soon' is not a list of pauses; give seconds"),
        (("--receipt-auth-header-env", "NOWHERE"), "NOWHERE is not set; set it to the Authorization header, or leave"),
    ]:
        done = offline.here("sandbox", "--port", "0", *options)
        assert 2 == done.exit_code
        assert words in done.stderr


def test_every_example_can_be_checked_planned_and_tried(offline: Workplace) -> None:
    for name in ("campaigns", "templates"):
        shutil.copytree(ROOT / name, offline.folder / name)
    files = sorted(path.relative_to(offline.folder) for path in offline.folder.glob("campaigns/*.yaml"))
    assert len(files) >= 3
    checked = offline("check", *map(str, files))
    assert 0 == checked.exit_code, checked.stderr
    for file in files:
        path = offline.folder / file
        path.write_text(re.sub(r"^rate: \d+/s", "rate: 500/s", path.read_text(), flags=re.MULTILINE))
        one = offline("run", str(file), "--sandbox", "--json")
        assert 0 == one.exit_code, one.stderr
        plan = pl.read_parquet(offline.folder / one.document["files"]["plan"])
        assert one.document["status"]["accepted"] == plan["reason"].null_count() > 0
        assert one.document["rows"] == len(plan)
    planned = offline("plan", str(files[0]), "--json")
    assert (0, True) == (planned.exit_code, planned.document["to_send"] > 0)
