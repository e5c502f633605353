"""A bit of the ledger changes by itself after a kill, and the run is started again: nobody is texted twice."""

import random
import shutil
from pathlib import Path

from tests.cli.workplace import KEY, MINIMAL, people
from tests.faults.arena import arena
from tests.ledger.test_trust import log_of

RECIPIENTS = 300
SENT = 120
BITS = 4


def test_changed_bits_text_nobody_twice(tmp_path: Path) -> None:
    chance = random.Random(5)
    with arena(tmp_path) as run:
        run.place.write(people(RECIPIENTS), MINIMAL)
        with run.place.started(
            "run", "hello.yaml", "--yes", EIGHTXEIGHT_BASE_URL=run.base_url, EIGHTXEIGHT_API_KEY=KEY
        ) as process:
            run.wait_for(SENT, process)
            process.kill()
            process.wait()
        reports, kept = tmp_path / "reports", tmp_path / "kept"
        ledger = reports / "ledger.sqlite3"
        shutil.copytree(reports, kept)
        data = log_of(ledger).read_bytes()
        for bit in chance.sample(range(len(data) // 2 * 8), BITS):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            log_of(ledger).write_bytes(changed)
            for _ in range(2):  # a refusal changes nothing
                done = run.run()
                assert (5, True) == (done.exit_code, "-wal file has changed by itself" in done.stderr), done.stderr
            shutil.rmtree(reports)
            shutil.copytree(kept, reports)
        run.run()
        run.check_truth()
        assert RECIPIENTS - SENT > len([row for row in run.results() if row["status"] == "unknown"])
