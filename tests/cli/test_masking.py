"""What is printed has no whole phone number, unless it goes to a terminal or --unmask asks for it."""

import re
import unicodedata
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.text import quoted
from runner.cli import masking as masking_module
from runner.cli.masking import masked_output
from tests.audience.dirty import NOTED, NOTED_AS_INVISIBLE, READ, REFUSED
from tests.cli.provider import Provider, error
from tests.cli.terminal import Terminal
from tests.cli.workplace import HEADER, MINIMAL, Workplace, people, person

# What prints without the console: the version, helps, the sandbox's address. None of it is about a recipient.
ELSEWHERE = {"ledger.py": 1, "main.py": 2, "optouts.py": 1, "sandbox.py": 1}

CONTEXTS = (
    "{}", "to {}", "row 3 (key {}): no answer", "Hi Ann, call {} now.", "destination={} is not valid", "tel:{}",
    "https://wa.me/{}", "({})", "12 of 34 to {}", "accepted 1,234, {} rejected", "plan {}", "run/{}",
    "our line {}", "2026-11-26T21:25:44Z {}", "call me/{}", "a.b.{}", "\n{}\n",
)  # fmt: skip
AS_WRITTEN = sorted({str(case[0]) for case in (*READ, *NOTED, *NOTED_AS_INVISIBLE, *REFUSED)})


def digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(character)) for character in text if character.isdecimal())


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), st.sampled_from(CONTEXTS))
def test_every_number_is_masked(number: str, context: str) -> None:
    for written in (number, number[1:]):
        shown = masked_output(context.format(written))
        assert number[1:] not in shown
        assert len(shown) == len(context.format(written))
        assert shown == masked_output(shown)


@pytest.mark.parametrize("cell", [cell for cell in AS_WRITTEN if len(digits(cell)) >= 7 and "E+" not in cell])
def test_every_number_as_a_file_may_have_it(cell: str) -> None:
    """In a problem, which quotes it; and as a key, which may be shown as it is."""
    assert digits(cell) not in digits(masked_output(f"row 2: mobile: {quoted(cell)} is no number"))
    assert digits(cell) not in digits(masked_output(cell))


@given(
    st.lists(
        st.tuples(
            st.sampled_from("0123456789٣８"), st.sampled_from(["", " ", "-", ") ", " / ", "\u00a0", ".", ",", ", "])
        ),
        min_size=7,
        max_size=20,
    )
)
def test_however_a_quoted_one_is_written_six_digits_are_left(written: list[tuple[str, str]]) -> None:
    cell = "".join(digit + between for digit, between in written)
    left = masked_output(f'mobile: "+{cell}" is no number')
    assert len(digits(left)) <= 6 or re.search(r"(?:19|20)\d\d-[01]\d-[0-3]\d", cell)


HARMLESS = {
    "counts": st.integers(0, 10**10).map(lambda count: f"{count:,} of {count + 7:,} messages, {count:,}; {count:,}"),
    "sums": st.floats(0, 10**8).map(lambda amount: f"at most {amount:,.2f} EUR, 3 segments × {amount / 10**9:.7f} USD"),
    "rates": st.floats(1, 10**6).map(lambda rate: f"{rate:,.1f}/s · 12 in flight"),
    "rows": st.lists(st.integers(1, 10**7), min_size=1, max_size=5).map(
        lambda rows: f"row {', '.join(map(str, rows))}: x"
    ),
    "times": st.integers(-2_000_000_000, 4_000_000_000)
    .map(lambda at: datetime.fromtimestamp(at + 0.123456, UTC))
    .map(lambda at: f"from {at:%Y-%m-%d %H:%M} UTC until {at.isoformat()}"),
    "days": st.dates(date(1900, 1, 1), date(2099, 12, 31)).map(lambda day: f"{day}/{day} hello/{day}"),
    "umids": st.uuids().map(lambda umid: f"umid {umid} (errorId {umid})"),
    "message ids": st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=24, max_size=24).map(
        lambda token: f"hello.2026-11-26.{token}a {token[1:]}b"
    ),
    "fingerprints": st.text("0123456789abcdef", min_size=64, max_size=64).map(
        lambda digest: f"\nhello/main  plan {digest[:12]}\nfingerprint {digest}; run it with --approve {digest[:12]}"
    ),
    "servers": st.ip_addresses(v=4).map(lambda address: f"http://{address}:8088/api, {address}:3128"),
}


@pytest.mark.parametrize("kind", HARMLESS)
@given(st.data())
def test_what_is_no_number_stays(kind: str, data: st.DataObject) -> None:
    text: str = data.draw(HARMLESS[kind])
    assert text == masked_output(text)


@pytest.mark.parametrize(
    "text",
    [
        "people/20261201.csv:3:1234: rate: must be a number",
        "events.jsonl:12345678: not an event",
        "the suppression list out.csv, line 1234567",
        "  campaign run hello.yaml --run 20261201 --limit 1000000 --approve 694094260712",
        "hello/20261201: 3 accepted",
        "continues f28/2026-12-01, not `f28/2026-12`; f2888/2026-W49 is unfinished; sale-7_2026-12-01",
        "31.12.2026 at 09:30:15, 12/31/2026",
        'is empty; write "rows: 1000..5000", or remove the key',
        "segments  201  GSM7 201 · 201 with 1 segment",
        "segments  1,234,567  GSM7 1,200,000 · UCS2 34,567 · 1,234,567 with 1 segment",
        "provider error codes: 1002 300, 1003 1,234, 1008 4",
        "quote error ID 20261201-00012345 to the provider's support",
    ],
)
def test_what_else_stays(text: str) -> None:
    assert text == masked_output(text)


def test_paths_stay(tmp_path: Path) -> None:
    folder = tmp_path / "customers 65912345" / "6591234567"
    folder.mkdir(parents=True)
    (folder / "list").touch()
    for text in (f"results: {folder}", f'"{folder}/list": 3 rows', f"{folder}/list:3: +1", f"see {folder}/list."):
        assert text == masked_output(text)
    assert "/659•••••67/none" in masked_output(f"{tmp_path}/6591234567/none")
    assert masked_output(f"{folder} 91234567").endswith("6591234567 912•••67")


@pytest.fixture
def there(campaign: Workplace) -> Workplace:
    """Recipients, keys and texts with numbers, one of them no number."""
    rows = '+6581230001,+6581230001,Ann at 8123 0009\nk2,"8123,0002",Ben\nk3,81230003,Cy\n'
    campaign.write(rows, MINIMAL.replace("Hi {{ name }}", "Hi {{ name }}, 1800 555 0100"))
    return campaign


NUMBERS = ("81230001", "81230002", "81230003", "81230009")


def test_commands_print_through_the_console_only() -> None:
    pattern = re.compile(r"(?<!\.)\bprint\(|typer\.echo\(|sys\.std\w+\.write\(|print_exc\(")
    sources = {path.name: path.read_text() for path in Path(masking_module.__file__).parent.glob("*.py")}
    found = {name: len(pattern.findall(source)) for name, source in sources.items() if name != "console.py"}
    assert ELSEWHERE == {name: count for name, count in found.items() if count}


def printed_numbers(text: str) -> list[str]:
    """The recipients' numbers in the text, however they are written."""
    together = re.sub(r"(?<=\d)[ ,.-](?=\d)", "", text)
    return [number for number in NUMBERS if number in together]


COMMANDS = [
    ("check", "hello.yaml"),
    ("preview", "hello.yaml"),
    ("preview", "hello.yaml", "--row", "3"),
    ("preview", "hello.yaml", "--to", "81230001"),
    ("preview", "hello.yaml", "--to", "81230009"),
    ("plan", "hello.yaml"),
    ("test", "hello.yaml", "--to", "+6581230002", "--yes"),
    ("run", "hello.yaml", "--yes"),
    ("run", "hello.yaml", "--yes"),
    ("status",),
    ("report", "hello"),
    ("reconcile", "hello", "--yes"),
    ("cancel", "hello", "--yes"),
    ("feedback", "hello", "out.csv"),
    ("optouts", "add", "+6581230001"),
    ("optouts", "add", "+65 8123,0002"),
    ("optouts", "list"),
    ("optouts", "remove", "+6581230003", "+6581230001"),
    ("receipts", "--load", "events.jsonl"),
    ("purge", "hello/main", "--yes"),
]


def test_no_command_prints_one(there: Workplace, provider: Provider) -> None:
    """Neither as text nor as JSON. The provider's answer quotes a number too."""
    provider.script = lambda request: error(400, 1002, f"Invalid destination: {request.body['destination']}")
    (there.folder / "out.csv").write_text("key,outcome\n+6581230001,success\n+65 8123 0002,success\n")
    (there.folder / "events.jsonl").write_text('{"number": "+6581230003"}\n+6581230001\n')
    for arguments in COMMANDS:
        for more in ((), ("--json",)) if arguments[0] in ("preview", "status", "optouts") else (("--json",),):
            done = there(*arguments, *more)
            assert done.exit_code in (0, 1, 2, 3), done.stderr
            assert [] == printed_numbers(done.stdout + done.stderr), arguments
            assert "Traceback" not in done.stderr


def test_unmask_shows_them_in_a_run_and_its_report(there: Workplace, provider: Provider) -> None:
    provider.script = lambda request: error(400, 1002, f"Invalid destination: {request.body['destination']}")
    for command in (("run", "hello.yaml", "--yes"), ("report", "hello"), ("optouts", "remove", "+6581230001")):
        assert printed_numbers((done := there(*command, "--unmask")).stdout + done.stderr), command


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_unmask_shows_them(there: Workplace, more: tuple[str, ...]) -> None:
    hidden = there("preview", "hello.yaml", "-n", "3", *more)
    assert "numbers are masked; --unmask shows them" in hidden.stdout + hidden.stderr
    assert "1800 555 0100" in hidden.stdout, "the template's own"

    done = there("preview", "hello.yaml", "-n", "3", "--unmask", *more)
    assert "masked" not in done.stdout + done.stderr
    assert ["81230001", "81230003", "81230009"] == printed_numbers(done.stdout)


def test_the_pull_request_shows_them_only_when_asked(there: Workplace) -> None:
    plan = ("plan", "hello.yaml", "--format", "markdown")
    assert [] == printed_numbers(there(*plan).stdout)
    assert ["81230001", "81230002", "81230003", "81230009"] == printed_numbers(
        there(*plan, "--unmask").stdout.replace("\\", "")
    )


def test_an_exported_list_is_whole(there: Workplace) -> None:
    there("optouts", "add", "+6581230001")
    assert ["81230001"] == printed_numbers(there("optouts", "export").stdout)


def preview_on_a_terminal(place: Workplace, *options: str) -> str:
    with Terminal(place, "preview", "hello.yaml", "-n", "3", *options) as terminal:
        assert 0 == terminal.wait()
        return terminal.seen


def test_a_terminal_shows_them(there: Workplace) -> None:
    seen = preview_on_a_terminal(there)
    assert ["81230001", "81230003", "81230009"] == printed_numbers(seen)
    assert "masked" not in seen


def test_not_if_the_campaign_asks_for_it(there: Workplace) -> None:
    path = there.folder / "hello.yaml"
    path.write_text(path.read_text() + "report: {mask: true}\n")
    seen = preview_on_a_terminal(there)
    assert [] == printed_numbers(seen)
    assert "numbers are masked; --unmask shows them" in seen
    assert ["81230001", "81230003", "81230009"] == printed_numbers(preview_on_a_terminal(there, "--unmask"))


def test_nor_in_what_a_run_of_it_prints_later(there: Workplace, provider: Provider) -> None:
    path = there.folder / "hello.yaml"
    path.write_text(path.read_text() + "report: {mask: true}\n")
    provider.script = lambda request: error(401, 1200, f"no access to {request.body['destination']}")
    there("run", "hello.yaml", "--yes")
    for command in (("status",), ("status", "hello/main"), ("report", "hello")):
        with Terminal(there, *command) as terminal:
            terminal.wait()
        assert "no access" in terminal.seen
        assert [] == printed_numbers(terminal.seen)
    with Terminal(there, "status", "--unmask") as terminal:
        terminal.wait()
    assert ["81230001"] == printed_numbers(terminal.seen)
    said = there("report", "hello", "--unmask").stdout
    assert "the results and report.html stay masked, because the campaign sets report.mask" in said
    page = there.path("report.html").read_text()
    assert [] == printed_numbers(page), "the files stay masked"


def test_errors_of_the_recipient_file_don_t_quote_it_whole(there: Workplace) -> None:
    (there.folder / "people.csv").write_text(HEADER + people(1) + person(2).replace("+65", '"+65') + person(3))
    done = there("plan", "hello.yaml")
    assert [] == printed_numbers(done.stdout + done.stderr)
