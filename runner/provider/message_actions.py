"""The two requests about a message that was accepted: feedback on its effect, and cancelling it before it is sent.

Both may be repeated without harm, which is what tells them from sending: without an answer they are asked again. The
rule: a message is only done with, or given up, by an answer that can be nobody's but the provider's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote

import orjson
from yarl import URL

from runner.base.clock import iso
from runner.base.conversions import Conversion
from runner.base.errors import StoppedError
from runner.base.outcomes import OutcomeReason, Then
from runner.provider.answer import ADVICE, Answer
from runner.provider.endpoint import Endpoint
from runner.provider.http import HttpClient, UnreachableError

# The code for a message that isn't there, or not any more; its status is 404, like that of a wrong sub-account.
NO_SUCH_MESSAGE = 1300

# The provider doesn't say which.
NOTHING_TO_CANCEL = "it was sent or cancelled already, or is unknown to the provider"


@dataclass(frozen=True, slots=True)
class ActionResult:
    """How one request ended, and what follows for the others: GO_ON, it is done, or `refused` for itself alone.

    `retry_after_s` is how long all requests rest after a PAUSE.
    """

    then: Then
    detail: str = ""
    http_status: int | None = None
    retry_after_s: float | None = None
    refused: bool = False
    sent_at: int | None = None

    @property
    def reason(self) -> OutcomeReason:
        """Why, when this answer stops all: it was a fatal one, or there was none for long."""
        return OutcomeReason.UNEXPECTED_ANSWER if self.then is Then.STOP else OutcomeReason.NO_CONNECTION


class MessageActions(HttpClient):
    """Asks about messages of one sub-account. An async context manager; nothing that it asks raises.

    :param limit: the most connections at a time.
    """

    # The real answers have under 1 kB, and many come at the same time.
    max_answer_bytes: ClassVar[int] = 64 * 1024

    # Ctrl-C waits for the answers under way.
    answer_timeout_s: ClassVar[float] = 30.0

    def __init__(self, endpoint: Endpoint, api_key: str, *, limit: int) -> None:
        super().__init__(api_key, "request about a message", limit=limit)
        self._messages_url = endpoint.messages_url

    async def send_feedback(self, umid: str, conversion: Conversion) -> ActionResult:
        """Feedback on a message's effect."""
        path = f"{quote(umid, safe='')}/feedback"
        return await self._ended("POST", path, feedback_ended, feedback_body(conversion))

    async def cancel(self, umid: str) -> ActionResult:
        """Cancel a scheduled message. Refused: it was sent or cancelled already, or isn't known."""
        return await self._ended("DELETE", quote(umid, safe=""), cancel_ended)

    async def _ended(
        self, method: str, path: str, meaning: Callable[[Answer], ActionResult], body: bytes | None = None
    ) -> ActionResult:
        # Encoded already: yarl would make `..`, as an id, a way out of the path.
        url = URL(f"{self._messages_url}/{path}", encoded=True)
        try:
            return meaning(await self.ask(method, url, body=body))
        except UnreachableError as error:
            return ActionResult(Then.BACK_OFF, error.why)
        except StoppedError as error:
            return ActionResult(Then.STOP, str(error))


def feedback_body(conversion: Conversion) -> bytes:
    """The document that tells of a conversion; its time in milliseconds, as the provider's examples have them."""
    at = iso(conversion.at)
    return orjson.dumps({"outcome": conversion.outcome} | ({"timestamp": at} if at else {}))


def feedback_ended(answer: Answer) -> ActionResult:
    """What an answer to feedback means: a 2xx with an empty body is a success, a web page is none. Pure."""
    is_page = answer.reason is None and answer.body.lstrip()[:1] == b"<"
    return _not_the_api(answer) if is_page else _ended(answer)


def cancel_ended(answer: Answer) -> ActionResult:
    """What an answer to cancelling means: only a count of at least one is a success. Pure."""
    if answer.reason is not None:
        return _ended(answer, no_such_message=NOTHING_TO_CANCEL)
    count = answer.document.get("cancelledCount")
    if not isinstance(count, int) or isinstance(count, bool):
        return _not_the_api(answer)
    return _ended(answer) if count > 0 else _refused(answer, NOTHING_TO_CANCEL)


def _ended(answer: Answer, *, no_such_message: str = "") -> ActionResult:
    """The answer table's row as a result. `no_such_message` are the words for an id that the provider doesn't know."""
    message = answer.message
    if answer.code == NO_SUCH_MESSAGE and answer.status in (400, 404, 422):
        return _refused(answer, no_such_message or message or "there is no such message")
    if answer.reason is None:
        return ActionResult(Then.GO_ON, message, answer.status)
    words = f"HTTP {answer.status} ({message})" if message else f"HTTP {answer.status}"
    if answer.then is Then.GO_ON:
        return _refused(answer, message or words)
    if answer.then is Then.STOP:
        if answer.reason in (OutcomeReason.UNEXPECTED_ANSWER, OutcomeReason.INVALID_ANSWER):
            return _not_the_api(answer)
        words += f"; {ADVICE[answer.reason]}"
    return ActionResult(answer.then, words, answer.status, answer.pause_s)


def _refused(answer: Answer, words: str) -> ActionResult:
    return ActionResult(Then.GO_ON, words, answer.status, refused=True)


def _not_the_api(answer: Answer) -> ActionResult:
    """An answer that the provider doesn't give: whoever gave it would give the same to all."""
    what = f"HTTP {answer.status}, which is no answer of the SMS API"
    return ActionResult(Then.STOP, f"{what}; {ADVICE[OutcomeReason.UNEXPECTED_ANSWER]}", answer.status)
