"""Writes small XLSX workbooks by hand, with what no library would write: errors, hidden rows, uncalculated formulas."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape
from zipfile import ZipFile

ERROR = '<c r="@" t="e"><v>#N/A</v></c>'
TRUE = '<c r="@" t="b"><v>1</v></c>'
DATE = '<c r="@" s="1"><v>46000</v></c>'
MOMENT = '<c r="@" s="2"><v>46000.5</v></c>'
TIME = '<c r="@" s="3"><v>0.75</v></c>'
DURATION = '<c r="@" s="4"><v>1.5</v></c>'
SCIENTIFIC = '<c r="@" s="5"><v>6591234567</v></c>'
CODE = '<c r="@" s="6"><v>42</v></c>'
ZIP = '<c r="@" s="7"><v>2110</v></c>'
PERCENT = '<c r="@" s="8"><v>0.15</v></c>'
MORNING = '<c r="@" s="9"><v>0.3958333333333333</v></c>'
AMOUNT = '<c r="@" s="10"><v>1234.5</v></c>'
ROUNDED = '<c s="11" r="@"><v>21.5892</v></c>'
TITLED = '<c r="@" s="12" t="inlineStr"><is><t>Tan</t></is></c>'
FORMULA = '<c r="@"><f>1+1</f><v>2</v></c>'
UNCALCULATED = '<c r="@"><f>1+1</f></c>'

_HIDDEN = ' hidden="1"'
_HIDDEN_SHEET = ' state="hidden"'
Cell = str | float | None
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><numFmts count="5"><numFmt numFmtId="164" formatCode="[h]:mm"/>'
    '<numFmt numFmtId="165" formatCode="&quot;V-&quot;000000"/><numFmt numFmtId="166" formatCode="00000"/>'
    '<numFmt numFmtId="167" formatCode="[$RM-43E] #,##0.00"/><numFmt numFmtId="168" formatCode="&quot;Mr &quot;@"/>'
    "</numFmts><cellXfs>"
    + "".join(f'<xf numFmtId="{number}"/>' for number in (0, 14, 22, 20, 164, 11, 165, 166, 9, 18, 167, 2, 168))
    + "</cellXfs></styleSheet>"
)


def write_workbook(
    path: Path,
    sheets: Mapping[str, Sequence[Sequence[Cell]]],
    *,
    hidden_rows: Sequence[int] = (),
    hidden_sheets: Sequence[str] = (),
) -> Path:
    """Each sheet is its rows from row 1; a cell is a text, a number, one of the constants above, or None."""
    names = list(sheets)
    with ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{_PACKAGE}/content-types"/>')
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr("xl/styles.xml", _STYLES)
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
            + "".join(
                f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"'
                f"{_HIDDEN_SHEET if name in hidden_sheets else ''}/>"
                for number, name in enumerate(names, 1)
            )
            + "</sheets></workbook>",
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships">'
            + "".join(
                f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
                for number in range(1, len(names) + 1)
            )
            + f'<Relationship Id="rId0" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        )
        for number, name in enumerate(names, 1):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", _sheet(sheets[name], hidden_rows))
    return path


def _sheet(rows: Sequence[Sequence[Cell]], hidden: Sequence[int]) -> str:
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(_cell(cell, f"{chr(65 + place)}{number}") for place, cell in enumerate(row))
        lines.append(f'<row r="{number}"{_HIDDEN if number in hidden else ""}>{cells}</row>')
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def _cell(cell: Cell, address: str) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        if cell.startswith("<c "):
            return cell.replace("@", address)
        return f'<c r="{address}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
    return f'<c r="{address}"><v>{cell!r}</v></c>'
