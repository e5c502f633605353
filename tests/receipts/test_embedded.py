import concurrent.futures
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from runner.base.errors import InputError
from runner.receipts.server import receiving
from tests.deadline import DEADLINE_S
from tests.receipts.events import kept, opted, receipt, reply

KEY = "Bearer s3cret"


def post(url: str, body: bytes, authorization: str = KEY) -> int:
    headers = {"Content-Type": "application/json", "Authorization": authorization}
    request = urllib.request.Request(f"{url}/receipts", data=body, headers=headers)  # noqa: S310 (loopback)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:  # noqa: S310 (loopback)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_receipts_are_taken_for_the_length_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with receiving(str(path), authorization=KEY) as url:
        assert 401 == post(url, receipt("u1"), "Bearer other")
        assert {} == kept(path)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            bodies = [receipt(f"u{index}") for index in range(50)] + [reply("STOP")]
            assert {200} == set(pool.map(lambda body: post(url, body), bodies))
    assert {f"u{index}" for index in range(50)} == set(kept(path))
    assert {"+12025550123"} == set(opted(path))
    with pytest.raises(urllib.error.URLError):
        post(url, receipt("late"))


def test_the_block_ends_with_its_own_error(tmp_path: Path) -> None:
    def post_and_fail() -> None:
        with receiving(str(tmp_path / "ledger.sqlite3"), authorization=KEY) as url:
            assert 200 == post(url, receipt("u"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        post_and_fail()
    assert {"u"} == set(kept(tmp_path / "ledger.sqlite3"))


def test_a_ledger_that_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"no ledger at all" * 100)
    with pytest.raises(Exception, match="ledger"), receiving(str(tmp_path / "ledger.sqlite3"), authorization=KEY):
        pytest.fail("it must not begin")
    with pytest.raises(InputError), receiving("mysql://x/y", authorization=KEY):
        pytest.fail("it must not begin")
