"""Accepted answers with another number or encoding than was sent: noted, counted, and a fuse if all differ."""

from pathlib import Path
from typing import Any

import pytest

from runner.dispatch.fuse import DIFFERING_SAMPLE
from tests.faults.arena import MESSAGES, arena

FAULTS: list[dict[str, Any]] = [
    {"fault": "other_destination", "requests": [2, 7]},
    {"fault": "other_encoding", "requests": [30]},
]


def test_they_are_accepted_noted_and_counted(tmp_path: Path) -> None:
    with arena(tmp_path, faults=FAULTS) as run:
        done = run.run()

        assert 0 == done.exit_code, done.stderr
        assert MESSAGES == len(run.received())
        run.check_truth()
        differing = {row["reason"]: row for row in run.results() if row["reason"] != "queued"}
        assert {"other_destination", "other_encoding"} == differing.keys()
        assert {"accepted"} == {row["status"] for row in run.results()}
        assert "accepted, but the answer has the number +6581" in differing["other_destination"]["detail"]
        assert "accepted, but the answer has the encoding UCS2, not GSM7" == differing["other_encoding"]["detail"]
        assert {"other_destination": 2, "other_encoding": 1} == run.place.summary()["warnings"]
        told = " ".join(done.stdout.split())
        assert "warning: the provider's answer has another number for 2 accepted messages" in told
        assert "warning: the provider's answer has another encoding for 1 accepted message" in told


@pytest.mark.parametrize("fault", ["other_destination", "other_encoding"])
def test_if_all_differ_the_run_stops(tmp_path: Path, fault: str) -> None:
    with arena(tmp_path, faults=[{"fault": fault, "share": 1}]) as run:
        stopped = run.run()

        sent = len(run.received())
        assert stopped.exit_code not in (0, 1, 2)
        assert DIFFERING_SAMPLE <= sent < MESSAGES
        assert "add --ignore-fuse differingAnswers" in stopped.stdout
        assert "does the provider have an outage" not in " ".join(stopped.stdout.split())
        assert "fuse" == run.place.summary()["stopped"]["reason"]
        run.check_truth()

        again = run.run("--ignore-fuse", "differingAnswers")
        assert 0 == again.exit_code, again.stderr
        assert MESSAGES == len(run.received())
        assert {fault: MESSAGES} == run.place.summary()["warnings"]
        run.check_truth()
