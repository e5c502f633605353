"""Compares `campaign run` with other programs that do the same job: `python -m benchmarks.peers [MESSAGES]`.

Each gets the same CSV and template, posts to the same nginx over TLS 1.3 as fast as it can, and writes a results CSV.
The figures are messages per second of the whole job, from start to end of the process, as the median of three. The
Python peers have a separate environment, `.venv-peers`, with `requirements.txt`; undici is installed there, too.
"""

import csv
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import rows as recipients
from benchmarks import server
from benchmarks.processes import run
from benchmarks.sending import RATE, sent
from benchmarks.server import Server
from benchmarks.table import Row

MESSAGES = 60_000

# These are slow, so they get a tenth of the messages.
TENTH = {"requests_threads.py", "httpx_async.py"}

TURNS = 3
HERE = Path(__file__).parent
ENVIRONMENT = HERE.parents[1] / ".venv-peers"
PYTHON_PEERS = {
    "csv, jinja2, requests in 50 threads": "requests_threads.py",
    "csv, jinja2, httpx async": "httpx_async.py",
    "csv, jinja2, aiohttp with a semaphore": "aiohttp_semaphore.py",
}
UNDICI = "undici@7.30.2"

# Does the job once, in a new folder. Returns messages per second.
Job = Callable[[Path], float]


def rows(messages: int = MESSAGES) -> Iterator[Row]:
    """Lines for the table."""
    if server.executable() is None:
        yield Row("peers", server.MISSING)
        return
    with tempfile.TemporaryDirectory(prefix="campaign-bench-") as name:
        folder = Path(name)
        campaign = recipients.clean(folder, messages, RATE)
        small = recipients.clean(folder, messages // 10, RATE)
        jobs: dict[str, Job] = {"campaign run": lambda place: sent(place, campaign).whole_per_second}
        peers, skipped = _peers()
        for what, command in peers.items():
            is_slow = PYTHON_PEERS.get(what) in TENTH
            jobs[what] = _job(command, small if is_slow else campaign, messages // 10 if is_slow else messages)
        figures: dict[str, list[float]] = {what: [] for what in jobs}
        for turn in range(TURNS):
            for number, (what, job) in enumerate(jobs.items()):
                figures[what].append(job(folder / f"{number}-{turn}"))
        yield from _lines({what: statistics.median(found) for what, found in figures.items()})
        yield from skipped
        yield _ceiling(folder)


def _lines(medians: dict[str, float]) -> Iterator[Row]:
    ours = medians.pop("campaign run")
    yield Row("the whole job, with a ledger: campaign run", f"{ours:,.0f} messages/s")
    for what, figure in medians.items():
        times = ours / figure
        is_python = what in PYTHON_PEERS
        target, met = ("campaign run is faster", times > 1) if is_python else ("", None)
        yield Row(f"    without: {what}", f"{figure:,.0f} messages/s; campaign run {times:.2f} times", target, met)


def _peers() -> tuple[dict[str, list[str]], list[Row]]:
    """The commands of the peers that can run here, and a table line for each that can't."""
    commands, skipped = {}, []
    python = str(ENVIRONMENT / "bin" / "python")
    trouble = _install_python()
    for what, script in PYTHON_PEERS.items():
        if trouble:
            skipped.append(Row(f"    without: {what}", trouble))
        else:
            commands[what] = [python, str(HERE / script)]
    what = "node with undici"
    trouble = _install_undici()
    if trouble:
        skipped.append(Row(f"    without: {what}", trouble))
    else:
        copy = ENVIRONMENT / "undici.mjs"  # node looks for packages beside the script
        shutil.copy(HERE / "undici.mjs", copy)
        commands[what] = [str(shutil.which("node")), str(copy)]
    return commands, skipped


def _job(command: list[str], campaign: Path, messages: int) -> Job:
    template, source = campaign.with_name("text.j2"), campaign.with_suffix(".csv")

    def job(place: Path) -> float:
        place.mkdir()
        nginx = Server(place / "nginx")
        results = place / "results.csv"
        with nginx:
            certificates = {"REQUESTS_CA_BUNDLE": str(nginx.ca), "NODE_EXTRA_CA_CERTS": str(nginx.ca)}
            arguments = [*command, str(source), str(template), nginx.url + server.PATH, str(results)]
            took = run(arguments, cwd=place, env=nginx.environment | certificates)
        with results.open(newline="", encoding="utf-8") as file:
            accepted = sum(row["status"] == "QUEUED" for row in csv.DictReader(file))
        if accepted != messages or len(nginx.seen().at_ms) != messages:
            raise SystemExit(f"{command[-1]}: {accepted} of {messages} accepted")
        return messages / took.seconds

    return job


def _install_python() -> str | None:
    """Create the peers' environment, again whenever their requirements change. Returns why that failed, or None."""
    wanted, ready = HERE / "requirements.txt", ENVIRONMENT / "requirements.txt"
    if ready.exists() and ready.read_bytes() == wanted.read_bytes():
        return None
    pip = [str(ENVIRONMENT / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", "--require-hashes"]
    for command in ([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], [*pip, "-r", str(wanted)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no error message"])[-1]
            return f"skipped: {Path(command[0]).name} failed: {last[:120]}"
    shutil.copy(wanted, ready)
    return None


def _install_undici() -> str | None:
    """Install undici. Returns why that failed, or None."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "skipped: node and npm are not installed (apt-get install nodejs npm)"
    if (ENVIRONMENT / "node_modules" / "undici").exists():
        return None
    ENVIRONMENT.mkdir(exist_ok=True)
    command = ["npm", "install", "--prefix", str(ENVIRONMENT), "--no-audit", "--no-fund", UNDICI]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"skipped: npm failed: {done.stderr.strip()[:120]}" if done.returncode else None


def _ceiling(folder: Path) -> Row:
    """The maximum of this nginx: the same body, again and again, without a job."""
    what = "the server's maximum: wrk with one body"
    wrk = shutil.which("wrk")
    if wrk is None:
        return Row(what, "skipped: wrk is not installed (apt-get install wrk)")
    body = '{"destination":"+447100000000","text":"' + "x" * 120 + '","clientMessageId":"m","encoding":"AUTO"}'
    with Server(folder / "wrk") as nginx:
        options = ["-t1", "-c100", "-d5", "-s", str(HERE / "wrk.lua")]
        command = [wrk, *options, nginx.url + server.PATH, "--", body]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec: +([0-9.]+)", said)
    if found is None or "Non-2xx" in said:
        raise SystemExit(f"wrk failed: {said}")
    return Row(what, f"{float(found[1]):,.0f} requests/s")
