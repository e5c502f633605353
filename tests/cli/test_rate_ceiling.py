"""The rate is a ceiling at the provider, over kills and restarts, and over two campaigns of one sub-account."""

import os
import signal
import subprocess

import pytest

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
