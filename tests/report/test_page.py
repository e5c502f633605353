"""report.html: what it says, whom it hides, and that nothing in it runs."""

import re
import stat
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from runner.base.audit import Actor, AuditAction
from runner.base.errors import StoppedError
from runner.base.events import Event, EventKind
from runner.base.exclusions import ExclusionReason
from runner.base.outcomes import OutcomeReason, Status
from runner.ledger.audit import RecordedEntry
from runner.ledger.sessions import Session, SessionState
from runner.provider.delivery import ADVICE, CODES, Verdict
from runner.report.page import Page, page_of, write_page
from runner.report.page_reasons import EXCLUSIONS, OUTCOMES, advice_for
from tests.report.sample import EVENTS, SETTINGS, START, START_US, accepted, excluded, lively, page_for, record

NASTY = (
    "<script>window.taken=1</script>", "</style></title></textarea><img src=x onerror=window.taken=1>",
    "\"'><svg onload=a>", '=HYPERLINK("http://evil.example")', "{{ 7*7 }}{% raw %}", "&lt;b&gt;&amp;",
    "\u202egnp.exe\u202c\u2066x", "a\x00b\x1b[31mred\x07", "`whoami`", "x" * 10_000, "javascript:alert(1)",
    "\u05e9\u05dc\u05d5\u05dd",
)  # fmt: skip
ALL_NASTY = "".join(NASTY[:9])
ALLOWED = {
    "html", "head", "meta", "link", "title", "style", "body", "header", "main", "footer", "section", "p", "h1", "h2",
    "h3", "div", "span", "dl", "dt", "dd", "b", "ul", "li", "code", "bdi", "table", "caption", "thead", "tbody",
    "tfoot", "tr", "th", "td", "figure", "pre", "svg", "desc", "g", "path", "line", "text", "rect",
}  # fmt: skip


class Seen(HTMLParser):
    """Tags, ids and attributes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += " "
        self.tags[tag] += 1
        self.attributes += attrs
        self.ids.update(value or "" for name, value in attrs if name == "id")

    def handle_data(self, data: str) -> None:
        self.text += data


def said(html: str) -> str:
    """The page's words, white space squeezed."""
    return " ".join(Seen(html).text.split())


def hostile_page(folder: Path) -> Page:
    """Everything that anybody could have put into a field."""
    rows: list[dict[str, Any]] = []
    for number, nasty in enumerate([*NASTY, ALL_NASTY], 1):
        texts = {"key": nasty, "destination": nasty, "country": nasty, "detail": nasty, "umid": nasty, "city": nasty}
        told = {"delivery_state": nasty, "delivery_detail": nasty, "billed_currency": nasty, "billed_price": 1}
        at = START + timedelta(seconds=number)
        rows += [
            accepted(number, at, **texts, **told, encoding=nasty, billed_segments=1),
            accepted(number + 100, at, **texts, status="rejected", reason=nasty, error_code=-number),
            accepted(number + 200, at, **texts, delivery_state="undelivered", delivery_error=number * 1_000),
            excluded(number + 300, nasty, nasty, key=nasty),
        ]
    surrogate = ALL_NASTY + "\ud800"
    settings = replace(
        SETTINGS, file=surrogate, recipients=surrogate, rate=surrogate, template_name=surrogate, source=surrogate,
        template=surrogate * 50, example=surrogate, example_masked=surrogate, currency=surrogate,
        prices=dict.fromkeys([*NASTY, "GB"], "NaN") | {NASTY[0]: "0.01", "XX": surrogate},
    )  # fmt: skip
    events = [Event(kind, START_US + 1, 1.0, surrogate) for kind in EventKind]
    named = record(
        name=surrogate, run=surrogate, sub_account_id=surrogate, fingerprint=surrogate, stop_reason="fuse",
        stop_detail=surrogate, created_at=2**62, stop_message_id=surrogate, stop_error_id=surrogate,
        stop_answered_at=2**62,
    )  # fmt: skip
    actor = Actor(surrogate, surrogate, surrogate)
    detail = {surrogate: surrogate, "reason": surrogate, "detail": [surrogate], "fingerprint": surrogate}
    trail = [RecordedEntry(1, START_US, action, surrogate, actor, detail, "", surrogate, "") for action in AuditAction]
    sessions = [Session(2**62, SessionState.STOPPED, 2**62, surrogate, surrogate)] * 2
    return page_for(
        folder,
        rows,
        settings=settings,
        events=events,
        sessions=sessions,
        record=named,
        version=surrogate,
        unmask=True,
        trail=trail,
    )


def test_says_what_became_of_every_row(tmp_path: Path) -> None:
    page = page_for(tmp_path, lively())
    words = said(page_of(page))
    counts = {status: page.counts.totals.by_status[status] for status in Status}
    assert 1_200 == sum(counts.values())
    for status, count in counts.items():
        if count:
            assert re.search(rf"\b{status} {count:,}\b", words)
    assert f"Finished: {counts[Status.ACCEPTED]:,} of" in words
    for part in ("3f9a8c04d17b", "campaign-runner 0.1.0", "25 Nov 2026, 09:00:00", "Hi •••, the Acme autumn fair"):
        assert part in words


@pytest.mark.parametrize(
    ("rows", "values", "words"),
    [
        ([accepted(1)], {}, "The only message is accepted."),
        ([accepted(1), accepted(2), excluded(3, "filtered", "")], {}, "All 2 messages are accepted."),
        ([excluded(1, "filtered", "")], {}, "Nothing was sent: the plan excluded every row."),
        ([], {}, "The recipient file has no rows."),
        ([accepted(1)], {"ended_at": None}, "Not finished: 1 of 1 message accepted so far."),
        (
            [accepted(1), accepted(2, status="unsent", reason="interrupted", sent_at=None, latency_ms=None)],
            {"stop_reason": "interrupted", "stop_detail": "stopped by Ctrl-C"},
            "Stopped early: stopped by Ctrl-C. 1 of 2 messages not sent.",
        ),
        (
            [accepted(1), accepted(2, status="unknown", reason="timeout")],
            {"stop_reason": "fuse", "stop_detail": "20 unknown in a row"},
            "Stopped early: 20 unknown in a row. No messages left to send, 1 unknown.",
        ),
        (
            [accepted(1), accepted(2, status="unsent", reason="fuse", sent_at=None, latency_ms=None)],
            {"stop_reason": "fuse", "stop_detail": "rejectedShare: 9 of 9 were rejected; for example row 4: refused"},
            "Stopped early: rejectedShare: 9 of 9 were rejected. 1 of 2 messages not sent.",
        ),
        (
            [accepted(1), accepted(2, status="unsent", reason="opted_out", sent_at=None, latency_ms=None)],
            {"stop_reason": "opted_out", "stop_detail": "1 recipient opted out meanwhile; the next start leaves them"},
            "Finished: 1 of 2 messages accepted, 1 opted out during the run.",
        ),
    ],
)
def test_one_line_says_how_it_ended(
    rows: list[dict[str, Any]], values: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert words in said(page_of(page_for(tmp_path, rows, record=record(**values))))


def test_the_answer_that_stopped_it_with_the_id_that_support_asks_for(tmp_path: Path) -> None:
    stopped = record(
        stop_reason="unauthorized", stop_detail="Invalid credentials", stop_message_id="a.b.c", stop_http_status=401,
        stop_error_code=1200, stop_error_id="e-1", stop_answered_at=START_US,
    )  # fmt: skip
    rows = [{"row": 1, "status": "unsent", "reason": "unauthorized", "sent_at": START, "latency_ms": 1.0}]
    words = said(page_of(page_for(tmp_path, rows, record=stopped)))
    answer = "The provider answered HTTP 401, error code 1200 at 25 Nov 2026, 09:00:00."
    assert f"{answer} Quote error ID e-1 to the provider's support." in words
    assert "No messages were sent" in words


def test_accepted_messages_whose_answers_differ_are_warnings(tmp_path: Path) -> None:
    detail = "accepted, but the answer has the number +447700912345"
    rows = [accepted(1), *(accepted(n, reason="other_destination", detail=detail) for n in (2, 3))]
    page = page_for(tmp_path, [*rows, accepted(4, reason="other_encoding")])
    html = page_of(page)
    words = said(html)
    assert 'class="verdict look"' in html
    assert "All 4 messages are accepted." in words
    assert "Warning: 2 messages accepted, but the answer has another number than was sent." in words
    assert "Warning: 1 message accepted, but the answer has another encoding than was sent." in words
    assert "row 2, key +4477••••••02: accepted, but the answer has the number +4477••••••45" in words
    assert "queued by the provider" not in words


def test_sessions_are_listed_if_there_are_several(tmp_path: Path) -> None:
    first = Session(START_US, SessionState.NOT_KNOWN)
    rest = [Session(START_US, SessionState.STOPPED, START_US + 1_000_000, "interrupted", "Ctrl-C", 1_204),
            Session(START_US, SessionState.KILLED, sent=3)]  # fmt: skip
    words = said(page_of(page_for(tmp_path, [accepted(1)], sessions=[first, *rest])))
    at = "25 Nov 2026, 09:00:0"
    assert (
        f"Sessions started ended state messages sent {at}0 – not known not known "
        f"{at}0 {at}1 stopped: interrupted 1,204 {at}0 – killed 3"
    ) in words
    assert "Sessions" not in said(page_of(page_for(tmp_path, [accepted(1)], sessions=rest[:1])))


def test_each_reason_comes_with_what_to_do_and_examples(tmp_path: Path) -> None:
    words = said(
        page_of(page_for(tmp_path, [accepted(1), excluded(2, "missing_field", "first_name is empty", key="C2")]))
    )
    assert "required field is empty missing_field" in words
    assert "fill in the field" in words
    assert "row 2, key C2: first_name is empty" in words


def test_every_reason_has_words_and_all_that_can_be_mended_a_remedy() -> None:
    assert set(ExclusionReason) == set(EXCLUSIONS)
    assert set(OutcomeReason) == set(OUTCOMES)
    fine = {OutcomeReason.QUEUED, OutcomeReason.RECONCILED, OutcomeReason.RECEIPT}
    assert fine == {reason for reason, (_, remedy) in OUTCOMES.items() if not remedy}
    assert all(words and remedy for words, remedy in EXCLUSIONS.values())
    assert ("new reason", "") == advice_for("rejected", "new_reason")


def test_the_same_ledger_gives_the_same_bytes(tmp_path: Path) -> None:
    page = page_for(tmp_path, lively())
    write_page(tmp_path / "one.html", page)
    write_page(tmp_path / "two.html", page)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert 0o600 == stat.S_IMODE((tmp_path / "one.html").stat().st_mode)


def test_the_newest_entries_of_the_trail_are_shown_without_numbers(tmp_path: Path) -> None:
    actor = Actor("Ana", "build-7", "0.1.0")
    entries = [
        RecordedEntry(1, START_US, AuditAction.PLANNED, "a/b", actor, {"fingerprint": "ab" * 32}, None, None, "c"),
        RecordedEntry(2, START_US, AuditAction.OVERRODE, "a/b", actor,
                      {"option": "--ignore-fuse", "let_through": ["rejectedShare"]}, "d", "+447700900123", "c"),
    ]  # fmt: skip
    html = page_of(page_for(tmp_path, [accepted(1)], trail=entries * 15))

    words = said(html)
    assert "Latest 20 of 30 entries" in words
    assert 10 == words.count("overrode Ana@build-7 •••, --ignore-fuse: rejectedShare")
    assert 10 == words.count("planned Ana@build-7 fingerprint abababababab")
    assert "900123" not in html
    assert "Audit trail" not in page_of(page_for(tmp_path, [accepted(1)]))


def test_a_page_that_cant_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(StoppedError, match=r"report\.html could not be written"):
        write_page(tmp_path / "report.html", page_for(tmp_path, [accepted(1)]))


def test_it_is_whole_in_itself(tmp_path: Path) -> None:
    html = page_of(page_for(tmp_path, lively()))
    seen = Seen(html)
    assert ALLOWED >= set(seen.tags)
    assert {"http://www.w3.org/2000/svg"} == set(re.findall(r"https?://[^\s\"'<>]+", html))
    assert "default-src 'none'" in html
    assert {"data:,"} == {value for name, value in seen.attributes if name in ("src", "href", "xlink:href")}
    assert [] == [identity for identity, count in seen.ids.items() if count > 1]
    referred = " ".join(value or "" for name, value in seen.attributes if name in ("headers", "aria-labelledby"))
    assert set(seen.ids) >= set(referred.split())


def test_hostile_cells_are_only_text(tmp_path: Path) -> None:
    page = hostile_page(tmp_path)
    write_page(tmp_path / "report.html", page)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    seen = Seen(html)
    assert ALLOWED >= set(seen.tags)
    assert 1 == seen.tags["style"]
    assert [] == [name for name, _ in seen.attributes if name.startswith("on")]
    assert [] == re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    assert "{{ 7*7 }}" in seen.text
    assert "x" * 400 not in html
    assert len(html) < 1_000_000


def test_numbers_are_masked_and_texts_left_out_unless_asked_for(tmp_path: Path) -> None:
    number = "+447700900123"
    rows = [
        accepted(1, status="rejected", reason="invalid_destination", key=number, detail=f"{number} (+44 7700 900123)")
    ]
    rows.append(excluded(2, "duplicate", f"same as {number}", key=number))
    events = (*EVENTS, Event(EventKind.STOPPED, START_US + 5, None, f"at {number}"))
    stopped = record(stop_reason="fuse", stop_detail=f"refused: {number}")
    masked = page_of(page_for(tmp_path, rows, events=events, record=stopped))
    for secret in ("900123", "900 123", "Will", "York"):
        assert secret not in masked
    assert "Phone numbers are masked" in said(masked)
    whole = page_of(page_for(tmp_path, rows, events=events, record=stopped, unmask=True))
    for secret in (number, "Hi Will", "York"):
        assert secret in whole
    assert "handle with care" in said(whole)


def test_a_campaign_that_masks_shows_no_text_in_any_case(tmp_path: Path) -> None:
    page = page_for(tmp_path, [accepted(1)], settings=replace(SETTINGS, mask=True), unmask=True)
    assert "Hi Will" not in page_of(page)


def test_what_is_not_known_yet_says_how_to_know_it(tmp_path: Path) -> None:
    words = said(page_of(page_for(tmp_path, [accepted(1), accepted(2)])))
    assert "No delivery receipts yet. Run campaign receipts to receive receipts" in words
    assert "No conversions yet. campaign feedback autumn-fair/main FILE" in words
    quiet = replace(SETTINGS, tracked=False, with_receipts=False, prices={})
    words = said(page_of(page_for(tmp_path, [accepted(1), accepted(2)], settings=quiet)))
    assert "Delivery tracking is off; add a receipts section" in words
    assert "Conversion" not in words
    assert "estimated" not in words


def test_a_run_of_an_older_version_has_a_page_too(tmp_path: Path) -> None:
    words = said(page_of(page_for(tmp_path, lively(200), settings=None, events=())))
    assert "Messages over time" in words
    assert "Template" not in words


def test_delivery_conversion_and_cost_are_told(tmp_path: Path) -> None:
    rows = [
        accepted(1, delivery_state="delivered", delivery_detail="delivered_to_recipient", outcome="success",
                 delivered_at=START + timedelta(seconds=3), converted_at=START + timedelta(minutes=2),
                 billed_price=Decimal("0.0375"), billed_segments=1, billed_currency="EUR"),
        accepted(2, delivery_state="delivered", delivery_detail="delivered_to_operator"),
        accepted(3, delivery_state="undelivered", delivery_error=59, outcome="failure", country="US", segments=2),
        accepted(4),
    ]  # fmt: skip
    words = said(page_of(page_for(tmp_path, rows)))
    for part in (
        "25.0% of accepted messages delivered, 1 not delivered, 2 pending; 25.0% converted.",
        "delivered to the operator 1 25.0%",
        f"59 {CODES[59].words} dead 1 100% {ADVICE[Verdict.DEAD]}",
        "1 converted: 25.0% of accepted messages, 100% of delivered messages.",
        "1 did not convert; 2 have no outcome yet.",
        "estimated cost 0.1388 EUR", "billed 0.0375 EUR", "50% within 3 s", "GB 3 3 0 0 1 33.3% 1 3 0.1230 EUR",
    ):  # fmt: skip
        assert part in words


def test_bills_in_several_currencies_count_their_own_messages(tmp_path: Path) -> None:
    euros = [accepted(n, billed_price=Decimal("0.5"), billed_currency="EUR", billed_segments=1) for n in (1, 2)]
    dollars = accepted(3, billed_price=Decimal("0.25"), billed_currency="USD", billed_segments=1)
    words = said(page_of(page_for(tmp_path, [*euros, dollars, accepted(4, billed_segments=1)])))
    assert "1.00 EUR for 2 messages" in words
    assert "0.2500 USD for 1 message" in words


def test_a_start_after_a_death_is_a_moment_of_its_own(tmp_path: Path) -> None:
    starts = [Event(EventKind.STARTED, START_US + seconds * 1_000_000) for seconds in (0, 90)]
    events = [*starts, Event(EventKind.ENDED, START_US + 100_000_000)]
    words = said(page_of(page_for(tmp_path, [accepted(1)], events=events)))
    assert "09:00:00 started – 25 Nov 2026, 09:01:30 started –" in words


def test_it_stays_small_whatever_there_is_to_show(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []
    for number in range(2_000):
        at = START + timedelta(seconds=number * 111)
        rows.append(accepted(number, at, country=f"{number % 700:03}", delivery_state="failed", delivery_error=number))
        rows.append(
            accepted(number, at, status="rejected", reason="bad_request", error_code=number, detail="d" * 10_000)
        )
        rows.append(excluded(number, "missing_field", "e" * 10_000, key="k" * 10_000))
    throttled = [Event(EventKind.THROTTLED, START_US + n * 400_000_000, 1.0, "t" * 10_000) for n in range(500)]
    events = [event for one in throttled for event in (one, Event(EventKind.STARTED, one.at + 1))]
    page = page_for(tmp_path, rows, settings=replace(SETTINGS, template="t" * 1_000_000), events=events)
    write_page(tmp_path / "report.html", page)
    assert (tmp_path / "report.html").stat().st_size < 300_000
    words = said((tmp_path / "report.html").read_text())
    assert "others" in words
    assert "latest 40 of 1,000" in words
