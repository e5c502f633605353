"""The two requests about a message that was accepted: feedback on its effect, and cancelling it before it is sent.

Both may be repeated without harm, which is what tells them from sending: without an answer they are asked again. The
rule: a message is only done with, or given up, by an answer that can be nobody's but the provider's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import ClassVar
from urllib.parse import quote

import orjson
from yarl import URL

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


class ActionStatus(StrEnum):
    """How one request ended."""

    DONE = "done"
    REFUSED = "refused"  # this one; the others may well be fine
    AGAIN = "again"  # no proof came back, or the provider is busy
    STOP = "stop"  # every other would end the same


@dataclass(frozen=True, slots=True)
class ActionResult:
    """How one request ended. `retry_after_s` is how long all requests should rest, where the provider says so."""

    ending: ActionStatus
    detail: str = ""
    http_status: int | None = None
    retry_after_s: float | None = None
    sent_at: int | None = None

    @property
    def reason(self) -> OutcomeReason:
        """Why, when this answer stops all: there was none, or it was a fatal one."""
        return OutcomeReason.NO_CONNECTION if self.ending is ActionStatus.AGAIN else OutcomeReason.UNEXPECTED_ANSWER

    @property
    def then(self) -> Then:
        """What follows for the other requests."""
        if self.ending is ActionStatus.STOP:
            return Then.STOP
        if self.ending is not ActionStatus.AGAIN:
            return Then.GO_ON
        return Then.BACK_OFF if self.retry_after_s is None else Then.PAUSE


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

    async def send_feedback(self, umid: str, conversion: Conversion) -> ActionResult:
        """Feedback on a message's effect."""
        path = f"{quote(umid, safe='')}/feedback"
        return await self._ended("POST", path, feedback_ended, feedback_body(conversion))

    async def cancel(self, umid: str) -> ActionResult:
        """Cancel a scheduled message. REFUSED: it was sent or cancelled already, or isn't known."""
        return await self._ended("DELETE", quote(umid, safe=""), cancel_ended)

    async def _ended(
        self, method: str, path: str, meaning: Callable[[Answer], ActionResult], body: bytes | None = None
    ) -> ActionResult:
        # Encoded already: yarl would make `..`, as an id, a way out of the path.
        url = URL(f"{self._messages_url}/{path}", encoded=True)
        try:
            return meaning(await self.ask(method, url, body=body))
        except UnreachableError as error:
            return ActionResult(ActionStatus.AGAIN, error.why)
        except StoppedError as error:
            return ActionResult(ActionStatus.STOP, str(error))


def feedback_body(conversion: Conversion) -> bytes:
    """The document that tells of a conversion; its time in milliseconds, as the provider's examples have them."""
    body: dict[str, str] = {"outcome": conversion.outcome.value}
    if conversion.at is not None:
        moment = datetime.fromtimestamp(conversion.at / 1e6, UTC)
        body["timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return orjson.dumps(body)


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
    return _ended(answer) if count > 0 else ActionResult(ActionStatus.REFUSED, NOTHING_TO_CANCEL, answer.status)


def _ended(answer: Answer, *, no_such_message: str = "") -> ActionResult:
    """The answer table's row as an ending. `no_such_message` are the words for an id that the provider doesn't know."""
    status, message = answer.status, answer.message
    if answer.reason is None:
        return ActionResult(ActionStatus.DONE, message, status)
    if answer.code == NO_SUCH_MESSAGE and status in (400, 404, 422):
        return ActionResult(ActionStatus.REFUSED, no_such_message or message or "there is no such message", status)
    words = f"HTTP {status} ({message})" if message else f"HTTP {status}"
    match answer.then:
        case Then.GO_ON:
            return ActionResult(ActionStatus.REFUSED, message or words, status)
        case Then.PAUSE:
            return ActionResult(ActionStatus.AGAIN, words, status, answer.pause_s)
        case Then.BACK_OFF:
            return ActionResult(ActionStatus.AGAIN, words, status)
    if answer.reason in (OutcomeReason.UNEXPECTED_ANSWER, OutcomeReason.INVALID_ANSWER):
        return _not_the_api(answer)
    return ActionResult(ActionStatus.STOP, f"{words}; {ADVICE[answer.reason]}", status)


def _not_the_api(answer: Answer) -> ActionResult:
    """An answer that the provider doesn't give: whoever gave it would give the same to all."""
    what = f"HTTP {answer.status}, which is no answer of the SMS API"
    return ActionResult(ActionStatus.STOP, f"{what}; {ADVICE[OutcomeReason.UNEXPECTED_ANSWER]}", answer.status)
