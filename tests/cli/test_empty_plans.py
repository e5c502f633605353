"""A plan that lacks most of its rows is not sent by a job that nobody watches."""

import pytest

from tests.cli.provider import Provider
from tests.cli.terminal import answered
from tests.cli.workplace import MINIMAL, Workplace, people

SHORT = "".join(f"s{number},12,Short\n" for number in range(6))
EMPTY = "nothing is left to send: every row of people.csv is excluded"
MOST = "more than half of the rows are excluded for one reason: "
EXPECT = "country: SG, expect: {excluded: <= 80%}"


def with_recipients(keys: str) -> str:
    return MINIMAL.replace("country: SG", keys)


def test_the_plan_says_so_in_front_of_all_else(offline: Workplace) -> None:
    offline.write(people(1) + SHORT)
    words = f"{MOST}6 of 7 (85.7%) are invalid_number"
    planned = offline.here("plan", "hello.yaml")
    assert (0, 0) == (planned.exit_code, planned.stdout.index("warning: more than half"))
    assert words in " ".join(planned.stdout.split())
    assert 1 == planned.stdout.count("more than half")
    assert words == offline.here("plan", "hello.yaml", "--json").document["warnings"][0]
    front, _, rest = offline.here("plan", "hello.yaml", "--format", "markdown").stdout.partition("###")
    assert "warning: more than half" in front
    assert "more than half" not in rest


@pytest.mark.parametrize(
    ("rows", "keys", "words"),
    [
        pytest.param(SHORT, "country: SG", f"{EMPTY} (invalid_number 6)", id="no usable number"),
        pytest.param(people(3), "country: SG, where: \"name = 'n1'\"", f"{EMPTY} (filtered 3)", id="a typing error"),
        pytest.param(people(5) + SHORT, "country: SG", f"{MOST}6 of 11 (54.5%) are invalid_number", id="most"),
        pytest.param(people(3), "country: SG, countries: [MY]", f"{EMPTY} (country_not_allowed 3)", id="the countries"),
        pytest.param(people(2) * 3, "country: SG", f"{MOST}4 of 6 (66.7%) are duplicate", id="duplicates"),
        pytest.param(people(3), "country: SG, suppress: [people.csv]", f"{EMPTY} (suppressed 3)", id="a wrong list"),
        pytest.param(
            people(3), "country: SG, where: \"name = 'N1'\"", f"{MOST}2 of 3 (66.7%) are filtered", id="a condition"
        ),
    ],
)
def test_what_looks_like_a_mistake(campaign: Workplace, provider: Provider, rows: str, keys: str, words: str) -> None:
    campaign.write(rows, with_recipients(keys))
    done = campaign("run", "hello.yaml", "--yes")
    assert (2, 0) == (done.exit_code, provider.sent.total())
    assert f"nothing was sent: {words}; check the list; if this is right, add --allow-empty" in done.stderr
    assert [] == campaign.ledger("SELECT * FROM runs")
    assert 0 == campaign("run", "hello.yaml", "--yes", "--allow-empty").exit_code


@pytest.mark.parametrize(
    ("rows", "keys", "options", "sent"),
    [
        pytest.param(people(5) + SHORT[:60], "country: SG", (), 5, id="exactly half"),
        pytest.param(people(50), "country: SG, sample: 20%", (), None, id="a sample"),
        pytest.param(people(5), "country: SG, limit: 1", (), 1, id="a limit"),
        pytest.param(people(5), "country: SG", ("--limit", "1"), 1, id="--limit"),
        pytest.param(people(5) + SHORT, EXPECT, (), 5, id="it is said to be usual"),
    ],
)
def test_what_was_asked_for(
    campaign: Workplace, provider: Provider, rows: str, keys: str, options: tuple[str, ...], sent: int | None
) -> None:
    campaign.write(rows, with_recipients(keys))
    assert 0 == campaign("run", "hello.yaml", "--yes", *options).exit_code
    assert provider.sent.total() == (sent or provider.sent.total()) > 0
    assert 0 == campaign("run", "hello.yaml", "--yes", *options).exit_code
    assert {1} == set(provider.sent.values()), "again, when nothing is left"


def test_an_approval_covers_what_its_plan_showed(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(2) + SHORT)
    fingerprint = campaign("plan", "hello.yaml", "--json").document["fingerprint"]
    assert 0 == campaign("run", "hello.yaml", "--approve", fingerprint).exit_code
    assert 2 == provider.sent.total()


def test_a_person_is_asked_as_ever_after_the_warning(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(2) + SHORT)
    done = answered(campaign, "y\n", "run", "hello.yaml")
    assert (0, 2) == (done.exit_code, provider.sent.total())
    assert done.stdout.index(MOST[:20]) < done.stdout.index("hello/main")


def test_a_run_that_has_begun_continues(campaign: Workplace, provider: Provider) -> None:
    """The rows that were excluded since are its user's decision; the others must not wait for it."""
    campaign.write(people(4))
    assert 0 == campaign("run", "hello.yaml", "--yes", "--limit", "1").exit_code
    campaign.write(people(4) + SHORT)
    assert 0 == campaign("run", "hello.yaml", "--yes").exit_code
    assert (4, {1}) == (provider.sent.total(), set(provider.sent.values()))


def test_the_sandbox_shows_what_a_run_would_do(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(2) + SHORT)
    assert 2 == campaign("run", "hello.yaml", "--sandbox", "--yes").exit_code
    done = campaign("run", "hello.yaml", "--sandbox")
    assert (0, 2) == (done.exit_code, campaign.statuses("sandbox")["accepted", "queued"])
    assert 0 == provider.sent.total()


def test_letting_it_through_is_on_record(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(2) + SHORT)
    assert 0 == campaign("run", "hello.yaml", "--yes", "--allow-empty").exit_code
    assert "--allow-empty" in campaign("audit").stdout
    assert 2 == provider.sent.total()
