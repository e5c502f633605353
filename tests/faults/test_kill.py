"""A run that is killed again and again, with SIGKILL, at random moments: in the end everybody got one text."""

import random
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import OperationalError

from tests.cli.preloaded import Command
from tests.cli.workplace import COMMAND, KEY, MINIMAL, people
from tests.faults.arena import Arena, arena

KILLS = 5
RECIPIENTS = 600
RATE = 400
LATENCY_S = 0.02


def killed(run: Arena, moments: random.Random) -> None:
    """Start the real command and kill it at some moment after its first message left, or before."""
    environment = run.place.environment | {"EIGHTXEIGHT_BASE_URL": run.base_url, "EIGHTXEIGHT_API_KEY": KEY}
    size = run.book.stat().st_size if run.book.exists() else 0
    with Command(
        [COMMAND, "run", "hello.yaml", "--yes"],
        cwd=run.place.folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        is_early = moments.random() < 0.2
        while not is_early and not ended(process, within_s=0.005):
            if run.book.exists() and run.book.stat().st_size > size:
                break
        if not ended(process, within_s=moments.uniform(0, 0.25)):
            process.send_signal(signal.SIGKILL)


def ended(process: subprocess.Popen[bytes], *, within_s: float) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=within_s)
    return process.returncode is not None


def in_doubt(run: Arena) -> tuple[int, float]:
    """How many messages the kill left in doubt, and in how many seconds they were claimed."""
    if not (run.place.folder / "reports/ledger.sqlite3").exists():
        return 0, 0.0
    claims = "SELECT count(*), coalesce(max(claimed_at) - min(claimed_at), 0) / 1e6 FROM messages"
    try:
        [(count, seconds)] = run.place.ledger(f"{claims} WHERE status = 'sending'")
    except OperationalError:  # killed before the tables were made
        return 0, 0.0
    return count, seconds


def test_killed_at_random_moments(tmp_path: Path) -> None:
    moments = random.Random(3)
    with arena(tmp_path, latency_s=LATENCY_S) as run:
        run.place.write(people(RECIPIENTS), MINIMAL.replace("200/s", f"{RATE}/s"))
        for _ in range(KILLS):
            killed(run, moments)
            count, seconds = in_doubt(run)
            assert count <= RATE * (seconds + 0.1) + 1  # no more are claimed than the rate brings, and a little ahead
        run.finish()

        assert RECIPIENTS == len(run.received())
        assert {"accepted"} == {row["status"] for row in run.results()}
