"""The messages that `campaign preview` shows."""

from pathlib import Path

from runner.files.sheet_rows import SheetRows
from runner.plan.inputs import load_inputs
from runner.plan.notable import notable_messages
from tests.plan.folder import write_folder

LONG = "x" * 200
ROWS = (
    "1,12,Nobody,x\n"
    "2,+6581230002,Ann,\n"
    "3,+6581230003,Ben,Bedok\n"
    f"4,+6581230004,{LONG},Bedok\n"
    "5,+6581230005,ą,Bedok\n"
    f"6,+6581230006,{LONG},http://a.example\n"
)
TEMPLATE = "Hi {{ name }}{% if city %} from {{ city }}{% elif name == 'Zed' %}!{% endif %}"


def shown(folder: Path, rows: str, template: str = TEMPLATE) -> tuple[dict[int, list[str]], list[str]]:
    """The row of the sheet → why it is shown; and the branches that no message takes."""
    sheet_rows = SheetRows()
    found, unused = notable_messages(load_inputs(write_folder(folder, rows, template=template)), sheet_rows)
    return {sheet_rows.of(batch.first + index): why for (batch, index), why in found}, unused


def test_each_is_shown_once_with_all_its_reasons(tmp_path: Path) -> None:
    messages, unused = shown(tmp_path, ROWS)
    assert {
        3: ["the first message", "line 1: none of its conditions is true"],
        4: ["line 1: {% if city %} is true"],
        5: ["the most segments, 2"],
        6: ["a character forces UCS-2"],
        7: ["the longest message, 225 characters", "a warning: an unencrypted link"],
    } == messages
    assert ["line 1: {% elif name == 'Zed' %} is true"] == unused


def test_one_row_may_be_all(tmp_path: Path) -> None:
    messages, unused = shown(tmp_path, "1,+6581230001,Ann,\n", "Hi {{ name }}")
    assert {2: ["the first message", "the longest message, 6 characters", "the most segments, 1"]} == messages
    assert [] == unused


def test_without_a_message_nothing_is_shown(tmp_path: Path) -> None:
    assert ({}, []) == shown(tmp_path, "1,12,Nobody,x\n", "Hi {{ name }}")
