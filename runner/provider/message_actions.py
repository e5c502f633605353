"""The two requests about an accepted message: conversion feedback, and cancelling it before it is sent.

Unlike sending, both are safe to repeat, so they are retried if no answer comes. An item is only finished, or given up,
by an answer that certainly came from the provider.
"""

from collections.abc import Callable
from typing import ClassVar
from urllib.parse import quote

import orjson
from yarl import URL

from runner.base.clock import iso
from runner.base.conversions import Conversion
from runner.base.errors import StoppedError
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.provider.answer import ADVICE, Answer, status_text
from runner.provider.endpoint import Endpoint
from runner.provider.http import HttpClient, UnreachableError

# The error code for a message that doesn't exist or no longer exists. Its HTTP status is 404, as for a wrong
# sub-account.
NO_SUCH_MESSAGE = 1300

# The provider doesn't say which of these it is.
NOTHING_TO_CANCEL = "already sent, already cancelled, or unknown to the provider"


class MessageActions(HttpClient):
    """Makes requests about messages of one sub-account. An async context manager. The requests never raise.

    :param limit: the most connections at a time.
    """

    # Real answers are smaller than 1 kB, and many arrive at the same time.
    max_answer_bytes: ClassVar[int] = 64 * 1024

    # Short, because Ctrl-C waits for the answers in flight.
    answer_timeout_s: ClassVar[float] = 30.0

    def __init__(self, endpoint: Endpoint, api_key: str, *, limit: int) -> None:
        super().__init__(endpoint, api_key, "message", limit=limit)
        self._messages_url = endpoint.messages_url

    async def send_feedback(self, umid: str, conversion: Conversion) -> Outcome:
        """Report a conversion."""
        path = f"{quote(umid, safe='')}/feedback"
        return await self._request("POST", path, feedback_ended, feedback_body(conversion))

    async def cancel(self, umid: str) -> Outcome:
        """Cancel a scheduled message. REJECTED: it was already sent or cancelled, or the provider doesn't know it."""
        return await self._request("DELETE", quote(umid, safe=""), cancel_ended)

    async def _request(
        self, method: str, path: str, meaning: Callable[[Answer], Outcome], body: bytes | None = None
    ) -> Outcome:
        # Marked as encoded: otherwise yarl would resolve an id of `..` and leave the path.
        url = URL(f"{self._messages_url}/{path}", encoded=True)
        try:
            return meaning(await self.ask(method, url, body=body))
        except UnreachableError as error:
            return Outcome(Status.UNKNOWN, OutcomeReason.NO_CONNECTION, error.why, Then.BACK_OFF)
        except StoppedError as error:
            return Outcome(Status.UNSENT, OutcomeReason.UNEXPECTED_ANSWER, str(error), Then.STOP)


def feedback_body(conversion: Conversion) -> bytes:
    """The body of a conversion report. Its time has milliseconds, as in the provider's examples."""
    at = iso(conversion.at)
    return orjson.dumps({"outcome": conversion.outcome} | ({"timestamp": at} if at else {}))


def feedback_ended(answer: Answer) -> Outcome:
    """What an answer to feedback means. Pure.

    A 2xx with an empty body is a success. One with a web page or an error document isn't.
    """
    is_other = answer.reason is None and (answer.body.lstrip()[:1] == b"<" or answer.code is not None)
    return _not_the_api(answer) if is_other else _ended(answer)


def cancel_ended(answer: Answer) -> Outcome:
    """What an answer to a cancellation means. Only a count of at least one is a success. Pure."""
    if answer.reason is not None:
        return _ended(answer, no_such_message=NOTHING_TO_CANCEL)
    count = answer.document.get("cancelledCount")
    if not isinstance(count, int) or isinstance(count, bool):
        return _not_the_api(answer)
    return _ended(answer) if count > 0 else _refused(answer, NOTHING_TO_CANCEL)


def _ended(answer: Answer, *, no_such_message: str = "") -> Outcome:
    """The outcome for an answer. `no_such_message` is the text for an id that the provider doesn't know."""
    status, message = answer.status, answer.message
    if answer.code == NO_SUCH_MESSAGE and status in (400, 404, 422):
        return _refused(answer, no_such_message or message or "the provider doesn't know this message")
    if answer.reason is None:
        return Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, message, http_status=status)
    words = f"{status_text(status)} ({message})" if message else status_text(status)
    match answer.then:
        case Then.GO_ON:
            return _refused(answer, message or words)
        case _ if answer.reason is OutcomeReason.UNEXPECTED_ANSWER:
            return _not_the_api(answer)
        case Then.STOP if answer.reason is OutcomeReason.INVALID_ANSWER:
            return _not_the_api(answer)
        case Then.STOP:
            words += f"; {ADVICE[answer.reason]}"
    found = Status.UNKNOWN if answer.then is Then.BACK_OFF else Status.UNSENT
    return Outcome(found, answer.reason, words, answer.then, http_status=status, retry_after_s=answer.pause_s)


def _refused(answer: Answer, words: str) -> Outcome:
    return Outcome(Status.REJECTED, OutcomeReason.BAD_REQUEST, words, http_status=answer.status)


def _not_the_api(answer: Answer) -> Outcome:
    """An answer that didn't come from the provider. Every other request would get the same, so this stops."""
    reason = OutcomeReason.UNEXPECTED_ANSWER
    words = f"{status_text(answer.status)}; {ADVICE[reason]}"
    return Outcome(Status.UNSENT, reason, words, Then.STOP, http_status=answer.status)
