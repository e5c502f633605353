"""docs/reference/results.md, the data dictionary, says what the results are."""

import re
from pathlib import Path

import polars as pl

from runner.base.conversions import ConversionOutcome
from runner.base.delivery import DeliveryState
from runner.base.exclusions import ExclusionReason
from runner.base.messages import Encoding
from runner.base.outcomes import OutcomeReason, Status
from runner.base.result_columns import RESULT_COLUMNS
from runner.provider.delivery import ADVICE, CODES, Verdict
from runner.report import compare
from tests.report.test_results import rows_of, written

DOCS = Path(__file__).parents[2] / "docs/reference"
GUIDE = (DOCS / "results.md").read_text(encoding="utf-8")
CLOSED = {"encoding": set(Encoding) - {Encoding.AUTO}, "outcome": set(ConversionOutcome)}


def table(header: str, text: str = GUIDE) -> list[list[str]]:
    """The cells of the table that begins with this header line."""
    lines = text[text.index(f"\n{header}\n") :].splitlines()[3:]
    rows = lines[: next((place for place, line in enumerate(lines) if not line.startswith("|")), len(lines))]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def dtype(kind: pl.DataType | type[pl.DataType]) -> str:
    match kind:
        case pl.Datetime():
            return f"Datetime({kind.time_unit}, {kind.time_zone})".replace("us", "µs")
        case pl.Decimal():
            return f"Decimal({kind.precision}, {kind.scale})"
        case _:
            return str(kind)


def test_each_column_is_described_as_it_is_declared() -> None:
    *rows, carried = table("| column | Parquet | contains | null |")
    assert [[f"`{column.name}`", column.kind, column.holds, column.null] for column in RESULT_COLUMNS] == rows
    assert ["…", "String"] == carried[:2]


def test_types_are_what_they_are_called() -> None:
    assert [column.kind for column in RESULT_COLUMNS] == [dtype(column.polars_type) for column in RESULT_COLUMNS]


def test_what_is_never_null(tmp_path: Path) -> None:
    written(tmp_path)
    never = [codes(name)[0] for name, _, _, null in table("| column | Parquet | contains | null |") if null == "never"]
    assert ["row", "status", "reason"] == never
    assert all(row[name] is not None for row in rows_of(tmp_path) for name in never)


def test_closed_codes_of_columns() -> None:
    holds = {codes(name)[0]: words for name, _, words, _ in table("| column | Parquet | contains | null |")[:-1]}
    for name, values in CLOSED.items():
        assert values == set(codes(holds[name])) - {"campaign feedback"}, name


def test_every_status_and_every_reason() -> None:
    rows = {codes(status)[0]: codes(reasons) for status, _, reasons in table("| status | means | reasons |")}
    assert list(Status) == list(rows)
    assert sorted(ExclusionReason) == sorted(rows.pop(Status.EXCLUDED))
    named = [reason for reasons in rows.values() for reason in reasons if reason not in ("limits", "notAfter")]
    assert sorted(OutcomeReason) == sorted(named)


def test_every_delivery_state() -> None:
    assert list(DeliveryState) == [codes(state)[0] for state, _ in table("| state | the message |")]


def test_every_error_code() -> None:
    assert [[verdict.value, ADVICE[verdict]] for verdict in Verdict] == table("| kind | what to do |")
    expected = [[str(code), meaning.words, meaning.verdict.value] for code, meaning in CODES.items()]
    assert expected == table("| code | means | kind |")


def test_links_lead_somewhere() -> None:
    for file, anchor in re.findall(r"\]\(([\w-]*(?:\.md)?)#([\w-]+)\)", GUIDE):
        text = (DOCS / file).read_text(encoding="utf-8") if file else GUIDE
        headings = [re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
                    for line in text.splitlines() if line.startswith("#")]  # fmt: skip
        assert anchor in headings, f"{file}#{anchor}"


def test_the_comparison_s_columns_and_types_in_their_order() -> None:
    section = GUIDE[GUIDE.index("## compare.parquet") :]
    told = {
        name: kind
        for names, kind, _, _ in table("| column | Parquet | contains | null |", section)
        for name in codes(names)
    }
    assert list({name: dtype(kind) for name, kind in compare.SCHEMA.items()}.items()) == list(told.items())
