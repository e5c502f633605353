"""What a campaign says of itself: the ids of its runs."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.base.options import Rate
from runner.campaign import AccountSection, Campaign, MessageSection, RecipientsSection, check_run_id

NEW_YEAR = datetime(2026, 12, 31, 17, tzinfo=UTC)  # 2027-01-01 01:00 in Singapore, still in week 53 of 2026

IDS = [
    ("main", "UTC", "main"),
    ("{date}", "UTC", "2026-12-31"),
    ("{date}", "Asia/Singapore", "2027-01-01"),
    ("{week}", "Asia/Singapore", "2026-W53"),
    ("m-{month}.{date}", "Asia/Singapore", "m-2027-01.2027-01-01"),
]


@pytest.mark.parametrize(("run", "timezone", "expected"), IDS)
def test_run_id_is_in_the_campaigns_time_zone(run: str, timezone: str, expected: str) -> None:
    campaign = Campaign(
        name="a",
        run=run,
        timezone=timezone,
        account=AccountSection(sub_account_id="acme_hq"),
        recipients=RecipientsSection(file=Path("a.csv")),
        message=MessageSection(text="Hi"),
        rate=Rate(1, 1),
    )
    assert expected == campaign.run_id(NEW_YEAR)


def test_check_run_id() -> None:
    assert check_run_id("2026-W49") is None
    assert '"sandbox" is reserved for runs with --sandbox; choose another run ID' == check_run_id("sandbox")
    assert (check_run_id("../x") or "").startswith('"../x" is not a valid folder name; use letters')
    assert (check_run_id("{date}") or "").startswith('"{date}" is not a valid folder name')
