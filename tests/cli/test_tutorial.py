"""docs/tutorial.md: its files make the campaign that it shows, and its commands print what it shows."""

import re
from pathlib import Path

import pytest

from tests.cli.workplace import Workplace

TUTORIAL = (Path(__file__).parents[2] / "docs/tutorial.md").read_text(encoding="utf-8")
FILES = {"csv": "recipients.csv", "jinja": "opening.txt.j2", "yaml": "opening.yaml"}
"""The tutorial's files, by the language of the block that shows each."""

SHOWN = re.findall(r"^```console\n\$ campaign (.+)\n((?:.*\n)+?)```$", TUTORIAL, re.MULTILINE)


@pytest.fixture
def there(offline: Workplace) -> Workplace:
    """A folder with the tutorial's files and nothing else."""
    for path in offline.folder.iterdir():
        path.unlink()
    for language, name in FILES.items():
        (block,) = re.findall(rf"^```{language}\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
        assert f"`{name}`" in TUTORIAL
        (offline.folder / name).write_text(block, encoding="utf-8")
    return offline


def test_the_commands_were_found() -> None:
    assert ["check", "plan", "preview", "run"] == [command.split()[0] for command, _ in SHOWN]


def test_the_commands_in_their_order(there: Workplace) -> None:
    """An output that begins with … shows the end of what is printed. Numbers are shown, as on a terminal."""
    for command, expected in SHOWN:
        done = there(*command.split(), "--unmask", COLUMNS="80")
        assert 0 == done.exit_code
        printed = "\n".join(line.rstrip() for line in (done.stdout + done.stderr).strip().splitlines())
        # Fingerprints depend on the ledger's ID, which is random.
        printed, shown = (re.sub(r"\b[0-9a-f]{12,64}\b", "hex", text) for text in (printed, expected.strip()))
        if shown.startswith("…\n"):
            assert printed.endswith(shown.removeprefix("…\n"))
        else:
            assert shown == printed
