"""The two requests about a message that was accepted: feedback on its effect, and taking it back before its time.

Both may be repeated without harm, which is what parts them from sending: no answer means asking again. The rule behind
`ended`: a message is only done with, or given up, by an answer that can be nobody's but the provider's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from runner.models import Conversion, OutcomeReason, Then
from runner.provider.answer import retry_after_s
from runner.provider.codes import ADVICE, FATAL, FATAL_STATUS
from runner.provider.endpoint import Endpoint
from runner.provider.reach import CONNECT_TIMEOUT_S, header_safe, in_words, tls_context
from runner.provider.reading import Reply

ANSWER_TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 64 * 1024
NOTHING_THERE = 1300
"""The code for a message that isn't there, or not any more; its status is 404, like that of a wrong sub-account."""

NOTHING_TO_CANCEL = "it was sent or cancelled already, or is unknown to the provider"
"""The provider doesn't say which."""

_ABOUT_ONE = frozenset({400, 404, 422})
"""The statuses that can be about one message alone; what else a server says, it says to all."""


class Ending(StrEnum):
    """How one request ended, and so what to do next."""

    DONE = "done"
    REFUSED = "refused"  # this one; the others may well be fine
    AGAIN = "again"  # no proof came back, or the provider is busy
    STOP = "stop"  # every other would end the same


@dataclass(frozen=True, slots=True)
class Ended:
    """How one request ended. `retry_after_s` is how long all should rest, where the provider says so."""

    ending: Ending
    detail: str = ""
    http_status: int | None = None
    retry_after_s: float | None = None
    sent_at: int | None = None

    @property
    def reason(self) -> OutcomeReason:
        """Why, when this answer stops all: there was none, or it was a fatal one."""
        return OutcomeReason.NO_CONNECTION if self.ending is Ending.AGAIN else OutcomeReason.UNEXPECTED_ANSWER

    @property
    def then(self) -> Then:
        """What follows for the other requests."""
        if self.ending is Ending.STOP:
            return Then.STOP
        if self.ending is not Ending.AGAIN:
            return Then.GO_ON
        return Then.BACK_OFF if self.retry_after_s is None else Then.PAUSE


class Afterwards:
    """Asks about messages of one sub-account. An async context manager; nothing that it asks raises.

    :param limit: the most connections at a time.
    """

    def __init__(self, endpoint: Endpoint, api_key: str, *, limit: int) -> None:
        self._messages_url = endpoint.messages_url
        self._tls = endpoint.tls
        self._api_key = header_safe(api_key)
        self._limit = limit
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._limit, ssl=tls_context() if self._tls else True),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "Authorization": f"Bearer {self._api_key}",
                "Accept": "application/json",
                "User-Agent": "campaign-runner",
            },
            timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def tell(self, umid: str, conversion: Conversion) -> Ended:
        """Feedback on a message's effect."""
        reply = await self._ask("POST", f"{quote(umid, safe='')}/feedback", feedback_body(conversion))
        return reply if isinstance(reply, Ended) else told(reply, self._api_key)

    async def cancel(self, umid: str) -> Ended:
        """Take a scheduled message back. REFUSED: it was sent or cancelled already, or isn't known."""
        reply = await self._ask("DELETE", quote(umid, safe=""))
        return reply if isinstance(reply, Ended) else cancelled(reply, self._api_key)

    async def _ask(self, method: str, path: str, body: bytes | None = None) -> Reply | Ended:
        """The answer, whatever it says; or how it ended when there is none."""
        assert self._session is not None, "use it as a context manager"
        # Encoded already: yarl would make `..`, as an id, a way out of the path.
        url = URL(f"{self._messages_url}/{path}", encoded=True)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
                content = bytearray()
                async for chunk in answer.content.iter_any():
                    content += chunk
                    if len(content) > MAX_ANSWER_BYTES:
                        answer.close()
                        break
                return Reply(answer.status, answer.headers, bytes(content))
        except TimeoutError:
            return Ended(Ending.AGAIN, f"no answer within {ANSWER_TIMEOUT_S:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return Ended(Ending.AGAIN, in_words(error))


def feedback_body(conversion: Conversion) -> bytes:
    """The document that tells of a conversion; its time in milliseconds, as the provider's examples have them."""
    body: dict[str, str] = {"outcome": conversion.outcome.value}
    if conversion.at is not None:
        moment = datetime.fromtimestamp(conversion.at / 1e6, UTC)
        body["timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return orjson.dumps(body)


def told(reply: Reply, secret: str) -> Ended:
    """What an answer to feedback means: a 200 with nothing in it is the yes, a web page is none. Pure."""
    if 200 <= reply.status < 300 and reply.content.lstrip()[:1] == b"<":
        return _not_the_api(reply)
    return ended(reply, secret)


def cancelled(reply: Reply, secret: str) -> Ended:
    """What an answer to a cancelling means: only a count of at least one is the yes. Pure."""
    found = ended(reply, secret)
    if found.ending is Ending.REFUSED and reply.code == NOTHING_THERE:
        return replace(found, detail=NOTHING_TO_CANCEL)
    if found.ending is not Ending.DONE:
        return found
    count = _object(reply.content).get("cancelledCount")
    if not isinstance(count, int) or isinstance(count, bool):
        return _not_the_api(reply)
    return found if count > 0 else Ended(Ending.REFUSED, NOTHING_TO_CANCEL, reply.status)


def ended(reply: Reply, secret: str) -> Ended:
    """What an answer means for a request that may be repeated. Pure."""
    status, said, code = reply.status, reply.words(secret), reply.code
    if 200 <= status < 300:
        return Ended(Ending.DONE, said, status)
    words = f"HTTP {status}{f' ({said})' if said else ''}"
    if status == 429:
        return Ended(Ending.AGAIN, words, status, retry_after_s(reply.headers.get("Retry-After"), datetime.now(UTC)))
    if status in _ABOUT_ONE and code == NOTHING_THERE:
        return Ended(Ending.REFUSED, said or "there is no such message", status)
    reason = (FATAL.get(code) if code is not None else None) or FATAL_STATUS.get(status)
    if reason is not None:
        return Ended(Ending.STOP, f"{words}; {ADVICE[reason]}", status)
    if status >= 500 or status == 408:
        return Ended(Ending.AGAIN, words, status)
    return Ended(Ending.REFUSED, said or words, status) if status in _ABOUT_ONE else _not_the_api(reply)


def _not_the_api(reply: Reply) -> Ended:
    """An answer that the provider doesn't give: whoever gave it would give the same to all."""
    what = f"HTTP {reply.status}, which is no answer of the SMS API"
    return Ended(Ending.STOP, f"{what}; {ADVICE[OutcomeReason.UNEXPECTED_ANSWER]}", reply.status)


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return data if isinstance(data, dict) else {}
