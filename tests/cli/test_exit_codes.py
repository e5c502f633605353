"""Exit code 3 is for what may pass by itself, 5 for what a person must fix; the terminal and the summary say what."""

from pathlib import Path

import pytest

from tests.cli.provider import Provider, Reply, Script, error, queued
from tests.cli.workplace import MINIMAL, Workplace, people
from tests.receipts.events import receipt

RUN = ("run", "hello.yaml", "--yes")


def fatal(status: int, code: int) -> Script:
    return lambda _: error(status, code, "no")


# Those after which messages are unknown come last: the others leave everybody for the next start.
STOPS: list[tuple[str, Script, int, str]] = [
    ("401", fatal(401, 1200), 5, "unauthorized"),
    ("403", fatal(403, 1201), 5, "forbidden"),
    ("404", fatal(404, 4018), 5, "not_found"),
    ("410", fatal(410, 2002), 5, "unsupported"),
    ("426", fatal(426, 1014), 5, "upgrade_required"),
    *((str(code), fatal(400, code), 5, reason) for code, reason in [
        (1001, "not_found"), (1014, "upgrade_required"), (1200, "unauthorized"), (1201, "forbidden"),
        (2001, "unsupported"), (2002, "unsupported"), (2003, "unsupported")]),
    ("429", lambda _: error(429, 429, "no", {"Retry-After": "3600"}), 3, "throttled"),
    ("302", lambda _: Reply(302, {}, {"Location": "https://x.example"}), 5, "unexpected_answer"),
    ("a fuse", lambda _: error(500, 5000, "no"), 5, "fuse"),
]  # fmt: skip


def test_stops_of_a_run_which_the_same_command_continues(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(100), f"{MINIMAL}stopWhen: {{unknownInARow: 5}}\n")
    for name, script, exit_code, reason in STOPS:
        provider.forget()
        provider.script = script
        done = campaign(*RUN, "--json")
        assert exit_code == done.exit_code, (name, done.stderr)
        assert reason == done.document["stopped"]["reason"], name
        assert f"stopped: {reason}: " in done.stderr
        assert ("fix this" in " ".join(done.stderr.split())) == (exit_code == 5), name
        assert provider.requests, name
    provider.forget()
    provider.script = queued
    assert campaign(*RUN).exit_code in (0, 1)
    assert provider.requests


def test_commands_about_a_run(campaign: Workplace, provider: Provider) -> None:
    (campaign.folder / "told.csv").write_text("key,outcome\nk1,success\n")
    assert 0 == campaign(*RUN).exit_code
    provider.script = fatal(401, 1200)
    assert 5 == campaign("feedback", "hello", "told.csv").exit_code
    assert 5 == campaign("test", "hello.yaml", "--to", "+6581230009", "--yes").exit_code
    provider.script = fatal(429, 429)
    assert 3 == campaign("test", "hello.yaml", "--to", "+6581230009", "--yes").exit_code


@pytest.mark.parametrize("blocked", ["reports", "reports/hello", "reports/hello/main", "reports/ledger.sqlite3"])
def test_a_path_that_cannot_be_used(campaign: Workplace, provider: Provider, blocked: str) -> None:
    """A file where a folder should be, or the other way round; also for root, who has every permission."""
    path = campaign.folder / blocked
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        path.mkdir()
    else:
        path.write_text("in the way")
    done = campaign(*RUN, "--json")
    assert (5, 5, []) == (done.exit_code, done.document["exit_code"], provider.requests), done.stderr
    assert blocked in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["results.csv", "report.html", "summary.json", "plan.parquet", "run.json"])
def test_a_file_that_cannot_be_replaced(campaign: Workplace, provider: Provider, name: str) -> None:
    (campaign.path(name) / "in the way").mkdir(parents=True)
    done = campaign(*RUN)
    assert 5 == done.exit_code, done.stderr
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_ledger(campaign: Workplace, provider: Provider) -> None:
    assert 0 == campaign(*RUN).exit_code
    provider.forget()
    ledger = campaign.folder / "reports/ledger.sqlite3"
    ledger.with_name("ledger.sqlite3-wal").unlink(missing_ok=True)
    content = ledger.read_bytes()
    ledger.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    done = campaign(*RUN)
    assert (5, []) == (done.exit_code, provider.requests), done.stderr
    assert "the file is damaged" in done.stderr


def test_thresholds_decide_whether_a_run_fails(campaign: Workplace, provider: Provider) -> None:
    def script(request: object) -> Reply:
        body = request.body  # type: ignore[attr-defined]
        return error(400, 1002, "no such number") if body["text"] in ("Hi N1", "Hi N2") else queued(request)  # type: ignore[arg-type]

    provider.script = script
    for number, (section, exit_code, shown) in enumerate([
        ("", 1, "threshold rejected: 2 of 40 sent (5.0%), limit 0: crossed"),
        ("thresholds: {rejected: 5%}\n", 0, "threshold rejected: 2 of 40 sent (5.0%), limit 5%: within the limit"),
        ("thresholds: {rejected: 4.9%}\n", 1, "threshold rejected: 2 of 40 sent (5.0%), limit 4.9%: crossed"),
        ("thresholds: {rejected: 2, undelivered: 10%}\n", 0, "threshold undelivered: 0 of 38 accepted (0%), limit 10%"),
        ("thresholds: {rejected: 1}\n", 1, "threshold unknown: 0 of 40 sent (0%), limit 0: within the limit"),
    ]):  # fmt: skip
        campaign.write(people(40), MINIMAL + section)
        run = f"r{number}"
        done = campaign(*RUN, "--run", run)
        assert exit_code == done.exit_code, done.stderr
        assert shown in " ".join(done.stdout.split())
        judged = campaign.summary(run)["thresholds"]
        assert (exit_code == 1) == any(each["crossed"] for each in judged)
        assert [2, 0] == [each["value"] for each in judged][:2]
        assert 0.05 == judged[0]["share"]
        assert exit_code == campaign("report", f"hello/{run}").exit_code
        page = campaign.path("report.html", run).read_text()
        assert "Thresholds" in page
        assert ("crossed" in page) == (exit_code == 1)


def test_undelivered_is_judged_when_the_receipts_are_there(campaign: Workplace, tmp_path: Path) -> None:
    campaign.write(people(4), f"{MINIMAL}thresholds: {{undelivered: 25%}}\n")
    assert 0 == campaign(*RUN).exit_code
    rows = campaign.results()
    for count, exit_code in ((1, 0), (2, 1)):
        events = [receipt(umid=row["umid"], state="undelivered") for row in rows[:count]]
        (tmp_path / "events.jsonl").write_bytes(b"\n".join(events) + b"\n")
        loaded = campaign("receipts", "--load", "events.jsonl")
        assert 0 == loaded.exit_code, loaded.stdout + loaded.stderr
        assert exit_code == campaign("report", "hello").exit_code
        judged = campaign.summary()["thresholds"][2]
        assert ("undelivered", "25%", count, count / 4) == (
            judged["name"], judged["limit"], judged["value"], judged["share"])  # fmt: skip
