"""A run that goes on takes the plan that it has, as long as everything that it was made of is the same."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.base.optouts import OptOut, OptOutSource
from runner.ledger.optouts import note_optouts
from runner.run.open import RecordedRun, Run, open_run
from runner.run.paths import RunOptions
from runner.run.plan import begin, make_plan

CAMPAIGN = """\
name: hello
subAccountId: acme_hq
recipients:
  file: people.csv
  key: id
  country: SG
  suppress: [out.csv]
message: {template: hello.j2}
rate: 10/s
"""


class Place:
    """A folder with a campaign. `plan` says whether a plan was made anew, and its fingerprint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("hello.yaml", CAMPAIGN)
        self.write("hello.j2", "Hi {{ name }}")
        self.write("people.csv", "id,mobile,name\n" + "".join(f"{n},8123000{n},N{n}\n" for n in range(1, 6)))
        self.write("out.csv", "phone\n+6591230000\n")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def change(self, name: str, before: str, after: str) -> None:
        """Change a file, and let its date say that it wasn't."""
        path = self.folder / name
        date = path.stat().st_mtime_ns
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))
        os.utime(path, ns=(date, date))

    def plan(self, limit: int | None = None, do: Callable[[Run], object] = lambda _: None) -> tuple[bool, str]:
        options = RunOptions(ledger=str(self.folder / "l.sqlite3"), reports=self.folder / "reports", limit=limit)
        plan = self.folder / "reports/hello/main/plan.parquet"
        before = plan.stat().st_ino if plan.exists() else None
        with open_run(self.folder / "hello.yaml", options) as run:
            fingerprint = make_plan(run).messages_digest
            do(run)
        return before != plan.stat().st_ino, fingerprint


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_same_is_not_made_twice(place: Place) -> None:
    first, again = place.plan(), place.plan()

    assert (True, False) == (first[0], again[0])
    assert first[1] == again[1]


def test_another_rate_is_the_same_plan(place: Place) -> None:
    place.plan()
    place.change("hello.yaml", "10/s", "20/s")

    assert not place.plan()[0]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("people.csv", "N3", "N4"),
        ("hello.j2", "Hi", "Ho"),
        ("out.csv", "+6591230000", "+6581230001"),
        ("hello.yaml", "country: SG", "country: MY"),
        ("hello.yaml", "rate:", "limits: {messages: 3}\nrate:"),
        ("hello.yaml", "{template: hello.j2}", '{text: "Ho {{ name }}"}'),
        ("hello.yaml", "  key: id\n", "  key: id\n  sample: 50%\n"),
        ("hello.yaml", "rate:", "receipts: {url: 'https://a.example/receipts'}\nrate:"),
        ("hello.yaml", "{template: hello.j2}", "{template: hello.j2, source: ACME}"),
    ],
)
def test_whatever_changes_is_planned_anew(place: Place, name: str, before: str, after: str) -> None:
    place.plan()
    place.change(name, before, after)

    assert place.plan()[0]


def test_another_limit_is_planned_anew(place: Place) -> None:
    place.plan()

    assert place.plan(limit=2)[0]


def test_a_list_for_every_campaign_counts(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.plan()
    place.write("everybody.csv", "phone\n+6581230002\n")
    monkeypatch.setenv("CAMPAIGN_SUPPRESS", str(place.folder / "everybody.csv"))

    assert [True, False] == [place.plan()[0], place.plan()[0]]


@pytest.mark.parametrize("number", ["+6581230003", "+6599999999"])
def test_an_opt_out_counts_whoever_it_is(place: Place, number: str) -> None:
    def opt_out(run: Run) -> None:
        note_optouts(run.ledger, [OptOut(number, True, 5, OptOutSource.COMMAND)])

    def opt_in(run: Run) -> None:
        note_optouts(run.ledger, [OptOut(number, False, 6, OptOutSource.COMMAND)])

    place.plan(do=opt_out)

    assert [True, False, True] == [place.plan()[0], place.plan(do=opt_in)[0], place.plan()[0]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("rate:", "window: {from: '00:00', to: '24:00'}\nrate:"),
        ("  key: id\n", "  key: id\n  cooldown: {messages: 2, per: 7d}\n"),
    ],
)
def test_what_depends_on_the_moment_is_always_planned_anew(place: Place, before: str, after: str) -> None:
    place.change("hello.yaml", before, after)

    assert [True, True] == [place.plan()[0], place.plan()[0]]


def test_a_purge_takes_it_along(place: Place) -> None:
    from runner.run.purge import purge

    def begin_and_purge(run: Run) -> None:
        purge(RecordedRun(run.ledger, begin(run, place="http://127.0.0.1")[0], run.paths))

    place.plan(do=begin_and_purge)

    assert not (place.folder / "reports/hello/main/plan.kept.json").exists()
