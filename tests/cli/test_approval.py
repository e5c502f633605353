"""An approval covers exactly one send: counted at a server that shares no code with the runner."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.provider import Provider, Reply, Request, error, queued
from tests.cli.terminal import Terminal
from tests.cli.workplace import MINIMAL, Done, Workplace, ended, people

PLAN = ("plan", "hello.yaml", "--json")
RUN = ("run", "hello.yaml")
WINDOW = 'window: {from: "00:00", to: "24:00"}\n'


def planned(campaign: Workplace, *arguments: str) -> str:
    return str(campaign(*PLAN, *arguments).document["fingerprint"])


def approved(campaign: Workplace, fingerprint: str, *arguments: str) -> Done:
    return campaign(*RUN, "--approve", fingerprint, *arguments)


def said(done: Done) -> str:
    return " ".join(done.stderr.split())


def trail(campaign: Workplace, action: str) -> list[dict[str, Any]]:
    entries = campaign.ledger("SELECT action, actor, detail, run FROM audit ORDER BY id")
    return [{"actor": actor, "run": run} | json.loads(detail) for what, actor, detail, run in entries if what == action]


def stop_after(provider: Provider, count: int) -> None:
    """From then on, the key is wrong: the run stops, and nothing is unknown."""
    provider.script = lambda request: queued(request) if request.before < count else error(401, 1200, "wrong key")


def stopped(done: Done) -> bool:
    return done.exit_code not in (0, 1, 2, 70)


def test_the_plan_shows_what_its_fingerprint_covers(campaign: Workplace) -> None:
    document = campaign(*PLAN).document
    parts = document["fingerprint_parts"]
    ledger_id = campaign.ledger("SELECT value FROM meta WHERE name = 'id'")[0][0]
    assert {
        "run": "hello/main",
        "account": "acme_hq, asia",
        "rate": "200/s",
        "times": "any time",
        "options": "message.encoding AUTO; recipients.country true",
        "ledger": f"id {ledger_id}; not started",
    }.items() <= parts.items()
    assert ["run", "account", "rate", "times", "limits", "options", "messages", "ledger"] == list(parts)
    text, markdown = (
        campaign("plan", "hello.yaml").stdout,
        campaign("plan", "hello.yaml", "--format", "markdown").stdout,
    )
    assert f"fingerprint  {document['fingerprint']}" in text
    assert f"fingerprint `{document['fingerprint']}`" in markdown
    for part in parts:
        assert f"\n  {part} " in text
        assert f"\n- {part}: " in markdown
    assert [document["fingerprint"]] * 3 == [entry["fingerprint"] for entry in trail(campaign, "planned")]
    assert [(document["fingerprint"],)] == campaign.ledger("SELECT fingerprint FROM approvals")


@pytest.mark.parametrize(
    ("before", "after", "arguments", "words"),
    [
        ("", "", ("--run", "second"), "run: approved hello/main, now hello/second"),
        ("hello", "other", (), "run: approved hello/main, now other/main"),
        ("200/s", "400/s", (), "rate: approved 200/s, now 400/s"),
        ("acme_hq", "acme_lab", (), "account: approved acme_hq, asia, now acme_lab, asia"),
        (
            "subAccountId: acme_hq",
            "account: {subAccountId: acme_hq, region: europe}",
            (),
            "account: approved acme_hq, asia, now acme_hq, europe",
        ),
        ("rate:", WINDOW + "rate:", (), "times: approved any time, now window 00:00 to 24:00, mon tue wed thu fri sat"),
        ("rate:", 'notBefore: "00:00"\nrate:', (), "times: approved any time, now notBefore 00:00:00 UTC"),
        (
            "rate:",
            "notAfter: 2090-01-01T00:00:00+08:00\nrate:",
            (),
            "times: approved any time, now notAfter 2089-12-31T16:00:00+00:00",
        ),
        ("", "", ("--limit", "5"), "limits: approved not set, now --limit 5"),
        ("rate:", "limits: {messages: 9}\nrate:", (), "limits: approved not set, now limits.messages 9"),
        (
            "rate:",
            "stopWhen: {rejectedShare: 90%}\nrate:",
            (),
            "limits: approved stopWhen.rejectedShare 50%, now stopWhen.rejectedShare 90%",
        ),
        ("rate:", "giveUpAfter: 2h\nrate:", (), "limits: approved giveUpAfter 600 s, now giveUpAfter 7200 s"),
        ("country: SG", "country: SG, cooldown: {messages: 9, per: 16667min}", (), "now cooldown 9 in 1000020 s"),
        ("{text", '{source: "A;B", text', (), 'options: approved not set, now message.source "A;B"'),
        ("{text", "{expiry: 4h, text", (), "options: approved not set, now message.expiry 14400 s after the send"),
        ("Hi {{", "Ho {{", (), "messages: approved "),
        ("rate:", "timezone: Asia/Singapore\nrate:", (), None),  # says nothing without times
    ],
)
def test_nothing_is_sent_if_one_thing_differs(
    campaign: Workplace, provider: Provider, before: str, after: str, arguments: tuple[str, ...], words: str | None
) -> None:
    fingerprint = planned(campaign)
    campaign.write(people(5), MINIMAL.replace(before, after, 1))
    done = approved(campaign, fingerprint[:12], *arguments)
    if words is None:
        assert (0, 5) == (done.exit_code, len(provider.requests))
    else:
        assert (2, 0) == (done.exit_code, len(provider.requests))
        assert words in said(done)
        assert "nothing was sent" in done.stderr
        assert [] == trail(campaign, "approved")


@pytest.mark.parametrize("rows", [people(5).replace("N5", "Eve"), people(5).replace("0005", "0006"), people(4)])
def test_nothing_is_sent_to_others(campaign: Workplace, provider: Provider, rows: str) -> None:
    fingerprint = planned(campaign)
    campaign.write(rows)
    done = approved(campaign, fingerprint)
    assert (2, 0) == (done.exit_code, len(provider.requests))
    assert "messages: approved " in done.stderr


def test_it_approves_the_same_people_once_not_under_three_names(campaign: Workplace, provider: Provider) -> None:
    fingerprint = planned(campaign)
    for name in ("hello", "hallo", "hola"):
        (campaign.folder / f"{name}.yaml").write_text(MINIMAL.replace("name: hello", f"name: {name}"))
    codes = [
        campaign("run", f"{name}.yaml", "--approve", fingerprint).exit_code
        for name in ("hola", "hello", "hallo", "hello")
    ]
    assert [2, 0, 2, 0] == codes
    assert [1] * 5 == list(provider.sent.values())


def test_another_ledger_is_not_the_approved_one(campaign: Workplace, provider: Provider) -> None:
    fingerprint = planned(campaign, "--out-approval", "a.json")
    for value, words in ((fingerprint, "which this ledger has never seen. The plan now: run: hello/main"),
                         ("a.json", "ledger: approved id ")):  # fmt: skip
        done = approved(campaign, value, "--ledger", "other.sqlite3")
        assert (2, 0) == (done.exit_code, len(provider.requests))
        assert words in said(done)


def test_what_the_ledger_already_has_is_part_of_it(campaign: Workplace, provider: Provider) -> None:
    fingerprint = planned(campaign)
    stop_after(provider, 2)
    assert stopped(campaign(*RUN, "--yes"))
    provider.script = queued
    sent = len(provider.requests)
    done = approved(campaign, fingerprint)
    assert (2, sent) == (done.exit_code, len(provider.requests))
    assert "ledger: approved not started, now accepted 2; last started " in done.stderr
    assert 0 == approved(campaign, planned(campaign)).exit_code
    assert 5 == len(campaign.results())


def test_an_interrupted_run_is_continued_with_its_approval_until_it_is_complete(
    campaign: Workplace, provider: Provider
) -> None:
    fingerprint = planned(campaign)
    for count in (2, 4):
        stop_after(provider, count)
        assert stopped(approved(campaign, fingerprint))
        assert planned(campaign) != fingerprint  # planning again takes nothing away
    provider.script = queued
    assert (0, fingerprint) == (approved(campaign, fingerprint).exit_code, campaign.summary()["fingerprint"])
    assert {("accepted", "queued"): 5} == campaign.statuses()
    assert ["hello/main"] * 3 == [entry["run"] for entry in trail(campaign, "approved")]

    # Complete: a start has nothing to do, and what is left afterwards was approved by nobody.
    again = approved(campaign, fingerprint)
    assert 0 == again.exit_code
    assert "nothing left to send" in again.stdout
    assert fingerprint == campaign.summary()["fingerprint"]
    sent = len(provider.requests)
    campaign.ledger_forgets("k2")
    for value in (fingerprint, fingerprint[:12]):
        refused = approved(campaign, value)
        assert (2, sent) == (refused.exit_code, len(provider.requests))
        assert "this approval was used up on 20" in refused.stderr
    assert 0 == approved(campaign, planned(campaign)).exit_code
    assert sent + 1 == len(provider.requests)


def test_a_plan_of_before_is_used_up_by_any_run_that_is_complete(campaign: Workplace, provider: Provider) -> None:
    """Also if the ledger has no message of the run again, as when reconcile finds that none arrived."""
    fingerprint = planned(campaign)
    assert 0 == campaign(*RUN, "--yes").exit_code
    for key in range(1, 6):
        campaign.ledger_forgets(f"k{key}")
    done = approved(campaign, fingerprint)
    assert (2, 5) == (done.exit_code, len(provider.requests))
    assert "used up on" in done.stderr
    assert fingerprint != planned(campaign)


def test_an_approval_ends_where_somebody_else_continues(campaign: Workplace, provider: Provider) -> None:
    fingerprint = planned(campaign)
    stop_after(provider, 2)
    assert stopped(approved(campaign, fingerprint))
    assert stopped(campaign(*RUN, "--yes"))
    provider.script = queued
    sent = len(provider.requests)
    done = approved(campaign, fingerprint)
    assert (2, sent) == (done.exit_code, len(provider.requests))
    assert "ledger: approved not started, now accepted 2" in done.stderr


def test_a_killed_run_is_continued_with_its_approval(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(60), MINIMAL.replace("200/s", "50/s"))
    fingerprint = planned(campaign)
    provider.hold(after=2)
    with campaign.started(*RUN, "--approve", fingerprint) as process:
        provider.wait_for(3)
        process.kill()
        ended(process)
    provider.release()
    done = approved(campaign, fingerprint)
    assert done.exit_code in (0, 1)  # 1: what was claimed and not answered is unknown
    assert "continuing: " in done.stdout
    assert {"accepted", "unknown"} >= {status for status, _ in campaign.statuses()}
    assert {1} == set(provider.sent.values())
    sent = len(provider.requests)
    campaign.ledger_forgets("k1")
    refused = approved(campaign, fingerprint)
    assert (2, sent) == (refused.exit_code, len(provider.requests))
    assert "used up on" in refused.stderr


def test_a_file_is_an_approval_with_names(campaign: Workplace, provider: Provider) -> None:
    made = campaign("plan", "hello.yaml", "--out-approval", "ci/a.json", CAMPAIGN_ACTOR="anna")
    assert "\napproval  ci/a.json\n" in made.stdout
    path = campaign.folder / "ci/a.json"
    document = json.loads(path.read_bytes())
    assert {"campaign": "hello", "run": "main", "planned_by": "anna"}.items() <= document.items()
    assert {"rows": 5, "to_send": 5}.items() <= document["figures"].items()
    assert {"machine", "version", "planned_at", "parts", "fingerprint"} <= document.keys()
    assert 0 == path.stat().st_mode & 0o077
    assert not any(word in path.read_text() for word in ("8123", "N1", "Hi "))

    done = campaign(*RUN, "--approve", "ci/a.json", CAMPAIGN_ACTOR="bob")
    assert (0, 5) == (done.exit_code, len(provider.requests))
    (entry,) = trail(campaign, "approved")
    assert {"actor": "bob", "planned_by": "anna", "how": "file", "messages": 5}.items() <= entry.items()
    assert ["anna"] == [entry["actor"] for entry in trail(campaign, "planned")]


@pytest.mark.parametrize("name", ["hello.yaml", "people.csv", "reports/ledger.sqlite3"])
def test_another_file_is_not_replaced_by_an_approval(campaign: Workplace, name: str) -> None:
    planned(campaign, "--out-approval", "a.json")
    planned(campaign, "--out-approval", "a.json")
    before = (campaign.folder / name).read_bytes()
    done = campaign("plan", "hello.yaml", "--out-approval", name)
    assert (2, True) == (done.exit_code, "is not an approval file, so it was not replaced" in done.stderr)
    assert name == "reports/ledger.sqlite3" or before == (campaign.folder / name).read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda made: made["parts"].update(rate="400/s"), "was changed after it was written"),
        (lambda made: made.update(fingerprint="0" * 64), "was changed after it was written"),
        (lambda made: made.update(campaign="other"), "was changed after it was written"),
        (lambda made: made["parts"].pop("rate"), "is not an approval file"),
        (lambda made: made["parts"].update(rate=7), "is not an approval file"),
        (lambda made: made.update(planned_at="yesterday"), "is not an approval file"),
        (lambda made: made.update(parts=[]), "is not an approval file"),
        (lambda made: made.update(parts=list(made["parts"])), "is not an approval file"),
        (lambda made: made.clear(), "is not an approval file"),
    ],
)
def test_a_changed_file_approves_nothing(campaign: Workplace, provider: Provider, change: Any, words: str) -> None:  # noqa: ANN401
    planned(campaign, "--out-approval", "a.json")
    path = campaign.folder / "a.json"
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))
    campaign.write(people(5), MINIMAL.replace("200/s", "400/s"))
    done = approved(campaign, "a.json")
    assert (2, "", 0) == (done.exit_code, done.stdout, len(provider.requests))
    assert words in done.stderr


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0123456789a", "is neither a fingerprint nor a file"),
        ('{"parts": 1}' * 50, "is neither a fingerprint nor a file"),
        ("", "is neither a fingerprint nor a file"),
        ("nowhere.json", "is neither a fingerprint nor a file"),
        ("reports", "is neither a fingerprint nor a file"),
        ("people.csv", "is not an approval file"),
        ("reports/ledger.sqlite3", "is not an approval file"),
        ("0" * 64, "which this ledger has never seen"),
    ],
)
def test_what_is_no_approval_sends_nothing(campaign: Workplace, provider: Provider, value: str, words: str) -> None:
    planned(campaign)
    done = approved(campaign, value)
    assert (2, 0) == (done.exit_code, len(provider.requests))
    assert words in done.stderr


def test_a_file_wins_over_a_fingerprint_of_the_same_name(campaign: Workplace, provider: Provider) -> None:
    fingerprint = planned(campaign)
    (campaign.folder / fingerprint[:12]).write_text("notes")
    assert "is not an approval file" in approved(campaign, fingerprint[:12]).stderr
    assert 0 == len(provider.requests)


def test_a_plan_that_can_t_be_sent_has_no_file(campaign: Workplace) -> None:
    campaign.write(people(5), MINIMAL + "limits: {messages: 4}\n")
    assert 2 == campaign("plan", "hello.yaml", "--out-approval", "a.json").exit_code
    assert not (campaign.folder / "a.json").exists()


def test_a_yes_is_on_record_too(campaign: Workplace) -> None:
    with Terminal(campaign, *RUN, "--limit", "1") as terminal:
        terminal.read_until("[y/N]")
        terminal.type("y\n")
        assert 0 == terminal.wait()
    assert 0 == campaign(*RUN, "--yes").exit_code
    assert [("asked", 1), ("yes", 4)] == [(entry["how"], entry["messages"]) for entry in trail(campaign, "approved")]
    assert [] == campaign.ledger("SELECT * FROM approvals")


@pytest.mark.parametrize("how", ["--yes", "--approve"])
def test_what_can_t_be_recorded_is_not_sent(campaign: Workplace, provider: Provider, how: str) -> None:
    fingerprint = planned(campaign)
    with closing(sqlite3.connect(campaign.folder / "reports/ledger.sqlite3")) as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no more'); END")
    done = campaign(*RUN, how, *([fingerprint] if how == "--approve" else []))
    assert (True, 0) == (stopped(done), len(provider.requests))
    assert "no more" in done.stderr


def test_a_run_of_an_older_version_goes_on_without_a_question(campaign: Workplace, provider: Provider) -> None:
    stop_after(provider, 2)
    assert stopped(campaign(*RUN, "--yes"))
    with closing(sqlite3.connect(campaign.folder / "reports/ledger.sqlite3")) as connection, connection:
        connection.execute("UPDATE runs SET messages_digest = NULL, fingerprint = 'of its messages'")
    provider.script = queued
    assert 0 == campaign(*RUN, "--yes").exit_code
    assert {("accepted", "queued"): 5} == campaign.statuses()


def test_the_sandbox_has_a_fingerprint_that_can_be_tried(offline: Workplace) -> None:
    """Its ledger is a new one each time."""
    document = offline(*PLAN, "--sandbox").document
    assert ("hello/sandbox", "sandbox") == tuple(document["fingerprint_parts"][part] for part in ("run", "ledger"))
    for _ in range(2):
        assert 0 == approved(offline, document["fingerprint"], "--sandbox").exit_code
    assert document["fingerprint"] == offline.summary("sandbox")["fingerprint"]
    refused = offline(*RUN, "--approve", document["fingerprint"], EIGHTXEIGHT_API_KEY="k")
    assert 2 == refused.exit_code
    assert "which this ledger has never seen" in refused.stderr


def test_reconciling_first_is_covered(campaign: Workplace, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the log shows changes the ledger after the plan was approved, in the same command."""

    def lost(request: Request) -> Reply:
        return queued(request) if request.before < 2 else Reply(500)

    provider.script = lost
    assert 1 == campaign(*RUN, "--yes").exit_code
    fingerprint = planned(campaign)

    def forget(*_: object, **__: object) -> None:
        campaign.ledger_forgets("k4")

    monkeypatch.setattr("runner.cli.run.reconcile_run", forget)
    provider.script = queued
    done = approved(campaign, fingerprint, "--reconcile")
    assert (1, 6) == (done.exit_code, len(provider.requests))
    campaign.ledger_forgets("k5")
    assert "used up on" in approved(campaign, fingerprint, "--reconcile").stderr


def test_a_copy_of_the_folder_sends_nothing_with_a_used_approval(campaign: Workplace, provider: Provider) -> None:
    fingerprint = planned(campaign)
    assert 0 == approved(campaign, fingerprint).exit_code
    copy = Path(shutil.copytree(campaign.folder, campaign.folder.with_name("copy")))
    elsewhere = Workplace(copy, provider.base_url)
    elsewhere.ledger_forgets("k1")
    assert 2 == approved(elsewhere, fingerprint).exit_code
    assert 5 == len(provider.requests)
