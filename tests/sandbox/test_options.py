from pathlib import Path
from typing import Any

import pytest

from runner.errors import InputError
from runner.sandbox import SandboxOptions


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
    assert "s3cret" not in repr(SandboxOptions(api_key="s3cret"))
