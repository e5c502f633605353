"""What a fingerprint covers: every key that decides a send, and no text that imitates another."""

from hypothesis import given
from hypothesis import strategies as st

from runner.campaign import Campaign
from runner.run.approval import PARTS, _difference, _listed, fingerprint_of

# The keys of a campaign file that the fingerprint covers, by the part that does so.
COVERED = {
    "name": "run", "run": "run", "account": "account", "rate": "rate", "timezone": "times", "window": "times",
    "not_before": "times", "not_after": "times", "limits": "limits", "stop_when": "limits", "give_up_after": "limits",
    "message": "messages", "recipients": "messages",
}  # fmt: skip
# These decide what is shown and reported, not what is sent. The URL of `receipts` is one of the options.
HARMLESS = {"kind", "prices", "receipts", "report", "thresholds"}

TEXTS = st.text(st.sampled_from('ab;" \\') | st.characters(), max_size=6)


def test_each_key_of_a_campaign_is_covered() -> None:
    assert set() == Campaign.model_fields.keys() - COVERED.keys() - HARMLESS, "add the key to a part of approval.py"
    assert set(PARTS) == {*COVERED.values(), "options", "ledger"}


@given(st.lists(TEXTS, min_size=8, max_size=8), st.lists(TEXTS, min_size=8, max_size=8))
def test_another_text_another_fingerprint(one: list[str], other: list[str]) -> None:
    prints = [fingerprint_of(dict(zip(PARTS, texts, strict=True))) for texts in (one, other)]
    assert (one == other) == (prints[0] == prints[1])


@given(*[st.dictionaries(st.sampled_from(["message.source", "message.expiry"]), TEXTS)] * 2)
def test_no_value_imitates_another_option(one: dict[str, str], other: dict[str, str]) -> None:
    one, other = (dict(sorted(values.items())) for values in (one, other))
    assert (one == other) == (_listed(one) == _listed(other))


def test_a_difference_is_short() -> None:
    assert "approved 10/s, now 20/s" == _difference("10/s", "20/s")
    assert "approved b 2, now b 3; c 4" == _difference("a 1; b 2", "a 1; b 3; c 4")
    assert "approved b 2, now not set" == _difference("a 1; b 2", "a 1")
    assert f"approved {'a' * 12}, now {'b' * 12}" == _difference("a" * 64, "b" * 64)
