"""What a report says of a run beyond its results: noted as it begins, and read again."""

import stat
from pathlib import Path

import pytest

from runner.errors import StoppedError
from runner.plan.inputs import Inputs, load_inputs
from runner.plan.summary import PlanSummary
from runner.run.facts import asks_to_mask, facts_of, keep_facts, kept_facts
from runner.run.places import Places
from tests.plan.folder import CAMPAIGN, planned, write_folder

PRICES = "country,price,currency\nSG,0.0400,SGD\n"


def made(folder: Path, more: str = "", people: str = "1,+6591234567,Ann,Bedok\n") -> tuple[Inputs, PlanSummary]:
    """A campaign and its plan; `more` are lines for its file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prices.csv").write_text(PRICES)
    file = write_folder(folder, people, campaign=CAMPAIGN + more, template="Hi {{ name }}, welcome to Acme")
    _, summary = planned(file)
    inputs = load_inputs(file)
    return inputs, summary


def places(folder: Path) -> Places:
    return Places(folder / "reports", str(folder / "ledger.sqlite3"))


def test_what_is_noted(tmp_path: Path) -> None:
    facts = facts_of(*made(tmp_path, "report: {formats: [xlsx]}\nreceipts: {url: 'https://acme.example/r'}\n"))
    assert ("welcome.yaml", "people.csv", "hello.j2") == (facts.file, facts.recipients, facts.template_name)
    assert ("10/s", 10.0) == (facts.rate, facts.per_second)
    assert "Hi {{ name }}, welcome to Acme" == facts.template
    assert ("Hi Ann, welcome to Acme", "Hi •••, welcome to Acme") == (facts.example, facts.example_masked)
    assert (True, False, ("xlsx",), None) == (facts.with_receipts, facts.mask, facts.formats, facts.currency)


def test_a_masked_campaign_notes_no_text_of_anybody(tmp_path: Path) -> None:
    facts = facts_of(*made(tmp_path, "report: {mask: true}\n"))
    assert (True, None, "Hi •••, welcome to Acme") == (facts.mask, facts.example, facts.example_masked)
    assert b"Ann" not in facts.as_bytes()


def test_a_plan_without_messages_has_no_example(tmp_path: Path) -> None:
    facts = facts_of(*made(tmp_path, people="1,12,Ann,Bedok\n"))
    assert (None, None, {}) == (facts.example, facts.example_masked, facts.prices)


def test_a_template_that_was_moved_since_does_not_keep_a_run_from_beginning(tmp_path: Path) -> None:
    inputs, summary = made(tmp_path)
    (tmp_path / "hello.j2").unlink()
    facts = facts_of(inputs, summary)
    assert ("", "Hi Ann, welcome to Acme") == (facts.template, facts.example)


def test_it_is_kept_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    inputs, summary = made(tmp_path)
    keep_facts(inputs, summary, places(tmp_path))
    assert facts_of(inputs, summary) == kept_facts(places(tmp_path))
    assert 0o600 == stat.S_IMODE(places(tmp_path).facts.stat().st_mode)
    keep_facts(inputs, summary, places(tmp_path))
    assert ["run.json"] == [path.name for path in places(tmp_path).folder.iterdir()]


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    inputs, summary = made(tmp_path)
    places(tmp_path).facts.mkdir(parents=True)
    with pytest.raises(StoppedError, match=r"run\.json could not be written"):
        keep_facts(inputs, summary, places(tmp_path))


@pytest.mark.parametrize("mask", [True, False])
def test_masking_is_asked_for_or_not(tmp_path: Path, *, mask: bool) -> None:
    inputs, summary = made(tmp_path, f"report: {{mask: {str(mask).lower()}}}\n")
    keep_facts(inputs, summary, places(tmp_path))
    assert mask == asks_to_mask(kept_facts(places(tmp_path)), places(tmp_path))


def test_without_a_note_nothing_was_asked_for_and_with_a_damaged_one_masking_may_have_been(tmp_path: Path) -> None:
    here = places(tmp_path)
    assert kept_facts(here) is None
    assert not asks_to_mask(None, here)
    here.folder.mkdir()
    for damage in (b"", b"{}", b'{"mask": true'):
        here.facts.write_bytes(damage)
        assert kept_facts(here) is None
        assert asks_to_mask(None, here)
