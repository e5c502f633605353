"""A campaign's folder, and what a plan made of it looks like."""

from pathlib import Path
from typing import Any

import polars as pl

from runner.campaign import Missing
from runner.plan.inputs import load_inputs
from runner.plan.planner import Planner, Rules
from runner.plan.restrictions import Limit
from runner.plan.summary import PlanSummary

HEADER = "id,mobile,name,city\n"
ANN, BEN = "1,+6591234567,Ann,Bedok\n", "2,+6581234567,Ben,\n"
CAMPAIGN = """\
name: welcome
account: {subAccountId: acme_hq}
recipients: {file: people.csv, key: id, country: SG}
message: {template: hello.j2}
rate: 10/s
"""


def write_folder(
    folder: Path, people: str = ANN + BEN, *, template: str = "Hi {{ name }}", campaign: str = CAMPAIGN
) -> Path:
    """Write the campaign, its recipients and its template; returns the campaign file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "people.csv").write_text(HEADER + people)
    (folder / "hello.j2").write_text(template)
    (folder / "welcome.yaml").write_text(campaign)
    return folder / "welcome.yaml"


def planner(file: Path, limit: int | None = None) -> Planner:
    inputs = load_inputs(file)
    return Planner(
        inputs.audience,
        inputs.composer,
        rules=Rules(
            carried=inputs.campaign.report.columns,
            missing_fails=inputs.campaign.message.missing is Missing.ERROR,
            limit=Limit(limit, "--limit") if limit else None,
        ),
    )


def planned(file: Path, limit: int | None = None) -> tuple[list[dict[str, Any]], PlanSummary]:
    """The plan's rows and its summary."""
    path = file.with_name("plan.parquet")
    summary = planner(file, limit).write(path)
    return pl.read_parquet(path).to_dicts(), summary
