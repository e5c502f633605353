import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from runner.base.errors import InputError
from runner.cli.main import run_command
from runner.sandbox.options import SandboxOptions, pauses_of

# Values that a field cannot have, and the error.
WRONG: dict[str, tuple[list[Any], str]] = {
    "port": ([65536], "--port is not valid; give a number from 0 to 65535"),
    "download_port": ([-1], "--download-port is not valid; give a number from 0 to 65535"),
    "api_key": ([""], "--api-key-env is not valid; leave it out"),
    "sub_account_id": (["a b"], "--sub-account is not valid; use 3 to 50 characters: A-Z"),
    "latency_s": ([-1.0, math.nan, math.inf], "--latency-ms is not valid; give a number of at least 0"),
    "rate_limit": ([0], "--rate-limit is not valid; give a number of at least 1"),
    "export_polls": ([-1], "--export-polls is not valid; give a number of at least 0"),
    "export_rows": ([0], "--export-rows is not valid; give a number of at least 1"),
    "balance": ([math.nan], "--balance is not valid; give an amount"),
    "tls_key": ([Path("key.pem")], "TLS needs a certificate and its key; give both"),
    "inbound_url": (["127.0.0.1:8090"], "--inbound-url is not valid; use a full URL"),
    "receipt_authorization": (["", "Bearer a\r\nX-Other: b"], "--receipt-auth-header-env is not valid; give the whole"),
    "receipt_retry_s": ([(1, -1)], "--receipt-retry-s is not valid; give seconds, such as"),
    **{
        name: ([-0.1, 1e9, math.nan], f"--{name.replace('_', '-')} is not valid; give a number from 0 to ")
        for name in ("reject_share", "undelivered_share", "receipt_disorder", "receipt_duplicates", "stop_share",
                     "export_lag_s", "receipt_delay_s")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_options_that_make_no_sense(name: str) -> None:
    values, expected = WRONG[name]
    for value in values:
        with pytest.raises(InputError) as caught:
            SandboxOptions(**{name: value})
        assert str(caught.value).startswith(expected)


def test_all_mistakes_are_shown_at_once() -> None:
    with pytest.raises(InputError) as caught:
        SandboxOptions(port=-1, rate_limit=-1)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("url", ["https://example.com/", "http://127.0.0.1@example.com/"])
def test_replies_go_beyond_this_computer_only_when_asked(url: str) -> None:
    with pytest.raises(InputError, match=f"{url}' is on another computer"):
        SandboxOptions(inbound_url=url)
    SandboxOptions(inbound_url=url, receipts_beyond_loopback=True)


def test_the_key_is_in_no_repr() -> None:
    assert "s3cret" not in repr(SandboxOptions(api_key="s3cret", receipt_authorization="Bearer s3cret"))


@pytest.mark.parametrize(("text", "expected"), [("", ()), (" ", ()), ("1", (1.0,)), ("1, 10,0.5", (1.0, 10.0, 0.5))])
def test_pauses(text: str, expected: tuple[float, ...]) -> None:
    assert expected == pauses_of(text)


@pytest.mark.parametrize("text", ["soon", "1,,2", "1;2"])
def test_pauses_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="is not a list of pauses; give seconds"):
        pauses_of(text)


# Every option, each with another value than its default.
GIVEN: dict[str, Any] = {
    "port": 8089, "latency_s": 0.001, "reject_share": 0.25, "rate_limit": 3, "book": Path("-book with blanks \udcff"),
    "sub_account_id": "-cme", "api_key": "s3cret", "faults": Path("-faults.json"), "seed": -5, "export_polls": 0,
    "export_lag_s": 1.5, "export_rows": 7, "download_port": 0, "balance": -1.5, "post_paid": True,
    "receipt_delay_s": 0.5, "undelivered_share": 0.125, "receipt_disorder": 0.25, "receipt_duplicates": 0.375,
    "stop_share": 0.625, "inbound_url": "http://192.0.2.1/replies", "receipt_authorization": "Bearer s3cret",
    "receipt_retry_s": (0.5, 2.0), "receipts_beyond_loopback": True, "tls_certificate": Path("c.pem"),
    "tls_key": Path("k.pem"),
}  # fmt: skip


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
    stderr = capsys.readouterr().err
    assert "NO_KEY_HERE is not set; set it to the key, or leave out --api-key-env" in stderr
    assert (
        "NO_KEY_HERE is not set; set it to the Authorization header, or leave out --receipt-auth-header-env" in stderr
    )
