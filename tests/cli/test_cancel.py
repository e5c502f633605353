"""`campaign cancel`, on a run whose messages the provider has scheduled."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from runner.ledger.ledger import open_ledger
from runner.ledger.lock import run_lock
from runner.ledger.tables import receipts
from tests.cli.terminal import answered
from tests.cli.workplace import KEY, MINIMAL, Done, Workplace, people
from tests.deadline import DEADLINE_S
from tests.run.sent import CANCELLED, NAME, NOT_THERE, Provider, Says, listening, sent_run, umid_of

KEYS = ["ann", "bob", "cat"]
SOON = {"message.scheduled": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}


class Place:
    """A folder with a ledger, and the provider that has the run's messages."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        self.folder = folder
        self.provider = provider
        self.ledger = folder / "reports/ledger.sqlite3"
        self.workplace = Workplace(folder, provider.base_url)
        self.environment = {"EIGHTXEIGHT_API_KEY": KEY, "EIGHTXEIGHT_BASE_URL": provider.base_url}

    def cancel(self, *arguments: str, target: str = NAME) -> Done:
        return self.workplace.here("cancel", target, *arguments, **self.environment)

    def statuses(self) -> list[tuple[str, str, str]]:
        query = (
            "SELECT key, m.status, c.status FROM cancellations c JOIN messages m USING (run_id, message_id) ORDER BY 1"
        )
        return [(str(key), str(status), str(cancelling)) for key, status, cancelling in self.workplace.ledger(query)]


@pytest.fixture
def provider() -> Iterator[Provider]:
    with listening() as provider:
        yield provider


@pytest.fixture
def place(tmp_path: Path, provider: Provider) -> Place:
    return Place(tmp_path, provider)


def test_all_that_waits_is_cancelled_and_stays_accepted(place: Place) -> None:
    sent_run(place.ledger, [*KEYS, "gus"], options=SOON, status={"gus": "rejected"})
    done = place.cancel("--yes")
    assert (0, "") == (done.exit_code, done.stderr)
    assert "welcome/main: 3 of 3 messages cancelled" in done.stdout
    assert "so it never sends them again; another run does" in " ".join(done.stdout.split())
    assert KEYS == sorted(one.key for one in place.provider.asked)
    assert {"DELETE"} == {one.method for one in place.provider.asked}
    assert [(key, "accepted", "cancelled") for key in KEYS] == place.statuses()

    entry = place.workplace.here("audit", NAME, "--json").document["entries"][-1]
    assert ("cancelled", f"{NAME}/main") == (entry["action"], entry["run"])
    assert {"wanted": 3, "cancelled": 3, "refused": 0} == entry["detail"]

    again = place.cancel("--yes")
    assert (0, 3) == (again.exit_code, len(place.provider.asked))
    assert "nothing to cancel" in again.stdout


@pytest.mark.parametrize("answer", [NOT_THERE, Says(200, {"cancelledCount": 0})])
def test_what_could_not_be_cancelled_is_shown_and_asked_for_again(place: Place, answer: Says) -> None:
    keys = [f"p{number:02}" for number in range(12)]
    sent_run(place.ledger, [*KEYS, *keys], options=SOON)
    place.provider.script = lambda asked: CANCELLED if asked.key in KEYS else answer
    done = place.cancel("--yes")
    assert 1 == done.exit_code
    assert "3 of 15 messages cancelled" in done.stdout
    assert "12 messages could not be cancelled" in done.stdout
    assert "p09: already sent, already cancelled, or unknown to the provider" in done.stdout
    assert "p10" not in done.stdout

    place.provider.script = lambda asked: CANCELLED if asked.key == "p00" else answer
    document = place.cancel("--yes", "--json").document
    assert {"waiting": 12, "cancelled": 1, "unknown": 0, "stopped": None}.items() <= document.items()
    assert keys[1:] == [one["key"] for one in document["refused"]]


def test_a_cancelling_whose_answer_was_lost_is_not_called_sent(place: Place) -> None:
    sent_run(place.ledger, ["ann"], options=SOON)
    answers = [NOT_THERE, Says(503)]
    place.provider.script = lambda _: answers.pop()
    done = place.cancel("--yes")
    assert 1 == done.exit_code
    assert "an earlier request without an answer may have cancelled it" in " ".join(done.stdout.split())


def test_what_a_receipt_says_has_left_is_not_asked_for(place: Place) -> None:
    sent_run(place.ledger, KEYS, options=SOON)
    with open_ledger(str(place.ledger), create=False) as ledger, ledger.engine.begin() as connection:
        for key, state in (("ann", "delivered"), ("bob", "queued")):
            connection.execute(insert(receipts), {"umid": umid_of(key), "state": state, "at": 1, "received_at": 1})
    assert 0 == place.cancel("--yes").exit_code
    assert ["bob", "cat"] == sorted(one.key for one in place.provider.asked)


def test_a_delay_is_counted_from_each_send(place: Place) -> None:
    sent_run(place.ledger, KEYS, options={"message.scheduled": "600 s after the send"}, ago_s=300)
    assert 0 == place.cancel("--yes").exit_code
    assert len(KEYS) == len(place.provider.asked)
    sent_run(place.ledger, KEYS, run="old", options={"message.scheduled": "600 s after the send"}, ago_s=601)
    done = place.cancel("--yes", target=f"{NAME}/old")
    assert (0, len(KEYS)) == (done.exit_code, len(place.provider.asked))
    assert "nothing to cancel" in done.stdout


def test_what_waits_for_sending_hours_is_tried(place: Place) -> None:
    sent_run(place.ledger, KEYS, options={"window": "09:00 to 20:00, mon tue, recipient, schedule"}, ago_s=86_400)
    assert 0 == place.cancel("--yes").exit_code
    assert len(KEYS) == len(place.provider.asked)


PAST = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "welcome/main has no scheduled messages"),
        ({"window": "09:00 to 20:00, mon tue, recipient, wait"}, "welcome/main has no scheduled messages"),
        ({"message.scheduled": PAST}, "which has passed"),
    ],
)
def test_where_there_is_nothing_to_cancel(place: Place, options: dict[str, str], words: str) -> None:
    sent_run(place.ledger, KEYS, options=options)
    done = place.cancel("--yes")
    assert (2, []) == (done.exit_code, place.provider.asked)
    assert words in done.stderr
    assert "can't be recalled" in done.stderr


def test_a_sandbox_that_is_gone(place: Place) -> None:
    for arguments in (["--sandbox", "--yes"], ["--yes"]):
        done = place.cancel(*arguments, target=NAME if "--sandbox" in arguments else f"{NAME}/sandbox")
        assert (2, []) == (done.exit_code, place.provider.asked)
        assert "EIGHTXEIGHT_BASE_URL" in done.stderr


def test_without_a_terminal_nobody_can_be_asked(place: Place) -> None:
    sent_run(place.ledger, KEYS, options=SOON)
    done = place.workplace("cancel", NAME)
    assert (2, []) == (done.exit_code, place.provider.asked)
    assert "--yes" in done.stderr


@pytest.mark.parametrize(("answer", "exit_code", "asked"), [("y\n", 0, 3), ("n\n", 3, 0)])
def test_it_asks_first(place: Place, answer: str, exit_code: int, asked: int) -> None:
    sent_run(place.ledger, KEYS, options=SOON)
    done = answered(place.workplace, answer, "cancel", NAME)
    assert "Cancel 3 messages of welcome/main at the provider? [y/N]" in done.stderr
    assert (exit_code, asked) == (done.exit_code, len(place.provider.asked))


def test_a_run_that_is_being_sent_is_left_alone(place: Place) -> None:
    sent_run(place.ledger, KEYS, options=SOON)
    with run_lock(place.ledger, NAME, "main"):
        assert (4, []) == (place.cancel("--yes").exit_code, place.provider.asked)


def test_unknown_ones_may_wait_too(place: Place) -> None:
    sent_run(place.ledger, KEYS, options=SOON, status={"bob": "unknown", "cat": "sending"})
    done = place.cancel("--yes")
    assert (1, ["ann"]) == (done.exit_code, [one.key for one in place.provider.asked])
    assert "2 messages with an unknown outcome may be scheduled too" in done.stdout
    assert "campaign reconcile welcome/main" in " ".join(done.stdout.split())


def test_a_rate_that_is_too_slow_is_told(place: Place) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=90)).isoformat()
    sent_run(place.ledger, KEYS, options={"message.scheduled": soon})
    place.provider.script = lambda _: Says(401)
    done = place.cancel("--yes", "--rate", "1/h")
    assert 5 == done.exit_code
    assert "use a higher --rate" in " ".join(done.stdout.split())


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_fatal_answer_stops_it_and_it_goes_on(place: Place, status: int) -> None:
    sent_run(place.ledger, KEYS, options=SOON)
    place.provider.script = lambda _: Says(status, {"code": 1200, "message": KEY})
    done = place.cancel("--yes")
    assert 5 == done.exit_code
    assert "to continue, fix this, then run it again" in done.stdout
    assert KEY not in done.stdout
    assert [] == place.statuses()
    place.provider.script = lambda _: CANCELLED
    assert 0 == place.cancel("--yes").exit_code
    assert [(key, "accepted", "cancelled") for key in KEYS] == place.statuses()


def test_one_that_is_never_answered_about_is_left_for_another_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.dispatch import repeatable

    monkeypatch.setattr(repeatable, "MOST_TRIES", 2)
    sent_run(place.ledger, KEYS, options=SOON)
    place.provider.script = lambda asked: Says(500) if asked.key == "bob" else CANCELLED
    done = place.cancel("--yes")
    assert 3 == done.exit_code
    assert "never answered 1 request" in " ".join(done.stdout.split())
    assert [("ann", "accepted", "cancelled"), ("cat", "accepted", "cancelled")] == place.statuses()


def test_a_signal_waits_for_answers_and_the_next_start_goes_on(place: Place) -> None:
    keys = [f"p{number}" for number in range(60)]
    sent_run(place.ledger, keys, options=SOON)
    place.provider.hold()
    with place.workplace.started("cancel", NAME, "--yes", "--rate", "20/s", "--json") as process:
        place.provider.wait_for(3)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        while "stopping" not in process.stderr.readline():
            pass
        place.provider.release()
        process.wait(DEADLINE_S)
    assert 3 == process.returncode
    asked = {one.key for one in place.provider.asked}
    assert 3 <= len(asked) < 60
    assert asked == {key for key, *_ in place.statuses()}
    assert 0 == place.cancel("--yes", "--rate", "1000/s").exit_code
    assert 60 == len(place.provider.asked) == len(place.statuses())


def test_a_killed_start_is_gone_on_with(place: Place) -> None:
    sent_run(place.ledger, KEYS, options=SOON)
    place.provider.hold()
    with place.workplace.started("cancel", NAME, "--yes") as process:
        place.provider.wait_for(2)
        process.kill()
        process.wait(DEADLINE_S)
    place.provider.release()
    place.provider.asked.clear()
    assert 0 == place.cancel("--yes").exit_code
    assert KEYS == sorted(one.key for one in place.provider.asked)
    assert [(key, "accepted", "cancelled") for key in KEYS] == place.statuses()


def test_a_campaign_is_scheduled_cancelled_and_not_sent_again(tmp_path: Path) -> None:
    """The whole way, with a sandbox that stands: a run that is scheduled, a cancel, the run again."""
    from runner.sandbox.options import SandboxOptions
    from runner.sandbox.process import start

    with start(SandboxOptions(api_key=KEY, sub_account_id="acme_hq")) as sandbox:
        campaign = Workplace(tmp_path, sandbox.base_url)
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
        message = f'message: {{text: "Hi {{{{ name }}}}", scheduled: "{later}"}}'
        campaign.write(people(4), MINIMAL.replace('message: {text: "Hi {{ name }}"}', message))
        assert 0 == campaign("run", "hello.yaml", "--yes").exit_code
        done = campaign("cancel", "hello", "--yes", "--json")
        assert (0, 4) == (done.exit_code, done.document["cancelled"]), done.stderr
        again = campaign("run", "hello.yaml", "--yes", "--json")
        assert 0 == again.exit_code, again.stderr
        assert {"cancelled"} == {row["delivery_state"] for row in campaign.results()}
        done = campaign("cancel", "hello", "--yes")
        assert (0, True) == (done.exit_code, "nothing to cancel" in done.stdout)


def test_every_answer_is_written(place: Place) -> None:
    """Many come while others are being written."""
    sent_run(place.ledger, [f"p{number}" for number in range(300)], options=SOON)
    assert 0 == place.cancel("--yes", "--rate", "1000/s").exit_code
    assert 300 == len(place.statuses())
