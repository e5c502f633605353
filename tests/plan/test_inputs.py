"""What `campaign check` says: every problem of the campaign, its template and the recipients' header in one go."""
# ruff: noqa: E501 - the problems are shown whole, as a user reads them

from pathlib import Path

import polars as pl
import pytest

from runner.audience.audience import read_audience
from runner.base.errors import InputError
from runner.base.messages import Encoding
from runner.plan.inputs import check_first_rows, load_inputs
from tests.audience.rows import judging
from tests.plan.folder import CAMPAIGN, write_folder


def problems(file: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_inputs(file)
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: problems name files as the command line does."""
    monkeypatch.chdir(tmp_path)
    return Path()


def test_what_fits_together(folder: Path) -> None:
    inputs = load_inputs(write_folder(folder, campaign=CAMPAIGN + "report: {columns: [city]}\n"))
    audience = inputs.audience
    assert ("id", "mobile", "name", "city") == audience.header
    assert ("mobile", "SG", None, "id", "first") == (
        audience.phone,
        audience.country,
        audience.country_column,
        audience.key,
        audience.duplicates,
    )
    assert ("welcome", Encoding.AUTO) == (inputs.campaign.name, inputs.campaign.message.encoding)


def test_names_in_another_case(folder: Path) -> None:
    """Every key that names a column, and the template, mean the column as the file spells it."""
    campaign = (
        CAMPAIGN.replace("key: id", "key: ID, phone: MOBILE, where: City = 'Ipoh'") + "report: {columns: [City]}\n"
    )
    inputs = load_inputs(write_folder(folder, template="Hi {{ NAME }}", campaign=campaign))
    audience = inputs.audience
    assert ("id", "mobile", {"NAME": "name"}) == (
        audience.key,
        audience.phone,
        inputs.composer.columns(audience.header),
    )
    assert frozenset({"id", "mobile", "name", "city"}) == audience.source.used


COLUMNS = '"id", "mobile", "name", "city"'
CASES = {
    "everything at once": (
        """\
name: welcome
subAccountId: a
recipients:
  file: people.csv
  key: ids
  phone: mobil
  country: {column: land}
template: hello.j2
rate: 10
report:
  columns: [town]
""",
        "Hi {{ nme }},\n{{ Names }}",
        [
            "welcome.yaml:2:15: subAccountId: ",
            f'welcome.yaml:5:8: recipients.key: there is no column "ids" in people.csv; did you mean "id"? the columns are {COLUMNS}',
            f'welcome.yaml:6:10: recipients.phone: there is no column "mobil" in people.csv; did you mean "mobile"? the columns are {COLUMNS}',
            f'welcome.yaml:7:21: recipients.country.column: there is no column "land" in people.csv; the columns are {COLUMNS}',
            "welcome.yaml:9:7: rate: ",
            f'welcome.yaml:11:13: report.columns: there is no column "town" in people.csv; the columns are {COLUMNS}',
            'hello.j2:1:7: template: "nme" is not a column of people.csv; did you mean "name"? the columns are id, mobile, name, city',
            'hello.j2:2:4: template: "Names" is not a column of people.csv; did you mean "name"? the columns are id, mobile, name, city',
        ],
    ),
    "unknown fields beside unknown filters": (
        CAMPAIGN,
        "Hi {{ nme | tittle }}{% if 1 is evn %}{{ cty }}{% endif %}",
        [
            'hello.j2:1:7: message.template: "nme" is not a column of people.csv; did you mean "name"? the columns are id, mobile, name, city',
            'hello.j2:1:13: message.template: unknown filter "tittle"; did you mean "title"?',
            'hello.j2:1:33: message.template: unknown test "evn"; did you mean "even"?',
            'hello.j2:1:42: message.template: "cty" is not a column of people.csv; did you mean "city"? the columns are id, mobile, name, city',
        ],
    ),
    "a template that is none": (
        CAMPAIGN.replace("key: id", "key: idd"),
        "Hi {{ name }},\n{% if city %}",
        [
            f'welcome.yaml:3:37: recipients.key: there is no column "idd" in people.csv; did you mean "id"? the columns are {COLUMNS}',
            "hello.j2:2:1: message.template: {% if %} is not closed; write {% endif %} at the end of its block",
        ],
    ),
    "a text in the campaign file": (
        CAMPAIGN.replace("template: hello.j2", 'text: "Hi {{ nme }}"'),
        "",
        [
            'welcome.yaml:4:17: message.text: "nme" is not a column of people.csv; did you mean "name"? the columns are id, mobile, name, city'
        ],
    ),
    "a text of several lines in the campaign file": (
        CAMPAIGN.replace(
            "message: {template: hello.j2}", "message:\n  text: |\n    Hi {{ name }},\n    {{ city | nope }}"
        ),
        "",
        ['welcome.yaml:5:9: message.text: unknown filter "nope" (line 2 of the text); the filters a'],
    ),
    "a carried column with a name of the results": (
        CAMPAIGN + "report: {columns: [city, status]}\n",
        "Hi",
        [
            f'welcome.yaml:6:26: report.columns: there is no column "status" in people.csv; the columns are {COLUMNS}',
            'welcome.yaml:6:26: report.columns: the name "status" is reserved for a column of the results; remove it, or rename it in the recipient file',
        ],
    ),
    "the recipients are missing": (
        CAMPAIGN.replace("people.csv", "peple.csv"),
        "Hi {{ nme }} {% if %}",
        ["welcome.yaml:3:20: recipients.file: ", "hello.j2:1:"],
    ),
}


@pytest.mark.parametrize(("campaign", "template", "expected"), CASES.values(), ids=CASES)
def test_all_problems_in_one_go(folder: Path, campaign: str, template: str, expected: list[str]) -> None:
    file = write_folder(folder, template=template, campaign=campaign)
    assert expected == [
        line if line == start else line[: len(start)]
        for line, start in zip(problems(file), expected, strict=True)
    ]  # fmt: skip


def test_a_name_that_two_columns_have_is_no_name(folder: Path) -> None:
    file = write_folder(folder, template="Hi")
    (folder / "people.csv").write_text("id,mobile,id,\n")
    assert [
        'welcome.yaml:3:37: recipients.key: there are 2 columns named "id" (columns 1 and 3) in people.csv; rename all '
        'but one, or write "id (column 1)"',
    ] == problems(file)


def test_a_name_that_two_columns_have_is_no_field(folder: Path) -> None:
    file = write_folder(folder, template="Hi {{ name }}")
    (folder / "people.csv").write_text("id,mobile,name,name\n")
    assert [
        'hello.j2:1:7: message.template: there are 2 columns named "name" (columns 3 and 4) in people.csv; rename all '
        'but one, or write "name__column_3_"'
    ] == [line.replace(": template:", ": message.template:") for line in problems(file)]


def test_many_columns_are_not_all_listed(folder: Path) -> None:
    file = write_folder(folder, template="{{ nme }}")
    (folder / "people.csv").write_text(f"id,mobile,{','.join(f'c{number}' for number in range(5000))}\n")
    (problem,) = problems(file)
    assert problem.endswith(
        '"nme" is not a column of people.csv; the columns are id, mobile, '
        + ", ".join(f"c{number}" for number in range(18))
        + " and 4982 more"
    )


def test_nested_columns(folder: Path) -> None:
    file = write_folder(
        folder,
        template="{{ tags }} {{ home.city }}",
        campaign=CAMPAIGN.replace("people.csv, key: id", "people.parquet, key: tags"),
    )
    people = {"mobile": ["+6591234567"], "tags": [["a"]], "home": [{"city": "Bedok"}]}
    pl.DataFrame(people).write_parquet(folder / "people.parquet")
    what = 'the column "tags" has values of the unsupported type List(String) in people.parquet; use another column, or export it as text'
    assert [
        f"welcome.yaml:3:41: recipients.key: {what}",
        'hello.j2:1:4: message.template: tags is a list; write tags | join(", ")',
        'hello.j2:1:15: message.template: "home" is not a column of people.parquet; did you mean "home_city"? the columns are mobile, tags, home_city',
    ] == problems(file)


SOURCES = {
    "sheet: Members": "recipients.sheet: people.csv is not a spreadsheet and has no sheets; remove recipients.sheet, or use a spreadsheet",
    "where: \"town = 'a'\"": "recipients.where: there is no column \"town\"; put text in single quotes: 'town'",
}


@pytest.mark.parametrize(("key", "message"), SOURCES.items())
def test_how_the_file_is_read_has_a_place(folder: Path, key: str, message: str) -> None:
    file = write_folder(folder, campaign=CAMPAIGN.replace("country: SG", f"country: SG, {key}"))
    column = 55 + key.index(" ")
    assert [f"welcome.yaml:3:{column}: {message}"] == problems(file)


def test_a_file_that_cannot_be_read_has_a_place(folder: Path) -> None:
    file = write_folder(folder)
    (folder / "people.csv").write_text("")
    what = "people.csv is empty; write the column names on the first line"
    assert [f"welcome.yaml:3:20: recipients.file: {what}"] == problems(file)


def test_rows_in_another_encoding_are_refused_with_the_key_to_write(folder: Path) -> None:
    """`campaign check` says so, though it reads no more than the first rows."""
    file = write_folder(folder)
    people = (folder / "people.csv").read_text() + "k9,+6591234567,Málaga\n"
    (folder / "people.csv").write_text(people, encoding="cp1252")
    (problem,) = problems(file)
    where = f"people.csv:{people.count(chr(10))}:17"
    assert problem.startswith(f'{where}: this is not UTF-8; read in other encodings: "Málaga" as windows-1252, ')
    assert "; write encoding: windows-1252 under recipients" in problem
    file = write_folder(folder, campaign=CAMPAIGN.replace("country: SG", "country: SG, encoding: windows-1252"))
    (folder / "people.csv").write_text(people, encoding="cp1252")
    load_inputs(file)


def test_a_condition_that_fails_on_a_row_has_a_place(folder: Path) -> None:
    campaign = CAMPAIGN.replace("country: SG", "country: SG, where: CAST(city AS INT) > 1")
    audience = load_inputs(write_folder(folder, campaign=campaign)).audience
    with pytest.raises(
        InputError, match=r'^welcome\.yaml:3:61: recipients\.where: can.t convert "Bedok" in the column'
    ):
        list(read_audience(audience, judging(audience)))


def test_columns_of_suppression_lists(folder: Path) -> None:
    campaign = CAMPAIGN.replace(
        "{file: people.csv, key: id, country: SG}",
        "\n  file: people.csv\n  key: id\n  suppress: [{file: out.csv, key: membr}, {file: out.csv, phone: member}, "
        "{file: gone.csv, key: a}, {file: none.csv, key: a}]",
    )
    file = write_folder(folder, campaign=campaign)
    (folder / "out.csv").write_text("member\n")
    (folder / "none.csv").write_text("")
    assert [
        'welcome.yaml:6:35: recipients.suppress.key: there is no column "membr" in out.csv; did you mean "member"? the columns are "member"',
        'welcome.yaml:6:82: recipients.suppress.file: no such file: gone.csv; did you mean "none.csv"?',
        "none.csv is empty; write the column names on the first line",
    ] == problems(file)


def test_several_columns_of_numbers(folder: Path) -> None:
    campaign = CAMPAIGN.replace(
        "{file: people.csv, key: id, country: SG}",
        "\n  file: people.csv\n  phone: [mobile, hom]\n  suppress: [{file: out.csv, phone: [phone, wrk]}]",
    )
    file = write_folder(folder, campaign=campaign)
    (folder / "out.csv").write_text("phone,work\n")
    assert [
        f'welcome.yaml:5:19: recipients.phone: there is no column "hom" in people.csv; the columns are {COLUMNS}',
        'welcome.yaml:6:45: recipients.suppress.phone: there is no column "wrk" in out.csv; did you mean "work"? the columns are "phone", "work"',
    ] == problems(file)
    file.write_text(campaign.replace("hom]", "city]").replace("wrk", "work"))
    assert ("mobile", "city") == load_inputs(file).audience.phones


def test_a_header_that_changes_before_the_rows_are_read(folder: Path) -> None:
    audience = load_inputs(write_folder(folder)).audience
    (folder / "people.csv").write_text("id,phone,name\n1,+6591234567,Ann\n")
    with pytest.raises(
        InputError,
        match=r"people\.csv changed while it was read; wait until it is complete, then run the command again",
    ):
        list(read_audience(audience, judging(audience)))


def test_no_column_for_the_numbers(folder: Path) -> None:
    file = write_folder(folder)
    (folder / "people.csv").write_text("id,name\n")
    assert [
        "welcome.yaml:3:13: recipients.phone: no column is named phone, mobile, msisdn, destination or to in people.csv; "
        'name the column with the phone numbers in recipients.phone; the columns are "id", "name"'
    ] == [line.replace(":3:1:", ":3:13:") for line in problems(file)]


def test_a_template_that_is_not_utf_8(folder: Path) -> None:
    file = write_folder(folder)
    (folder / "hello.j2").write_bytes("Hi Zoë".encode("latin-1"))
    assert ["welcome.yaml:4:21: message.template: hello.j2 is not in UTF-8 (byte 6); save it as UTF-8"] == problems(
        file
    )


def test_names_that_a_template_cannot_write_have_aliases(folder: Path) -> None:
    file = write_folder(folder, template="Hi {{ First_Name }}")
    (folder / "people.csv").write_text("id,mobile,First Name\n")
    assert ("id", "mobile", "First Name") == load_inputs(file).audience.header


FIRST_ROWS = [
    ("{% if city %}VIP{% endif %}!", '"Bedok"', None),
    ("{% if city %}VIP{% endif %}!", "no", 'city is the text "no", which a condition takes as true (row 1)'),
    ("{% if city %}VIP{% endif %}!", "0", "; write city | int"),
    (
        "{{ city | bool }}",
        "maybe",
        'the template fails on every row: hello.j2:1: this line cannot be rendered: "maybe"',
    ),
    ("Hi {{ city }}", "no", None),
]


@pytest.mark.parametrize(("template", "cell", "words"), FIRST_ROWS, ids=[f"{row[0]} {row[1]}" for row in FIRST_ROWS])
def test_the_first_rows_show_what_the_header_does_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, template: str, cell: str, words: str | None
) -> None:
    monkeypatch.chdir(folder)
    inputs = load_inputs(write_folder(folder, f"1,+6591234567,Ann,{cell}\n", template=template))
    if words is None:
        check_first_rows(inputs)
    else:
        with pytest.raises(InputError) as error:
            check_first_rows(inputs)
        assert words in str(error.value)


def test_lists_are_for_templates_only(folder: Path) -> None:
    file = write_folder(
        folder,
        template='{{ tags | join(", ") }}',
        campaign=CAMPAIGN.replace("people.csv, key: id, country: SG", "people.parquet") + "report: {columns: [tags]}\n",
    )
    pl.DataFrame({"mobile": ["+6591234567"], "tags": [["a", "b"]]}).write_parquet(folder / "people.parquet")
    assert 1 == len(found := problems(file))
    assert 'the column "tags" has values of the unsupported type List(String)' in found[0]
    file.write_text(file.read_text().replace("report: {columns: [tags]}\n", ""))
    assert frozenset({"mobile", "tags"}) == load_inputs(file).audience.source.used
