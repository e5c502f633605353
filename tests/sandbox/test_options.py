from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from runner.base.errors import InputError
from runner.cli.main import run_command
from runner.sandbox.options import SandboxOptions, pauses_of


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"port": 65536}, "port 65536 does not exist"),
        ({"api_key": ""}, "API key is empty"),
        ({"sub_account_id": "a b"}, "'a b' cannot be a sub-account id"),
        ({"latency_s": -1.0}, "a latency of -1.0 s"),
        ({"latency_s": float("nan")}, "a latency of nan s"),
        ({"reject_share": 5.0}, "a share of rejections of 5.0"),
        ({"rate_limit": 0}, "a rate limit of 0"),
        ({"export_polls": -1}, "an export after -1 polls"),
        ({"export_lag_s": float("nan")}, "an export lag of nan s"),
        ({"export_lag_s": 1e9}, "an export lag of 1000000000.0 s"),
        ({"export_rows": 0}, "0 messages in a file are none"),
        ({"download_port": -1}, "port -1 does not exist"),
        ({"tls_key": Path("key.pem")}, "a certificate and its key"),
        ({"receipt_delay_s": -0.1}, "a delay of -0.1 s between receipts"),
        ({"receipt_delay_s": float("inf")}, "a delay of inf s between receipts"),
        ({"undelivered_share": 1.1}, "a share of undelivered messages of 1.1"),
        ({"receipt_disorder": -1}, "a share of receipts in disorder of -1"),
        ({"receipt_duplicates": float("nan")}, "a share of receipts that come twice of nan"),
        ({"stop_share": 2}, "a share of recipients who reply of 2"),
        ({"inbound_url": "127.0.0.1:8090"}, "'127.0.0.1:8090' is no URL that replies can be posted to"),
        ({"inbound_url": "https://example.com/"}, "'https://example.com/' is beyond this computer"),
        ({"inbound_url": "http://127.0.0.1@example.com/"}, "is beyond this computer"),
        ({"receipt_authorization": ""}, "Authorization header of the receipts is empty"),
        ({"receipt_authorization": "Bearer a\r\nX-Other: b"}, "characters that no header can have"),
        ({"receipt_retry_s": (1, -1)}, "pauses before another try of a receipt make no sense"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        SandboxOptions(**options)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        SandboxOptions(port=-1, rate_limit=-1)
    assert len(caught.value.problems) == 2


def test_the_key_is_in_no_repr() -> None:
    assert "s3cret" not in repr(SandboxOptions(api_key="s3cret", receipt_authorization="Bearer s3cret"))


def test_replies_may_go_beyond_this_computer_when_asked() -> None:
    SandboxOptions(inbound_url="https://example.com/", receipts_beyond_loopback=True)


@pytest.mark.parametrize(("text", "expected"), [("", ()), (" ", ()), ("1", (1.0,)), ("1, 10,0.5", (1.0, 10.0, 0.5))])
def test_pauses(text: str, expected: tuple[float, ...]) -> None:
    assert expected == pauses_of(text)


@pytest.mark.parametrize("text", ["soon", "1,,2", "1;2"])
def test_pauses_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="are not pauses before another try; write seconds"):
        pauses_of(text)


# Every option, each with another value than its default.
GIVEN: dict[str, Any] = {
    "port": 8089,
    "latency_s": 0.001,
    "reject_share": 0.25,
    "rate_limit": 3,
    "book": Path("-book with blanks \udcff"),
    "sub_account_id": "-cme",
    "api_key": "s3cret",
    "faults": Path("-faults.json"),
    "seed": -5,
    "export_polls": 0,
    "export_lag_s": 1.5,
    "export_rows": 7,
    "download_port": 0,
    "balance": -1.5,
    "post_paid": True,
    "receipt_delay_s": 0.5,
    "undelivered_share": 0.125,
    "receipt_disorder": 0.25,
    "receipt_duplicates": 0.375,
    "stop_share": 0.625,
    "inbound_url": "http://192.0.2.1/replies",
    "receipt_authorization": "Bearer s3cret",
    "receipt_retry_s": (0.5, 2.0),
    "receipts_beyond_loopback": True,
    "tls_certificate": Path("c.pem"),
    "tls_key": Path("k.pem"),
}


@pytest.mark.parametrize("given", [{}, GIVEN, {"receipt_retry_s": ()}], ids=["none", "all", "no pauses"])
def test_json_holds_every_option(given: dict[str, Any]) -> None:
    options = SandboxOptions(**given)
    line = options.as_json()
    assert options == SandboxOptions.from_json(line)
    assert "\n" not in line


@pytest.mark.parametrize("line", ["", "{", '{"colour": "green"}'])
def test_json_of_something_else(line: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        SandboxOptions.from_json(line)


def test_every_option_has_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "s3cret")
    monkeypatch.setenv("HEADER", "Bearer s3cret")
    values = GIVEN | {"api_key": "KEY", "receipt_authorization": "HEADER", "latency_s": 1, "receipt_retry_s": "0.5,2"}
    names = {"latency_s": "latency-ms", "sub_account_id": "sub-account", "api_key": "api-key-env",
             "receipt_authorization": "receipt-auth-header-env", "tls_certificate": "tls-cert"}  # fmt: skip
    flags = {f"--{names.get(name, name.replace('_', '-'))}": value for name, value in values.items()}
    served: list[SandboxOptions] = []
    monkeypatch.setattr("runner.sandbox.process.serve", lambda options, _: served.append(options))
    assert 0 == run_command(
        ["sandbox", *(flag if value is True else f"{flag}={value}" for flag, value in flags.items())]
    )
    assert 0 == run_command(["sandbox"])
    assert [SandboxOptions(**GIVEN), SandboxOptions(port=8088, latency_s=0.05)] == served
    assert {each.name for each in fields(SandboxOptions)} == {
        name for name, value in GIVEN.items() if value != getattr(SandboxOptions(), name)
    }


def test_a_variable_that_is_empty(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NO_KEY_HERE", "")
    for flag in ("--api-key-env", "--receipt-auth-header-env"):
        assert 2 == run_command(["sandbox", flag, "NO_KEY_HERE"])
    said = capsys.readouterr().err
    assert "NO_KEY_HERE holds no key; set it, or leave --api-key-env out" in said
    assert "NO_KEY_HERE holds no Authorization header; set it, or leave --receipt-auth-header-env out" in said
