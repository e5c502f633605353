"""`campaign feedback`, on a run that was sent."""

import gzip
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import orjson
import polars as pl
import pytest

from runner.run.notice import SANDBOX
from tests.cli.preloaded import Command
from tests.cli.workplace import COMMAND, KEY, Done, Workplace, people
from tests.deadline import DEADLINE_S
from tests.run.sent import IDS, NAME, NOT_THERE, Provider, Says, listening, sent_run, umid_of

KEYS = ["ann", "bob", "cat", "dan", "eve"]


class Place:
    """A folder with the ledger of a run, and the provider that is told of it."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        self.folder = folder
        self.provider = provider
        self.environment = {"EIGHTXEIGHT_API_KEY": KEY, "EIGHTXEIGHT_BASE_URL": provider.base_url}
        self.workplace = Workplace(folder, provider.base_url)

    @property
    def ledger(self) -> Path:
        return self.folder / "reports/ledger.sqlite3"

    @property
    def unmatched(self) -> Path:
        return self.folder / f"reports/{NAME}/main/feedback-unmatched.csv"

    def write(self, content: str, name: str = "told.csv", encoding: str = "utf-8") -> Path:
        path = self.folder / name
        path.write_text(content, encoding=encoding)
        return path

    def feed(self, *arguments: str) -> Done:
        return self.workplace.here("feedback", NAME, "--rate", "1000/s", *arguments, **self.environment)

    def journal(self) -> list[tuple[str, str, str]]:
        rows = self.workplace.ledger(
            "SELECT key, outcome, f.status FROM feedback f JOIN messages m USING (run_id, message_id) ORDER BY key"
        )
        return [(str(key), str(outcome), str(status)) for key, outcome, status in rows]

    @contextmanager
    def following(self, file: str = "-", *more: str) -> Iterator["subprocess.Popen[bytes]"]:
        """The installed command, with a pipe as its standard input."""
        with Command(
            [COMMAND, "feedback", NAME, file, "--follow", "--rate", "1000/s", "--json", *more],
            cwd=self.folder,
            env=self.workplace.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def end(process: "subprocess.Popen[bytes]") -> Done:
    stdout, stderr = process.communicate(timeout=DEADLINE_S)
    return Done(process.returncode, stdout.decode(), stderr.decode())


def say(stream: IO[bytes] | None, **line: object) -> None:
    assert stream is not None
    stream.write(orjson.dumps(line) + b"\n")
    stream.flush()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with listening() as provider:
        yield provider


@pytest.fixture
def place(tmp_path: Path, provider: Provider) -> Place:
    place = Place(tmp_path, provider)
    sent_run(place.ledger, KEYS)
    return place


def iso(ago_s: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat()


def test_each_conversion_is_told_once(place: Place) -> None:
    at = iso(30)
    place.write(f"key,outcome,timestamp\nann,success,{at}\nbob,failure,\n")
    done = place.feed("told.csv")
    assert (0, "") == (done.exit_code, done.stderr)
    assert "welcome/main: 2 conversions reported to the provider" in done.stdout
    assert "2 rows · 1 failure, 1 success" in done.stdout
    assert "campaign report welcome/main" in done.stdout
    told = {one.key: one.body for one in place.provider.asked}
    assert {"outcome": "failure"} == told["bob"]
    assert datetime.fromisoformat(at).replace(microsecond=0) == datetime.fromisoformat(
        told["ann"]["timestamp"]
    ).replace(microsecond=0)
    assert [("ann", "success", "told"), ("bob", "failure", "told")] == place.journal()

    again = place.feed("told.csv")
    assert (0, 2) == (again.exit_code, len(place.provider.asked))
    assert "0 conversions reported" in again.stdout
    assert "2 already known" in again.stdout


def test_another_outcome_is_told_again(place: Place) -> None:
    for outcome in ("success", "failure"):
        place.write(f"key,outcome\nann,{outcome}\nbob,success\n")
        assert 0 == place.feed("told.csv").exit_code
    assert [("ann", "failure"), ("ann", "success"), ("bob", "success")] == sorted(place.provider.told)
    assert ("ann", "failure") == place.provider.told[-1]


def write_utf16(path: Path) -> None:
    path.write_text("Key;Outcome\nann;yes\n", encoding="utf-16")


def write_gz(path: Path) -> None:
    path.write_bytes(gzip.compress(f"umid\toutcome\n{umid_of('ann')}\ttrue\n".encode()))


def write_parquet(path: Path) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=20)
    pl.DataFrame({"client_message_id": [IDS.of("ann")], "outcome": ["success"], "timestamp": [moment]}).write_parquet(
        path
    )


def write_excel(path: Path) -> None:
    moment = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=20)
    pl.DataFrame({"key": ["ann"], "outcome": ["SUCCESS"], "timestamp": [moment]}).write_excel(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.csv", write_utf16), ("a.tsv.gz", write_gz), ("a.parquet", write_parquet), ("a.xlsx", write_excel)],
)
def test_files_of_many_kinds(place: Place, name: str, write: Any) -> None:  # noqa: ANN401
    write(place.folder / name)
    done = place.feed(name)
    assert (0, [("ann", "success")]) == (done.exit_code, place.provider.told), done


def test_what_cannot_be_fed_back_is_listed(place: Place) -> None:
    sent_run(place.ledger, ["fay", "gus"], run="spring", status={"gus": "rejected"})
    place.write(
        "key,outcome,timestamp\nfay,success,\ngus,success,\nhal,success,\nfay,perhaps,\n,success,\n"
        f"=1+1,success,\nfay,success,{iso(-3600)}\nfay,success,{iso(3600)}\n"
        + "".join(f"nobody{number},success,\n" for number in range(10))
    )
    done = place.workplace.here("feedback", f"{NAME}/spring", "told.csv", **place.environment)
    assert 1 == done.exit_code
    assert [("fay", "success")] == place.provider.told
    unmatched = place.folder / f"reports/{NAME}/spring/feedback-unmatched.csv"
    for words in (
        "17 rows could not be reported",
        "row 3 (gus): the message was rejected",
        "row 4 (hal): no message with this key in this run",
        'row 5 (fay): the outcome "perhaps"',
        "row 6: no key, umid or clientMessageId",
        "row 8 (fay): the timestamp is in the future",
        "row 9 (fay): the timestamp is before the message was sent",
    ):
        assert words in done.stdout
    assert "nobody9" not in done.stdout
    assert 18 == len(unmatched.read_text().splitlines())
    assert "6,'=1+1," in unmatched.read_text()
    assert 0o600 == stat.S_IMODE(unmatched.stat().st_mode)

    document = place.workplace.here("feedback", f"{NAME}/spring", "told.csv", "--json", **place.environment).document
    assert {"rows": 18, "unmatched": 17, "told": 0, "known": 1, "refused": 0, "pending": 0}.items() <= document.items()
    assert {"row": 2, "message": "gus", "why": "the message was rejected, so it can't have a conversion"} == (
        document["unmatched_examples"][0]
    )
    assert str(unmatched.relative_to(place.folder)) == document["unmatched_file"]


def test_nothing_usable_is_an_error(place: Place) -> None:
    place.write("key,outcome\nnobody,success\n")
    done = place.feed("told.csv")
    assert (2, []) == (done.exit_code, place.provider.asked)
    assert place.unmatched.exists()
    place.write("key,outcome\n")  # a day without conversions is none
    assert 0 == place.feed("told.csv").exit_code
    assert not place.unmatched.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.csv"], "nothing.csv"),
        (["-"], "--follow"),
        (["--follow"], "name a file of JSON lines"),
        (["nothing.jsonl", "--follow"], "nothing.jsonl is not a file"),
        (["phones.csv"], "key, umid or clientMessageId"),
        (["phones.csv", "--rate", "fast"], "--rate"),
        (["western.csv"], 'this is not UTF-8; read in other encodings: "Zoë" as windows-1252, '),
    ],
)
def test_mistakes(place: Place, arguments: list[str], words: str) -> None:
    place.write("phone,outcome\n1,success\n", "phones.csv")
    place.write("key,outcome\nZoë,success\n", "western.csv", encoding="cp1252")
    done = place.feed(*arguments)
    assert (2, []) == (done.exit_code, place.provider.asked)
    assert words in done.stderr


def test_an_unknown_run_and_one_that_was_not_tracked(place: Place) -> None:
    place.write("key,outcome\nann,success\n")
    done = place.workplace.here("feedback", "unheard-of", "told.csv", **place.environment)
    assert (2, True) == (done.exit_code, "has no run unheard-of" in done.stderr)
    sent_run(place.ledger, KEYS, run="untracked", options={"message.conversionTracking": "false"})
    done = place.workplace.here("feedback", f"{NAME}/untracked", "told.csv", **place.environment)
    assert (2, []) == (done.exit_code, place.provider.asked)
    assert "conversionTracking: true" in done.stderr


def test_the_newest_of_a_message_counts(place: Place) -> None:
    rows = [
        f"ann,failure,{iso(10)}",
        "bob,success,",
        *["cat,success,"] * 1500,
        f"ann,success,{iso(20)}",
        "bob,failure,",
    ]
    place.write("\n".join(["key,outcome,timestamp", *rows, ""]))
    for _ in range(2):
        done = place.feed("told.csv")
        assert 0 == done.exit_code
        assert "1,501 duplicates (the newest counts)" in done.stdout
    assert [("ann", "failure"), ("bob", "failure"), ("cat", "success")] == sorted(place.provider.told)


def test_late_ones_are_told_with_a_way_out(place: Place) -> None:
    sent_run(place.ledger, KEYS, run="old", ago_s=3600)
    place.write(f"key,outcome,timestamp\nann,success,{iso(3500)}\nbob,success,{iso(1)}\n")
    done = place.workplace.here("feedback", f"{NAME}/old", "told.csv", "--json", **place.environment)
    assert (0, 2) == (done.exit_code, done.document["late"])
    assert "2 conversions reported more than 15 minutes after the message" in done.stderr
    assert "1 happened in time: use --follow" in " ".join(done.stderr.split())


def test_a_refusal_is_about_one(place: Place) -> None:
    place.provider.script = lambda asked: NOT_THERE if asked.key == "bob" else Says(200)
    place.write("key,outcome\nann,success\nbob,success\ncat,success\n")
    done = place.feed("told.csv")
    assert 1 == done.exit_code
    assert "the provider refused 1 conversion" in done.stdout
    assert "Message not found." in done.stdout
    assert [("ann", "success", "told"), ("bob", "success", "refused"), ("cat", "success", "told")] == place.journal()


def test_a_fatal_answer_stops_it_and_the_next_start_goes_on_without_the_file(place: Place) -> None:
    place.provider.script = lambda _: Says(401, {"code": 1200, "message": f"unknown key {KEY}"})
    path = place.write("key,outcome\nann,success\nbob,failure\n")
    done = place.feed("told.csv")
    assert 5 == done.exit_code
    assert "check that EIGHTXEIGHT_API_KEY" in " ".join(done.stdout.split())
    assert "2 conversions not reported yet" in done.stdout
    assert KEY not in done.stdout
    assert [("ann", "success", "pending"), ("bob", "failure", "pending")] == place.journal()

    place.provider.script = lambda _: Says(200)
    path.unlink()
    assert 2 == place.feed("told.csv").exit_code
    done = place.feed()
    assert (0, True) == (done.exit_code, "2 conversions reported" in done.stdout)
    assert [("ann", "success", "told"), ("bob", "failure", "told")] == place.journal()
    assert "nothing to report" in place.feed().stdout


def test_a_busy_provider_is_asked_again(place: Place) -> None:
    answers = [Says(429, None, {"Retry-After": "0"}), Says(503), Says(500, {"code": 2000, "message": "oops"})]
    place.provider.script = lambda _: answers.pop() if answers else Says(200)
    place.write("key,outcome\nann,success\n")
    assert (0, 4) == (place.feed("told.csv").exit_code, len(place.provider.asked))


def test_a_run_that_is_being_sent_can_be_told_of(place: Place) -> None:
    """Another process holds the run's lock and lease, and writes into the ledger."""
    from runner.ledger.lock import run_lock

    place.write("key,outcome\nann,success\n")
    with run_lock(place.ledger, NAME, "main"):
        assert 0 == place.feed("told.csv").exit_code
    assert [("ann", "success")] == place.provider.told


def test_the_provider_gets_hostile_words_and_the_terminal_does_not(place: Place) -> None:
    place.write("key,outcome\n\x1b[2Jann,success\nann,\x1b]0;owned\x07\n")
    done = place.feed("told.csv")
    assert 2 == done.exit_code
    assert "\x1b" not in done.stdout + done.stderr


def test_lines_of_standard_input_are_told_as_they_come(place: Place) -> None:
    with place.following() as process:
        for number, key in enumerate(KEYS[:3], 1):
            say(process.stdin, key=key, outcome="success")
            place.provider.wait_for(number)  # although standard input goes on
        say(process.stdin, key="nobody", outcome="success")
        say(process.stdin, key="ann", outcome="success")  # known
        say(process.stdin, key="ann", outcome="failure")
        done = end(process)
    assert 1 == done.exit_code
    assert {"told": 4, "pending": 0, "unmatched": 1, "rows": 6, "stopped": None}.items() <= done.document.items()
    assert ("ann", "failure") == place.provider.told[-1]
    assert [("ann", "failure", "told"), ("bob", "success", "told"), ("cat", "success", "told")] == place.journal()
    assert [] == place.workplace.ledger("SELECT 1 FROM feedback WHERE converted_at IS NULL OR converted_at < 1e15")
    assert "nobody" in place.unmatched.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_following_a_file_ends_with_a_signal(place: Place, number: signal.Signals) -> None:
    path = place.write('{"key": "ann", "outcome": "success"}\n', "events.jsonl")
    with place.following("events.jsonl") as process:
        place.provider.wait_for(1)
        with path.open("ab") as file:
            say(file, key="bob", outcome="failure", timestamp=time.time())
        place.provider.wait_for(2)
        process.send_signal(number)
        done = end(process)
    assert 0 == done.exit_code, done
    assert "stopped by" in done.document["stopped"]
    assert [("ann", "success", "told"), ("bob", "failure", "told")] == place.journal()


def test_following_a_file_tells_what_is_new_in_it(place: Place) -> None:
    place.write("key,outcome\nann,success\nbob,failure\n")
    assert 0 == place.feed("told.csv").exit_code
    place.write(
        '{"key": "ann", "outcome": "success"}\n{"key": "bob", "outcome": "failure"}\n'
        '{"key": "cat", "outcome": "failure"}\n',
        "events.jsonl",
    )
    with place.following("events.jsonl") as process:
        place.provider.wait_for(3)
        process.send_signal(signal.SIGINT)
        assert 0 == end(process).exit_code
    assert ["ann", "bob", "cat"] == sorted(key for key, _ in place.provider.told)


def test_lines_are_noted_while_the_provider_does_not_answer(place: Place) -> None:
    place.provider.hold()
    with place.following() as process:
        for key in KEYS:
            say(process.stdin, key=key, outcome="success")
        place.provider.wait_for(1)
        wait_until(lambda: len(KEYS) == len(place.journal()))
        process.kill()
        process.wait(DEADLINE_S)
    assert {"pending"} == {status for *_, status in place.journal()}
    place.provider.release()
    assert 0 == place.feed().exit_code
    assert {"told"} == {status for *_, status in place.journal()}


def test_a_signal_before_the_answer_leaves_it_for_the_next_start(place: Place) -> None:
    place.provider.hold()
    with place.following() as process:
        say(process.stdin, key="ann", outcome="success")
        place.provider.wait_for(1)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while b"stopping" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        done = end(process)
    assert (3, 1) == (done.exit_code, done.document["pending"])
    assert [("ann", "success", "pending")] == place.journal()


def wait_until(holds: Any) -> None:  # noqa: ANN401
    until = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_was_told_otherwise_meanwhile_is_not_repeated(place: Place) -> None:
    """A request has no answer, and before it is repeated the user says the opposite: that must be the last word."""
    first = [Says(503)]
    place.provider.hold()
    place.provider.script = lambda asked: first.pop() if first and asked.body["outcome"] == "success" else Says(200)
    with place.following() as process:
        say(process.stdin, key="ann", outcome="success")
        place.provider.wait_for(1)
        say(process.stdin, key="ann", outcome="failure")
        place.provider.wait_for(2)
        place.provider.release()
        done = end(process)
    assert 0 == done.exit_code
    assert [("ann", "success"), ("ann", "failure")] == place.provider.told
    assert [("ann", "failure", "told")] == place.journal()


def test_a_killed_start_is_gone_on_with_also_when_the_file_is_another_by_now(place: Place) -> None:
    place.write("key,outcome\n" + "".join(f"{key},success\n" for key in KEYS))
    place.provider.hold()
    with place.workplace.started("feedback", NAME, "told.csv", "--rate", "1000/s") as process:
        place.provider.wait_for(2)
        process.kill()
        process.wait(DEADLINE_S)
    place.provider.release()
    place.provider.asked.clear()
    place.write("key,outcome\nann,success\n")
    assert 0 == place.feed("told.csv").exit_code
    assert [(key, "success") for key in KEYS] == sorted(place.provider.told)


def test_what_was_told_stands_in_the_results(place: Place) -> None:
    """The whole way, in a sandbox: a run, what it brought, the results."""
    at = datetime.now(UTC) + timedelta(seconds=5)  # after the send, as far as clocks may differ
    place.workplace.write(people(3))
    assert 0 == place.workplace("run", "hello.yaml", "--sandbox").exit_code
    place.write(f"key,outcome,timestamp\nk1,success,{at.isoformat()}\nk2,failure,\n")
    done = place.workplace.here("feedback", "hello", "told.csv", "--sandbox", "--json")
    assert (0, 2) == (done.exit_code, done.document["told"]), done.stderr
    assert 0 == place.workplace.here("report", "hello/sandbox").exit_code
    rows = {row["key"]: (row["outcome"], row["converted_at"]) for row in place.workplace.results("sandbox")}
    assert {"k1": ("success", at), "k2": ("failure", None), "k3": (None, None)} == rows


def test_a_run_in_the_sandbox_is_told_to_a_sandbox(place: Place) -> None:
    folder = place.folder / f"reports/{NAME}/sandbox"
    sent_run(folder / "ledger.sqlite3", ["ann"], run="sandbox")
    place.write("key,outcome\nann,success\n")
    for arguments in ((NAME, "told.csv", "--sandbox"), (f"{NAME}/sandbox", "told.csv")):
        done = place.workplace.here("feedback", *arguments)  # no key is needed
        assert 0 == done.exit_code, done.stderr
        lines = done.stdout.splitlines()
        assert [SANDBOX] * 2 == [lines[0], lines[-1]]
    assert [] == place.provider.asked
    assert [("success", "told")] == place.workplace.ledger(
        "SELECT outcome, status FROM feedback", f"reports/{NAME}/sandbox/ledger.sqlite3"
    )


def test_more_than_is_kept_in_memory_waits_in_the_ledger(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.feedback import conversion_log

    monkeypatch.setattr(conversion_log, "MOST_WAITING", 2)
    keys = [f"p{number}" for number in range(40)]
    sent_run(place.ledger, keys, run="many")
    read, write = os.pipe()
    with os.fdopen(read, "rb") as standard_input, os.fdopen(write, "wb") as writer:
        monkeypatch.setattr("sys.stdin", standard_input)
        for key in keys:
            say(writer, key=key, outcome="success")
        writer.close()
        done = place.workplace.here(
            "feedback", f"{NAME}/many", "-", "--follow", "--rate", "1000/s", "--json", **place.environment
        )
    assert (0, 0) == (done.exit_code, done.document["pending"])
    assert set(keys) == {one.key for one in place.provider.asked}
