"""The two requests about a message that was accepted: feedback on its effect, and taking it back before its time.

Both may be repeated without harm, which is what parts them from sending: no answer means asking again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import orjson

from runner.models import Conversion
from runner.provider.answer import retry_after_s
from runner.provider.client import CONNECT_TIMEOUT_S, header_safe, tls_context
from runner.provider.codes import ADVICE, FATAL, FATAL_STATUS
from runner.provider.endpoint import Endpoint
from runner.provider.reading import in_words

ANSWER_TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 64 * 1024
NOTHING_THERE = 1300
"""The code for a message that isn't there, or not any more; its status is 404, like that of a wrong sub-account."""


class Ending(StrEnum):
    """How one request ended, and so what to do next."""

    DONE = "done"
    REFUSED = "refused"  # this one; the others may well be fine
    AGAIN = "again"  # no proof came back, or the provider is busy
    STOP = "stop"  # every other would end the same


@dataclass(frozen=True, slots=True)
class Ended:
    """How one request ended. `rest_s` is how long all should rest, where the provider says so."""

    ending: Ending
    detail: str = ""
    http_status: int | None = None
    rest_s: float | None = None


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
            headers={"Authorization": f"Bearer {self._api_key}", "Accept": "application/json"},
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
        body: dict[str, str] = {"outcome": conversion.outcome.value}
        if conversion.at is not None:
            moment = datetime.fromtimestamp(conversion.at / 1e6, UTC)
            body["timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        status, headers, content = await self._ask("POST", f"{quote(umid, safe='')}/feedback", orjson.dumps(body))
        return ended(status, headers, content, self._api_key)

    async def cancel(self, umid: str) -> Ended:
        """Take a scheduled message back. REFUSED: it was sent already, or isn't known."""
        status, headers, content = await self._ask("DELETE", quote(umid, safe=""))
        found = ended(status, headers, content, self._api_key)
        if found.ending is Ending.DONE and not _count(content):
            return Ended(Ending.REFUSED, "nothing was cancelled", status)
        return found

    async def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and content of the answer; status 0 when there is none, with the words as its content."""
        assert self._session is not None, "use it as a context manager"
        url = f"{self._messages_url}/{path}"
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, answer.headers, await answer.content.read(MAX_ANSWER_BYTES)
        except TimeoutError:
            return 0, {}, f"no answer within {ANSWER_TIMEOUT_S:g} s".encode()
        except (aiohttp.ClientError, OSError) as error:
            return 0, {}, in_words(error).encode()


def ended(status: int, headers: Mapping[str, str], content: bytes, secret: str) -> Ended:
    """What an answer means for a request that may be repeated; status 0: there was none. Pure."""
    if status == 0:
        return Ended(Ending.AGAIN, content.decode("utf-8", "replace"))
    said = _said(content, secret)
    if 200 <= status < 300:
        return Ended(Ending.DONE, said, status)
    if status == 429:
        return Ended(Ending.AGAIN, said, status, retry_after_s(headers.get("Retry-After"), datetime.now(UTC)))
    if status >= 500 or status == 408:
        return Ended(Ending.AGAIN, f"HTTP {status} {said}".strip(), status)
    code = _object(content).get("code")
    if code == NOTHING_THERE:
        return Ended(Ending.REFUSED, said or "there is no such message", status)
    reason = (FATAL.get(code) if isinstance(code, int) else None) or FATAL_STATUS.get(status)
    if reason or status < 400:
        advice = ADVICE.get(reason, "") if reason else "a redirect, which isn't followed"
        words = "; ".join(part for part in (f"HTTP {status} {said}".strip(), advice) if part)
        return Ended(Ending.STOP, words, status)
    return Ended(Ending.REFUSED, said or f"HTTP {status}", status)


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return data if isinstance(data, dict) else {}


def _count(content: bytes) -> int:
    count = _object(content).get("cancelledCount")
    return count if isinstance(count, int) else 0


def _said(content: bytes, secret: str) -> str:
    message = _object(content).get("message")
    words = " ".join(message.replace(secret, "[API key]").split()) if isinstance(message, str) else ""
    return words if len(words) <= 200 else f"{words[:199]}…"
