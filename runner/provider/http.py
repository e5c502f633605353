"""The HTTP client for every request that isn't a message: feedback, cancelling, the log export, prices, the balance.

All of these may be asked again without harm. Redirects are never followed, because the API key would go along.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar, Self

import aiohttp
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError, ProxyType
from yarl import URL

from runner.base.errors import StoppedError
from runner.base.outcomes import OutcomeReason, Then
from runner.provider.answer import ADVICE, Answer, read_answer
from runner.provider.endpoint import CONNECT_TIMEOUT_S, Endpoint, header_safe, in_words, tls_context
from runner.provider.proxy import Proxy

# Without a byte. Longer than any answer worth waiting for.
SILENCE_TIMEOUT_S = 45.0


# What a request fails with before its answer is whole.
NETWORK_ERRORS = (aiohttp.ClientError, OSError, ProxyConnectionError, ProxyTimeoutError, ProxyError)


class UnreachableError(StoppedError):
    """The provider didn't answer, or with a passing fault: asking again may help. `why` is the fault, in words."""

    def __init__(self, words: str, why: str) -> None:
        super().__init__(words)
        self.why = why


class HttpClient:
    """Asks the provider with one API key. An async context manager. All errors are StoppedError, in words.

    :param endpoint: where the provider is, and whether a proxy stands before it.
    :param subject: what is asked for, as its errors name it, such as "log export".
    :param limit: the most connections at a time.
    :param advice: what to check for a reason of refusal, where `answer.ADVICE` doesn't fit the subject.
    """

    # The largest answer is a price list: some hundred kilobytes for each sub-account.
    max_answer_bytes: ClassVar[int] = 64 * 1024 * 1024

    # For a whole answer: one that comes byte by byte would never end.
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
        """The session for a URL's origin, through the proxy that the environment names for it."""
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
        """One request and its answer, whatever the answer says. `body` is JSON.

        Raises UnreachableError when no answer comes, StoppedError for a success larger than `max_answer_bytes`.
        """
        headers = self._key | {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = bytearray()
        url = URL(url)
        try:
            async with (
                asyncio.timeout(self.answer_timeout_s),
                self.session(url).request(
                    method, url, data=body, params=query, headers=headers, allow_redirects=False
                ) as response,
            ):
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > self.max_answer_bytes:
                        response.close()
                        if response.status >= 400:
                            break  # a proxy's page, say: its status tells enough
                        what = f"the provider's answer to the {self._subject} has no end"
                        raise StoppedError(f"{what}; it can't be the SMS API's")
        except NETWORK_ERRORS as error:
            is_late = isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError)
            why = "no answer in time" if is_late else self.in_words(error, url)
            raise UnreachableError(f"the provider can't be reached for the {self._subject}: {why}", why) from error
        now = datetime.now(UTC)
        return read_answer(response.status, response.headers, bytes(content), now=now, secret=self._api_key)

    def in_words(self, error: Exception, url: URL) -> str:
        """What went wrong on the network; names the proxy if that is what failed."""
        is_proxy = isinstance(error, (ProxyConnectionError, ProxyTimeoutError, ProxyError))
        through = f"no connection through the proxy {self._endpoint.proxy(str(url))}: " if is_proxy else ""
        return through + in_words(error)

    def demand(self, answer: Answer) -> Answer:
        """The answer, if it is a success. Raises UnreachableError for a passing fault, StoppedError for a refusal."""
        if answer.reason is None:
            return answer
        what = f"HTTP {answer.status}"
        message = f" ({answer.message})" if answer.message else ""
        if answer.then in (Then.PAUSE, Then.BACK_OFF):
            later = "" if answer.retry_after_s is None else f"; ask again in {answer.retry_after_s:.0f} s"
            words = f"the provider answered {what} to the {self._subject}{message}{later}"
            raise UnreachableError(words, f"{what}{message}")
        is_for_all = answer.then is Then.STOP
        advice = f"; {self._advice[answer.reason]}" if is_for_all and answer.reason in self._advice else ""
        raise StoppedError(f"the provider refused the {self._subject}: {what}{message}{advice}")


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
