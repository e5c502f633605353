"""Where the provider listens, what may stand in for it, and what every connection to it shares."""

import ssl
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from runner.base.errors import InputError
from runner.base.net import is_loopback
from runner.provider.proxy import Proxy, proxy_for

REGIONS = {
    "asia": "https://sms.8x8.com",
    "north-america": "https://sms.us.8x8.com",
    "europe": "https://sms.8x8.uk",
    "indonesia": "https://sms.8x8.id",
}

# For a connection to be established, TLS included.
CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One sub-account at one base URL (no trailing slash).

    `is_direct`: no proxy of the environment stands before it, because it is a sandbox of this process.
    """

    base_url: str
    sub_account_id: str
    is_direct: bool = False

    @property
    def messages_url(self) -> str:
        return f"{self.base_url}/api/v1/subaccounts/{quote(self.sub_account_id, safe='&')}/messages"

    @property
    def tls(self) -> bool:
        return self.base_url.startswith("https://")

    def proxy(self, url: str | None = None) -> Proxy | None:
        """The proxy for the base URL, or for another URL that the provider named. Raises InputError."""
        return None if self.is_direct else proxy_for(url or self.base_url)


def resolve(region: str, sub_account_id: str, override: str | None = None) -> Endpoint:
    """The endpoint of a region, or of `override` (EIGHTXEIGHT_BASE_URL).

    Raises InputError for an override that isn't a URL, or that would carry the API key unencrypted over a network.
    """
    if not override:
        return Endpoint(REGIONS[region], sub_account_id)
    parts = _split(override)
    if parts is None:
        raise InputError.of(
            f"EIGHTXEIGHT_BASE_URL is {override!r}, which is not a base URL", "write it like https://sms.8x8.com"
        )
    if not is_safe(override):
        raise InputError.of(
            f"EIGHTXEIGHT_BASE_URL is {override!r}: plain http would show the API key to the network",
            "use https://, or http:// to this computer only (127.0.0.1)",
        )
    return Endpoint(f"{parts.scheme}://{_netloc(parts, override)}{parts.path.rstrip('/')}", sub_account_id)


def is_safe(url: str) -> bool:
    """Whether a URL may be followed: encrypted, or on this computer."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def tls_context() -> ssl.SSLContext:
    """Certificates verified against the system's store or SSL_CERT_FILE; TLS 1.3 at least, as Singapore demands."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def header_safe(api_key: str) -> str:
    """The key. Raises InputError when it can't be a header's value: an error further down would print the key."""
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise InputError.of(
            "EIGHTXEIGHT_API_KEY holds a space, a line break or another character that no API key has",
            "copy it again from the provider's portal",
        )
    return api_key


def in_words(error: Exception) -> str:
    """A library's error on one line."""
    words = str(error).encode("utf-8", "replace").decode()  # a proxy's answer may hold any bytes
    return " ".join(words.split())[:200] or type(error).__name__


def _split(url: str) -> SplitResult | None:
    """The parts of a base URL, or None when it isn't one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    surplus = parts.query or parts.fragment or parts.username or port == 0
    return parts if parts.scheme in ("http", "https") and parts.hostname and not surplus else None


def _netloc(parts: SplitResult, override: str) -> str:
    """Host and port as they go over the wire: in ASCII."""
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except UnicodeError:
        raise InputError.of(
            f"EIGHTXEIGHT_BASE_URL is {override!r}, which has no host name that can exist", "correct it"
        ) from None
    host = f"[{host}]" if ":" in host else host
    return host if parts.port is None else f"{host}:{parts.port}"
