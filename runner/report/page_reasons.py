"""The page on reasons: every row by its status, and what each reason means and asks for, with example rows. Pure.

Every reason has an entry in `EXCLUSIONS` or `OUTCOMES`; a test holds this against the two enumerations.
"""

from collections.abc import Callable, Mapping
from typing import Any

from runner.base.exclusions import ExclusionReason
from runner.base.outcomes import OutcomeReason, Status
from runner.base.text import sanitized
from runner.provider.answer import ADVICE
from runner.report.layout import MOST_CHARACTERS, STATUS_COLOURS, Share, shares_of
from runner.report.result_counts import ResultCounts

_X, _O = ExclusionReason, OutcomeReason

_AGAIN = "start the run again: these messages certainly did not arrive, and are sent then"
_RECONCILE = "`campaign reconcile` asks the provider's log what became of them; they are never sent again without proof"

# What happened, and what to do.
EXCLUSIONS: Mapping[str, tuple[str, str]] = {
    _X.UNREADABLE_ROW: ("the row could not be read", "mend these rows in the recipient file"),
    _X.FILTERED: ("the condition of the campaign does not hold", "nothing, if recipients.where is as meant"),
    _X.INVALID_NUMBER: ("the cell holds no phone number, or one that can be read in two ways",
        "correct the numbers at their source; national numbers need recipients.country"),
    _X.NOT_MOBILE: ("a fixed line, which takes no SMS", "ask these people for a mobile number"),
    _X.NUMBER_TYPE: ("a kind of number that takes no SMS", "ask these people for a mobile number"),
    _X.COUNTRY_NOT_ALLOWED: ("the number's country is not among those of the campaign",
        "nothing, if recipients.countries and denyCountries are as meant"),
    _X.SUPPRESSED: ("on a list of people who opted out", "nothing: they asked for it"),
    _X.DUPLICATE: ("another row has the same key",
        "nothing, if recipients.duplicates is as meant; else clean the file up"),
    _X.COOLDOWN: ("the number got enough messages lately", "nothing, or try later: recipients.cooldown"),
    _X.NOT_SAMPLED: ("not among the sampled rows", "nothing, if recipients.sample is as meant"),
    _X.MISSING_FIELD: ("a field that is needed is empty",
        'fill the field in, or give the template another wording for it, as in {{ city or "our shop" }}'),
    _X.TEMPLATE_ERROR: ("the template fails on this row", "look at the row with `campaign preview --row`"),
    _X.EMPTY_MESSAGE: ("nothing is left of the text", "look at the row with `campaign preview --row`"),
    _X.INVALID_TEXT: ("the text holds a character that can't be sent", "clean the fields of these rows up"),
    _X.REQUIRED_TEXT: ("the text lacks words that each must hold",
        "put them into the template; message.requireText names them"),
    _X.TOO_MANY_SEGMENTS: ("the text is longer than the campaign allows",
        "shorten the template, or raise message.maxSegments"),
    _X.NOT_GSM7: ("the text needs UCS-2, and the campaign wants GSM-7",
        "turn message.smartEncoding on, or allow UCS-2"),
    _X.UNKNOWN_ZONE: ("the phone's time zone isn't known, so its sending hours aren't",
        "name one zone for all in window.zone"),
    _X.OUTSIDE_WINDOW: ("its turn came outside of the sending hours", "start the run within the hours of window"),
    _X.OVER_LIMIT: ("beyond the first so many", "nothing, if the limit is as meant; without it the rest is sent"),
}  # fmt: skip
# The same; without a remedy here, there is nothing to do, or what the provider room advises.
_OUTCOMES: Mapping[OutcomeReason, tuple[str, str]] = {
    _O.QUEUED: ("the provider took them", ""),
    _O.RECONCILED: ("no answer came, but the provider's log has them", ""),
    _O.RECEIPT: ("no answer came, but a receipt did", ""),
    _O.REJECTED_BY_PROVIDER: ("the provider refused them",
        "look at the provider's words in the examples; ask its support if they don't tell"),
    _O.INVALID_DESTINATION: ("the provider does not take the number", ""),
    _O.INVALID_TEXT: ("the provider does not take the text", ""),
    _O.INVALID_SOURCE: ("the provider does not take the sender", ""),
    _O.INVALID_OPTION: ("the provider does not take an option of the campaign", ""),
    _O.RESENDING_INTERVAL: ("the number got the same text a short while ago", ""),
    _O.BAD_REQUEST: ("the provider does not take the request",
        "look at the provider's words in the examples, and at the error code"),
    _O.TIMEOUT: ("no answer came in time", _RECONCILE),
    _O.DISCONNECTED: ("the connection broke before the answer", _RECONCILE),
    _O.SERVER_ERROR: ("the provider had trouble of its own", _RECONCILE),
    _O.INVALID_ANSWER: ("the answer could not be understood", _RECONCILE),
    _O.PROCESS_DIED: ("the sending process died before the answer was noted", _RECONCILE),
    _O.ABANDONED: ("the run was stopped while it waited for the answer", _RECONCILE),
    _O.IN_FLIGHT: ("the answer has not come yet", "wait, if the run is going on; else start it again"),
    _O.NOT_REACHED: ("the run did not come to them", _AGAIN),
    _O.HELD_BACK: ("held back just before their requests left", _AGAIN),
    _O.INTERRUPTED: ("the run was interrupted before their turn", _AGAIN),
    _O.THROTTLED: ("the provider's rate limit kept them out", "lower rate, then start the run again"),
    _O.NO_CONNECTION: ("the provider could not be reached", ""),
    _O.FUSE: ("too much went wrong, and the run stopped by itself", ""),
    _O.LIMIT_REACHED: ("the run came to its limit", "raise limits, if more is meant to be sent"),
    _O.OUTSIDE_WINDOW: ("their turn came outside of the sending hours", "start the run within the hours of window"),
    _O.TOO_LATE: ("their turn came after notAfter", "move notAfter, if the message is still worth sending"),
    _O.COOLDOWN: ("the number got a message of another campaign meanwhile", "nothing, or start the run later"),
    _O.OPTED_OUT: ("the person opted out before the message's turn", "nothing: they asked for it"),
    _O.LEASE_LOST: ("another process took the run over", "look for the other process, then start the run again"),
    _O.UNAUTHORIZED: ("the provider does not know the API key", ""),
    _O.FORBIDDEN: ("the API key may not do this", ""),
    _O.NOT_FOUND: ("the provider does not know the sub-account", ""),
    _O.UPGRADE_REQUIRED: ("the provider wants a newer protocol", ""),
    _O.UNSUPPORTED: ("the provider does not support the request", ""),
    _O.UNEXPECTED_ANSWER: ("the answer does not look like the SMS API's", ""),
}  # fmt: skip

OUTCOMES: Mapping[str, tuple[str, str]] = {
    reason: (words, remedy or ADVICE.get(reason, "")) for reason, (words, remedy) in _OUTCOMES.items()
}


def advice_for(status: str, reason: str | None) -> tuple[str, str]:
    """What happened, and what to do ("" for nothing). A reason that this version doesn't know is shown by name."""
    by_name = sanitized((reason or "no reason is known").replace("_", " "), MOST_CHARACTERS)
    return (EXCLUSIONS if status == Status.EXCLUDED else OUTCOMES).get(reason or "", (by_name, ""))


# What the statuses mean.
STATUS_WORDS = {
    Status.ACCEPTED: "the provider took the message",
    Status.REJECTED: "the provider refused it",
    Status.UNKNOWN: "perhaps received: no proof came back",
    Status.UNSENT: "certainly not received",
    Status.EXCLUDED: "left out by the plan",
}


def reasons(counts: ResultCounts, hide: Callable[[str], str]) -> list[tuple[Share, list[dict[str, Any]]]]:
    """The reasons of all rows that weren't simply accepted, by status, the most frequent first, as the template reads
    them. `hide` masks phone numbers.
    """
    found = []
    for part in shares_of(counts.totals.by_status, STATUS_COLOURS, counts.totals.rows):
        if part.name == Status.ACCEPTED:
            continue
        of_status = [(reason, count) for (status, reason), count in counts.by_reason.items() if status == part.name]
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
    return (
        f"the provider's error codes: {', '.join(f'{code} ({count:,})' for code, count in codes[:8])}" if codes else ""
    )
