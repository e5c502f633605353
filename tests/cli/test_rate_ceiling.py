"""The rate is a ceiling at the provider, over kills and restarts, and over two campaigns of one sub-account."""

import os
import shutil
import signal
import subprocess
import time
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from runner.ledger import lock
from runner.ledger.lock import GRACE_S
from runner.plan.inputs import load_inputs
from runner.run.plan import begin
from runner.run.test_messages import starts_window
from tests.cli.provider import Provider
from tests.cli.workplace import MINIMAL, Workplace, people

# So slow that no place becomes free during a test.
SLOW = MINIMAL.replace("200/s", "3/h")


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def waiting_for(campaign: Workplace, name: str) -> str:
    [run] = [run for run in campaign("status", "--json").document["runs"] if run["campaign"] == name]
    return str(run["waiting_for"] or "")


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_kills_and_a_second_campaign(campaign: Workplace, provider: Provider) -> None:
    """The second campaign is sent beside the first one, which was killed before; another start finds no place."""
    campaign.write(people(9), SLOW)
    (campaign.folder / "news.yaml").write_text(SLOW.replace("name: hello", "name: news"))
    with campaign.started("run", "hello.yaml", "--yes") as process:
        provider.wait_for(1)
        killed(process)
    with campaign.started("run", "news.yaml", "--yes"):
        provider.wait_for(2)
        with campaign.started("run", "hello.yaml", "--yes") as process:
            provider.wait_for(3)
            killed(process)
        with campaign.started("run", "hello.yaml", "--yes") as process:
            while not (waiting := waiting_for(campaign, "hello")):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            stdout, _ = process.communicate()
    assert "news/main is using acme_hq too; they share its rate" in stdout
    assert waiting.startswith("the next start within the rate, at ")
    assert (3, 3) == (process.returncode, len(provider.requests))


def sent_by(campaign: Workplace, holder: str, *, seconds: float = 30) -> None:
    """As if this process were sending news/main, which this computer has finished, until so many seconds from now."""
    engine = create_engine(f"sqlite:///{campaign.folder / 'reports/ledger.sqlite3'}")
    values = {"holder": holder, "until": int((time.time() + seconds) * 1e6)}
    with engine.begin() as connection:
        statement = "UPDATE runs SET ended_at = NULL, holder = :holder, lease_until = :until WHERE name = 'news'"
        connection.execute(text(statement), values)
    engine.dispose()


def test_another_computer_cannot_share_the_rate(campaign: Workplace, provider: Provider) -> None:
    (campaign.folder / "news.yaml").write_text(MINIMAL.replace("name: hello", "name: news"))
    assert 0 == campaign("run", "news.yaml", "--yes").exit_code
    provider.forget()
    to_send = ("run", "hello.yaml", "--yes"), ("test", "hello.yaml", "--yes", "--to", "+12025550142")

    sent_by(campaign, "process 7 on far (beef-0a)")
    refused = [campaign(*command) for command in to_send]
    assert [(3, 3), []] == [tuple(done.exit_code for done in refused), provider.requests]
    words = "another computer is sending news/main (process 7 on far) from acme_hq, and two computers can't share the"
    assert all(words in " ".join(done.stderr.split()) for done in refused)

    campaign.write(people(5), MINIMAL.replace("acme_hq", "acme_other"))
    assert 0 == campaign(*to_send[0], "--run", "other").exit_code
    campaign.write(people(5))
    sent_by(campaign, "process 7 on far (beef-0a)", seconds=-GRACE_S - 1)  # that computer is down
    assert 0 == campaign(*to_send[0]).exit_code
    sent_by(campaign, f"process 7 on a-container ({lock._boot()}-0a)")  # on this computer
    assert [0, 0] == [campaign(*to_send[0], "--run", "again").exit_code, campaign(*to_send[1]).exit_code]


def test_two_computers_that_begin_at_the_same_moment(
    campaign: Workplace, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    (campaign.folder / "news.yaml").write_text(MINIMAL.replace("name: hello", "name: news"))
    assert 0 == campaign("run", "news.yaml", "--yes").exit_code
    provider.forget()

    def begin_too(*given: Any, **options: Any) -> Any:  # noqa: ANN401
        sent_by(campaign, "process 7 on far (beef-0a)")
        return begin(*given, **options)

    monkeypatch.setattr("runner.run.send.begin", begin_too)
    assert (3, []) == (campaign("run", "hello.yaml", "--yes").exit_code, provider.requests)


def test_a_test_message_counts_what_the_ledger_has(campaign: Workplace, provider: Provider) -> None:
    """As on another computer, or after a power loss: the files of starts are gone."""
    campaign.write(people(1), SLOW.replace("3/h", "1/h"))
    assert 0 == campaign("run", "hello.yaml", "--yes").exit_code
    shutil.rmtree(campaign.folder / "reports/ledger.sqlite3.locks")
    file = campaign.folder / "hello.yaml"
    model = load_inputs(file).campaign
    with starts_window(file, model, sandbox=False) as window, starts_window(file, model, sandbox=True) as unlimited:
        assert window is not None
        assert window.free_at() > time.monotonic() + 600
        assert unlimited is None
