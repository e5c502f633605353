"""Each fault × run → (reconcile → run)…: nobody twice, nobody lost, every status true. Counted at the provider."""

from pathlib import Path
from typing import Any

import pytest

from tests.faults.arena import MESSAGES, arena, quick

__all__ = ["quick"]

EARLY = {"from": 1, "to": 8}


def spread(*faults: dict[str, Any]) -> list[dict[str, Any]]:
    """Each fault happens to three requests of its own, two of them in a row; between them all is well."""
    return [{**fault, "requests": [8 * n + 2, 8 * n + 3, 8 * n + 6]} for n, fault in enumerate(faults)]


# Faults of one kind share a run.
MATRIX: dict[str, list[dict[str, Any]]] = {
    "slow answers, and a long tail": [
        {"fault": "latency", "seconds": 0.3, "requests": [2, 7, 8, 30, 41]},
        {"fault": "latency", "seconds": 0.005, "tail": True, "share": 0.5},
    ],
    "429 with seconds, a date, a Retry-After that is none, and without one": [
        {"fault": "throttle", "retry_after": "seconds", "seconds": 1, "requests": [2, 7, 8]},
        {"fault": "throttle", "retry_after": "date", "seconds": 1, "requests": [20]},
        {"fault": "throttle", "retry_after": "garbage", "requests": [3, 40]},
        {"fault": "throttle", "retry_after": "absent", "requests": [12, 50]},
    ],
    "5xx with and without a body, as an HTML page, and with a fatal code": spread(
        {"fault": "server_error", "status": 500},
        {"fault": "server_error", "status": 500, "body": False},
        {"fault": "server_error", "status": 502},
        {"fault": "server_error", "status": 503},
        {"fault": "server_error", "status": 504},
        {"fault": "error", "code": 2001, "status": 500},
        {"fault": "accepted_error_500"},
    ),
    "4xx, an HTML page": spread(
        {"fault": "web_page"}, {"fault": "web_page", "status": 404}, {"fault": "web_page", "status": 413}
    ),
    "accepted, and an answer that can't be read": spread(
        {"fault": "broken_json"},
        {"fault": "missing_umid"},
        {"fault": "wrong_client_message_id"},
        {"fault": "wrong_content_type"},
        {"fault": "wrong_encoding"},
    ),
    "broken connections": spread(
        {"fault": "accepted_then_reset"}, {"fault": "reset_before_reading"}, {"fault": "half_response"}
    ),
    "no answer, accepted or not": spread({"fault": "never_answer"}, {"fault": "never_answer_unbooked"}),
    "idle connections closed": [{"fault": "close_idle", "share": 0.5}],
    "silence from the start": [{"fault": "never_answer_unbooked", **EARLY}],
    "TLS is too old, the key is refused, the sub-account is gone": [
        {"fault": "error", "code": 1014, "status": 426, "requests": [1]},
        {"fault": "error", "code": 1200, "status": 401, "requests": [20]},
        {"fault": "error", "code": 1001, "status": 404, "requests": [45]},
    ],
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
