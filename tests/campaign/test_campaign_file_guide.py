"""docs/reference/campaign-file.md says what the reader takes, and each of its examples works."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from docs.campaign_file import INTRODUCTION, as_yaml, example, guide_text, paths
from runner.campaign import read
from runner.campaign.normalize import SECTIONS
from runner.campaign.yaml_document import KeyPath, parse, shown_path

ROOT = Path(__file__).parents[2]
KEYS = list(paths())
SMALLEST = {
    "name": "welcome",
    "account": {"subAccountId": "acme_hq"},
    "recipients": {"file": "recipients/welcome.csv"},
    "message": {"template": "../templates/welcome.txt.j2"},
    "rate": "10/s",
}


def tree_of(text: str) -> dict[str, Any]:
    document = parse(text.encode(), "c.yaml")
    assert [] == document.problems
    assert document.tree is not None
    return document.tree


def merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """The base with what `more` says; a section with keys of its own keeps the base's others."""
    both = dict(base)
    for key, value in more.items():
        inner = both.get(key)
        both[key] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return both


def files_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from files_in(item)
    elif isinstance(value, str) and re.search(r"\.(csv|j2|parquet)$", value):
        yield value


def test_the_file_is_current() -> None:
    current = ROOT / "docs/reference/campaign-file.md"
    assert guide_text() == current.read_text(encoding="utf-8"), "run `make docs`"


def test_every_key_of_the_model_is_in_it() -> None:
    keys = {(*section, name) for section, model in SECTIONS.items() for name in named(model)}
    assert keys == set(KEYS)
    headings = re.findall(r"^##+ (\S+)$", guide_text(), re.MULTILINE)
    assert {shown_path(path) for path in KEYS} | {"Keys"} == set(headings)
    assert len(headings) == len(set(headings))


def named(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def test_every_link_leads_to_a_heading() -> None:
    text = guide_text()
    headings = re.findall(r"^##+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}  # as GitHub makes them
    links = set(re.findall(r"\]\(#([^)]*)\)", text))
    assert anchors - {"keys"} == links
    files = set(re.findall(r"\]\(([^#)]+)\)", text))
    assert [] == [name for name in files if not (ROOT / "docs/reference" / name).is_file()]


@pytest.mark.parametrize("path", KEYS, ids=shown_path)
def test_every_example_works(path: KeyPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = tree_of(example(path))
    assert shown_somewhere(shown, path)
    tree = merged(SMALLEST, shown)
    if "text" in tree["message"]:
        del tree["message"]["template"]
    folder = tmp_path / "campaigns"
    for name in files_in(tree):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    file = folder / "c.yaml"
    file.write_text(as_yaml(tree), encoding="utf-8")
    campaign, problems = read(file)
    assert [] == [str(problem) for problem in problems]
    assert campaign is not None


def shown_somewhere(tree: object, path: KeyPath) -> bool:
    for key in path:
        if isinstance(tree, list):
            tree = tree[0]
        if not isinstance(tree, dict) or key not in tree:
            return False
        tree = tree[key]
    return True


def test_the_smallest_campaign_of_the_introduction_works(folder: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", INTRODUCTION, re.DOTALL)
    file = folder / "campaigns" / "c.yaml"
    file.write_text(block)
    campaign, problems = read(file)
    assert [] == problems
    assert campaign is not None
    assert (SMALLEST["name"], SMALLEST["rate"]) == (campaign.campaign.name, str(campaign.campaign.rate))


TRAPS = re.findall(r"^\| `(\w+): (.*?)` \| (?!the same).* \| `\1: (.*?)` \|$", INTRODUCTION, re.MULTILINE)


@pytest.mark.parametrize(("key", "plain", "in_quotes"), TRAPS)
def test_every_trap_is_one_and_its_remedy_helps(key: str, plain: str, in_quotes: str) -> None:
    meant = in_quotes.strip('"')
    assert {key: meant} == tree_of(f"{key}: {in_quotes}\n")
    caught = parse(f"{key}: {plain}\n".encode(), "c.yaml")
    assert {key: meant} != caught.tree or caught.problems


def test_all_traps_were_found() -> None:
    assert 8 == len(TRAPS)


EXAMPLE = ROOT / "campaigns" / "spring-sale.yaml"


def by_section(text: str) -> dict[str, str]:
    """The lines of a campaign file under each section, with their comments; those without one under ""."""
    found: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        if re.match(r"\w|# \w+:", line):
            section = line.partition(":")[0] if re.match(r"\w+:( #.*)?$", line) else ""
        found[section] = f"{found.get(section, '')}{line}\n"
    return found


def test_the_example_campaign_shows_every_key() -> None:
    """Commented lines count: some keys exclude each other, and a date would go stale."""
    sections = by_section(EXAMPLE.read_text(encoding="utf-8"))
    keys = [path for path in KEYS if path not in SECTIONS or len(path) > 1]
    sections_of = {path: sections[str(path[0]) if len(path) > 1 else ""] for path in keys}
    missing = [path for path in keys if not re.search(rf"\b{path[-1]}:", sections_of[path])]
    assert [] == missing


def test_the_example_campaign_has_no_mistake() -> None:
    assert [] == [str(problem) for problem in read(EXAMPLE)[1]]


COMMENTED = [
    (section, line.strip(" #\n"))
    for section, lines in by_section(EXAMPLE.read_text(encoding="utf-8")).items()
    for line in re.findall(r"^ *# \w+: \S.*$", lines, re.MULTILINE)
    if "$schema" not in line
]


@pytest.mark.parametrize(("section", "line"), COMMENTED)
def test_what_is_commented_out_in_it_would_work(section: str, line: str, folder: Path) -> None:
    tree = merged(SMALLEST, tree_of(f"{section}:\n  {line}\n" if section else f"{line}\n"))
    if "text" in tree["message"]:
        del tree["message"]["template"]
    file = folder / "campaigns" / "c.yaml"
    file.write_text(as_yaml(tree), encoding="utf-8")
    assert [] == [str(problem) for problem in read(file)[1]]


def test_all_commented_lines_were_found() -> None:
    assert {
        "accountId",
        "sheet",
        "encoding",
        "zone",
        "denyCountries",
        "limit",
        "text",
        "scheduled",
        "dlrCallbackUrl",
        "notBefore",
        "notAfter",
    } == {line.partition(":")[0] for _, line in COMMENTED}
