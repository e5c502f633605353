"""Asking the provider for what it knows: its log, its prices, a balance. Nothing here sends a message.

Redirects are never followed, because the API key would go along with them.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from runner.errors import StoppedError
from runner.models import OutcomeReason
from runner.provider.codes import ADVICE, FATAL, FATAL_STATUS
from runner.provider.reach import CONNECT_TIMEOUT_S, header_safe, in_words, tls_context

READ_TIMEOUT_S = 60.0
"""Without a byte."""

WHOLE_TIMEOUT_S = 300.0
"""For a whole answer: one that comes byte by byte would else never end."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""The largest answer is a price list: some hundred kilobytes for each sub-account."""

_SHOWN_WORDS = 200


class UnreachableError(StoppedError):
    """The provider didn't answer, or with a passing fault: asking again may help."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, whatever it says. `headers` looks names up without regard to case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def code(self) -> int | None:
        """The provider's error code, where the body is its error document."""
        code = self._error().get("code")
        return code if isinstance(code, int) and not isinstance(code, bool) else None

    def words(self, secret: str) -> str:
        """What an error says, on one line and without the secret, which a server may quote; empty when nothing."""
        message = self._error().get("message")
        whole = message if isinstance(message, str) else ""
        line = " ".join((whole.replace(secret, "[API key]") if secret else whole).split())
        return line if len(line) <= _SHOWN_WORDS else f"{line[: _SHOWN_WORDS - 1]}…"

    def _error(self) -> dict[str, Any]:
        try:
            data = orjson.loads(self.content)
        except orjson.JSONDecodeError:
            return {}
        return data if isinstance(data, dict) else {}


class Reader:
    """Asks with one API key. An async context manager. All errors are StoppedError, in words.

    :param subject: what is asked for, as its errors name it, such as "log export".
    :param advice: what to look at for a reason of refusal, where `codes.ADVICE` doesn't fit the subject.
    """

    def __init__(self, api_key: str, subject: str, advice: Mapping[OutcomeReason, str] | None = None) -> None:
        self._api_key = header_safe(api_key)
        self._subject = subject
        self._advice = {**ADVICE, **(advice or {})}
        self.key = {"Authorization": f"Bearer {self._api_key}"}
        self.session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S)
        connector = aiohttp.TCPConnector(ssl=tls_context())
        self.session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    async def ask(
        self, method: str, url: str, body: bytes | None = None, query: Mapping[str, str] | None = None
    ) -> Reply:
        """One request and its whole answer, whatever it says. Raises UnreachableError when there is none."""
        headers = {**self.key, "Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(WHOLE_TIMEOUT_S),
                self.session.request(
                    method, url, data=body, params=query, headers=headers, allow_redirects=False
                ) as answer,
            ):
                return Reply(answer.status, answer.headers, await self._whole(answer))
        except (aiohttp.ClientError, OSError) as error:
            words = f"the provider can't be reached for the {self._subject}: {in_words(error)}"
            raise UnreachableError(words) from error

    def demand(self, reply: Reply) -> bytes:
        """The content of an answer that says yes; UnreachableError for a passing fault, StoppedError for a no."""
        status = reply.status
        said = f" ({words})" if (words := reply.words(self._api_key)) else ""
        if status == 429 or status >= 500:
            later = f"; ask again in {wait}" if (wait := _retry_after(reply)) else ""
            raise UnreachableError(f"the provider answered HTTP {status} to the {self._subject}{said}{later}")
        if status < 300:
            return reply.content
        code = reply.code
        reason = (FATAL.get(code) if code is not None else None) or FATAL_STATUS.get(status)
        if status < 400:
            reason = OutcomeReason.UNEXPECTED_ANSWER
            said = " (a redirect, which isn't followed)"
        advice = f"; {self._advice[reason]}" if reason in self._advice else ""
        raise StoppedError(f"the provider refused the {self._subject}: HTTP {status}{said}{advice}")

    async def _whole(self, answer: aiohttp.ClientResponse) -> bytes:
        content = bytearray()
        async for chunk in answer.content.iter_any():
            content += chunk
            if len(content) > MAX_ANSWER_BYTES:
                answer.close()
                raise StoppedError(
                    f"the provider's answer to the {self._subject} has no end; it can't be the SMS API's"
                )
        return bytes(content)


def _retry_after(reply: Reply) -> str:
    value = reply.headers.get("Retry-After", "")
    return f"{int(value)} s" if value.isascii() and value.isdigit() and len(value) < 6 else ""
