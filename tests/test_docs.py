"""The pages for people: links work, the index is complete, and every option, variable and exit code is described."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from docs.campaign_file import paths
from runner.base.errors import CampaignError
from runner.campaign.yaml_document import shown_path
from runner.cli.main import BUG, COMMANDS, app_for

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
COMMANDS_PAGE = TEXTS[DOCS / "reference/commands.md"]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def without_blocks(text: str) -> str:
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(TEXTS[page]), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(TEXTS[page])):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), target


def test_the_index_has_every_page() -> None:
    index = TEXTS[DOCS / "README.md"]
    expected = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if "decisions" not in page.parts}
    linked = {target.partition("#")[0] for target in re.findall(r"\]\(([^)]+\.md)", index)}
    assert expected - {"README.md"} == linked - {"decisions/README.md", "../SECURITY.md"}


def test_the_index_has_every_decision() -> None:
    folder = DOCS / "decisions"
    rows = re.findall(r"^\| \[(\d+)\]\((\S+)\) \|.*\| (\d{4}-\d\d-\d\d) \|$", TEXTS[folder / "README.md"], re.MULTILINE)
    assert sorted(page.name for page in folder.glob("0*.md")) == [name for _, name, _ in rows]
    for number, name, day in rows:
        text = TEXTS[folder / name]
        assert text.startswith(f"# {number}. ")
        assert f"\nDate: {day}" in text
        assert ["Context", "Decision", "Consequences", "Alternatives"] == re.findall(r"^## (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if DOCS in page.parents], ids=named)
def test_paths_in_the_source_are_there(page: Path) -> None:
    paths = re.findall(r"`((?:runner|tests|benchmarks|campaigns)/[\w./-]*)`", TEXTS[page])
    assert [] == [path for path in paths if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "campaign-file.md"], ids=named)
def test_lines_are_short(page: Path) -> None:
    """As in the code. A row of a table is one line, and the reference of the campaign file is generated."""
    lines = without_blocks(TEXTS[page]).splitlines()
    assert [] == [line for line in lines if len(line) > 120 and not line.startswith("|")]


KEYS = {shown_path(path) for path in paths()}
KEY = re.compile(r"`((?:account|recipients|message|window|limits|stopWhen|receipts|report)\.[A-Za-z][A-Za-z.]*)")


@pytest.mark.parametrize("page", [page for page in PAGES if DOCS in page.parents], ids=named)
def test_keys_of_the_campaign_file_are_there(page: Path) -> None:
    assert set() == {key for key in KEY.findall(TEXTS[page]) if not key.endswith((".csv", ".html", ".py"))} - KEYS


def helps(name: str) -> Iterator[str]:
    """What --help says of a command, or of the commands in it."""
    shown = CliRunner().invoke(app_for([name]), [name, "--help"]).output
    inner = re.findall(r"^  (\w+) ", shown.partition("Commands:")[2], re.MULTILINE)
    yield from (CliRunner().invoke(app_for([name]), [name, each, "--help"]).output for each in inner or ())
    if not inner:
        yield shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_reference(name: str) -> None:
    section = COMMANDS_PAGE.partition(f"### campaign {name}")[2].partition("\n### ")[0]
    if name == "sandbox":  # its own page has the others
        section += TEXTS[DOCS / "reference/sandbox.md"]
    options = {option for text in helps(name) for option in re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE)}
    assert set() == {option for option in options - {"--help"} if f"`{option}" not in section}


def test_every_environment_variable_is_in_the_reference() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "runner").rglob("*.py"))
    used = set(re.findall(r"\"((?:EIGHTXEIGHT|CAMPAIGN)_[A-Z_]+)\"", source))
    assert {"EIGHTXEIGHT_API_KEY", "CAMPAIGN_LEDGER"} <= used
    assert set() == {name for name in used if f"| `{name}` |" not in COMMANDS_PAGE}


def test_exit_codes() -> None:
    codes = {"0", "1", str(BUG), *(str(kind.exit_code) for kind in subclasses(CampaignError))}
    for page in (ROOT / "README.md", DOCS / "reference/commands.md"):
        table = TEXTS[page].partition("| exit code | means |")[2].partition("\n\n")[0]
        assert codes == set(re.findall(r"^\| (\d+) \|", table, re.MULTILINE)), page
    sections = re.findall(r"^## Exit code (\d+):", TEXTS[DOCS / "troubleshooting.md"], re.MULTILINE)
    assert sorted(codes - {"0"}, key=int) == sections


def subclasses(kind: type[CampaignError]) -> Iterator[type[CampaignError]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def test_the_glossary_is_in_alphabetical_order() -> None:
    words = re.findall(r"^\| ([^|]+?) \|", TEXTS[DOCS / "glossary.md"], re.MULTILINE)[1:]
    assert len(words) > 30
    assert sorted(words, key=str.lower) == words
