"""A run's folder and ledger without its people: every byte below the reports folder is looked at."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import insert

from runner.base.errors import InputError, LedgerError, RunLockedError, StoppedError
from runner.base.events import Event, EventKind
from runner.cli.console import Console
from runner.cli.purge import _show_scope
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.lock import run_lock
from runner.ledger.purge import purged_at
from runner.ledger.tables import messages, receipts
from runner.ledger.writer import spill_path
from runner.plan.message_ids import MessageIds
from runner.plan.plan_file import MESSAGE_ID
from runner.report.run_settings import RunSettings
from runner.run import purge as purging_module
from runner.run.open import locked_run
from runner.run.paths import RunOptions, RunPaths, paths_of
from runner.run.purge import purge
from tests.plan.folder import planned, write_folder

IDS = MessageIds("welcome", "main")
PEOPLE = (("k-ann", "+6591234567", "Ann"), ("k-ben", "+6581234567", "Ben"), ("k-cyd", "+6582222222", "Cyd"))
SECRETS = [word for key, number, name in PEOPLE for word in (key, number[3:], f"Hi {name}")]
SETTINGS = RunSettings("welcome.yaml", "people.csv", "10/s", 10.0, "hello.j2", "Hi {{ name }}", "Hi Ann", "Hi ***")


@dataclass
class Place:
    """A reports folder with one run in it that sent two of its three messages, and another run."""

    options: RunOptions
    paths: RunPaths
    reports: Path

    def purge(self, run: str = "main") -> tuple[int, list[Path]]:
        with locked_run("welcome", run, self.options) as found:
            return purge(found)

    def found(self) -> list[str]:
        """What is left of anybody: the file and the word."""
        return [
            f"{path.relative_to(self.reports)}: {secret}"
            for path in sorted(self.reports.rglob("*"))
            if path.is_file()
            for secret in SECRETS
            if secret.encode() in path.read_bytes()
        ]

    def open(self) -> Ledger:
        return open_ledger(self.paths.ledger, create=False)


def begin(ledger: Ledger, run: str) -> RunRecord:
    return ledger.begin_run(
        name="welcome", run=run, now=1, sub_account_id="acme", options="{}", fingerprint="f", rows=3, to_send=3
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    reports = tmp_path / "reports"
    options = RunOptions(reports=reports)
    paths = paths_of("welcome", "main", options)
    paths.folder.mkdir(parents=True)
    rows = "".join(f"{key},{number},{name},\n" for key, number, name in PEOPLE)
    file = write_folder(tmp_path / "campaign", rows)
    planned(file)
    for plan in (paths.plan, paths.sent_plan):
        plan.write_bytes(file.with_name("plan.parquet").read_bytes())
    with open_ledger(paths.ledger, create=True) as ledger:
        record = begin(ledger, "main")
        begin(ledger, "other")
        sent = [
            {"run_id": record.id, "message_id": IDS.of(key), "key": key, "destination": number, "country": "SG",
             "encoding": "GSM7", "segments": 1, "status": status, "detail": f"about {number}", "attempts": 1,
             "claimed_at": 1, "umid": f"umid-{name}"}
            for (key, number, name), status in zip(PEOPLE, ("accepted", "unknown"), strict=False)
        ]  # fmt: skip
        told = {"umid": "umid-Ann", "state": "failed", "at": 1, "received_at": 1, "error_message": "no 91234567"}
        with ledger.engine.begin() as connection:
            connection.execute(insert(messages), sent)
            connection.execute(insert(receipts), told)
        ledger.note_events(record.id, [Event(EventKind.STOPPED, 5, detail="at +6591234567")])
        ledger.end_run(record.id, now=6, stop_reason="fuse", stop_detail="at +6591234567")
        spill_path(ledger.path, record.id).write_bytes(b'["+6591234567", {}]\n')
    made = (paths.results_csv, paths.results_parquet, paths.results_xlsx, paths.page, paths.removals)
    for path in (*made, paths.sandbox_book, paths.folder / ".results.csv.part"):
        path.write_text("k-ann +6591234567 Hi Ann")
    SETTINGS.write(paths.run_settings)
    paths.summary.write_text('{"rows": 3}\n')
    paths.ledger_id.write_text("id")
    return Place(options, paths, reports)


def test_nothing_of_anybody_is_left_and_the_counts_are(place: Place) -> None:
    assert place.found()

    assert (2, []) == place.purge()

    assert [] == place.found()
    with place.open() as ledger:
        [record] = ledger.runs("welcome", "main")
        assert {"accepted": 1, "unknown": 1} == ledger.counts(record.id)
        assert ("fuse", None) == (record.stop_reason, record.stop_detail)
        assert purged_at(ledger, record.id)
        assert IDS.of("k-ann") in ledger.records(record.id, [IDS.of("k-ann")])
    for plan in (place.paths.plan, place.paths.sent_plan):
        assert [IDS.of(key) for key, _, _ in PEOPLE] == pl.read_parquet(plan)[MESSAGE_ID].to_list()


def test_the_folder_keeps_what_the_report_is_made_of(place: Place) -> None:
    place.purge()

    kept = {path.name for path in place.paths.folder.iterdir()}
    assert {"plan.parquet", "plan.sent.parquet", "run.json", "summary.json", ".ledger"} == kept
    settings = RunSettings.read(place.paths.run_settings)
    assert settings is not None
    assert (None, None, "10/s") == (settings.example, settings.example_masked, settings.rate)


def test_files_of_the_users_own_are_left_and_named(place: Place) -> None:
    own = place.paths.folder / "results for the boss.csv"
    own.write_text("mine")

    assert (2, [own]) == place.purge()
    assert "mine" == own.read_text()


def test_what_it_is_before_is_told(place: Place) -> None:
    console = Console()
    with locked_run("welcome", "main", place.options) as run, console.rich.capture() as capture:
        _show_scope(console, run)
    shown = " ".join(capture.get().split())
    for words in ("carried columns of 2 messages", "1 message not sent yet", "1 message has an unknown outcome"):
        assert words in shown


def test_purging_twice_is_harmless(place: Place) -> None:
    place.purge()
    before = {path: path.read_bytes() for path in place.paths.folder.iterdir()}

    assert (0, []) == place.purge()
    assert before == {path: path.read_bytes() for path in place.paths.folder.iterdir()}


STEPS = ("note_purge", "_purge_plans", "_purge_settings", "_remove_files", "purge_messages", "compact")


@pytest.mark.parametrize("step", STEPS)
def test_a_purge_that_dies_at_any_step_is_finished_by_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Killed right before a step: the run may be half purged then, and can't be sent as soon as anything is gone."""

    def dies(*_: object) -> None:
        raise LedgerError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(purging_module, step, dies)
        with pytest.raises(LedgerError, match="killed"):
            place.purge()
    with place.open() as ledger:
        assert (step != "note_purge") == (purged_at(ledger, 1) is not None)

    place.purge()

    assert [] == place.found()
    assert [IDS.of(key) for key, _, _ in PEOPLE] == pl.read_parquet(place.paths.sent_plan)[MESSAGE_ID].to_list()


def test_a_damaged_plan_and_damaged_settings_go_whole(place: Place) -> None:
    place.paths.plan.write_bytes(b"PAR1 half of it: +6591234567")
    place.paths.run_settings.write_bytes(b'{"example": "Hi Ann"')

    place.purge()

    assert not place.paths.plan.exists()
    assert not place.paths.run_settings.exists()
    assert [] == place.found()


def test_a_run_without_a_folder_is_purged_from_the_ledger(place: Place) -> None:
    assert (0, []) == place.purge("other")


def test_a_sandboxs_run_keeps_its_ledger_which_is_in_its_folder(tmp_path: Path) -> None:
    options = RunOptions(reports=tmp_path)
    paths = paths_of("welcome", "sandbox", options)
    with open_ledger(paths.ledger, create=True) as ledger:
        begin(ledger, "sandbox")
    paths.sandbox_book.write_text("+6591234567")

    with locked_run("welcome", "sandbox", options) as run:
        assert paths == run.paths
        assert (0, []) == purge(run)
    assert paths.folder.joinpath("ledger.sqlite3").exists()
    assert not paths.sandbox_book.exists()


def test_a_run_that_nobody_knows(place: Place) -> None:
    (place.reports / "welcome/drafted").mkdir()

    for run, remedy in (("nope", "it has welcome/main"), ("drafted", "if you don't need it, delete ")):
        with pytest.raises(InputError, match=f"has no run welcome/{run}") as caught:
            place.purge(run)
        assert remedy in str(caught.value)


def test_a_run_that_is_being_sent_is_left_alone(place: Place) -> None:
    with (
        run_lock(Path(place.paths.ledger), "welcome", "main"),
        pytest.raises(RunLockedError, match="welcome/main is in use"),
    ):
        place.purge()
    assert place.found()


def test_no_run_of_the_ledger_is_held_up(place: Place) -> None:
    with (
        run_lock(Path(place.paths.ledger), "welcome", "other"),
        pytest.raises(RunLockedError, match="welcome/other uses the same ledger") as caught,
    ):
        place.purge()
    assert "wait until it has ended" in str(caught.value)
    with place.open() as ledger:
        assert purged_at(ledger, 1) is None
    assert MESSAGE_ID not in pl.read_parquet_schema(place.paths.plan)


def test_a_file_that_cant_be_removed_stops_it_in_words(place: Place) -> None:
    place.paths.results_csv.unlink()
    place.paths.results_csv.mkdir()

    with pytest.raises(StoppedError, match=r"results\.csv can't be deleted: .*; close the program that uses it"):
        place.purge()
