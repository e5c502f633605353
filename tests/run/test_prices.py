"""Saving the price list: from the sandbox's real sockets into a file that can be read again."""

import asyncio
import stat
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from runner.base.errors import InputError, StoppedError
from runner.campaign import AccountSection
from runner.prices.costs import Price
from runner.prices.price_list import read_prices
from runner.provider.prices import Balance, fetch_balance
from runner.run.account import provider_account
from runner.run.prices import save_prices
from tests.run.price_server import KEY, Reply, answering, country, error, listed

ACCOUNT = "c388daa9-980e-4b11-81f8-0433c2195dfb"
TWO = listed(
    acme_us=[country("US", ("T-Mobile", 0.013636), currency="USD")],
    acme_hq=[country("SG", ("SingTel", 0.0520648), ("=cmd|' /C calc'!A0", 0.0421477)), country("XK", ("Vala", 0.1))],
)


def test_every_sub_account_is_saved_and_each_reads_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(TWO, monkeypatch, tmp_path) as provider:
        saved = save_prices(ACCOUNT.upper(), region="asia")

    assert [f"/api/v1/accounts/{ACCOUNT}/prices?direction=outbound"] == provider.paths
    assert {f"Bearer {KEY}"} == provider.keys
    assert ("prices.csv", ["acme_hq", "acme_us"], []) == (saved["file"], saved["sub_accounts"], saved["left_out"])
    assert [
        "country,operator,price,currency,sub_account",
        "SG,'=cmd|' /C calc'!A0,0.0421477,SGD,acme_hq",
        "SG,SingTel,0.0520648,SGD,acme_hq",
        "XK,Vala,0.1,SGD,acme_hq",
        "US,T-Mobile,0.013636,USD,acme_us",
    ] == Path("prices.csv").read_text().splitlines()
    own = read_prices(Path(saved["file"]), "acme_hq")
    assert ("SGD", Price(Decimal("0.0421477"), Decimal("0.0520648"))) == (own.currency, own.of("SG"))
    assert "USD" == read_prices(Path(saved["file"]), "acme_us").currency
    assert [("SG", 2, "SGD"), ("US", 1, "USD"), ("XK", 1, "SGD")] == [
        (row["country"], row["operators"], row["currency"]) for row in saved["countries"]
    ]
    assert 0o600 == stat.S_IMODE(Path("prices.csv").stat().st_mode)


def test_one_sub_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(TWO, monkeypatch, tmp_path) as provider:
        saved = save_prices(ACCOUNT, region="asia", sub_account_id="ACME_US", output=Path("us/prices.csv"))
        with pytest.raises(InputError, match="the price list has no 'acme'; it has acme_hq, acme_us"):
            save_prices(ACCOUNT, region="asia", sub_account_id="acme")

    assert provider.paths[0].endswith("prices?direction=outbound&subAccountId=ACME_US")
    assert (["acme_us"], 1) == (saved["sub_accounts"], saved["prices"])
    assert [tmp_path / "us"] == list(tmp_path.iterdir())


def test_countries_without_a_price_are_left_out_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = listed(acme=[country("SG", ("SingTel", 0.05)), country("MY"), country("ZZ", ("x", 1.0))])
    with answering(reply, monkeypatch, tmp_path):
        saved = save_prices(ACCOUNT, region="asia")

    assert ["acme: MY has no operators", "ZZ is not a country with phone numbers"] == saved["left_out"]
    assert {"SG"} == set(read_prices(Path(saved["file"])).by_country)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (error(401, 1200, "who?"), "check that EIGHTXEIGHT_API_KEY"),
        (error(429, 429, "slowly"), "HTTP 429"),
        ((200, {"subAccounts": "none"}), "unexpected format"),
        ((200, {}), "has no message prices; check --account"),
        (listed(acme=[country("MY")]), r"has no message prices \(acme: MY has no operators\)"),
    ],
)
def test_an_older_list_outlives_a_failure(
    reply: Reply, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(TWO, monkeypatch, tmp_path) as provider:
        before = Path(save_prices(ACCOUNT, region="asia")["file"]).read_bytes()
        provider.reply = reply
        with pytest.raises((StoppedError, InputError), match=words):
            save_prices(ACCOUNT, region="asia")

    assert before == Path("prices.csv").read_bytes()
    assert [Path("prices.csv")] == [path.relative_to(tmp_path) for path in tmp_path.iterdir()]


def test_another_file_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "people.csv").write_text("id,mobile\n")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "folder.csv").mkdir()
    with answering(TWO, monkeypatch, tmp_path) as provider:
        for name, words in (("people", "already exists and is not a price list"), ("folder", "can't be written")):
            with pytest.raises(InputError, match=words):
                save_prices(ACCOUNT, region="asia", output=Path(f"{name}.csv"))
        assert [] == provider.paths
        save_prices(ACCOUNT, region="asia", output=Path("empty.csv"))


@pytest.mark.parametrize(
    ("account_id", "region", "words"),
    [
        ("acme_hq", "asia", "--account: .*UUID"),
        (ACCOUNT[:-1], "asia", "--account: "),
        (None, "asia", "--account is required"),
        (ACCOUNT, "africa", "--region: 'africa' is not a region; use one of asia, north-america, europe, indonesia"),
    ],
)
def test_options_that_make_no_sense(account_id: str | None, region: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        save_prices(account_id, region=region)


def test_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="EIGHTXEIGHT_API_KEY is not set"):
        save_prices(ACCOUNT, region="asia")


def test_the_sandboxs_prices_leave_the_real_ones_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EIGHTXEIGHT_BASE_URL", "https://sms.8x8.com")
    saved = save_prices(None, region="asia", sandbox=True)

    assert "prices.sandbox.csv" == saved["file"]
    assert {"GB", "MY", "SG", "US"} == set(read_prices(Path(saved["file"]), "acme_hq").by_country)
    assert ["prices.sandbox.csv"] == [path.name for path in tmp_path.iterdir()]


def test_the_document_for_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(TWO, monkeypatch, tmp_path):
        document = save_prices(ACCOUNT, region="asia")

    assert {
        "file": "prices.csv",
        "prices": 4,
        "sub_accounts": ["acme_hq", "acme_us"],
        "left_out": [],
    } == {name: value for name, value in orjson.loads(orjson.dumps(document)).items() if name != "countries"}
    first = {"country": "SG", "lowest_price": "0.0421477", "price": "0.0520648", "currency": "SGD", "operators": 2}
    assert first == document["countries"][0]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ((200, {"balance": 12.5, "currency": "USD"}), Balance(Decimal("12.5"), "USD")),
        (error(403, 1201, "Account not in prepaid mode"), None),
    ],
)
def test_a_balance(reply: Reply, expected: Balance | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(reply, monkeypatch, tmp_path):
        account = provider_account(AccountSection(sub_account_id="acme_hq"))
        assert expected == asyncio.run(fetch_balance(account.endpoint, ACCOUNT, account.api_key))
