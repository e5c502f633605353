"""`make bench`: planning, sending and start-up, printed as one table. Takes about a minute."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from benchmarks import receipts

CAMPAIGN = Path(sys.executable).with_name("campaign")
TEMPLATE = "Hi {{ first_name }}, show this message in {{ city }} for 10% off. Reply STOP to opt out."


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="campaign-bench-") as name:
        folder = Path(name)
        rows = [
            ("campaign --help", f"{start_up(folder, '--help') * 1000:.0f} ms"),
            ("campaign check, CSV", f"{start_up(folder, 'check', str(written(folder, 10, '10/s'))) * 1000:.0f} ms"),
        ]
        for recipients in (100_000, 1_000_000):
            seconds, megabytes = planned(folder, recipients)
            rows.append((f"campaign plan, {recipients:,} rows", f"{seconds:.1f} s, peak {megabytes:.0f} MB"))
        for rate, recipients in (("5000/s", 30_000), ("1000/s", 10_000), ("100/s", 1_000)):
            per_second, share = sent(folder, recipients, rate)
            rows.append((f"campaign run --sandbox at {rate}", f"{per_second:,.0f} messages/s, {share:.1%} of the rate"))
    rows += receipts.rows()
    width = max(len(what) for what, _ in rows)
    for what, figure in rows:
        print(f"{what:<{width}}  {figure}")


def written(folder: Path, recipients: int, rate: str) -> Path:
    """A campaign with that many recipients; numbers of +65 81…, names and cities."""
    path = folder / f"{recipients}.csv"
    if not path.exists():
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["phone", "first_name", "city"])
            writer.writerows((f"+65{81_000_000 + i}", f"Name{i % 997}", f"City{i % 89}") for i in range(recipients))
    campaign = folder / f"bench-{recipients}.yaml"
    campaign.write_text(
        f"name: bench-{recipients}\nsubAccountId: acme_hq\nrecipients: {path.name}\n"
        f"message:\n  text: {json.dumps(TEMPLATE)}\nrate: {rate}\n",
        encoding="utf-8",
    )
    return campaign


def start_up(folder: Path, *arguments: str) -> float:
    """The best of seven, in seconds."""
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        subprocess.run([CAMPAIGN, *arguments], cwd=folder, check=True, capture_output=True)
        times.append(time.perf_counter() - begin)
    return min(times)


def planned(folder: Path, recipients: int) -> tuple[float, float]:
    """Seconds and peak megabytes of one `campaign plan`."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [CAMPAIGN, "plan", str(written(folder, recipients, "100/s"))], cwd=folder, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("campaign plan failed")
    per_megabyte = 1024**2 if sys.platform == "darwin" else 1024  # Linux counts in kB
    return time.perf_counter() - begin, usage.ru_maxrss / per_megabyte


def sent(folder: Path, recipients: int, rate: str) -> tuple[float, float]:
    """Messages per second between the first and the last request, and the share of the rate that is."""
    campaign = written(folder, recipients, rate)
    subprocess.run([CAMPAIGN, "run", str(campaign), "--sandbox", "--yes"], cwd=folder, check=True, capture_output=True)
    with (folder / "reports" / campaign.stem / "sandbox" / "results.csv").open(encoding="utf-8") as file:
        times = sorted(row["sent_at"] for row in csv.DictReader(file) if row["sent_at"])
    per_second = (len(times) - 1) / (_seconds(times[-1]) - _seconds(times[0]))
    return per_second, per_second / int(rate.partition("/")[0])


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


if __name__ == "__main__":
    main()
