"""The provider's account."""

import subprocess
import sys

import pytest

DUMPABLE = """
import ctypes
from runner.campaign import AccountSection
from runner.run.account import provider_account
provider_account(AccountSection(sub_account_id="acme_hq"))
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process say this")
def test_a_core_dump_has_no_key() -> None:
    command = [sys.executable, "-c", DUMPABLE]
    done = subprocess.run(command, env={"EIGHTXEIGHT_API_KEY": "k"}, capture_output=True, text=True, check=False)
    assert ("0\n", "") == (done.stdout, done.stderr)
