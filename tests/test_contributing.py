"""CONTRIBUTING.md names modules; each of them is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PLACES = [ROOT, ROOT / "runner"]


def test_every_path_is_there() -> None:
    paths = re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|md|yaml))`", TEXT)

    assert len(paths) > 20
    assert [] == [path for path in paths if "NAME" not in path and not any((at / path).is_file() for at in PLACES)]


def test_every_room_has_a_line_and_its_modules_are_in_it() -> None:
    lines = dict(re.findall(r"^\| \d \| `(\w+)/` \|(.*)$", TEXT, re.MULTILINE))
    rooms = {path.parent.name for path in (ROOT / "runner").glob("*/__init__.py")}

    assert rooms == set(lines)
    named = [(room, name) for room, line in lines.items() for name in re.findall(r"`(\w+\.py)`", line)]
    assert [] == [(room, name) for room, name in named if not (ROOT / "runner" / room / name).is_file()]
