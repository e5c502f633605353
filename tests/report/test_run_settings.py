"""run.json: what was asked for as the run began, read again as it was written, or not at all."""

import stat
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from runner.base.errors import StoppedError
from runner.plan.inputs import Inputs, load_inputs
from runner.plan.summary import PlanSummary
from runner.report.run_settings import RunSettings, asks_to_mask
from tests.plan.folder import CAMPAIGN, planned, write_folder
from tests.report.sample import SETTINGS


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        replace(SETTINGS, mask=True, example=None, formats=("xlsx",), per_second=10),
        RunSettings(
            file="a.yaml", recipients="p.csv", rate="1/s", per_second=1.0, template_name="message.text", template=""
        ),
    ],
    ids=["whole", "masked", "bare"],
)
def test_it_is_read_as_it_was_written(settings: RunSettings, tmp_path: Path) -> None:
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    settings.write(one)
    found = RunSettings.read(one)
    assert found is not None
    assert settings == found
    found.write(other)
    assert one.read_bytes() == other.read_bytes()


def test_a_file_name_that_is_no_utf_8(tmp_path: Path) -> None:
    replace(SETTINGS, file="caf\udce9.yaml").write(tmp_path / "run.json")
    found = RunSettings.read(tmp_path / "run.json")
    assert found is not None
    assert "caf?.yaml" == found.file


def changed(**values: Any) -> bytes:  # noqa: ANN401 (fields)
    return orjson.dumps({**asdict(SETTINGS), **values})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        changed()[:-20],
        changed(of_a_later_version=1),
        changed(mask="no"),
        changed(formats=None),
        changed(formats=[1]),
        changed(prices={"GB": 0.04}),
        changed(prices=[]),
        changed(template=None),
        changed(per_second="40"),
        changed(example=["Hi"]),
    ],
)
def test_what_it_is_not(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(data)
    assert RunSettings.read(tmp_path / "run.json") is None


def test_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(changed())
    assert SETTINGS == RunSettings.read(tmp_path / "run.json")


PRICES = "country,price,currency\nSG,0.0400,SGD\n"


def made(folder: Path, more: str = "", people: str = "1,+6591234567,Ann,Bedok\n") -> tuple[Inputs, PlanSummary]:
    """A campaign and its plan; `more` are lines for its file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prices.csv").write_text(PRICES)
    file = write_folder(folder, people, campaign=CAMPAIGN + more, template="Hi {{ name }}, welcome to Acme")
    _, summary = planned(file)
    inputs = load_inputs(file)
    return inputs, summary


def test_what_is_noted(tmp_path: Path) -> None:
    settings = RunSettings.of(*made(tmp_path, "report: {formats: [xlsx]}\nreceipts: {url: 'https://acme.example/r'}\n"))
    assert ("welcome.yaml", "people.csv", "hello.j2") == (settings.file, settings.recipients, settings.template_name)
    assert ("10/s", 10.0) == (settings.rate, settings.per_second)
    assert "Hi {{ name }}, welcome to Acme" == settings.template
    assert ("Hi Ann, welcome to Acme", "Hi •••, welcome to Acme") == (settings.example, settings.example_masked)
    assert (True, False, ("xlsx",), None) == (
        settings.with_receipts,
        settings.mask,
        settings.formats,
        settings.currency,
    )


def test_a_masked_campaign_notes_no_text_of_anybody(tmp_path: Path) -> None:
    settings = RunSettings.of(*made(tmp_path / "made", "report: {mask: true}\n"))
    settings.write(tmp_path / "run.json")
    assert (True, None, "Hi •••, welcome to Acme") == (settings.mask, settings.example, settings.example_masked)
    assert b"Ann" not in (tmp_path / "run.json").read_bytes()


def test_a_plan_without_messages_has_no_example(tmp_path: Path) -> None:
    settings = RunSettings.of(*made(tmp_path, people="1,12,Ann,Bedok\n"))
    assert (None, None, {}) == (settings.example, settings.example_masked, settings.prices)


def test_the_template_is_the_one_that_was_planned_with(tmp_path: Path) -> None:
    inputs, summary = made(tmp_path)
    (tmp_path / "hello.j2").unlink()
    settings = RunSettings.of(inputs, summary)
    assert ("Hi {{ name }}, welcome to Acme", "Hi Ann, welcome to Acme") == (settings.template, settings.example)


def test_it_is_kept_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    inputs, summary = made(tmp_path)
    path = tmp_path / "reports" / "run.json"
    RunSettings.of(inputs, summary).write(path)
    assert RunSettings.of(inputs, summary) == RunSettings.read(path)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    RunSettings.of(inputs, summary).write(path)
    assert ["run.json"] == [path.name for path in path.parent.iterdir()]


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    inputs, summary = made(tmp_path)
    path = tmp_path / "reports" / "run.json"
    path.mkdir(parents=True)
    with pytest.raises(StoppedError, match=r"run\.json could not be written"):
        RunSettings.of(inputs, summary).write(path)


@pytest.mark.parametrize("mask", [True, False])
def test_masking_is_asked_for_or_not(tmp_path: Path, *, mask: bool) -> None:
    inputs, summary = made(tmp_path, f"report: {{mask: {str(mask).lower()}}}\n")
    path = tmp_path / "reports" / "run.json"
    RunSettings.of(inputs, summary).write(path)
    assert mask == asks_to_mask(RunSettings.read(path), path)


def test_without_a_note_nothing_was_asked_for_and_with_a_damaged_one_masking_may_have_been(tmp_path: Path) -> None:
    here = tmp_path / "run.json"
    assert RunSettings.read(here) is None
    assert not asks_to_mask(None, here)
    for damage in (b"", b"{}", b'{"mask": true'):
        here.write_bytes(damage)
        assert RunSettings.read(here) is None
        assert asks_to_mask(None, here)
