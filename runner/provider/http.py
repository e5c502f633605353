"""The HTTP client for all requests that aren't messages: feedback, cancelling, log exports, prices, the balance.

All of them are safe to repeat. Redirects are never followed, because they would pass on the API key.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar, Self

import aiohttp
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError, ProxyType
from yarl import URL

from runner.base.errors import BlockedError, StoppedError
from runner.base.outcomes import OutcomeReason, Then
from runner.base.wording import seconds_in_words
from runner.provider.answer import ADVICE, Answer, read_answer, status_text
from runner.provider.endpoint import CONNECT_TIMEOUT_S, Endpoint, header_safe, tls_context
from runner.provider.network_errors import (
    is_lasting,
    network_error_text,
    no_connection_text,
    one_line,
    proxy_error_text,
)
from runner.provider.proxy import Proxy

# How long to wait for the next byte of an answer.
SILENCE_TIMEOUT_S = 45.0

# A failure to get through the proxy.
PROXY_ERRORS = (ProxyConnectionError, ProxyTimeoutError, ProxyError)

# All errors of a request before its answer is complete.
NETWORK_ERRORS = (aiohttp.ClientError, OSError, *PROXY_ERRORS)


class UnreachableError(StoppedError):
    """The provider didn't answer, or reported a temporary failure: a retry may help. `why` describes the failure."""

    def __init__(self, words: str, why: str) -> None:
        super().__init__(words)
        self.why = why


class HttpClient:
    """Makes requests with one API key. An async context manager. All errors are StoppedError, with a text for people.

    :param endpoint: the provider's address, and whether to use a proxy.
    :param subject: the noun for the request in error messages, such as "log export".
    :param limit: the most connections at a time.
    :param advice: what to check after a refusal, by reason, if `answer.ADVICE` doesn't fit the subject.
    """

    # The largest answer is a price list: a few hundred kilobytes per sub-account.
    max_answer_bytes: ClassVar[int] = 64 * 1024 * 1024

    # The limit for a complete answer, because one that arrives byte by byte might never end.
    answer_timeout_s: ClassVar[float] = 300.0

    def __init__(
        self,
        endpoint: Endpoint,
        api_key: str,
        subject: str,
        *,
        limit: int = 100,
        advice: Mapping[OutcomeReason, str] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._api_key = header_safe(api_key)
        self._subject = subject
        self._limit = limit
        self._advice = {**ADVICE, **(advice or {})}
        self._key = {"Authorization": f"Bearer {self._api_key}"}
        self._sessions: dict[URL, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for session in self._sessions.values():
            await session.close()

    def session(self, url: URL) -> aiohttp.ClientSession:
        """The session for a URL's origin, through the proxy that the environment sets for it."""
        origin = url.origin()
        if origin not in self._sessions:
            self._sessions[origin] = aiohttp.ClientSession(
                connector=_connector(self._endpoint.proxy(str(url)), self._limit),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "campaign-runner"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_TIMEOUT_S),
            )
        return self._sessions[origin]

    async def ask(
        self, method: str, url: str | URL, *, body: bytes | None = None, query: Mapping[str, str] | None = None
    ) -> Answer:
        """Make one request. Returns the answer, also if it is a refusal. `body` is JSON.

        Raises UnreachableError if no answer comes, BlockedError for a success larger than `max_answer_bytes`.
        """
        # Not compressed, because a few kilobytes could become gigabytes.
        headers = self._key | {"Accept": "application/json", "Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = bytearray()
        url = URL(url)
        try:
            async with (
                asyncio.timeout(self.answer_timeout_s),
                self.session(url).request(
                    method,
                    url,
                    data=body,
                    params=query,
                    headers=headers,
                    allow_redirects=False,
                    auto_decompress=False,
                ) as response,
            ):
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > self.max_answer_bytes:
                        response.close()
                        if response.status >= 400:
                            break  # for example a proxy's page: its status says enough
                        size = f"more than {self.max_answer_bytes // 1024:,} kB"
                        advice = self._advice[OutcomeReason.UNEXPECTED_ANSWER]
                        raise BlockedError(f"the answer about the {self._subject} is too large ({size}); {advice}")
        except NETWORK_ERRORS as error:
            why = self.error_text(error, url)
            if _is_lasting(error):
                raise BlockedError(f"the request for the {self._subject} failed: {why}") from error
            raise UnreachableError(f"the request for the {self._subject} failed: {why}", why) from error
        now = datetime.now(UTC)
        return read_answer(response.status, response.headers, bytes(content), now=now, secret=self._api_key)

    def error_text(self, error: Exception, url: URL) -> str:
        """What went wrong on the network. If the connection failed, names the host and the proxy."""
        match error:
            case aiohttp.ConnectionTimeoutError() | ProxyTimeoutError():
                why = f"timed out after {CONNECT_TIMEOUT_S:g} s"
            case ProxyConnectionError(__cause__=Exception() as cause) | ProxyError(__cause__=Exception() as cause):
                why = proxy_error_text(cause)
            case aiohttp.ClientConnectorCertificateError():
                why = network_error_text(error.certificate_error)
            case aiohttp.ClientConnectorError():
                why = network_error_text(error.os_error)
            case TimeoutError():
                return "timed out waiting for the answer"
            case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
                return "the connection was closed before the answer was complete"
            case aiohttp.ClientResponseError():
                first_line = error.message.partition("\n")[0].rstrip(":")
                return f"the answer is not HTTP ({one_line(first_line)})"
            case _:
                return network_error_text(error)
        return no_connection_text(f"{url.host}:{url.port}", self._endpoint.proxy(str(url)), why)

    def demand(self, answer: Answer) -> Answer:
        """The answer, if it is a success. Raises UnreachableError for a temporary failure, else BlockedError."""
        if answer.reason is None:
            return answer
        what = status_text(answer.status)
        message = f" ({answer.message})" if answer.message else ""
        is_for_all = answer.then is not Then.GO_ON
        advice = f"; {self._advice[answer.reason]}" if is_for_all and answer.reason in self._advice else ""
        if answer.then in (Then.PAUSE, Then.BACK_OFF):
            wait_s = answer.retry_after_s
            later = "" if wait_s is None else f"; try again in {seconds_in_words(wait_s)}"
            words = f"the request for the {self._subject} failed: {what}{message}{advice}{later}"
            raise UnreachableError(words, f"{what}{message}")
        raise BlockedError(f"the provider refused the {self._subject}: {what}{message}{advice}")


def _is_lasting(error: Exception) -> bool:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error.__cause__
    return is_lasting(cause if isinstance(cause, BaseException) else error)


def _connector(proxy: Proxy | None, limit: int) -> aiohttp.TCPConnector:
    if proxy is None:
        return aiohttp.TCPConnector(limit=limit, ssl=tls_context())
    return ProxyConnector(
        proxy_type=ProxyType[proxy.kind.upper()],
        host=proxy.host,
        port=proxy.port,
        username=proxy.username,
        password=proxy.password,
        rdns=True,
        limit=limit,
        ssl=tls_context(),
    )
