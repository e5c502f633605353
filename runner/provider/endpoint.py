"""The provider's address, or the one that replaces it, and what all connections to it have in common."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
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

# The place of every sandbox on this computer, except that of `--sandbox`.
THIS_COMPUTER = "http://127.0.0.1"

# How long connecting may take, including TLS.
CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One sub-account at one base URL (no trailing slash).

    `is_direct`: don't use a proxy, because this is a sandbox that this process started.
    """

    base_url: str
    sub_account_id: str
    is_direct: bool = False

    @property
    def messages_url(self) -> str:
        return f"{self.base_url}/api/v1/subaccounts/{quote(self.sub_account_id, safe='&')}/messages"

    @property
    def place(self) -> str:
        """What identifies the provider's log: the base URL, or this computer, where a sandbox changes its port."""
        if self.is_direct:
            return "--sandbox"
        return THIS_COMPUTER if is_local(self.base_url) else self.base_url

    @property
    def tls(self) -> bool:
        return self.base_url.startswith("https://")

    def proxy(self, url: str | None = None) -> Proxy | None:
        """The proxy for the base URL, or for another URL that came from the provider. Raises InputError."""
        return None if self.is_direct else proxy_for(url or self.base_url)


def resolve(region: str, sub_account_id: str, override: str | None = None) -> Endpoint:
    """The endpoint of a region, or of `override` (EIGHTXEIGHT_BASE_URL).

    Raises InputError for an override that isn't a URL, or that would send the API key unencrypted over a network.
    """
    if not override:
        return Endpoint(REGIONS[region], sub_account_id)
    parts = _split(override)
    if parts is None:
        raise InputError.of(
            f"EIGHTXEIGHT_BASE_URL is {override!r}, which is not a base URL", "use a URL such as https://sms.8x8.com"
        )
    if not is_safe(override):
        raise InputError.of(
            f"EIGHTXEIGHT_BASE_URL is {override!r}: http:// would send the API key unencrypted",
            "use https://; http:// is allowed only to this computer (127.0.0.1)",
        )
    return Endpoint(f"{parts.scheme}://{_netloc(parts, override)}{parts.path.rstrip('/')}", sub_account_id)


def is_safe(url: str) -> bool:
    """Whether it is safe to use a URL: it is encrypted, or leads to this computer."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def is_local(url: str) -> bool:
    """Whether a URL leads to this computer, and so not to the provider."""
    parts = _split(url)
    return parts is not None and is_loopback(parts.hostname)


def tls_context() -> ssl.SSLContext:
    """Verifies certificates against the system's store or SSL_CERT_FILE. Requires TLS 1.3, as Singapore does.

    Shows the client certificate in EIGHTXEIGHT_CLIENT_CERT, a PEM file with certificate and key, to a server that
    demands one. Raises InputError if a file can't be used: OpenSSL would ignore it, and no certificate would be valid.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if authorities := os.environ.get("SSL_CERT_FILE"):
        with _usable("SSL_CERT_FILE", authorities, "a PEM file with certificate authorities"):
            context.load_verify_locations(authorities)
    if certificate := os.environ.get("EIGHTXEIGHT_CLIENT_CERT"):
        with _usable("EIGHTXEIGHT_CLIENT_CERT", certificate, "a PEM file with a certificate and its unencrypted key"):
            context.load_cert_chain(certificate, password="")  # OpenSSL would ask for a missing password
    return context


@contextmanager
def _usable(variable: str, path: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        why = "is not valid" if isinstance(error, ssl.SSLError | ValueError) else f"can't be read: {error.strerror}"
        raise InputError.of(
            f"the file in the environment variable {variable}, {path}, {why}", f"set it to {remedy}"
        ) from None


def header_safe(api_key: str) -> str:
    """The key. Raises InputError if it can't be in an HTTP header; a later error would print the key."""
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise InputError.of(
            "EIGHTXEIGHT_API_KEY contains a space, a line break or another character that an API key can't have",
            "copy it again from the provider's portal",
        )
    return api_key


def _split(url: str) -> SplitResult | None:
    """The parts of a base URL, or None if it isn't one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    surplus = parts.query or parts.fragment or parts.username or port == 0
    return parts if parts.scheme in ("http", "https") and parts.hostname and not surplus else None


def _netloc(parts: SplitResult, override: str) -> str:
    """Host and port in ASCII, as requests need them."""
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except UnicodeError:
        raise InputError.of(
            f"EIGHTXEIGHT_BASE_URL is {override!r}, whose host name is not valid",
            "use a URL such as https://sms.8x8.com",
        ) from None
    host = f"[{host}]" if ":" in host else host
    return host if parts.port is None else f"{host}:{parts.port}"
