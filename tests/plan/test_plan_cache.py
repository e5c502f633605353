"""A plan that still holds is known again, with all that its summary says; every other one is not."""

from decimal import Decimal
from pathlib import Path

import pytest

from runner.plan.plan_cache import cached_summary, save_plan_cache
from runner.plan.summary import PlanSummary
from runner.prices.costs import Costs, Price, Prices
from tests.plan.folder import ANN, CAMPAIGN, planned, write_folder

PRICES = Prices(Path("prices.csv"), "SGD", {"SG": Price(Decimal("0.04"), Decimal("0.05"))})
MESSY = (
    f"{ANN}2,8123 4567,Bén “Q”,x\n2,+6581234567,Again,y\n3,12,Short,z\n4,+6581234567,–,see http://a.example\n"
    "5,+6591234568,😀,x\n"
)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, PlanSummary]:
    """The folder, and the summary of the plan in it, which is kept in `kept.json` as made of "the same"."""
    _, summary = planned(write_folder(tmp_path, MESSY, template="Hi {{ name }}, {{ city or 'you' }}"))
    save_plan_cache(tmp_path / "kept.json", key="the same", plan=tmp_path / "plan.parquet", summary=summary)
    return tmp_path, summary


def found(folder: Path, key: str = "the same", prices: Prices | None = None) -> PlanSummary | None:
    return cached_summary(folder / "kept.json", key=key, plan=folder / "plan.parquet", prices=prices)


def everything(summary: PlanSummary) -> dict[str, object]:
    """All fields; costs are told by what they add up."""
    values = {name: getattr(summary, name) for name in PlanSummary.__slots__}
    return {name: list(value.sizes.items()) if isinstance(value, Costs) else value for name, value in values.items()}


def test_its_summary_says_what_it_said(made: tuple[Path, PlanSummary]) -> None:
    folder, summary = made
    assert summary.excluded
    assert summary.remarks
    assert summary.shared.rows

    again = found(folder)

    assert again is not None
    assert everything(summary) == everything(again)
    assert summary.as_json() == again.as_json()


def test_it_warns_as_it_did(tmp_path: Path) -> None:
    campaign = CAMPAIGN.replace("key: id", "key: id, phone: [city, mobile], suppress: [out.csv]")
    (tmp_path / "out.csv").write_text("phone\n+6591111111\n")
    _, summary = planned(write_folder(tmp_path, f"{ANN}b,,Ben,+6581234567\nB,,Bo,+6581234568\n", campaign=campaign))
    save_plan_cache(tmp_path / "kept.json", key="the same", plan=tmp_path / "plan.parquet", summary=summary)
    assert 2 == len(summary.warnings)
    assert {"mobile": 1, "city": 2} == summary.by_phone

    again = found(tmp_path)

    assert again is not None
    assert everything(summary) == everything(again)


def test_its_costs_have_the_prices_of_now(made: tuple[Path, PlanSummary]) -> None:
    folder, summary = made
    again = found(folder, prices=PRICES)

    assert again is not None
    assert summary.segments * Decimal("0.05") == again.costs.total == again.left.total


def test_what_is_made_of_something_else_is_not_it(made: tuple[Path, PlanSummary]) -> None:
    folder, _ = made

    assert found(folder, "something else") is None


@pytest.mark.parametrize("part", ["plan.parquet", "kept.json"])
def test_what_was_exchanged_or_damaged_is_not_it(made: tuple[Path, PlanSummary], part: str) -> None:
    folder, _ = made
    whole = (folder / part).read_bytes()
    for changed in (whole[:-1], b"", whole[:40] + b"x" + whole[41:]):
        (folder / part).write_bytes(changed)
        assert found(folder) is None
    (folder / part).unlink()
    assert found(folder) is None


def test_it_is_its_owners_alone(made: tuple[Path, PlanSummary]) -> None:
    """It has some numbers and texts in it."""
    folder, _ = made

    assert 0o600 == (folder / "kept.json").stat().st_mode & 0o777
