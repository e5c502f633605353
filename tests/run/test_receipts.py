import os
import signal
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.base.errors import InputError, LedgerError
from runner.run import receipts
from runner.run.paths import RunOptions
from tests.deadline import DEADLINE_S
from tests.receipts.events import broken, kept, receipt, reply

News = list[tuple[dict[str, int], str | None]]


def post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310
    urllib.request.urlopen(request, timeout=DEADLINE_S).close()  # noqa: S310 (loopback)


def test_news_comes_when_there_is_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "LINE_EVERY_S", 0.02)
    news: News = []

    def post_all(url: str) -> None:
        for body in (receipt("u1"), reply("STOP")):
            post(url, body)

    def on_news(counts: Mapping[str, int], error: str | None) -> None:
        news.append((dict(counts), error))
        if counts["receipt"] and counts["opt_out"]:
            os.kill(os.getpid(), signal.SIGTERM)

    counts = receipts.serve(
        RunOptions(ledger=str(tmp_path / "ledger.sqlite3")),
        host="127.0.0.1",
        port=0,
        authorization=None,
        words=None,
        on_ready=lambda url, _: threading.Thread(target=post_all, args=(url,)).start(),
        on_news=on_news,
    )
    assert {"receipt": 1, "opt_out": 1} == counts
    assert ({"receipt": 1, "opt_out": 1}, None) == news[-1]
    assert len(news) <= 2


def test_a_ledger_that_cannot_be_written_is_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "LINE_EVERY_S", 0.02)
    path = tmp_path / "ledger.sqlite3"
    errors: list[str] = []

    def post_while_broken(url: str) -> None:
        with broken(path), pytest.raises(OSError, match="503"):
            post(url, receipt("u1"))

    posting = threading.Thread()

    def on_ready(url: str, _ledger: Path) -> None:
        nonlocal posting
        posting = threading.Thread(target=post_while_broken, args=(url,))
        posting.start()

    def on_news(_counts: Mapping[str, int], error: str | None) -> None:
        if error is not None:
            errors.append(error)
            os.kill(os.getpid(), signal.SIGINT)

    receipts.serve(
        RunOptions(ledger=str(path)),
        host="127.0.0.1",
        port=0,
        authorization=None,
        words=None,
        on_ready=on_ready,
        on_news=on_news,
    )
    posting.join()  # then the ledger is whole again
    assert ["the ledger could not be written: no such table: receipts"] == errors
    assert {} == kept(path)


def test_a_ledger_that_was_deleted_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when nobody posts: who watches over it starts it again, with a ledger that lasts."""
    monkeypatch.setattr(receipts, "LINE_EVERY_S", 0.02)
    path = tmp_path / "ledger.sqlite3"
    with pytest.raises(LedgerError, match="was deleted or replaced"):
        receipts.serve(
            RunOptions(ledger=str(path)),
            host="127.0.0.1",
            port=0,
            authorization=None,
            words=None,
            on_ready=lambda _url, ledger: ledger.unlink(),
            on_news=lambda _counts, _error: None,
        )


def test_the_authorization_is_what_the_variable_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", " Bearer s3cret\n")
    assert "Bearer s3cret" == receipts.authorization_in("HOOK")
    assert receipts.authorization_in(None) is None


@pytest.mark.parametrize("value", ["", "  ", "Bearer s\u00e9cret", "Bearer a\nb"])
def test_an_authorization_that_no_header_has(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HOOK", value)
    with pytest.raises(InputError, match="HOOK"):
        receipts.authorization_in("HOOK")


def test_a_file_that_is_not_there_makes_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.jsonl can't be read"):
        receipts.load_file(RunOptions(reports=tmp_path), tmp_path / "no.jsonl", words=None)
    assert [] == list(tmp_path.iterdir())
