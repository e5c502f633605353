"""`campaign prices`: what it shows, for people and for programs."""

from pathlib import Path

import orjson
import pytest

from runner.cli.prices import command
from tests.run.price_server import answering, country, listed

ACCOUNT = "c388daa9-980e-4b11-81f8-0433c2195dfb"
TWO = listed(
    acme_hq=[country("SG", ("SingTel", 0.0520648), ("M1", 0.0421477)), country("MY"), country("GB", ("EE", 1e-5))],
    acme_us=[country("US", ("T-Mobile", 0.013636), currency="USD")],
)


def test_a_table_and_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(TWO, monkeypatch, tmp_path):
        assert 0 == command(account=ACCOUNT)

    shown = capsys.readouterr()
    assert "" == shown.err
    assert [
        "country  per segment                 operators",
        "GB       0.00001 SGD                         1",
        "SG       0.0421477 to 0.0520648 SGD          2",
        "US       0.013636 USD                        1",
        "warning: skipped: acme_hq: MY has no operators",
        "",
        "4 prices of 2 sub-accounts saved to prices.csv",
        "to use them, write into the campaign file:  prices: prices.csv",
    ] == [line.rstrip() for line in shown.out.splitlines()]


def test_many_countries_are_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [f"A{letter}" for letter in "DEFGILMOQRSTUWXZ"] + [f"B{letter}" for letter in "ABDEFG"]
    reply = listed(acme=[country(code, ("any", 0.5)) for code in codes] + [country(f"Z{n}") for n in range(9)])
    with answering(reply, monkeypatch, tmp_path):
        command(account=ACCOUNT)

    lines = capsys.readouterr().out.splitlines()
    assert "and 2 more" == lines[21]
    assert 23 == len(Path("prices.csv").read_text().splitlines())


def test_an_operator_cannot_steer_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left_out = {"alpha2Code": "MY", "operators": [{"operatorName": "\x1b[2J"}]}
    with answering(listed(acme=[country("SG", ("any", 0.5)), left_out]), monkeypatch, tmp_path):
        command(account=ACCOUNT)

    shown = capsys.readouterr().out
    assert "MY has an operator without a valid price" in shown
    assert "\x1b" not in shown


def test_for_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(TWO, monkeypatch, tmp_path):
        assert 0 == command(account=ACCOUNT, sub_account="acme_us", output=Path("us.csv"), as_json=True)

    shown = capsys.readouterr()
    price = {"country": "US", "lowest_price": "0.013636", "price": "0.013636", "currency": "USD", "operators": 1}
    assert {"file": "us.csv", "prices": 1, "sub_accounts": ["acme_us"], "left_out": [], "countries": [price]} == (
        orjson.loads(shown.out)
    )
    assert "1 price saved to us.csv" in shown.err
