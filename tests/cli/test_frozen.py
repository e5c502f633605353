"""A run that is frozen (Ctrl-Z, a closed laptop) while its answers arrive: they count when it goes on."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.provider import Provider
from tests.cli.workplace import Workplace, people

TIMEOUT_S = 5
# `campaign` with a short time for an answer.
IMPATIENT = f"""
from runner.provider import client
client.ANSWER_TIMEOUT_S = {TIMEOUT_S}
from runner.cli.main import main
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGSTOP")
def test_answers_that_arrive_while_a_run_is_frozen_count(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(20))
    provider.hold(0)
    with subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, "run", "hello.yaml", "--yes"],
        cwd=campaign.folder, env=campaign.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        provider.wait_for(20)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        provider.release()
        time.sleep(TIMEOUT_S + 1)  # the deadlines pass; nothing else ends them
        process.send_signal(signal.SIGCONT)

    assert 0 == process.returncode
    assert [1] * 20 == list(provider.sent.values())
    assert {("accepted", "queued"): 20} == campaign.statuses()
