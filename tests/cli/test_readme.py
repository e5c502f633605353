"""What the README prints is what the commands print."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.cli.workplace import Workplace

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

BAD = """\
name: spring-sale
subAccountID: acme_hq
recipients: {file: campaigns/recipients/spring-sale.csv, phone: mobil, country: NO}
message: {template: templates/spring-sale.txt.j2}
rate: "200"
"""
"""The file whose mistakes it shows."""

_SHOWN = re.compile(r"^```console\n\$ campaign (.+)\n((?:.*\n)+?)```$", re.MULTILINE)
SHOWN = [(match[1], match[2]) for match in _SHOWN.finditer(README)]


@pytest.fixture
def there(offline: Workplace) -> Workplace:
    """A folder with the examples, as the README has them."""
    for name in ("campaigns", "templates"):
        shutil.copytree(ROOT / name, offline.folder / name)
    (offline.folder / "bad.yaml").write_text(BAD)
    return offline


@pytest.mark.parametrize(("command", "expected"), SHOWN, ids=[command.split()[0] for command, _ in SHOWN])
def test_a_command(there: Workplace, command: str, expected: str) -> None:
    done = there(*shlex.split(command), COLUMNS="80")
    assert expected.strip() == (done.stdout + done.stderr).strip()


def test_the_command_was_found() -> None:
    assert ["check"] == [command.split()[0] for command, _ in SHOWN]


def test_the_demo(there: Workplace) -> None:
    """With a higher rate: what it prints is the same. Numbers are shown, as on a terminal."""
    (expected,) = re.findall(r"^```console\n(welcome/sandbox\n(?:.*\n)+?)```$", README, re.MULTILINE)
    path = there.folder / "campaigns/welcome.yaml"
    path.write_text(path.read_text().replace("10/s", "1000/s"))
    done = there("run", "campaigns/welcome.yaml", "--sandbox", "--unmask", COLUMNS="80")
    assert 0 == done.exit_code
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert "\n".join(lines).endswith(expected.rstrip())
