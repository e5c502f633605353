"""A campaign or a recipient file that changes while a run is under way, and the ways to send a part."""

from tests.cli.provider import Provider
from tests.cli.workplace import MINIMAL, Workplace, people, person

RUN = ("run", "hello.yaml", "--yes")


def test_new_rows_are_sent_and_no_key_twice(campaign: Workplace, provider: Provider) -> None:
    assert 0 == campaign(*RUN).exit_code
    campaign.write(people(2, first=6) + people(4))  # moved, two new ones, and the fifth is gone
    again = campaign(*RUN)
    assert (0, 7) == (again.exit_code, len(provider.requests))
    assert {1} == set(provider.sent.values()) == set(provider.message_ids.values())
    assert {("accepted", "queued"): 6} == campaign.statuses()
    assert "2 left to send" in again.stdout


def test_changed_texts_need_a_yes(campaign: Workplace, provider: Provider) -> None:
    assert 0 == campaign(*RUN, "--limit", "2").exit_code
    assert {"+6581230001": 1, "+6581230002": 1} == provider.sent
    assert {("accepted", "queued"): 2, ("excluded", "over_limit"): 3} == campaign.statuses()

    campaign.write(person(1) + person(2, "Bob") + people(4, first=3))
    refused = campaign(*RUN, "--json")
    assert (2, 2) == (refused.exit_code, len(provider.requests))
    assert "row 3 (key k2)" in refused.stderr
    assert "--accept-changes" in refused.stderr
    assert 2 == refused.document["exit_code"]
    plan = campaign("plan", "hello.yaml", "--json")
    assert (0, 1) == (plan.exit_code, len(plan.document["changes"]))
    assert {("accepted", "queued"): 2, ("excluded", "over_limit"): 3} == campaign.statuses()

    assert 0 == campaign(*RUN, "--accept-changes").exit_code
    assert 6 == len(provider.requests)
    assert {1} == set(provider.sent.values())
    assert "Hi N2" in {request.body["text"] for request in provider.requests}
    assert {("accepted", "queued"): 6} == campaign.statuses()


def test_a_changed_option_needs_a_yes(campaign: Workplace, provider: Provider) -> None:
    assert 0 == campaign(*RUN, "--limit", "1").exit_code
    campaign.write(people(5), MINIMAL.replace("{text:", "{source: ACME, text:"))
    refused = campaign(*RUN)
    assert (2, 1) == (refused.exit_code, len(provider.requests))
    assert "message.source: was not set, now ACME" in refused.stderr
    assert 0 == campaign(*RUN, "--accept-changes").exit_code
    assert [None, "ACME", "ACME", "ACME", "ACME"] == [request.body.get("source") for request in provider.requests]


def test_a_changed_number_is_neither_sent_nor_shown_as_sent(campaign: Workplace, provider: Provider) -> None:
    """The key says that this person has a message: results name the number that it went to."""
    assert 0 == campaign(*RUN).exit_code
    campaign.write(people(5).replace("+6581230002", "+6581230099"))
    campaign(*RUN, "--accept-changes")
    assert (5, 0) == (len(provider.requests), provider.sent["+6581230099"])
    assert ["+6581230002"] == [row["destination"] for row in campaign.results() if row["key"] == "k2"]


def test_a_changed_number_of_somebody_left_needs_a_yes(campaign: Workplace, provider: Provider) -> None:
    """What was shown is what is sent: a message that would go to another phone is a change, too."""
    assert 0 == campaign(*RUN).exit_code
    campaign.ledger_forgets("k2")
    campaign.write(people(5).replace("+6581230002", "+6581230099"))
    refused = campaign(*RUN)
    assert (2, 0) == (refused.exit_code, provider.sent["+6581230099"])
    assert "row 3 (key k2)" in refused.stderr


def test_another_run_sends_again_to_everybody(campaign: Workplace, provider: Provider) -> None:
    assert 0 == campaign(*RUN).exit_code
    assert 0 == campaign(*RUN, "--run", "second").exit_code
    assert {2} == set(provider.sent.values())
    assert {1} == set(provider.message_ids.values())
    assert {("accepted", "queued"): 5} == campaign.statuses("second") == campaign.statuses()
    runs = campaign("status", "hello", "--json").document["runs"]
    assert [("main", "finished", 5), ("second", "finished", 5)] == [
        (run["run"], run["state"], run["accepted"]) for run in runs
    ]
    refused = campaign(*RUN, "--run", "sandbox")
    assert (2, 10) == (refused.exit_code, len(provider.requests))


def test_the_report_can_be_written_again(campaign: Workplace, provider: Provider) -> None:
    assert 0 == campaign(*RUN).exit_code
    before = {name: campaign.path(name).read_bytes() for name in ("results.csv", "results.parquet", "summary.json")}
    for name in before:
        campaign.path(name).unlink()
    done = campaign("report", "hello", "--json")
    assert 0 == done.exit_code
    assert before == {name: campaign.path(name).read_bytes() for name in before}
    assert campaign.summary() == done.document


def test_a_changed_key_column_is_no_way_around_the_run(campaign: Workplace, provider: Provider) -> None:
    """Keys of another column are new ones to the ledger; the numbers behind them are not."""
    assert 0 == campaign(*RUN).exit_code
    campaign.write(people(5), MINIMAL.replace("key: id", "key: name"))

    refused = campaign(*RUN)

    assert (2, 5) == (refused.exit_code, len(provider.requests))
    assert "5 recipients with a new key but the same number: THEY WOULD BE TEXTED AGAIN" in refused.stderr


def test_a_damaged_plan_is_like_a_missing_one(campaign: Workplace, provider: Provider) -> None:
    assert 0 == campaign(*RUN, "--limit", "2").exit_code
    campaign.path("plan.sent.parquet").write_text("junk")

    report, refused = campaign("report", "hello"), campaign(*RUN)
    assert (2, 2) == (report.exit_code, refused.exit_code)
    assert "is missing or damaged" in report.stderr
    assert "is missing or damaged" in refused.stderr

    assert 0 == campaign(*RUN, "--accept-changes").exit_code
    assert {1} == set(provider.sent.values())
