"""`campaign optouts`, and what an opt-out means to plans and to a run that is going on."""

import pytest

from runner.base.optouts import OptOut, OptOutSource
from runner.ledger.ledger import open_ledger
from runner.ledger.optouts import note_optouts
from tests.cli.provider import Provider, Reply, Request, queued
from tests.cli.workplace import MINIMAL, Workplace, people, person
from tests.receipts.events import reply

RUN = ("run", "hello.yaml", "--yes")
FIRST, SECOND = "+6581230001", "+6581230002"


def test_without_a_command_it_says_what_there_is(offline: Workplace) -> None:
    done = offline.here("optouts")

    assert 0 == done.exit_code
    for command in ("list", "review", "add", "remove", "export"):
        assert f"\n  {command} " in done.stdout


def test_nobody_has_opted_out(offline: Workplace) -> None:
    missing = offline.here("optouts", "list")
    assert 2 == missing.exit_code
    assert "there is no ledger at reports/ledger.sqlite3; set its path with --ledger" in missing.stderr

    offline.here("plan", "hello.yaml")
    assert (0, "nobody has opted out\n") == (offline.here("optouts", "list").exit_code,
                                             offline.here("optouts", "list").stdout)  # fmt: skip


def test_from_added_to_removed(offline: Workplace) -> None:
    added = offline.here("optouts", "add", "8123 0001", SECOND, "--country", "SG")
    assert (0, "2 numbers opted out (reports/ledger.sqlite3)\n") == (added.exit_code, added.stdout)
    again = offline.here("optouts", "add", FIRST, "+6581230003")
    assert "1 number opted out; 1 number was already opted out (reports/ledger.sqlite3)\n" == again.stdout

    shown = offline.here("optouts", "list", "--unmask").stdout.splitlines()
    assert [FIRST, "+6581230003", SECOND] == [line.split()[0] for line in shown[1:4]], "the newest first"
    assert "campaign optouts add" in shown[1]
    assert "3 numbers opted out" == shown[-1]

    removed = offline.here("optouts", "remove", FIRST, "+6581230009", "--unmask")
    assert (0, "+6581230009 was not opted out\n") == (removed.exit_code, removed.stderr)
    assert "1 number no longer opted out; suppression lists still apply" in removed.stdout
    assert 2 == offline.here("optouts", "list", "--json").document["opted_out"]


def test_lists_are_short_unless_asked(offline: Workplace) -> None:
    offline.here("optouts", "add", *(f"+65{81230000 + number}" for number in range(25)))

    done = offline.here("optouts", "list")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert 20 == sum(line.startswith("+65") for line in lines)
    assert "25 numbers opted out (showing the newest 20; --limit N shows more" in done.stdout
    assert 25 == len(offline.here("optouts", "list", "--limit", "100", "--json").document["newest"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add",), "no number given; give one or more numbers, or a list with --file"),
        (("add", "12"), '"12" has no country code; add --country'),
        (("add", FIRST, "--file", "nope.csv"), "nope.csv does not exist; check the path"),
        (("remove", "none"), '"none" '),
        (("remove",), "campaign optouts remove: missing argument 'NUMBER'"),
    ],
)
def test_mistakes(offline: Workplace, arguments: tuple[str, ...], words: str) -> None:
    done = offline.here("optouts", *arguments)

    assert (2, True) == (done.exit_code, words in done.stderr), done.stderr
    assert not (offline.folder / "reports").exists(), "nothing is changed"


def test_a_list_that_was_exported_suppresses_everywhere(offline: Workplace) -> None:
    (offline.folder / "crm.csv").write_text(f"id,phone\n7,{FIRST}\n8,{SECOND}\n")
    added = offline.here("optouts", "add", "--file", "crm.csv", "--ledger", "crm.sqlite3", "--json")
    assert {"given": 2, "changed": 2, "ledger": "crm.sqlite3"} == added.document

    exported = offline.here("optouts", "export", "--ledger", "crm.sqlite3")
    assert [FIRST, SECOND] == [line.partition(",")[0] for line in exported.stdout.splitlines()[1:]]
    saved = offline.here("optouts", "export", "out.csv", "--ledger", "crm.sqlite3")
    assert "2 numbers written to out.csv\n" == saved.stderr
    assert exported.stdout == (offline.folder / "out.csv").read_text()
    assert 0o600 == (offline.folder / "out.csv").stat().st_mode & 0o777

    for campaign, variable in (
        (MINIMAL, {"CAMPAIGN_SUPPRESS": "out.csv"}),
        (MINIMAL.replace("key: id", "key: id, suppress: [out.csv]"), {}),
    ):
        offline.write(people(5), campaign)
        assert {"suppressed": 2} == offline.here("plan", "hello.yaml", "--json", **variable).document["excluded"]


def test_every_plan_leaves_them_out_and_says_since_when(offline: Workplace) -> None:
    offline.here("optouts", "add", SECOND)

    plan = offline.here("plan", "hello.yaml", "--json").document

    assert (4, {"suppressed": 1}) == (plan["to_send"], plan["excluded"])
    [example] = plan["examples"]["suppressed"]
    assert 2 == example["row"]
    assert example["detail"].startswith("opted out on 2")
    assert example["detail"].endswith("(campaign optouts add)")
    offline.here("optouts", "remove", SECOND)
    assert 5 == offline.here("plan", "hello.yaml", "--json").document["to_send"]


def test_a_sandbox_run_has_its_own(offline: Workplace) -> None:
    offline.here("optouts", "add", FIRST, "--sandbox", "hello")

    assert (offline.folder / "reports/hello/sandbox/ledger.sqlite3").exists()
    assert 1 == offline.here("optouts", "list", "--sandbox", "hello", "--json").document["opted_out"]
    assert 5 == offline.here("plan", "hello.yaml", "--json").document["to_send"]


def test_a_stop_counts_while_a_run_is_going_on(campaign: Workplace, provider: Provider) -> None:
    """The second recipient's STOP is in the ledger before the first one's answer, a second before their turn."""
    campaign.write(people(2), MINIMAL.replace("200/s", "1/s"))

    def stopping(request: Request) -> Reply:
        with open_ledger(str(campaign.folder / "reports/ledger.sqlite3"), create=False) as ledger:
            note_optouts(ledger, [OptOut(SECOND, True, 1, OptOutSource.REPLY, "STOP")])
        return queued(request)

    provider.script = stopping
    done = campaign(*RUN)

    assert [FIRST] == list(provider.sent)
    words = "1 recipient opted out during the run; the next start leaves them out"
    assert words in " ".join(f"{done.stdout} {done.stderr}".split())
    assert {("accepted", "queued"): 1, ("unsent", "opted_out"): 1} == campaign.statuses()

    assert 0 == campaign(*RUN).exit_code
    assert [FIRST] == list(provider.sent)
    assert {("accepted", "queued"): 1, ("excluded", "suppressed"): 1} == campaign.statuses()


def test_who_opts_out_after_their_message_keeps_it_in_the_results(campaign: Workplace, provider: Provider) -> None:
    assert 0 == campaign(*RUN).exit_code
    campaign.here("optouts", "add", FIRST)
    campaign.write(people(5) + person(6))

    assert 0 == campaign(*RUN, "--accept-changes").exit_code

    assert {("accepted", "queued"): 6} == campaign.statuses()
    assert [1] * 6 == list(provider.sent.values())


def load(workplace: Workplace, *replies: bytes) -> str:
    (workplace.folder / "events.jsonl").write_bytes(b"\n".join(replies) + b"\n")
    return workplace.here("receipts", "--load", "events.jsonl").stdout


def test_a_reply_in_doubt_is_listed_and_decided(offline: Workplace) -> None:
    said = load(
        offline,
        reply("Please stop sending me texts", FIRST),
        reply("Where\tdoes it stop? Ring 81239999", SECOND),
        reply("cancel my 3pm appointment", "+6581230003"),
        reply("don't stop", "+6581230004"),
    )
    assert "4 lines: 1 opted out, 2 replies kept for review, 1 other reply\n" in said

    listed = offline.here("optouts", "review")
    lines = listed.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split(maxsplit=3)[3].rstrip() == "Where does it stop? Ring 812•••99"
    assert SECOND not in listed.stdout
    assert "2 replies wait for review; --accept ID opts the sender out" in " ".join(listed.stdout.split())
    assert (
        "2 replies may be opt-outs; see `campaign optouts review`; until you decide, campaigns text their numbers"
        in (offline.here("plan", "hello.yaml", "--json").document["warnings"])
    )
    assert {"waiting", "accepted", "dismissed"} == set(offline.here("optouts", "review", "--json").document)

    decided = offline.here("optouts", "review", "--accept", "1", "--dismiss", "2", "--unmask", "--json").document
    assert {"accepted": [1], "dismissed": [2], "waiting": []} == decided
    assert "no replies to review\n" == offline.here("optouts", "review").stdout
    load(offline, reply("cancel my 3pm appointment", "+6581230003"))
    assert "no replies to review\n" == offline.here("optouts", "review").stdout

    assert 2 == offline.here("optouts", "list", "--json").document["opted_out"]
    assert "replied stop, accepted in a review" in offline.here("optouts", "show", SECOND).stdout
    plan = offline.here("plan", "hello.yaml", "--json").document
    assert {"suppressed": 2} == plan["excluded"]


def test_all_that_wait_are_decided_at_once(offline: Workplace) -> None:
    load(offline, reply("the end", FIRST), reply("cancel my 3pm", SECOND))

    assert [1, 2] == offline.here("optouts", "review", "--accept", "all", "--json").document["accepted"]

    assert 2 == offline.here("optouts", "list", "--json").document["opted_out"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--accept", "7"), "--accept: there is no reply 7 to review; `campaign optouts review` lists the replies"),
        (("--dismiss", "x"), "--dismiss: there is no reply x to review"),
        (("--accept", "all", "--dismiss", "1"), "reply 1 is both accepted and dismissed; choose one of them"),
    ],
)
def test_mistakes_in_a_review_change_nothing(offline: Workplace, arguments: tuple[str, ...], words: str) -> None:
    load(offline, reply("the end", FIRST))

    done = offline.here("optouts", "review", *arguments)

    assert (2, True) == (done.exit_code, words in done.stderr), done.stderr
    assert 1 == len(offline.here("optouts", "review", "--json").document["waiting"])


def test_the_run_counts_the_replies_to_its_messages(campaign: Workplace) -> None:
    assert 0 == campaign(*RUN).exit_code
    assert 0 == campaign.summary()["replies_to_review"]
    load(campaign, reply("when does it stop?", FIRST, at="2099-01-01T00:00:00Z"), reply("the end", "+6599999999"))

    report = campaign.here("report", "hello")

    words = "1 reply may be an opt-out; see `campaign optouts review`"
    assert f"warning: {words}" in " ".join(f"{report.stdout} {report.stderr}".split())
    assert 1 == campaign.summary()["replies_to_review"]
    page = campaign.path("report.html").read_text(encoding="utf-8")
    assert "Warning: 1 reply may be an opt-out; see <code>campaign optouts review</code>." in page
    assert "2 replies may be opt-outs; see `campaign optouts review`" in campaign.here("status").stdout
    assert 2 == campaign.here("status", "--json").document["replies_to_review"]

    purged = campaign.here("purge", "hello/main", "--yes")
    words = "1 reply waits for review and loses its text; use `campaign optouts review` first"
    assert words in " ".join(f"{purged.stdout} {purged.stderr}".split())
    texts = [each["text"] for each in campaign.here("optouts", "review", "--json").document["waiting"]]
    assert {None, "the end"} == set(texts)


def test_nobody_who_opted_out_is_texted_however_it_is_written(campaign: Workplace, provider: Provider) -> None:
    """Other letters, numbers with labels or dialled from abroad, and a second number; counted at the provider."""
    (campaign.folder / "people.csv").write_text(
        "id,mobile,second,name\n"
        "Ann@Example.com,+6581230001,,Ann\nben,+6581230002,,Ben\ncyd,6123 4567,8123 0003,Cyd\n"
        "dan,+6581230004,+6581230014,Dan\neve,+6581230005,+6581230015,Eve\nfay,+6561234568,p:+6581230006,Fay\n"
    )
    (campaign.folder / "keys.csv").write_text("id\n ann@EXAMPLE.com \n")
    (campaign.folder / "log.csv").write_text(
        "From,To\nwhatsapp:+65 8123 0002,+6581230006\n+65 6123 4567-,+6581230006\n"
    )
    suppress = "suppress: [keys.csv, {file: log.csv, phone: From}]"
    text = MINIMAL.replace("key: id", f"key: id, phone: [mobile, second], {suppress}")
    (campaign.folder / "hello.yaml").write_text(text)
    assert 0 == campaign.here("optouts", "add", "001 65 8123 0014", "--country", "HK").exit_code

    done = campaign(*RUN, "--allow-empty")

    assert 0 == done.exit_code, done.stderr
    assert {"+6581230005": 1, "+6581230006": 1} == provider.sent
    assert "1 with the number in mobile 1 with the number in second" in " ".join(done.stdout.split())
    assert "keys.csv: 1 row excluded by a key in another spelling" in " ".join(done.stdout.split())
