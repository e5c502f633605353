"""A provider that answers 429 for ever: the run ends within `giveUpAfter`, and the next one sends each message once."""

import pytest

from tests.cli.provider import Provider, error, queued
from tests.cli.workplace import MINIMAL, Workplace, people

RUN = ("run", "hello.yaml", "--yes")


@pytest.mark.parametrize(
    ("retry_after", "words"),
    [
        ("0", "gave up after 3 s: slow down"),
        ("1", "the provider asks for a pause of 1 s, until "),
        ("3600", "the provider asks for a pause of 1 h, until "),
        ("31536000", "the provider asks for a pause of 365 days, until "),
        (None, "the provider asks for a pause of 1 s, until "),
    ],
)
def test_it_ends_in_time_and_continues(
    campaign: Workplace, provider: Provider, retry_after: str | None, words: str
) -> None:
    campaign.write(people(20), f"{MINIMAL}giveUpAfter: 3s\n")
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    provider.script = lambda _: error(429, 429, "slow down", headers)

    done = campaign(*RUN)

    stopped = campaign.summary()["stopped"]
    assert 3 == done.exit_code, done.stderr
    assert "throttled" == stopped["reason"]
    # On a busy machine, the time may be over when an answer is read.
    assert words in stopped["detail"] or "gave up after 3 s" in stopped["detail"]
    assert {("unsent", "throttled"): 20} == campaign.statuses()

    provider.script = queued
    provider.forget()
    assert 0 == campaign(*RUN).exit_code
    assert [1] * 20 == list(provider.message_ids.values())


def test_it_says_what_it_waits_for_and_until_when(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(3), f"{MINIMAL}giveUpAfter: 1h\n")
    provider.script = lambda _: error(429, 429, "slow down", {"Retry-After": "1800"})
    with campaign.started(*RUN) as process:
        provider.wait_for(1)
        while not (waiting := campaign("status", "--json").document["runs"][0]["waiting_for"]):
            assert process.poll() is None
    assert "the provider's rate limit until " in waiting
    assert " UTC; gives up at " in waiting
