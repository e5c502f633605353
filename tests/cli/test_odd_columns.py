"""Recipient files with columns that can't be read: who gets a message is counted at the provider."""

from uuid import UUID

import polars as pl
import pytest

from runner.cli import main
from tests.cli.provider import Provider
from tests.cli.workplace import Workplace

RUN = ("run", "hello.yaml", "--yes")
CAMPAIGN = """\
name: hello
subAccountId: acme_hq
recipients: {file: people.parquet, KEY, suppress: [stop.parquet]}
message: {text: "TEXT"}
rate: 200/s
"""
IDS = [UUID(int=(number << 64) + (number << 120) + 0xE4D8265A) for number in range(1, 5)]
PEOPLE = pl.DataFrame(
    {
        "Phone": [b"+6581230001", b"+6581230002", b"+6581230003", b"+6581230004"],
        "Customer": [one.bytes for one in IDS],
        "Name": ["Ann", "Bob", "Cem", "Dee"],
        "until": pl.Series([20_000, 2**31 - 1, None, 20_001], dtype=pl.Date),
        "waits": pl.Series([1, 2, 3, 4], dtype=pl.Int64).cast(pl.Duration("us")),
    }
)


@pytest.fixture
def odd(campaign: Workplace) -> Workplace:
    PEOPLE.write_parquet(campaign.folder / "people.parquet")
    pl.DataFrame({"customer": [IDS[0].bytes], "since": PEOPLE["until"][1:2]}).write_parquet(
        campaign.folder / "stop.parquet"
    )
    return campaign


def sent(odd: Workplace, provider: Provider, text: str, key: str = "key: CUSTOMER") -> tuple[int, dict[str, str]]:
    """The exit code of a run, and what the provider got, by number."""
    (odd.folder / "hello.yaml").write_text(CAMPAIGN.replace("KEY", key).replace("TEXT", text))
    assert 0 == odd("check", "hello.yaml").exit_code
    done = odd(*RUN)
    assert "panicked" not in done.stderr
    return done.exit_code, {request.body["destination"]: request.body["text"] for request in provider.requests}


def test_a_column_that_is_not_used_changes_nothing(odd: Workplace, provider: Provider) -> None:
    """Bytes are numbers and keys, names match in any case, and Ann's UUID suppresses her."""
    expected = {"+6581230002": "Hi Bob", "+6581230003": "Hi Cem", "+6581230004": "Hi Dee"}
    assert (0, expected) == sent(odd, provider, "Hi {{ name }}")


def test_a_value_that_can_not_be_read_excludes_its_row(odd: Workplace, provider: Provider) -> None:
    assert (0, {"+6581230004": "Dee 2024-10-05"}) == sent(odd, provider, "{{ NAME }} {{ Until }}")
    (done,) = [odd("plan", "hello.yaml", "--json", "--run", "two").document]
    assert {"unreadable_row": 1, "missing_field": 1, "suppressed": 1} == done["excluded"]


def test_a_condition_reads_what_a_text_can_not(odd: Workplace, provider: Provider) -> None:
    key = "key: customer, where: until > DATE '2024-10-05' OR Until IS NULL"
    assert (0, {"+6581230002": "Bob", "+6581230003": "Cem"}) == sent(odd, provider, "{{ name }}", key)


def test_a_column_of_another_type_is_named(odd: Workplace, provider: Provider) -> None:
    for text, key in (("{{ waits }}", "key: customer"), ("Hi", "key: waits"), ("Hi", "where: Waits IS NOT NULL")):
        (odd.folder / "hello.yaml").write_text(CAMPAIGN.replace("KEY", key).replace("TEXT", text))
        for command in (("check", "hello.yaml"), RUN):
            done = odd(*command)
            assert 2 == done.exit_code
            assert 'aits" has values of the unsupported type Duration' in done.stderr
    assert [] == provider.requests


def test_a_panic_elsewhere_is_a_bug(offline: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no `Exception`, and exit code 1 would mean that the run has finished."""
    panic = type("PanicException", (BaseException,), {})

    def fail(_: object) -> None:
        raise panic

    monkeypatch.setattr(main, "app_for", fail)
    done = offline.here("status", "--json")
    assert (70, 70) == (done.exit_code, done.document["exit_code"])
