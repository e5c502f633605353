"""The two requests about a message that was accepted: feedback on its effect, and cancelling it before it is sent.

Both may be repeated without harm, which is what tells them from sending: without an answer they are asked again. The
rule: a message is only done with, or given up, by an answer that can be nobody's but the provider's.
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
from runner.provider.answer import ADVICE, Answer
from runner.provider.endpoint import Endpoint
from runner.provider.http import HttpClient, UnreachableError

# The code for a message that isn't there, or not any more; its status is 404, like that of a wrong sub-account.
NO_SUCH_MESSAGE = 1300

# The provider doesn't say which.
NOTHING_TO_CANCEL = "it was sent or cancelled already, or is unknown to the provider"


class MessageActions(HttpClient):
    """Asks about messages of one sub-account. An async context manager; nothing that it asks raises.

    :param limit: the most connections at a time.
    """

    # The real answers have under 1 kB, and many come at the same time.
    max_answer_bytes: ClassVar[int] = 64 * 1024

    # Ctrl-C waits for the answers under way.
    answer_timeout_s: ClassVar[float] = 30.0

    def __init__(self, endpoint: Endpoint, api_key: str, *, limit: int) -> None:
        super().__init__(endpoint, api_key, "request about a message", limit=limit)
        self._messages_url = endpoint.messages_url

    async def send_feedback(self, umid: str, conversion: Conversion) -> Outcome:
        """Feedback on a message's effect."""
        path = f"{quote(umid, safe='')}/feedback"
        return await self._request("POST", path, feedback_ended, feedback_body(conversion))

    async def cancel(self, umid: str) -> Outcome:
        """Cancel a scheduled message. REJECTED: it was sent or cancelled already, or isn't known."""
        return await self._request("DELETE", quote(umid, safe=""), cancel_ended)

    async def _request(
        self, method: str, path: str, meaning: Callable[[Answer], Outcome], body: bytes | None = None
    ) -> Outcome:
        # Encoded already: yarl would make `..`, as an id, a way out of the path.
        url = URL(f"{self._messages_url}/{path}", encoded=True)
        try:
            return meaning(await self.ask(method, url, body=body))
        except UnreachableError as error:
            return Outcome(Status.UNKNOWN, OutcomeReason.NO_CONNECTION, error.why, Then.BACK_OFF)
        except StoppedError as error:
            return Outcome(Status.UNSENT, OutcomeReason.UNEXPECTED_ANSWER, str(error), Then.STOP)


def feedback_body(conversion: Conversion) -> bytes:
    """The document that tells of a conversion; its time in milliseconds, as the provider's examples have them."""
    at = iso(conversion.at)
    return orjson.dumps({"outcome": conversion.outcome} | ({"timestamp": at} if at else {}))


def feedback_ended(answer: Answer) -> Outcome:
    """What an answer to feedback means: a 2xx with an empty body is a success, a web page is none. Pure."""
    is_page = answer.reason is None and answer.body.lstrip()[:1] == b"<"
    return _not_the_api(answer) if is_page else _ended(answer)


def cancel_ended(answer: Answer) -> Outcome:
    """What an answer to cancelling means: only a count of at least one is a success. Pure."""
    if answer.reason is not None:
        return _ended(answer, no_such_message=NOTHING_TO_CANCEL)
    count = answer.document.get("cancelledCount")
    if not isinstance(count, int) or isinstance(count, bool):
        return _not_the_api(answer)
    return _ended(answer) if count > 0 else _refused(answer, NOTHING_TO_CANCEL)


def _ended(answer: Answer, *, no_such_message: str = "") -> Outcome:
    """The answer table's row as an outcome. `no_such_message`: the words for an id that the provider doesn't know."""
    status, message = answer.status, answer.message
    if answer.code == NO_SUCH_MESSAGE and status in (400, 404, 422):
        return _refused(answer, no_such_message or message or "there is no such message")
    if answer.reason is None:
        return Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, message, http_status=status)
    words = f"HTTP {status} ({message})" if message else f"HTTP {status}"
    match answer.then:
        case Then.GO_ON:
            return _refused(answer, message or words)
        case Then.STOP if answer.reason in (OutcomeReason.UNEXPECTED_ANSWER, OutcomeReason.INVALID_ANSWER):
            return _not_the_api(answer)
        case Then.STOP:
            words += f"; {ADVICE[answer.reason]}"
    found = Status.UNKNOWN if answer.then is Then.BACK_OFF else Status.UNSENT
    return Outcome(found, answer.reason, words, answer.then, http_status=status, retry_after_s=answer.pause_s)


def _refused(answer: Answer, words: str) -> Outcome:
    return Outcome(Status.REJECTED, OutcomeReason.BAD_REQUEST, words, http_status=answer.status)


def _not_the_api(answer: Answer) -> Outcome:
    """An answer that the provider doesn't give: whoever gave it would give the same to all."""
    reason = OutcomeReason.UNEXPECTED_ANSWER
    words = f"HTTP {answer.status}, which is no answer of the SMS API; {ADVICE[reason]}"
    return Outcome(Status.UNSENT, reason, words, Then.STOP, http_status=answer.status)
