"""Each command by itself: what it prints, for people and for programs, and what it does not load."""

import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from runner.cli.main import COMMANDS as ALL
from runner.cli.main import app_for
from tests.cli.terminal import Terminal
from tests.cli.workplace import MINIMAL, Workplace, people, person

ROOT = Path(__file__).parents[2]
COMMANDS = ["check", "plan", "preview", "test", "run", "status", "report", "prices", "sandbox", "schema"]


def in_one_process(*commands: tuple[str, ...], cwd: Path) -> list[tuple[int, str, list[str]]]:
    """Some commands in one new process, because starting many takes long.

    For each: its exit code, its standard output, and which heavy libraries it or one before has loaded.
    """
    code = (
        "import sys, io, contextlib, json\n"
        "from runner.cli.main import run_command\n"
        "heavy = ['polars', 'aiohttp', 'phonenumbers', 'sqlalchemy', 'rich.console', 'asyncio']\n"
        "done = []\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as said: code = run_command(arguments)\n"
        "    done.append([code, said.getvalue(), [name for name in heavy if name in sys.modules]])\n"
        "print(json.dumps(done))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, orjson.dumps(commands).decode()],
        cwd=cwd, capture_output=True, text=True, encoding="utf-8", check=True,
    )  # fmt: skip
    return [(code, said, loaded) for code, said, loaded in orjson.loads(done.stdout)]


def test_help_of_each_command_loads_nothing_heavy(tmp_path: Path) -> None:
    helps = in_one_process(("--help",), *((name, "--help") for name in COMMANDS), cwd=tmp_path)
    assert [] == helps[-1][2]
    assert {0} == {code for code, *_ in helps}
    for name, (_, said, _) in zip(COMMANDS, helps[1:], strict=True):
        assert f"Usage: campaign {name} " in said
        assert f"  {name} " in helps[0][1]
    for option in ("--run", "--sandbox", "--yes", "--limit", "--ledger", "--reports", "--json", "--unmask"):
        assert option in helps[COMMANDS.index("run") + 1][1]


def test_only_the_command_that_is_named_is_prepared() -> None:
    def prepared(*arguments: str) -> list[str | None]:
        app = app_for(arguments)
        return [one.name for one in app.registered_commands] + [one.name for one in app.registered_groups]

    assert ["check"] == prepared("check", "--help")
    assert ["optouts"] == prepared("optouts", "add")
    assert list(ALL) == prepared() == prepared("--version") == prepared("chekc", "check")


def test_check_loads_nothing_heavy_and_a_run_no_aiohttp(offline: Workplace) -> None:
    (code, said, loaded), (refused, _, loaded_later) = in_one_process(
        ("check", "hello.yaml", "--json"), ("run", "hello.yaml", "--yes"), cwd=offline.folder
    )
    assert (0, {"files": [{"file": "hello.yaml", "ok": True, "problems": []}]}) == (code, orjson.loads(said))
    assert [] == loaded
    assert 2 == refused  # it has no key
    assert "sqlalchemy" in loaded_later
    assert "aiohttp" not in loaded_later


def test_check_tells_of_every_file(offline: Workplace) -> None:
    (offline.folder / "wrong.yaml").write_text(MINIMAL.replace("200/s", "0/s"))
    done = offline.here("check", "hello.yaml", "wrong.yaml", "nowhere.yaml", "--json")
    assert 2 == done.exit_code
    assert [("hello.yaml", True), ("wrong.yaml", False), ("nowhere.yaml", False)] == [
        (file["file"], file["ok"]) for file in done.document["files"]
    ]


def test_the_schema_is_the_one_beside_the_examples(offline: Workplace) -> None:
    done = offline.here("schema")
    assert (0, (ROOT / "campaigns/campaign.schema.json").read_text()) == (done.exit_code, done.stdout)


def test_version(offline: Workplace) -> None:
    assert "campaign-runner 0.1.0\n" == offline.here("--version").stdout


def test_plan(offline: Workplace) -> None:
    offline.write(people(400) + "k401,12,Ben\n")
    done = offline.here("plan", "hello.yaml", "--json", "--limit", "300")
    assert 0 == done.exit_code
    figures = dict(done.document)
    assert 64 == len(figures.pop("fingerprint"))
    assert {
        "campaign": "hello",
        "run": "main",
        "rows": 401,
        "to_send": 300,
        "segments": 300,
        "repaired": 0,
        "excluded": {"over_limit": 100, "invalid_number": 1},
        "by_encoding": {"GSM7": 300},
        "by_segments": {"1": 300},
        "by_country": {"SG": 300},
        "rate": "200/s",
        "seconds": 1.495,
        "plan": "reports/hello/main/plan.parquet",
        "changes": [],
        "problems": [],
        "warnings": [],
    }.items() <= figures.items()
    assert {"row": 401, "detail": 'mobile: "12" is too short for a phone number in SG'} == figures["examples"][
        "invalid_number"
    ][0]
    assert 300 == figures["cost"]["by_country"]["SG"]["messages"]
    for words in ("hello/main", "401", "row 402: ", done.document["fingerprint"][:12], "200/s"):
        assert words in done.stderr
    assert max(map(len, done.stderr.splitlines())) <= 80


def test_the_plan_s_document_is_described_whole(offline: Workplace) -> None:
    page = (ROOT / "docs/reference/files.md").read_text(encoding="utf-8")
    table = page.partition("## What `campaign plan` shows")[2].partition("\n## ")[0]
    described = {
        key for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for key in re.findall("`(.+?)`", cell)
    }
    assert offline.here("plan", "hello.yaml", "--json").document.keys() == described


def test_preview_shows_the_whole_text_and_what_forces_ucs2(offline: Workplace) -> None:
    long = "a name that is longer than one line of a phone"
    offline.write(person(1) + person(2, f"Zoë {long} ✓✓") + "k3,12,Ben\n")
    done = offline("preview", "hello.yaml", "--row", "3", "--row", "4", "--unmask", NO_COLOR="1")
    assert (0, "") == (done.exit_code, done.stderr)
    bubble = [line.strip("│ ") for line in done.stdout.splitlines() if line.startswith("│")]
    assert f"Hi Zoë {long} ✓✓" == " ".join(bubble)
    for words in ("+6581230002", "UCS2 · 1 segment", "⟦ë⟧", "U+00EB latin small letter e with diaeresis",
                  "⟦✓⟧", "U+2713 check mark (2 times)", "row 4", "not sent: invalid_number"):  # fmt: skip
        assert words in done.stdout
    assert "\x1b" not in done.stdout

    done = offline.here("preview", "hello.yaml", "--row", "3", "--row", "4", "--json", "--unmask")
    first, last = done.document["messages"]
    assert {
        "row": 2, "sheet_row": 3, "why": [],
        "key": "k2", "destination": "+6581230002", "text": f"Hi Zoë {long} ✓✓", "encoding": "UCS2",
        "segments": 1, "characters_left": 14, "next_segments": 2, "currency": None, "at_most": None,
        "next_at_most": None, "saved": 0, "note": None,
        "remarks": [
            {"kind": "forces_ucs2", "subject": "ë (U+00EB)", "source": "the column name", "times": 1},
            {"kind": "forces_ucs2", "subject": "✓ (U+2713)", "source": "the column name", "times": 2},
        ],
        "forcing": [{"index": 5, "character": "ë"}, {"index": 54, "character": "✓"}, {"index": 55, "character": "✓"}],
    } == first  # fmt: skip
    assert (3, "k3", "invalid_number") == (last["row"], last["key"], last["reason"])


@pytest.mark.parametrize(
    ("arguments", "rows"), [(("-n", "1"), [1]), (("--to", "30004"), [4]), (("--row", "5"), [4]), (("--row", "1"), [1])]
)
def test_preview_chooses(offline: Workplace, arguments: tuple[str, ...], rows: list[int]) -> None:
    done = offline.here("preview", "hello.yaml", "--json", *arguments)
    assert (0, rows) == (done.exit_code, [message["row"] for message in done.document["messages"]])


def test_preview_tells_of_rows_that_are_not_there(offline: Workplace) -> None:
    done = offline.here("preview", "hello.yaml", "--row", "5", "--row", "9", "--json")
    assert (0, "warning: --row: people.csv has no data in row 9") == (done.exit_code, done.stderr.splitlines()[0])


def test_preview_leaves_out_whom_a_run_leaves_out(offline: Workplace) -> None:
    (offline.folder / "all.txt").write_text("+6581230001\n")
    shown = offline.here("preview", "hello.yaml", "-n", "3", "--json", CAMPAIGN_SUPPRESS="all.txt").document["messages"]
    assert [2, 3, 4] == [message["row"] for message in shown]
    (one,) = offline.here("preview", "hello.yaml", "--row", "2", "--json", CAMPAIGN_SUPPRESS="all.txt").document[
        "messages"
    ]
    assert "suppressed" == one["reason"]


def test_preview_shows_those_of_the_sample(offline: Workplace) -> None:
    offline.write(people(200), MINIMAL.replace("country: SG", "country: SG, sample: 10%"))
    shown = offline.here("preview", "hello.yaml", "-n", "99", "--json").document["messages"]
    assert offline.here("plan", "hello.yaml", "--json").document["to_send"] == len(shown)
    outside = next(row for row in range(1, 200) if row not in {message["row"] for message in shown})
    (one,) = offline.here("preview", "hello.yaml", "--row", str(outside + 1), "--json").document["messages"]
    assert f"Hi N{outside}" == one["text"], "who asks for a row wants to see it"


def test_preview_at_a_terminal_has_styles_and_the_whole_text(offline: Workplace) -> None:
    offline.write(person(1, "Zoë who has a rather long name that is longer than a line"))
    with Terminal(offline, "preview", "hello.yaml") as terminal:
        assert 0 == terminal.wait()
    assert "longer than a line" in " ".join(terminal.seen.replace("│", " ").split())


def test_a_terminal_of_another_encoding_ends_nothing(offline: Workplace) -> None:
    encoding = "ascii"
    offline.write(person(1, "O’Neil") + person(2, "李小龙"))
    sent, preview, as_json, markdown = offline.apart(
        ("run", "hello.yaml", "--sandbox"),
        ("preview", "hello.yaml"),
        ("preview", "hello.yaml", "--json"),
        ("plan", "hello.yaml", "--format", "markdown"),
        PYTHONIOENCODING=encoding,
    )
    assert (0, "") == (sent.exit_code, sent.stderr)
    assert 0 == preview.exit_code
    assert "O\\u2019Neil" in preview.stdout
    # What programs and files get is UTF-8 all the same.
    (first, _) = as_json.document["messages"]
    assert "Hi O’Neil" == first["text"]
    assert "\nHi 李小龙\n" in markdown.stdout


def test_a_file_whose_name_is_not_utf8_is_no_bug(offline: Workplace) -> None:
    (offline.folder / "caf\udce9.yaml").write_text(MINIMAL)
    missing, *plans = offline.apart(
        ("check", "th\udce9.yaml", "--json"),
        *(("plan", "caf\udce9.yaml", "--format", form) for form in ("text", "markdown", "json")),
    )
    assert "th?.yaml" == missing.document["files"][0]["file"]
    assert (2, False) == (missing.exit_code, missing.document["files"][0]["ok"])
    assert [0, 0, 0] == [plan.exit_code for plan in plans]


def test_reports_name_rows_as_a_spreadsheet_does(campaign: Workplace) -> None:
    """Also later, without the recipient file; the results keep the data row."""
    campaign.write(f"\n{people(3)}\nk9,12,Ben\n")
    done = campaign("run", "hello.yaml", "--yes")
    assert 0 == done.exit_code
    (campaign.folder / "people.csv").unlink()
    again = campaign("report", "hello/main")
    for printed in (done.stdout, again.stdout):
        assert "row 7 (key k9)" in printed
    assert "row 7, key k9" in campaign.path("report.html").read_text()
    assert 4 == campaign.results()[-1]["row"]
