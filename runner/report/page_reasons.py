"""The report page's reasons: rows by status, with the meaning of each reason, what to do and example rows. Pure.

Every reason has an entry in `EXCLUSIONS` or `OUTCOMES`; a test compares them with the two enumerations.
"""

from collections.abc import Callable, Mapping
from typing import Any

from runner.base.exclusions import ExclusionReason
from runner.base.outcomes import DIFFERING, OutcomeReason, Status
from runner.base.text import sanitized
from runner.provider.answer import ADVICE
from runner.report.layout import MOST_CHARACTERS, STATUS_COLOURS, Share, shares_of
from runner.report.result_counts import ResultCounts

_X, _O = ExclusionReason, OutcomeReason

_AGAIN = "start the run again to send them; they were certainly not received"
_RECONCILE = "`campaign reconcile` looks them up in the provider's log; they are never sent again without proof"

# What happened, and what to do.
EXCLUSIONS: Mapping[str, tuple[str, str]] = {
    _X.UNREADABLE_ROW: ("unreadable row", "correct these rows in the recipient file"),
    _X.FILTERED: ("excluded by recipients.where", "no action needed if the condition is correct"),
    _X.INVALID_NUMBER: ("missing, invalid or ambiguous phone number",
        "correct the numbers at the source; national numbers need recipients.country"),
    _X.NOT_MOBILE: ("fixed-line number", "ask for a mobile number, or allow fixed lines in recipients.types"),
    _X.NUMBER_TYPE: ("type of number that can't receive SMS",
        "ask for a mobile number, or allow the type in recipients.types"),
    _X.COUNTRY_NOT_ALLOWED: ("country not allowed",
        "no action needed if recipients.countries and denyCountries are correct"),
    _X.SUPPRESSED: ("opted out, or on a suppression list", "no action needed: these people must not get messages"),
    _X.DUPLICATE: ("duplicate of another row",
        "no action needed if recipients.duplicates is correct; otherwise remove the duplicates"),
    _X.COOLDOWN: ("frequency cap reached", "no action needed, or send later; recipients.cooldown sets the cap"),
    _X.NOT_SAMPLED: ("not in the sample", "no action needed if recipients.sample is correct"),
    _X.MISSING_FIELD: ("required field is empty",
        'fill in the field, or add a fallback to the template: {{ city or "our shop" }}'),
    _X.TEMPLATE_ERROR: ("template fails on this row", "check the row with `campaign preview FILE --row N`"),
    _X.EMPTY_MESSAGE: ("empty text", "check the row with `campaign preview FILE --row N`"),
    _X.INVALID_TEXT: ("text contains a character that can't be sent",
        "remove the character from the fields of these rows"),
    _X.REQUIRED_TEXT: ("text lacks a required phrase", "add the phrase in message.requireText to the template"),
    _X.TOO_MANY_SEGMENTS: ("too many segments", "shorten the template, or raise message.maxSegments"),
    _X.NOT_GSM7: ("text needs UCS-2, but only GSM-7 is allowed",
        "turn on message.smartEncoding, or allow UCS-2 in message.encoding"),
    _X.UNKNOWN_ZONE: ("unknown time zone, so unknown sending hours", "set one time zone for everybody in window.zone"),
    _X.OUTSIDE_WINDOW: ("outside the sending hours", "start the run within the sending hours (window)"),
    _X.OVER_LIMIT: ("over the recipient limit",
        "no action needed if the limit is correct; to send the rest, run again without it"),
}  # fmt: skip
# The same. An empty remedy means: the one in `ADVICE`, or none.
_OUTCOMES: Mapping[OutcomeReason, tuple[str, str]] = {
    _O.QUEUED: ("queued by the provider", ""),
    _O.OTHER_DESTINATION: ("accepted, but the answer has another number than was sent", ""),
    _O.OTHER_ENCODING: ("accepted, but the answer has another encoding than was sent", ""),
    _O.RECONCILED: ("no answer, but found in the provider's log", ""),
    _O.RECEIPT: ("no answer, but a delivery receipt arrived", ""),
    _O.REJECTED_BY_PROVIDER: ("refused by the provider",
        "read the provider's messages in the examples; if they don't explain it, ask its support"),
    _O.INVALID_DESTINATION: ("number refused", ""),
    _O.INVALID_TEXT: ("text refused", ""),
    _O.INVALID_SOURCE: ("sender ID refused", ""),
    _O.INVALID_OPTION: ("message option refused", ""),
    _O.RESENDING_INTERVAL: ("same text sent to this number shortly before", ""),
    _O.BAD_REQUEST: ("request refused", "read the provider's messages in the examples, and look up the error code"),
    _O.TIMEOUT: ("no answer in time", _RECONCILE),
    _O.DISCONNECTED: ("connection lost before the answer", _RECONCILE),
    _O.SERVER_ERROR: ("provider error", _RECONCILE),
    _O.INVALID_ANSWER: ("invalid answer", _RECONCILE),
    _O.PROCESS_DIED: ("process ended before the answer was recorded", _RECONCILE),
    _O.ABANDONED: ("run stopped before the answer", _RECONCILE),
    _O.UNPROVED_RECEIPT: (
        "held back: a receipt without authorization came for a message that this ledger never sent",
        "run `campaign reconcile`",
    ),
    _O.IN_FLIGHT: ("no answer yet", "wait if the run is still sending; otherwise start it again"),
    _O.NOT_REACHED: ("not reached by the run", _AGAIN),
    _O.HELD_BACK: ("held back before the request was sent", _AGAIN),
    _O.INTERRUPTED: ("run interrupted", _AGAIN),
    _O.THROTTLED: ("throttled by the provider", "lower the rate, then start the run again"),
    _O.NO_CONNECTION: ("no connection to the provider", ""),
    _O.FUSE: ("too many failures, so the run stopped", ""),
    _O.LIMIT_REACHED: ("limit reached", "to send more, raise the limit in limits"),
    _O.OUTSIDE_WINDOW: ("outside the sending hours", "start the run within the sending hours (window)"),
    _O.TOO_LATE: ("too late: after notAfter", "set a later notAfter if the message is still worth sending"),
    _O.COOLDOWN: ("frequency cap reached during the run", "no action needed, or start the run later"),
    _O.OPTED_OUT: ("opted out during the run", "no action needed: these people must not get messages"),
    _O.LEASE_LOST: ("another process took over the run", "find the other process, then start the run again"),
    _O.UNAUTHORIZED: ("API key refused", ""),
    _O.FORBIDDEN: ("API key lacks permission", ""),
    _O.NOT_FOUND: ("sub-account not found", ""),
    _O.TLS_FAILED: ("no valid TLS connection to the provider", "do what the detail says"),
    _O.UPGRADE_REQUIRED: ("provider requires a newer protocol", ""),
    _O.UNSUPPORTED: ("request not supported by the provider", ""),
    _O.UNEXPECTED_ANSWER: ("answer is not from the SMS API", ""),
}  # fmt: skip

OUTCOMES: Mapping[str, tuple[str, str]] = {
    reason: (words, remedy or ADVICE.get(reason, "")) for reason, (words, remedy) in _OUTCOMES.items()
}


def advice_for(status: str, reason: str | None) -> tuple[str, str]:
    """What happened, and what to do ("" if nothing). A reason that this version doesn't know is shown by its name."""
    by_name = sanitized((reason or "no reason given").replace("_", " "), MOST_CHARACTERS)
    return (EXCLUSIONS if status == Status.EXCLUDED else OUTCOMES).get(reason or "", (by_name, ""))


# The meaning of each status.
STATUS_WORDS = {
    Status.ACCEPTED: "the provider has the message",
    Status.REJECTED: "the provider refused the message",
    Status.UNKNOWN: "no conclusive answer; the provider may have the message",
    Status.UNSENT: "certainly not received by the provider",
    Status.EXCLUDED: "no message in the plan",
}


def reasons(counts: ResultCounts, hide: Callable[[str], str]) -> list[tuple[Share, list[dict[str, Any]]]]:
    """The reasons of all rows that need attention, by status, the most frequent first, for the page's template.

    Of accepted rows, these are the ones whose answer differs from the request. `hide` masks phone numbers.
    """
    found = []
    for part in shares_of(counts.totals.by_status, STATUS_COLOURS, counts.totals.rows):
        of_status = [
            (reason, count)
            for (status, reason), count in counts.by_reason.items()
            if status == part.name and (status != Status.ACCEPTED or reason in DIFFERING)
        ]
        if not of_status:
            continue
        of_status.sort(key=lambda item: (-item[1], item[0] or ""))
        listed = [
            {
                "code": sanitized(reason or "", 40),
                "count": count,
                "advice": advice_for(part.name, reason),
                "codes": _answer_codes(counts, reason) if part.name == Status.REJECTED else "",
                "examples": [
                    (
                        f"row {row}" + (f", key {sanitized(hide(key), 60)}" if key else ""),
                        sanitized(hide(detail), MOST_CHARACTERS),
                    )
                    for row, key, detail in counts.examples[part.name, reason]
                ],
            }
            for reason, count in of_status
        ]
        found.append((part, listed))
    return found


def _answer_codes(counts: ResultCounts, reason: str | None) -> str:
    codes = sorted((code, count) for (of, code), count in counts.error_codes.items() if of == reason)
    return f"provider's error codes: {', '.join(f'{code} ({count:,})' for code, count in codes[:8])}" if codes else ""
