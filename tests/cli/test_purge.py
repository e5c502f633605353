"""`campaign purge`: what it asks, what is left, and what a purged run can still do."""

import os
from pathlib import Path

import pytest

from tests.cli.provider import Provider, error, queued
from tests.cli.terminal import answered
from tests.cli.workplace import MINIMAL, Workplace, people

RUN = ("run", "hello.yaml", "--yes")
PURGE = ("purge", "hello/main", "--yes")
CARRYING = MINIMAL.replace("Hi {{ name }}", "Dear {{ name }}, hello") + "report: {columns: [name]}\n"


def found(folder: Path) -> list[str]:
    """What is left of anybody below the reports folder: the file and the word."""
    words = [word for n in range(1, 6) for word in (f"{81230000 + n}", f"k{n}\0", f'"k{n}"', f",k{n},", f"Dear N{n}")]
    return [
        f"{path}: {word!r}"
        for path in sorted((folder / "reports").rglob("*"))
        if path.is_file()
        for word in words
        if word.encode() in path.read_bytes()
    ]


@pytest.fixture
def sent(campaign: Workplace, provider: Provider) -> Workplace:
    """A run of five, of which one was rejected in words that quote its number."""
    campaign.write(people(5), CARRYING)
    provider.script = lambda request: (
        error(400, 1002, f"no such number {request.body['destination']}") if request.before == 2 else queued(request)
    )
    assert 1 == campaign(*RUN).exit_code
    return campaign


def test_nobody_is_left_and_the_counts_are(sent: Workplace) -> None:
    before = sent.summary()
    assert found(sent.folder)

    done = sent.here(*PURGE)

    assert 0 == done.exit_code, done.stderr
    assert [] == found(sent.folder)
    after = sent.summary()
    for figure in ("rows", "status", "reasons", "error_codes", "segments_accepted", "fingerprint"):
        assert before[figure] == after[figure], figure
    assert [(row["key"] or "", row["destination"] or "") for row in sent.results()] == [("", "")] * 5
    assert all(row["client_message_id"] for row in sent.results())
    assert people(5) in (sent.folder / "people.csv").read_text(), "the recipient file is the user's own"


def test_it_says_what_it_means(sent: Workplace) -> None:
    shown = " ".join(sent.here(*PURGE).stdout.split())

    for words in (
        "numbers, keys, texts and carried columns of 5 messages",
        "the message IDs (hashes of the keys), opt-outs, and the numbers of replies to review",
        "the run can't be sent again, and frequency caps don't count its messages",
        "not changed: the recipient file",
        "purged: deleted the personal data of 5 messages",
    ):
        assert words in shown
    again = sent.here(*PURGE)
    assert 0 == again.exit_code
    assert "this run was purged before" in again.stdout
    assert "purged: no personal data was left" in again.stdout


def test_a_report_can_still_be_written(sent: Workplace) -> None:
    sent.here(*PURGE)
    before = sent.summary()
    sent.path("results.csv").unlink()

    assert 1 == sent.here("report", "hello/main").exit_code  # one is rejected
    assert before == sent.summary()
    assert [] == found(sent.folder)


def test_json(sent: Workplace) -> None:
    document = sent.here(*PURGE, "--json").document

    assert ("hello", "main", 5, []) == tuple(document[name] for name in ("campaign", "run", "messages", "left"))
    assert document["purged_at"].startswith("20")


MISTAKES = {
    "without the run": (("purge", "hello"), "hello is not NAME/RUN; name the run to purge"),
    "another run": (("purge", "hello/nope"), "has no run hello/nope"),
    "nobody to ask": (("purge", "hello/main"), "nothing was changed: confirmation needs a terminal; add --yes"),
}


@pytest.mark.parametrize(("arguments", "words"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_change_nothing(sent: Workplace, arguments: tuple[str, ...], words: str) -> None:
    before = found(sent.folder)

    done = sent.here(*arguments)

    assert (2, True) == (done.exit_code, words in done.stderr), done.stderr
    assert before == found(sent.folder)


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal")
@pytest.mark.parametrize(("answer", "exit_code"), [("n", 3), ("y", 0)])
def test_it_asks_first(sent: Workplace, answer: str, exit_code: int) -> None:
    done = answered(sent, f"{answer}\n", "purge", "hello/main")
    assert "Purge hello/main? This can't be undone. [y/N]" in done.stderr
    assert exit_code == done.exit_code
    assert (exit_code == 0) == (not found(sent.folder))


def test_a_run_that_is_being_sent_is_not_purged(campaign: Workplace, provider: Provider) -> None:
    provider.hold(0)
    with campaign.started(*RUN):
        provider.wait_for(1)
        done = campaign.here(*PURGE)
        assert 4 == done.exit_code
        assert "hello/main is in use by process" in done.stderr


def test_what_was_not_sent_or_is_unknown_is_told(campaign: Workplace, provider: Provider) -> None:
    provider.hold(2)
    with campaign.started(*RUN) as process:
        provider.wait_for(3)
        process.kill()
        process.wait()

    shown = " ".join(campaign.here(*PURGE).stdout.split())

    assert "unknown outcome; `campaign reconcile` can still settle the counts later" in shown
    assert 5 == campaign.summary()["rows"]
    assert {"unknown"} <= {status for status, count in campaign.summary()["status"].items() if count}
