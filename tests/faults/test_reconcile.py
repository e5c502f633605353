"""`campaign reconcile` and an export that goes wrong: clear words, and nothing changed."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.workplace import KEY, Done
from tests.faults.arena import MESSAGES, arena, quick

__all__ = ["quick"]

LOST = {"fault": "accepted_then_reset", "requests": [3, 4]}
GONE = {"fault": "never_answer_unbooked", "requests": [9]}

FAILURES = {
    "export_failed": "ended with the status failed",
    "export_cancelled": "ended with the status cancelled",
    "export_error": "ended with the status error",
    "export_job_lost": "HTTP 404",
    "export_link_expired": "expired",
    "export_cut_off": "download of the log export failed",
}


@pytest.mark.usefixtures("quick")
def test_a_failed_export_changes_nothing(tmp_path: Path) -> None:
    """One export after the other fails, each in another way; the next one is good."""
    faults = [{"fault": fault, "requests": [number]} for number, fault in enumerate(FAILURES, 1)]
    with arena(tmp_path, faults=[LOST, GONE, *faults]) as run:
        assert run.run().exit_code == 1
        before = run.place.statuses()
        for fault, words in FAILURES.items():
            failed = run.reconcile()

            assert 3 == failed.exit_code, fault
            assert words in failed.stderr
            run.place.here("report", "hello")
            assert before == run.place.statuses(), fault
        run.finish()


@pytest.mark.usefixtures("quick")
def test_found_ones_are_accepted_and_missing_ones_go_again(tmp_path: Path) -> None:
    with arena(tmp_path, faults=[LOST, GONE]) as run:
        run.run()
        assert 3 == sum(row["status"] == "unknown" for row in run.results())
        run.witness()

        done = run.reconcile()

        assert "in the log     2  become accepted" in done.stdout
        assert "not in the log 1  were not received" in done.stdout
        reasons = [row["reason"] for row in run.results()]
        assert (2, 1) == (reasons.count("reconciled"), reasons.count("not_reached"))
        assert all(row["umid"] for row in run.results() if row["reason"] == "reconciled")
        reconciled = run.place.here("audit", "hello/main", "--json").document["entries"][-1]
        assert "reconciled" == reconciled["action"]
        expected = {"unknown": 3, "accepted": 2, "unsent": 1, "settle_s": 0.0}
        assert expected.items() <= reconciled["detail"].items()
        assert reconciled["detail"]["since"] < reconciled["at"]
        assert 0 == run.run().exit_code
        run.check_truth()


@pytest.mark.usefixtures("quick")
def test_what_reconcile_gives_back_needs_a_new_approval(tmp_path: Path) -> None:
    gone = {"fault": "reset_before_reading", "requests": [9]}
    with arena(tmp_path, faults=[gone]) as run:
        environment = {"EIGHTXEIGHT_BASE_URL": run.base_url, "EIGHTXEIGHT_API_KEY": KEY}

        def planned() -> str:
            return str(run.place.here("plan", "hello.yaml", "--json").document["fingerprint"])

        def approved(fingerprint: str) -> Done:
            return run.place.here("run", "hello.yaml", "--approve", fingerprint, **environment)

        fingerprint = planned()
        assert 1 == approved(fingerprint).exit_code
        run.witness()
        assert 0 == run.reconcile().exit_code
        before = run.received()

        refused = approved(fingerprint)

        assert (2, before) == (refused.exit_code, run.received())
        assert "this approval was used up on" in refused.stderr
        assert 0 == approved(planned()).exit_code
        assert Counter(dict.fromkeys(run.received(), 1)) == run.received()
        assert MESSAGES == len(run.received())


@pytest.mark.usefixtures("quick")
def test_too_early_stays_unknown_and_says_when(tmp_path: Path) -> None:
    with arena(tmp_path, faults=[GONE]) as run:
        run.run()
        run.witness()

        early = run.reconcile(settle="15min")

        assert 1 == early.exit_code
        assert "stay unknown" in early.stdout
        assert "run this again after" in early.stdout
        assert 1 == sum(row["status"] == "unknown" for row in run.results())


@pytest.mark.usefixtures("quick")
def test_run_reconciles_first_when_told_to(tmp_path: Path) -> None:
    with arena(tmp_path, faults=[LOST]) as run:
        run.run()

        done = run.run("--reconcile")

        assert 0 == done.exit_code
        run.check_truth()


@pytest.mark.usefixtures("quick")
def test_who_was_not_texted_after_all_is_held_against_the_limit_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan keeps whom the run has sent to; when the log says that one was not received, it must be made anew."""
    monkeypatch.setattr("runner.cli.run.SETTLE", timedelta())
    with arena(tmp_path, faults=[GONE]) as run:
        run.run()
        run.witness()

        done = run.run("--reconcile", "--limit", "2")

        assert 0 == done.exit_code
        statuses = run.place.statuses()
        assert {("accepted", "queued"): 59, ("excluded", "over_limit"): 1} == statuses
        run.check_truth()


@pytest.mark.usefixtures("quick")
def test_nothing_unknown_asks_nobody(tmp_path: Path) -> None:
    with arena(tmp_path) as run:
        run.run()

        done = run.reconcile()

        assert 0 == done.exit_code
        assert "no unknown outcomes" in done.stdout


@pytest.mark.usefixtures("quick")
def test_an_export_that_never_ends_is_given_up(tmp_path: Path) -> None:
    with arena(tmp_path, faults=[GONE, {"fault": "export_never_ends", "requests": [1]}]) as run:
        run.run()

        done = run.reconcile(deadline="1s")

        assert 3 == done.exit_code
        assert "took too long (the export is running); nothing was changed" in done.stderr
        assert 1 == sum(row["status"] == "unknown" for row in run.results())


@pytest.mark.usefixtures("quick")
def test_a_log_that_lacks_what_was_accepted_proves_nothing(tmp_path: Path) -> None:
    """The log of another provider, or of another account: the messages that it lacks may have been received."""
    with arena(tmp_path, faults=[LOST]) as run:
        run.run()
        (tmp_path / "elsewhere").mkdir()
        with arena(tmp_path / "elsewhere") as other:
            here, run.base_url = run.base_url, other.base_url
            wrong = run.reconcile()
            run.base_url = here

        assert 3 == wrong.exit_code
        assert "so it proves nothing" in wrong.stderr
        assert 2 == sum(row["status"] == "unknown" for row in run.results())


@pytest.mark.usefixtures("quick")
def test_a_run_keeps_its_account(tmp_path: Path) -> None:
    with arena(tmp_path, faults=[LOST]) as run:
        run.run()
        campaign = tmp_path / "hello.yaml"
        campaign.write_text(campaign.read_text().replace("acme_hq", "acme_other"))

        refused = run.run("--accept-changes", "--reconcile")

        assert 2 == refused.exit_code
        assert "was started with the account acme_hq" in refused.stderr
        assert 2 == sum(row["status"] == "unknown" for row in run.results())
