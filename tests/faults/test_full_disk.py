"""The disk is full in the middle of a run: nothing more leaves, no answer is lost, and the next start goes on."""

import resource
import subprocess
from pathlib import Path

from tests.cli.workplace import COMMAND, KEY, MINIMAL, people
from tests.faults.arena import arena

RECIPIENTS = 1700
LARGEST_FILE = 560 * 1024
"""No file may grow beyond it, as on a full disk. The ledger's log does so after about eight hundred messages."""


def test_a_full_disk_stops_the_run_and_costs_nobody(tmp_path: Path) -> None:
    with arena(tmp_path, latency_s=0.05) as run:
        run.place.write(people(RECIPIENTS), MINIMAL.replace("200/s", "1000/s"))
        environment = run.place.environment | {"EIGHTXEIGHT_BASE_URL": run.base_url, "EIGHTXEIGHT_API_KEY": KEY}
        full = subprocess.run(
            [COMMAND, "run", "hello.yaml", "--yes"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE)),
            check=False,
        )

        assert 5 == full.returncode, full.stdout + full.stderr
        assert "the ledger could not be written" in full.stderr
        sent_before = len(run.received())
        assert 0 < sent_before < RECIPIENTS

        again = run.run()

        assert 0 == again.exit_code, again.stdout + again.stderr
        assert RECIPIENTS == len(run.received())
        run.check_truth()
