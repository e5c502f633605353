"""A folder as users have it: campaigns, their recipients, and templates beside them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.campaign import CampaignFile, read

MINIMAL = """\
name: welcome
subAccountId: acme_hq
recipients: recipients/welcome.csv
template: ../templates/welcome.txt.j2
rate: 10/s
"""

FULL = """\
# yaml-language-server: $schema=campaign.schema.json
name: spring-sale
run: "{date}"                  # default "main"; {date} 2026-12-01, {week} 2026-W49, {month} 2026-12
timezone: Asia/Singapore       # what {date} and sending hours mean; default UTC
account:
  subAccountId: acme_hq
  region: asia                 # asia, north-america, europe, indonesia
recipients:
  file: recipients/spring.parquet
  phone: mobile                # the column
  country: SG                  # for national numbers; or {column: country}
  key: customer_id
  duplicates: first            # first, reject (all of them), all (send each row)
  suppress: [recipients/opted-out.csv]
  countries: [SG, MY]          # only these
message:
  template: ../templates/spring.txt.j2   # or text: "Hi {{ first_name }}"
  source: ACME
  encoding: AUTO
  maxSegments: 2
  conversionTracking: true     # true: track=Outcome, false: track=None, absent: the field is not sent
  scheduled: 2026-12-01T10:00:00+08:00
  expiry: 2026-12-01T20:00:00+08:00
  dlrCallbackUrl: https://example.com/receipts
  clientIp: 203.0.113.7
rate: 200/s                    # N/s, N/min, N/h
report:
  columns: [segment, city]     # carried from the recipient file into the results
"""

FILES = (
    "campaigns/recipients/welcome.csv",
    "campaigns/recipients/spring.parquet",
    "campaigns/recipients/opted-out.csv",
    "templates/welcome.txt.j2",
    "templates/spring.txt.j2",
)

Reader = Callable[[str | bytes], tuple[CampaignFile | None, list[str]]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with every file that the examples name."""
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def read_text(folder: Path) -> Reader:
    """Reads a text as `campaigns/c.yaml`, and returns the campaign and the problems' lines after the file's name."""
    path = Path("campaigns/c.yaml")

    def reader(content: str | bytes) -> tuple[CampaignFile | None, list[str]]:
        (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
        file, problems = read(path)
        return file, [str(problem).removeprefix(f"{path}:") for problem in problems]

    return reader
