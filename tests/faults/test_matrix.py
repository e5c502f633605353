"""Each fault × run → (reconcile → run)…: nobody twice, nobody lost, every status true. Counted at the provider."""

from pathlib import Path
from typing import Any

import pytest

from tests.faults.arena import MESSAGES, arena, quick

__all__ = ["quick"]

SOME = {"requests": [2, 7, 8, 30, 41]}
EARLY = {"from": 1, "to": 8}

MATRIX: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "slow answers": [{"fault": "latency", "seconds": 0.3, **SOME}],
    "a long tail": [{"fault": "latency", "seconds": 0.005, "tail": True, "share": 0.5}],
    "429 with seconds": [{"fault": "throttle", "retry_after": "seconds", "seconds": 1, **SOME}],
    "429 with a date": [{"fault": "throttle", "retry_after": "date", "seconds": 1, "requests": [3, 20]}],
    "429 without Retry-After": [{"fault": "throttle", "retry_after": "absent", "requests": [3, 20]}],
    "429 with a Retry-After that is none": [{"fault": "throttle", "retry_after": "garbage", "requests": [3, 20]}],
    "500": [{"fault": "server_error", "status": 500, **SOME}],
    "500 without a body": [{"fault": "server_error", "status": 500, "body": False, **SOME}],
    "502, an HTML page": [{"fault": "server_error", "status": 502, **SOME}],
    "503, an HTML page": [{"fault": "server_error", "status": 503, **SOME}],
    "504, an HTML page": [{"fault": "server_error", "status": 504, **SOME}],
    "400, an HTML page": [{"fault": "web_page", **SOME}],
    "404, an HTML page": [{"fault": "web_page", "status": 404, "requests": [5]}],
    "413, an HTML page": [{"fault": "web_page", "status": 413, **SOME}],
    "500 with a fatal code": [{"fault": "error", "code": 2001, "status": 500, **SOME}],
    "accepted, and a 500": [{"fault": "accepted_error_500", **SOME}],
    "broken JSON": [{"fault": "broken_json", **SOME}],
    "no umid": [{"fault": "missing_umid", **SOME}],
    "another message's id": [{"fault": "wrong_client_message_id", **SOME}],
    "another content type": [{"fault": "wrong_content_type", **SOME}],
    "an encoding that it isn't": [{"fault": "wrong_encoding", **SOME}],
    "accepted, then reset": [{"fault": "accepted_then_reset", **SOME}],
    "reset before reading": [{"fault": "reset_before_reading", **SOME}],
    "half an answer": [{"fault": "half_response", **SOME}],
    "no answer, accepted": [{"fault": "never_answer", **SOME}],
    "no answer, not accepted": [{"fault": "never_answer_unbooked", **SOME}],
    "idle connections closed": [{"fault": "close_idle", "share": 0.5}],
    "silence from the start": [{"fault": "never_answer_unbooked", **EARLY}],
    "the key is refused": [{"fault": "error", "code": 1200, "status": 401, "requests": [5]}],
    "the sub-account is gone": [{"fault": "error", "code": 1001, "status": 404, "requests": [9]}],
    "TLS is too old": [{"fault": "error", "code": 1014, "status": 426, "requests": [1]}],
    "everything at once": [
        {"fault": "accepted_then_reset", "share": 0.05},
        {"fault": "server_error", "status": 500, "share": 0.05},
        {"fault": "never_answer", "share": 0.03},
        {"fault": "throttle", "retry_after": "seconds", "seconds": 1, "share": 0.02},
        {"fault": "half_response", "share": 0.05},
        {"fault": "latency", "seconds": 0.05, "tail": True, "share": 0.2},
    ],
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("faults", MATRIX.values(), ids=MATRIX)
def test_nobody_twice_nobody_lost(tmp_path: Path, faults: list[dict[str, Any]]) -> None:
    with arena(tmp_path, faults=faults, seed=7) as run:
        run.finish()

        assert MESSAGES == len(run.received())
        assert {"accepted"} == {row["status"] for row in run.results()}


@pytest.mark.usefixtures("quick")
def test_a_rate_limit_of_the_providers_own(tmp_path: Path) -> None:
    """The campaign asks for 200/s, the provider allows 40: it slows down instead of losing anybody."""
    with arena(tmp_path, rate_limit=40) as run:
        run.finish()

        assert [0] == run.rounds
        assert MESSAGES == len(run.received())
