from typing import Any

import orjson
import pytest

from runner.sandbox import SandboxOptions
from runner.sandbox.fate import DELIVERED, QUEUED, Fates
from runner.sandbox.stories import STEP_US, Story, Teller
from runner.sandbox.webhooks import Reply, way_to

HERE = "http://127.0.0.1:8090/receipts"
BEYOND = "https://example.com/receipts"
AT = 1_764_035_999_123_456


def told(fields: dict[str, Any], **options: Any) -> tuple[Story | None, int]:  # noqa: ANN401 - any option
    sandbox = SandboxOptions(**options)
    fates = Fates(sandbox.undelivered_share, sandbox.stop_share, sandbox.seed)
    message = {"destination": "+12025550123", "text": "Hello", "clientMessageId": "welcome.main.k1"} | fields
    return Teller(sandbox, fates).story_of(message, umid="u", sub_account_id="acme_hq")


def story(fields: dict[str, Any], **options: Any) -> Story:  # noqa: ANN401 - any option
    made, left_out = told(fields, **options)
    assert made is not None
    assert left_out == 0
    return made


def test_without_a_callback_url_nothing_is_told() -> None:
    assert (None, 0) == told({}, stop_share=1)


def test_the_receipts_of_a_message() -> None:
    made = story({"dlrCallbackUrl": HERE})
    assert (way_to(DELIVERED), HERE) == (made.steps, str(made.receipts_to))


@pytest.mark.parametrize("url", [BEYOND, "http://127.0.0.1@example.com/", "http://192.0.2.7/"])
def test_what_goes_beyond_this_computer_is_left_out(url: str) -> None:
    assert (None, 4) == told({"dlrCallbackUrl": url})
    assert story({"dlrCallbackUrl": url}, receipts_beyond_loopback=True).left == 4


def test_a_url_that_the_client_cannot_read_is_left_out() -> None:
    assert (None, 4) == told({"dlrCallbackUrl": "http://127.0.0.1:99999/"})


def test_replies_come_after_the_receipts() -> None:
    made = story({"dlrCallbackUrl": HERE}, stop_share=1, seed=3)
    assert way_to(DELIVERED) == made.steps[:4]
    assert all(isinstance(step, Reply) for step in made.steps[4:])
    assert made.steps[4:]


def test_who_was_not_reached_does_not_reply() -> None:
    made = story({"dlrCallbackUrl": HERE}, stop_share=1, undelivered_share=1)
    assert not [step for step in made.steps if isinstance(step, Reply)]


def test_replies_have_a_url_of_their_own() -> None:
    made, left_out = told({"dlrCallbackUrl": BEYOND}, stop_share=1, inbound_url=HERE)
    assert made is not None
    assert (4, HERE) == (left_out, str(made.replies_to))
    assert [Reply] * len(made.steps) == [type(step) for step in made.steps]
    assert {Reply} == {type(step) for step in story({}, stop_share=1, inbound_url=HERE).steps}


def test_disorder_is_of_the_receipts_alone() -> None:
    made = story({"dlrCallbackUrl": HERE}, receipt_disorder=1, stop_share=1)
    assert way_to(DELIVERED) != made.steps[:4]
    assert set(way_to(DELIVERED)) == set(made.steps[:4])
    assert {Reply} == {type(step) for step in made.steps[4:]}
    assert made.steps == story({"dlrCallbackUrl": HERE}, receipt_disorder=1, stop_share=1).steps


def test_the_shares_are_kept() -> None:
    options: dict[str, Any] = {"receipt_disorder": 0.3, "receipt_duplicates": 0.3, "seed": 5}
    made = [story({"dlrCallbackUrl": HERE, "clientMessageId": f"k{n}"}, **options) for n in range(2_000)]
    sandbox = SandboxOptions(**options)
    assert abs(sum(each.steps != way_to(DELIVERED) for each in made) - 600) < 80
    assert abs(sum(each.comes_twice(sandbox) for each in made) - 600) < 80


def test_replies_do_not_come_twice() -> None:
    options = SandboxOptions(receipt_duplicates=1, stop_share=1, inbound_url=HERE)
    assert not story({}, receipt_duplicates=1, stop_share=1, inbound_url=HERE).comes_twice(options)


def test_each_step_is_later_than_the_one_before_though_the_clock_jumps_back() -> None:
    made = story({"dlrCallbackUrl": HERE})
    first = made.parcel(AT)
    made.position = 1
    made.parcel(AT - 1_000_000_000)
    assert AT + STEP_US == made.at
    payload = orjson.loads(first.body)["payload"]
    assert ("queued", "queued") == (first.label, payload["status"]["state"])


def test_delays_are_about_as_asked_for_and_people_take_longer() -> None:
    options = SandboxOptions(receipt_delay_s=2)
    made = story({"dlrCallbackUrl": HERE}, stop_share=1)
    assert QUEUED == made.steps[0]
    assert 1 <= made.delay_s(options) < 3
    made.position = 4
    assert 3 <= made.delay_s(options) < 9
