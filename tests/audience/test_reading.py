"""Whole recipient files: rows that can't be read, rows that are filtered, and what is said of the file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.base.errors import InputError
from runner.base.exclusions import Duplicates, Exclusion, ExclusionReason
from tests.audience.rows import Row, written
from tests.audience.rows import judged as judged_source

CONTENT = "id;phone;city\na;+6590000001;Penang\nb;+6590000002;Penang;x\nc;+6590000003;Ipoh\nd;12;Ipoh\n"


def judged(folder: Path, content: str, **spec: Any) -> list[Row]:  # noqa: ANN401 - the fields of AudienceSpec
    return judged_source(replace(written(folder, content), where=spec.pop("where", None)), **spec)


def test_a_row_that_cannot_be_read_is_left_out_by_itself(tmp_path: Path) -> None:
    row = judged(tmp_path, CONTENT, key="id")[1]
    place = "4 cells, but the header has 3 columns (line 3 of the file)"
    words = f"{place}; put cells that contain the delimiter in double quotes"
    exclusion = Exclusion(ExclusionReason.UNREADABLE_ROW, words)
    assert Row(2, exclusion=exclusion) == row


def test_the_condition_comes_before_the_number(tmp_path: Path) -> None:
    rows = judged(tmp_path, CONTENT, key="id", where="city =\n  'Penang'")
    assert [None, ExclusionReason.UNREADABLE_ROW, ExclusionReason.FILTERED, ExclusionReason.FILTERED] == [
        row.reason for row in rows
    ]
    words = "recipients.where is not true for this row: city = 'Penang'"
    assert Row(3, key="c", exclusion=Exclusion(ExclusionReason.FILTERED, words)) == rows[2]


def test_a_filtered_row_makes_nobody_a_duplicate(tmp_path: Path) -> None:
    content = "id,phone,city\na,+6590000001,Ipoh\na,+6590000001,Penang\n"
    for duplicates in (Duplicates.FIRST, Duplicates.REJECT):
        rows = judged(tmp_path, content, duplicates=duplicates, where="city = 'Penang'")
        assert [ExclusionReason.FILTERED, None] == [row.reason for row in rows]


@pytest.mark.parametrize("duplicates", [Duplicates.FIRST, Duplicates.REJECT])
def test_remarks_come_once(tmp_path: Path, duplicates: Duplicates) -> None:
    remarks: list[str] = []
    judged(tmp_path, CONTENT, remarks=remarks, duplicates=duplicates)
    assert ["people.csv: cells are separated by semicolons"] == remarks


def test_a_header_alone_is_no_audience(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"people\.csv has a header but no rows; check how the file was created"):
        judged(tmp_path, "id,phone\n\n")
